//! What a row says is compared by value, as in CreateGrant.

use creditd::pb;
use creditd::pb::ImportOutcome::{Created, Duplicate};
use prost_types::Timestamp;

use super::{Create, reused};
use crate::grants::replay;
use crate::harness::{Client, World, say};

fn first() -> Create {
    Create { request_id: String::new(), ..replay::first() }
}

async fn import(client: &Client, row: Create) -> pb::ImportResult {
    client.import("i1", vec![row]).await.results.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_by_value_is_a_duplicate() {
    World::run(async |world| {
        let made = import(&world.client, first()).await;
        assert_eq!(made.outcome(), Created);
        let before = world.database.counts().await;
        for change in replay::SAME {
            let mut again = first();
            change(&mut again);
            let result = import(&world.client, again.clone()).await;
            assert_eq!((result.outcome(), &result.grant_id), (Duplicate, &made.grant_id));
        }
        // What its category stands for, spelt out; and finer than a microsecond.
        let finer = |at: Option<Timestamp>| at.map(|at| Timestamp { nanos: at.nanos + 999, ..at });
        let again = Create {
            priority: Some(25),
            effective_at: finer(first().effective_at),
            expires_at: finer(first().expires_at),
            ..first()
        };
        assert_eq!(import(&world.client, again).await.outcome(), Duplicate);
        assert_eq!(world.database.counts().await, before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_value_is_refused() {
    World::run(async |world| {
        let made = import(&world.client, first()).await;
        let before = world.database.counts().await;
        let customer: fn(&mut Create) = |r| r.customer_id = "umbrella".into();
        for change in replay::OTHER.iter().chain([&customer]) {
            let mut again = first();
            change(&mut again);
            let answers = world.client.try_import("i1", true, vec![(1, vec![again.clone()])]).await;
            reused(&answers.expect("a dry run")[0].results[0]);
            reused(&import(&world.client, again).await);
        }
        assert_eq!(world.database.counts().await, before);
        let kept = world.client.fetch(&made.grant_id).await;
        assert_eq!((kept.customer_id.as_str(), kept.amount.as_str()), ("acme", "1"));
    })
    .await;
}

/// Which of two says when a grant begins does not matter.
#[tokio::test(flavor = "multi_thread")]
async fn an_omitted_beginning_agrees_with_any() {
    World::run(async |world| {
        let unset = Create { effective_at: None, ..first() };
        let made = import(&world.client, unset.clone()).await;
        for effective_at in [None, say::hour(5), say::hour(-5)] {
            let again = Create { effective_at, ..unset.clone() };
            let result = import(&world.client, again).await;
            assert_eq!((result.outcome(), &result.grant_id), (Duplicate, &made.grant_id));
        }
        let money = Create { request_id: String::new(), ..say::money("acme", "5", "USD") };
        let rows = [first(), money.clone()];
        let rows = rows.map(|row| Create { effective_at: None, ..row }).to_vec();
        assert_eq!(world.client.import("i1", rows).await.created, 1);
        let again = Create { amount: "5.00".into(), ..money.clone() };
        let again = world.client.import("i1", vec![unset.clone(), again]).await;
        assert_eq!(again.duplicates, 2);
        let euros = Create { currency: "EUR".into(), ..money };
        reused(&world.client.import("i1", vec![unset, euros]).await.results[1]);
    })
    .await;
}
