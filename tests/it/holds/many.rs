//! Five hundred holds at once on one customer, each settled or released: exact to the last decimal.

use creditd::domain::amount::Amount;
use creditd::pb;
use futures_util::future::join_all;
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
    World::run(async |world| are_exact(std::slice::from_ref(&world.client)).await).await;
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
        // Both have the account in hand.
        for (number, client) in clients.iter().enumerate() {
            client.record(say::usage("acme", &format!("e{number}"), "m", "0")).await;
        }
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
