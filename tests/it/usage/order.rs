//! The order of consumption, and what a grant's scope keeps out.

use chrono::TimeDelta;
use creditd::pb;

use crate::harness::{World, say};

type Create = pb::CreateGrantRequest;

/// A grant of 1, named by its description.
fn one(name: &str, change: impl FnOnce(&mut Create)) -> Create {
    let mut asked = Create { description: name.into(), ..say::units("acme", "1") };
    change(&mut asked);
    asked
}

/// The names of the grants that pay for an event that takes all there is, in order; checked
/// against the order of the balance and of a preview.
async fn order(world: &World, metric: &str) -> Vec<String> {
    let client = &world.client;
    let balance = pb::GetBalanceRequest {
        customer_id: "acme".into(),
        metric: metric.into(),
        ..Default::default()
    };
    let balance = client.try_balance(balance).await.expect("a balance").grants;
    let balance: Vec<_> = balance.into_iter().map(|grant| grant.grant_id).collect();
    let previewed = client.preview(say::preview("acme", metric, "1000")).await.allocations;
    let event = client.record(say::usage("acme", "all", metric, "1000")).await;
    assert_eq!(event.allocations, previewed);
    let paid: Vec<_> = event.allocations.into_iter().map(|a| a.grant_id).collect();
    assert_eq!(balance, paid);
    let mut names = Vec::new();
    for id in paid {
        names.push(client.fetch(&id).await.description);
    }
    names
}

/// Priority 10 until March, priority 20 until January, priority 10 until February: C, A, B.
#[tokio::test(flavor = "multi_thread")]
async fn the_published_example() {
    World::run(async |world| {
        let until = |days: i64, priority| {
            move |r: &mut Create| {
                r.expires_at = say::after(TimeDelta::days(days));
                r.priority = Some(priority);
            }
        };
        for asked in [one("A", until(80, 10)), one("B", until(20, 20)), one("C", until(45, 10))] {
            world.client.grant(asked).await;
        }
        assert_eq!(order(world, "m").await, ["C", "A", "B"]);
    })
    .await;
}

/// Each rule decides only where all before it tie.
#[tokio::test(flavor = "multi_thread")]
async fn every_rule_in_its_place() {
    World::run(async |world| {
        let tied = |r: &mut Create| r.metrics = say::names(&["m", "other"]);
        let soon = |r: &mut Create| r.expires_at = say::hour(10);
        let past = |r: &mut Create| r.effective_at = say::hour(-10);
        // Made in an order that none of the rules gives.
        for asked in [
            one("6 never, open, later made", |_| {}),
            one("5 never, open, begun earlier", past),
            one("4 never, tied", tied),
            one("2 soon, open", |r| {
                soon(r);
                past(r);
            }),
            one("1 soon, tied", |r| {
                soon(r);
                tied(r);
            }),
            one("3 later, tied, begun first", |r| {
                tied(r);
                r.expires_at = say::after(TimeDelta::hours(10) + TimeDelta::microseconds(1));
                r.effective_at = say::hour(-100);
            }),
            one("7 the lowest priority beats all else", |r| {
                soon(r);
                tied(r);
                past(r);
                r.priority = Some(51);
            }),
            one("0 the highest priority", |r| r.priority = Some(49)),
        ] {
            world.client.grant(asked).await;
        }
        let order = order(world, "m").await;
        let numbers: Vec<_> = order.iter().map(|name| &name[..1]).collect();
        assert_eq!(numbers, ["0", "1", "2", "3", "4", "5", "6", "7"], "{order:?}");
    })
    .await;
}

