//! Five hundred holds at once on one customer, each settled or released: exact to the last decimal.

use creditd::domain::amount::Amount;
use creditd::limits;
use creditd::pb;
use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use tonic::Code;

use super::hold;
use crate::harness::{Client, World, say};

const PAIRS: usize = 500;

fn sum(amounts: impl IntoIterator<Item = String>) -> String {
    let amounts = amounts.into_iter().map(|text| Amount::parse(&text, 12).expect("an amount"));
    Amount::sum(amounts).expect("a sum").to_string()
}

/// One hold and its end, each told twice, on servers that take turns. What was used.
async fn pair(clients: &[Client], number: usize) -> Option<String> {
    let at = |step: usize| &clients[(number + step) % clients.len()];
    let (id, quantity) = (format!("h{number}"), format!("{}.000000000007", number % 9 + 1));
    let first = at(0).try_hold(hold(&id, &quantity, 30)).await.expect("a hold");
    let again = at(1).try_hold(hold(&id, &quantity, 30)).await.expect("a hold");
    assert_eq!((again.hold, again.replayed), (first.hold, true));
    let used = match number % 4 {
        0 => "0.5".to_owned(),
        1 => quantity,
        // More than is held: the rest comes from what is not.
        2 => "11.000000000001".to_owned(),
        _ => {
            at(1).release("acme", &id).await;
            at(2).release("acme", &id).await;
            return None;
        }
    };
    let ended = at(1).settle(say::settle("acme", &id, &used)).await;
    assert_eq!(at(2).settle(say::settle("acme", &id, &used)).await, ended);
    assert_eq!((ended.1.covered.as_str(), ended.1.uncovered.as_str()), (used.as_str(), "0"));
    Some(used)
}

/// All pairs at once. Only what was used is gone.
async fn are_exact(clients: &[Client]) {
    let client = &clients[0];
    let end = pb::CreateGrantRequest { expires_at: say::hour(1), ..say::units("acme", "7") };
    client.grant(end).await;
    for _ in 0..20 {
        client.grant(say::units("acme", "1000")).await;
    }
    let used = join_all((0..PAIRS).map(|number| pair(clients, number))).await;
    let settled = used.iter().flatten().count();
    assert_eq!(settled, PAIRS / 4 * 3);
    let used = sum(used.into_iter().flatten());
    for client in clients {
        let total = client.balance("acme").await.totals.remove(0);
        assert_eq!(total.held, "0");
        assert_eq!(sum([total.available, used.clone()]), "20007");
        let events = client.events("acme").await;
        assert_eq!(events.len(), settled);
        assert_eq!(sum(events.into_iter().map(|event| event.covered)), used);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_pairs_are_exact() {
    World::run(async |world| are_exact(&[world.client.clone()]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_pairs_on_two_servers_are_exact() {
    World::run(async |world| {
        let other = world.another(&world.options).await;
        are_exact(&[world.client.clone(), other.client()]).await;
        other.stop().await;
    })
    .await;
}

/// Credit for 100 of 500, all of which want it at once from two servers; half of those settle.
#[tokio::test(flavor = "multi_thread")]
async fn no_credit_is_held_twice() {
    World::run(async |world| {
        let other = world.another(&world.options).await;
        let clients = [world.client.clone(), other.client()];
        clients[0].grant(say::units("acme", "100")).await;
        let holds = (0..PAIRS).map(async |number| {
            let id = format!("h{number}");
            let made = clients[number % 2].try_hold(hold(&id, "1", 30)).await;
            if made.is_err() {
                say::refused(made, Code::FailedPrecondition, "INSUFFICIENT_CREDITS");
                return None;
            }
            Some((number, id))
        });
        let held: Vec<_> = join_all(holds).await.into_iter().flatten().collect();
        assert_eq!(held.len(), 100);
        let ends = held.iter().zip(0..).map(async |((number, id), nth)| {
            let client = &clients[(number + 1) % 2];
            if nth % 2 == 0 {
                client.settle(say::settle("acme", id, "1")).await;
            } else {
                client.release("acme", id).await;
            }
        });
        join_all(ends).await;
        let total = clients[1].balance("acme").await.totals.remove(0);
        assert_eq!((total.available.as_str(), total.held.as_str()), ("50", "0"));
        other.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_has_at_most_10_000_open_holds() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "20000")).await;
        let more = limits::OPEN_HOLDS_MAX + 3;
        let make = |number| {
            let (client, id) = (client.clone(), format!("h{number}"));
            async move { client.try_hold(hold(&id, "1", 30)).await }
        };
        let answers: Vec<_> =
            stream::iter(0..more).map(make).buffer_unordered(1_000).collect().await;
        let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!((made.len(), refused.len()), (10_000, 3));
        for refused in refused {
            let status = say::refused(refused, Code::FailedPrecondition, "LIMIT_EXCEEDED");
            let metadata = say::metadata(&status);
            let told = |key| metadata.get(key).map(String::as_str);
            assert_eq!((told("limit"), told("name")), (Some("10000"), Some("open_holds")));
        }
        // A repetition is no other hold; one ends, and there is room for one.
        let known = made[0].as_ref().expect("a hold").hold.clone().expect("a hold");
        assert!(client.try_hold(hold(&known.hold_id, "1", 30)).await.expect("a replay").replayed);
        client.release("acme", &known.hold_id).await;
        client.hold(hold("one more", "1", 30)).await;
        let refused = client.try_hold(hold("too many", "1", 30)).await;
        say::refused(refused, Code::FailedPrecondition, "LIMIT_EXCEEDED");
        // All that are left end at one instant.
        world.advance(chrono::TimeDelta::minutes(30)).await;
        let total = world.client.balance("acme").await.totals.remove(0);
        assert_eq!((total.available.as_str(), total.held.as_str()), ("20000", "0"));
        client.hold(hold("too many", "1", 30)).await;
    })
    .await;
}
