//! Updates: notes always, rules while the grant has not ended.

use chrono::TimeDelta;
use creditd::pb::{self, GrantStatus};
use tonic::Code;

use crate::harness::{World, say, t0};

type Update = pb::UpdateGrantRequest;
/// An update, and what it does to the grant.
type Step = (Update, fn(&mut pb::Grant));

fn priority(grant: &pb::Grant, priority: i32) -> Update {
    Update { priority: Some(priority), ..say::update(&grant.id, &["priority"]) }
}

fn expiry(grant: &pb::Grant, expires_at: Option<prost_types::Timestamp>) -> Update {
    Update { expires_at, ..say::update(&grant.id, &["expires_at"]) }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mask_says_what_changes() {
    World::run(async |world| {
        let client = world.client.clone();
        let asked = pb::CreateGrantRequest {
            category: pb::GrantCategory::Service.into(),
            priority: Some(7),
            expires_at: say::hour(10),
            description: "old".into(),
            metadata: say::pairs(&[("a", "1"), ("b", "2")]),
            ..say::units("acme", "10")
        };
        let mut expected = client.grant(asked).await;
        let full = |paths: &[&str]| Update {
            description: "new".into(),
            metadata: say::pairs(&[("c", "3")]),
            priority: Some(8),
            expires_at: say::hour(20),
            ..say::update(&expected.id, paths)
        };
        let steps: [Step; 4] = [
            (full(&["description"]), |g| g.description = "new".into()),
            (full(&["metadata"]), |g| g.metadata = say::pairs(&[("c", "3")])),
            (full(&["priority"]), |g| g.priority = 8),
            (full(&["expires_at"]), |g| g.expires_at = say::hour(20)),
        ];
        // Named but unset: cleared, the category's own, never.
        let bare = say::update(
            &expected.id,
            &["description", "metadata", "priority", "expires_at", "priority"],
        );
        let cleared: Step = (bare, |g| {
            g.description.clear();
            g.metadata.clear();
            g.priority = 5;
            g.expires_at = None;
        });
        for (hour, (update, change)) in (1..).zip(steps.into_iter().chain([cleared])) {
            world.advance(TimeDelta::hours(1)).await;
            change(&mut expected);
            expected.updated_at = say::hour(hour);
            assert_eq!(client.update(update).await, expected);
            assert_eq!(client.fetch(&expected.id).await, expected);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_rules_is_an_entry_with_old_and_new() {
    World::run(async |world| {
        let client = world.client.clone();
        let asked = pb::CreateGrantRequest { expires_at: say::hour(9), ..say::units("acme", "10") };
        let grant = client.grant(asked).await;
        client.record(say::usage("acme", "e1", "a", "4")).await;
        world.advance(TimeDelta::hours(1)).await;
        client.update(priority(&grant, 0)).await;
        client.update(expiry(&grant, None)).await;
        let both = Update {
            priority: Some(3),
            expires_at: say::hour(20),
            description: "notes leave no entry".into(),
            ..say::update(&grant.id, &["priority", "expires_at", "description"])
        };
        client.update(both).await;
        let notes = Update { description: "n".into(), ..say::update(&grant.id, &["description"]) };
        client.update(notes).await;

        let entries = client.ledger("acme").await;
        let expected = [
            pb::RuleChange { old_priority: Some(50), new_priority: Some(0), ..Default::default() },
            pb::RuleChange {
                expires_at_changed: true,
                old_expires_at: say::hour(9),
                ..Default::default()
            },
            pb::RuleChange {
                old_priority: Some(0),
                new_priority: Some(3),
                expires_at_changed: true,
                new_expires_at: say::hour(20),
                ..Default::default()
            },
        ];
        assert_eq!(entries.len(), 2 + expected.len());
        assert!(entries[..2].iter().all(|entry| entry.change.is_none()));
        for (entry, (sequence, change)) in entries[2..].iter().zip((3..).zip(expected)) {
            let whole = pb::LedgerEntry {
                customer_id: "acme".into(),
                sequence,
                grant_id: grant.id.clone(),
                r#type: pb::LedgerEntryType::Updated.into(),
                amount: "0".into(),
                balance_after: "6".into(),
                held_amount: "0".into(),
                held_after: "0".into(),
                actor: "anonymous".into(),
                occurred_at: say::hour(1),
                recorded_at: say::hour(1),
                change: Some(change),
                ..Default::default()
            };
            assert_eq!(*entry, whole);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_nothing_returns_the_grant() {
    World::run(async |world| {
        let client = world.client.clone();
        let asked = pb::CreateGrantRequest {
            description: "d".into(),
            metadata: say::pairs(&[("k", "v")]),
            expires_at: say::hour(9),
            ..say::units("acme", "10")
        };
        let grant = client.grant(asked).await;
        world.advance(TimeDelta::hours(1)).await;
        let before = world.database.counts().await;
        let same = Update {
            description: "d".into(),
            metadata: say::pairs(&[("k", "v")]),
            priority: Some(50),
            expires_at: say::hour(9),
            ..say::update(&grant.id, &["description", "metadata", "priority", "expires_at"])
        };
        assert_eq!(client.update(same.clone()).await, grant);
        // The default of its category is what it has.
        assert_eq!(client.update(say::update(&grant.id, &["priority"])).await, grant);
        assert_eq!(world.database.counts().await, before);
        assert_eq!(client.balance("acme").await.revision, 1);
        // Nor does the grant's end matter to it, or that expires_at has passed.
        world.only_clock_to(t0() + TimeDelta::hours(10));
        assert_eq!(client.update(same).await.status(), GrantStatus::Expired);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_of_a_grant_that_has_ended_stay() {
    World::run(async |world| {
        let client = world.client.clone();
        let voided = client.grant(say::units("acme", "10")).await;
        client.void(&voided.id, "r").await;
        let asked = pb::CreateGrantRequest { expires_at: say::hour(1), ..say::units("acme", "10") };
        let expired = client.grant(asked).await;
        world.only_clock_to(t0() + TimeDelta::hours(1));
        for (grant, status) in [(&voided, GrantStatus::Voided), (&expired, GrantStatus::Expired)] {
            for refused in [
                priority(grant, 1),
                expiry(grant, say::hour(99)),
                // Looked at before the new expiry is.
                expiry(grant, say::hour(-99)),
                Update {
                    description: "not this either".into(),
                    ..Update {
                        update_mask: say::update("", &["description", "priority"]).update_mask,
                        ..priority(grant, 1)
                    }
                },
            ] {
                let refused = client.try_update(refused).await;
                say::refused(refused, Code::FailedPrecondition, "GRANT_NOT_ACTIVE");
            }
            let before = client.fetch(&grant.id).await;
            assert_eq!((before.status(), before.description.as_str()), (status, ""));
            let notes = Update {
                description: "seen".into(),
                metadata: say::pairs(&[("by", "audit")]),
                priority: Some(50),
                ..say::update(&grant.id, &["description", "metadata", "priority"])
            };
            let noted = client.update(notes).await;
            let expected = pb::Grant {
                description: "seen".into(),
                metadata: say::pairs(&[("by", "audit")]),
                updated_at: say::hour(1),
                ..before
            };
            assert_eq!(noted, expected);
        }
    })
    .await;
}

/// Exhausted is not ended: a reversal may fill it again.
#[tokio::test(flavor = "multi_thread")]
async fn the_rules_of_an_exhausted_grant_may_change() {
    World::run(async |world| {
        let client = world.client.clone();
        let grant = client.grant(say::units("acme", "10")).await;
        client.record(say::usage("acme", "e1", "a", "10")).await;
        let changed = client.update(priority(&grant, 1)).await;
        assert_eq!((changed.priority, changed.status()), (1, GrantStatus::Exhausted));
        let changed = client.update(expiry(&grant, say::hour(1))).await;
        assert_eq!(changed.expires_at, say::hour(1));
        world.advance(TimeDelta::hours(2)).await;
        assert_eq!(client.fetch(&grant.id).await.status(), GrantStatus::Exhausted);
        assert_eq!(client.ledger("acme").await.len(), 4);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_expiry_lies_ahead() {
    World::run(async |world| {
        let client = world.client.clone();
        let asked = pb::CreateGrantRequest {
            effective_at: say::hour(5),
            expires_at: say::hour(9),
            ..say::units("acme", "10")
        };
        let grant = client.grant(asked).await;
        world.advance(TimeDelta::hours(1)).await;
        let before = world.database.counts().await;
        // Past, now, before and at the beginning.
        for hour in [0, 1, 4, 5] {
            let mut update = expiry(&grant, say::hour(hour));
            update.description = "not taken".into();
            update.update_mask = say::update("", &["expires_at", "description"]).update_mask;
            let status = client.try_update(update).await.expect_err("no window is left");
            assert_eq!(say::bad_fields(&status), ["expires_at"]);
        }
        assert_eq!(client.fetch(&grant.id).await, grant);
        assert_eq!(world.database.counts().await, before);
        let soon = say::after(TimeDelta::hours(5) + TimeDelta::microseconds(1));
        assert_eq!(client.update(expiry(&grant, soon)).await.expires_at, soon);
        world.advance(TimeDelta::hours(5)).await;
        assert_eq!(client.fetch(&grant.id).await.status(), GrantStatus::Expired);
    })
    .await;
}

/// A grant whose expiry is moved expires then, not before; and one that never expires, never.
#[tokio::test(flavor = "multi_thread")]
async fn a_moved_expiry_is_kept() {
    World::run(async |world| {
        let client = world.client.clone();
        let soon = pb::CreateGrantRequest { expires_at: say::hour(1), ..say::units("acme", "10") };
        let later = client.grant(soon).await;
        client.update(expiry(&later, say::hour(3))).await;
        let soon = pb::CreateGrantRequest { expires_at: say::hour(1), ..say::units("acme", "20") };
        let never = client.grant(soon).await;
        client.update(expiry(&never, None)).await;
        let earlier = client.grant(say::units("acme", "30")).await;
        client.update(expiry(&earlier, say::hour(2))).await;
        world.advance(TimeDelta::hours(2)).await;
        assert_eq!(client.fetch(&later.id).await.status(), GrantStatus::Active);
        world.advance(TimeDelta::days(1_000)).await;
        assert_eq!(client.fetch(&never.id).await.status(), GrantStatus::Active);
        let expired: Vec<_> = client.ledger("acme").await.split_off(6);
        assert_eq!(say::lines(&expired), ["7 EXPIRED -30 -> 0", "8 EXPIRED -10 -> 0"]);
        assert_eq!((expired[0].recorded_at, expired[1].recorded_at), (say::hour(2), say::hour(3)));
        assert_eq!((&expired[0].grant_id, &expired[1].grant_id), (&earlier.id, &later.id));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_follows_changed_rules() {
    World::run(async |world| {
        let client = world.client.clone();
        let a = client.grant(say::units("acme", "10")).await;
        let b = client.grant(say::units("acme", "10")).await;
        let c = client.grant(say::units("acme", "10")).await;
        let event = client.record(say::usage("acme", "e1", "m", "1")).await;
        assert_eq!(say::paid(&event.allocations), [(a.id.as_str(), "1")]);
        client.update(priority(&c, 49)).await;
        let event = client.record(say::usage("acme", "e2", "m", "1")).await;
        assert_eq!(say::paid(&event.allocations), [(c.id.as_str(), "1")]);
        client.update(expiry(&b, say::hour(9))).await;
        client.update(priority(&c, 50)).await;
        let event = client.record(say::usage("acme", "e3", "m", "12")).await;
        assert_eq!(say::paid(&event.allocations), [(b.id.as_str(), "10"), (a.id.as_str(), "2")]);
        let order: Vec<_> =
            client.balance("acme").await.grants.into_iter().map(|grant| grant.grant_id).collect();
        assert_eq!(order, [a.id, c.id]);
    })
    .await;
}
