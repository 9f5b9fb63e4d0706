//! A row's key: what uses it up, what it is compared with, and what it finds.

use chrono::TimeDelta;
use creditd::pb;
use creditd::pb::ImportOutcome::{Created, Duplicate, Rejected};
use tonic::Code;

use super::{Create, outcomes, rejected, reused};
use crate::harness::{World, say, t0};

/// Imports one row.
async fn import(world: &World, row: i64, create: Create) -> pb::ImportResult {
    let answers = world.client.try_import("i1", false, vec![(row, vec![create])]).await;
    let answers = answers.expect("an import");
    assert_eq!((answers.len(), answers[0].results.len()), (1, 1));
    answers[0].results[0].clone()
}

/// Whatever became of the grant, its row is there already.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_a_duplicate_whatever_became_of_its_grant() {
    World::run(async |world| {
        let client = world.client.clone();
        let row = |customer| Create { expires_at: say::hour(9), ..say::row(customer, "10") };
        let rows = ["updated", "spent", "part", "voided", "expired"].map(row).to_vec();
        let made = client.import("i1", rows.clone()).await;
        let id = |n: usize| made.results[n].grant_id.clone();

        let update = pb::UpdateGrantRequest {
            priority: Some(1),
            description: "changed".into(),
            ..say::update(&id(0), &["priority", "description", "expires_at"])
        };
        client.update(update).await;
        client.record(say::usage("spent", "e1", "m", "11")).await;
        client.record(say::usage("part", "e1", "m", "3")).await;
        client.void(&id(3), "a mistake").await;
        for hours in [1, 9, 10_000] {
            world.only_clock_to(t0() + TimeDelta::hours(hours));
            let again = client.import("i1", rows.clone()).await;
            assert!(again.results.iter().all(|result| result.outcome() == Duplicate), "{again:?}");
            for (n, result) in again.results.iter().enumerate() {
                assert_eq!(result.grant_id, id(n));
            }
            // Another payload is told as such, though its expires_at may have passed, too.
            let other = Create { expires_at: say::hour(8), ..rows[4].clone() };
            reused(&import(world, 5, other).await);
        }
        assert_eq!(client.ledger("updated").await.len(), 2);
    })
    .await;
}

/// What is rejected leaves its key to whoever comes next, in the same batch or another.
#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_row_does_not_use_up_its_key() {
    World::run(async |world| {
        for bad in [
            Create { expires_at: say::hour(0), ..say::row("acme", "1") },
            say::row("acme", "nothing"),
            say::row("", "1"),
        ] {
            assert_eq!(import(world, 1, bad).await.outcome(), Rejected);
        }
        assert_eq!(import(world, 1, say::row("other", "2")).await.outcome(), Created);
        reused(&import(world, 1, say::row("acme", "2")).await);
        assert_eq!(world.client.balance("acme").await.revision, 0, "no customer was left behind");
    })
    .await;
}

/// Rows, request ids and events are keys of different kinds; so are rows of different imports.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_a_key_of_its_own_kind() {
    World::run(async |world| {
        let client = &world.client;
        client.grant(Create { request_id: "i1".into(), ..say::units("acme", "1") }).await;
        client.grant(Create { request_id: "1".into(), ..say::units("acme", "1") }).await;
        client.record(say::usage("acme", "i1", "m", "1")).await;
        for import_id in ["i1", "I1", "i1 ", "i"] {
            let made = client.try_import(import_id, false, vec![(1, vec![say::row("a", "1")])]);
            match made.await {
                Ok(made) => assert_eq!(outcomes(&made[0].results), [(1, Created)]),
                Err(status) => {
                    assert_eq!((import_id, status.code()), ("i1 ", Code::InvalidArgument));
                }
            }
        }
        // The longest id, and the largest number.
        let (longest, last) = ("é".repeat(127) + "x", i64::MAX - 1);
        for outcome in [Created, Duplicate] {
            let batch = vec![(last, vec![say::row("b", "1")])];
            let made = client.try_import(&longest, false, batch).await.expect("an import");
            assert_eq!(outcomes(&made[0].results), [(last, outcome)]);
            let grant = client.fetch(&made[0].results[0].grant_id).await;
            assert_eq!((&grant.import_id, grant.import_row), (&longest, last));
        }
    })
    .await;
}

/// The customer is a part of what a row says, not of what names it.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_belongs_to_all_customers_together() {
    World::run(async |world| {
        let acme = world.client.import("i1", vec![say::row("acme", "10")]).await;
        let other = import(world, 1, say::row("other", "10")).await;
        reused(&other);
        let batch = vec![
            (1, vec![say::row("acme", "10"), say::row("umbrella", "1")]),
            (3, vec![say::row("umbrella", "1"), say::row("acme", "10")]),
        ];
        let made = world.client.try_import("i1", false, batch).await.expect("an import");
        assert_eq!(outcomes(&made[0].results), [(1, Duplicate), (2, Created)]);
        assert_eq!(outcomes(&made[1].results), [(3, Created), (4, Created)]);
        assert_eq!(made[0].results[0].grant_id, acme.results[0].grant_id);
        // Lines were inserted above: every row behind them is another one.
        let shifted = vec![
            say::row("new", "5"),
            say::row("acme", "10"),
            say::row("umbrella", "1"),
            say::row("umbrella", "1"),
            say::row("acme", "10"),
        ];
        let again = world.client.import("i1", shifted).await;
        let outcomes: Vec<_> = again.results.iter().map(pb::ImportResult::outcome).collect();
        assert_eq!(outcomes, [Rejected, Rejected, Duplicate, Rejected, Created]);
        let why = rejected(&again.results[0]);
        assert_eq!(say::metadata(&why).len(), 0, "nobody else's row is told of");
        assert!(!why.message().contains("acme"), "{why:?}");
    })
    .await;
}