/// Alike in everything: first made, first consumed; of the same instant, first recorded.
#[tokio::test(flavor = "multi_thread")]
async fn full_ties_go_by_the_time_of_recording() {
    World::run(async |world| {
        for hour in 0..3 {
            for n in 0..5 {
                let name = format!("{hour}{n}");
                world.client.grant(one(&name, |r| r.effective_at = say::hour(-1))).await;
            }
            world.advance(TimeDelta::hours(1)).await;
        }
        let names = order(world, "m").await;
        assert!(names.is_sorted(), "{names:?}");
        assert_eq!(names.len(), 15);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_split_where_one_grant_is_not_enough() {
    World::run(async |world| {
        let client = world.client.clone();
        let a = client.grant(say::units("acme", "1.5")).await;
        let b = client.grant(say::units("acme", "2")).await;
        let c = client.grant(say::units("acme", "100")).await;
        let event = client.record(say::usage("acme", "e1", "m", "3.75")).await;
        let expected = pb::UsageEvent {
            hold_id: String::new(),
            customer_id: "acme".into(),
            event_id: "e1".into(),
            metric: "m".into(),
            quantity: "3.75".into(),
            timestamp: say::hour(0),
            covered: "3.75".into(),
            uncovered: "0".into(),
            reversed: "0".into(),
            allocations: [(&a, "1.5"), (&b, "2"), (&c, "0.25")]
                .map(|(grant, amount)| pb::Allocation {
                    grant_id: grant.id.clone(),
                    amount: amount.into(),
                })
                .into(),
            recorded_at: say::hour(0),
            metadata: std::collections::BTreeMap::default(),
        };
        assert_eq!(event, expected);
        assert_eq!(client.event("acme", "e1").await, expected);
        let entries = client.ledger("acme").await.split_off(3);
        let lines = ["4 CONSUMED -1.5 -> 0", "5 CONSUMED -2 -> 0", "6 CONSUMED -0.25 -> 99.75"];
        assert_eq!(say::lines(&entries), lines);
        assert!(entries.iter().all(|entry| entry.event_id == "e1" && entry.actor == "anonymous"));

        let event = client.record(say::usage("acme", "e2", "m", "100")).await;
        assert_eq!((event.covered.as_str(), event.uncovered.as_str()), ("99.75", "0.25"));
        assert_eq!(say::paid(&event.allocations), [(c.id.as_str(), "99.75")]);
        let event = client.record(say::usage("acme", "e3", "m", "1")).await;
        assert_eq!((event.covered.as_str(), event.uncovered.as_str()), ("0", "1"));
        assert_eq!(event.allocations, []);
    })
    .await;
}

/// Grants tied to other metrics and money stay out, whatever their priority.
#[tokio::test(flavor = "multi_thread")]
async fn other_metrics_and_money_are_left_alone() {
    World::run(async |world| {
        let client = world.client.clone();
        let first = |asked: Create| Create { priority: Some(0), ..asked };
        let money = client.grant(first(say::money("acme", "100", "USD"))).await;
        let other =
            Create { metrics: say::names(&["images", "M", "mm"]), ..say::units("acme", "5") };
        let other = client.grant(first(other)).await;
        let open = client.grant(say::units("acme", "5")).await;
        let tied = Create { metrics: say::names(&["m"]), ..say::units("acme", "5") };
        let tied = client.grant(tied).await;
        let event = client.record(say::usage("acme", "e1", "m", "7")).await;
        let paid = [(tied.id.as_str(), "5"), (open.id.as_str(), "2")];
        assert_eq!(say::paid(&event.allocations), paid);
        let event = client.record(say::usage("acme", "e2", "m", "7")).await;
        assert_eq!((event.covered.as_str(), event.uncovered.as_str()), ("3", "4"));
        assert_eq!(client.fetch(&money.id).await, money);
        assert_eq!(client.fetch(&other.id).await, other);
        let event = client.record(say::usage("acme", "e3", "M", "7")).await;
        assert_eq!(say::paid(&event.allocations), [(other.id.as_str(), "5")]);
    })
    .await;
}

/// A customer's grants pay for nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn customers_are_apart() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "5")).await;
        let event = client.record(say::usage("umbrella", "e1", "m", "1")).await;
        assert_eq!((event.covered.as_str(), event.uncovered.as_str()), ("0", "1"));
        assert_eq!(client.balance("acme").await.totals[0].available, "5");
        assert_eq!(client.balance("umbrella").await.revision, 0);
        assert_eq!(client.events("umbrella").await, [event]);
    })
    .await;
}
