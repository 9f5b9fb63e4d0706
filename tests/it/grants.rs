//! Grants: made, looked at, repeated, changed, taken back.

mod limit;
pub mod replay;
mod status;
mod update;
mod validate;
mod void;

use chrono::TimeDelta;
use creditd::pb;
use prost_types::Timestamp;
use tonic::Code;

use crate::harness::{World, say, t0};

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_is_as_it_was_asked_for() {
    World::run(async |world| {
        let asked = pb::CreateGrantRequest {
            category: pb::GrantCategory::Loyalty.into(),
            metrics: say::names(&["tokens", "images", "tokens"]),
            effective_at: say::hour(-1),
            expires_at: say::hour(24),
            description: "Dank für fünf Jahre".into(),
            metadata: say::pairs(&[("plan", "gold"), ("", "")][..1]),
            ..say::units("acme", "100.250")
        };
        let made = world.client.grant(asked).await;
        let expected = pb::Grant {
            id: made.id.clone(),
            customer_id: "acme".into(),
            r#type: pb::GrantType::Units.into(),
            amount: "100.25".into(),
            currency: String::new(),
            metrics: say::names(&["images", "tokens"]),
            priority: 25,
            category: pb::GrantCategory::Loyalty.into(),
            status: pb::GrantStatus::Active.into(),
            effective_at: say::hour(-1),
            expires_at: say::hour(24),
            description: "Dank für fünf Jahre".into(),
            metadata: say::pairs(&[("plan", "gold")]),
            remaining: "100.25".into(),
            held: "0".into(),
            consumed: "0".into(),
            expired: "0".into(),
            voided: "0".into(),
            created_at: say::hour(0),
            updated_at: say::hour(0),
            voided_at: None,
            void_reason: String::new(),
            created_by: "anonymous".into(),
            import_id: String::new(),
            import_row: 0,
            campaign_id: String::new(),
        };
        assert_eq!(made, expected);
        assert!(uuid::Uuid::try_parse(&made.id).is_ok());
        assert_eq!(world.client.fetch(&made.id).await, made);

        let entry = pb::LedgerEntry {
            customer_id: "acme".into(),
            sequence: 1,
            grant_id: made.id.clone(),
            r#type: pb::LedgerEntryType::Granted.into(),
            amount: "100.25".into(),
            balance_after: "100.25".into(),
            held_amount: "0".into(),
            held_after: "0".into(),
            actor: "anonymous".into(),
            occurred_at: say::hour(0),
            recorded_at: say::hour(0),
            ..Default::default()
        };
        assert_eq!(world.client.ledger("acme").await, [entry]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_has_its_currencys_digits() {
    World::run(async |world| {
        for (sent, currency, amount, zero) in [
            ("100", "USD", "100.00", "0.00"),
            ("0.1", "EUR", "0.10", "0.00"),
            ("100", "JPY", "100", "0"),
            ("100.00", "JPY", "100", "0"),
            ("1.5", "KWD", "1.500", "0.000"),
            ("0.0001", "CLF", "0.0001", "0.0000"),
            ("1000000000000000", "USD", "1000000000000000.00", "0.00"),
        ] {
            let made = world.client.grant(say::money("acme", sent, currency)).await;
            let expected = format!(
                "{amount}: {amount} remaining, {zero} held, {zero} consumed, {zero} expired, \
                 {zero} voided"
            );
            assert_eq!(say::figures(&made), expected);
            assert_eq!(
                (made.currency.as_str(), made.r#type()),
                (currency, { pb::GrantType::Monetary })
            );
            let entry = world.client.ledger("acme").await.pop().expect("an entry");
            assert_eq!((entry.amount.as_str(), entry.balance_after.as_str()), (amount, amount));
            assert_eq!((entry.held_amount.as_str(), entry.held_after.as_str()), (zero, zero));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn units_have_no_trailing_zeros() {
    World::run(async |world| {
        for (sent, amount) in [
            ("1.500", "1.5"),
            ("007", "7"),
            ("0.000000000001", "0.000000000001"),
            ("0.0000000000010000", "0.000000000001"),
            ("1000000000000000.000", "1000000000000000"),
            ("999999999999999.999999999999", "999999999999999.999999999999"),
        ] {
            let made = world.client.grant(say::units("acme", sent)).await;
            assert_eq!((made.amount.as_str(), made.remaining.as_str()), (amount, amount));
            assert_eq!((made.held.as_str(), made.currency.as_str()), ("0", ""));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_category_decides_where_no_priority_is_given() {
    World::run(async |world| {
        use pb::GrantCategory as Category;
        for (category, given, priority) in [
            (Category::Service, None, 5),
            (Category::Promotional, None, 10),
            (Category::Loyalty, None, 25),
            (Category::Purchased, None, 50),
            (Category::Unspecified, None, 50),
            (Category::Purchased, Some(0), 0),
            (Category::Service, Some(100), 100),
            (Category::Unspecified, Some(0), 0),
        ] {
            let asked = pb::CreateGrantRequest {
                category: category.into(),
                priority: given,
                ..say::units("acme", "1")
            };
            let made = world.client.grant(asked).await;
            assert_eq!((made.priority, made.category()), (priority, category));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_may_begin_in_the_past_now_or_in_the_future() {
    World::run(async |world| {
        use pb::GrantStatus::{Active, Pending};
        for (effective_at, begins, status) in [
            (None, say::hour(0), Active),
            (say::hour(-100_000), say::hour(-100_000), Active),
            (say::hour(0), say::hour(0), Active),
            (say::hour(100_000), say::hour(100_000), Pending),
            (say::after(TimeDelta::microseconds(1)), say::after(TimeDelta::microseconds(1)), {
                Pending
            }),
        ] {
            let asked = pb::CreateGrantRequest { effective_at, ..say::units("acme", "1") };
            let made = world.client.grant(asked).await;
            assert_eq!((made.effective_at, made.status()), (begins, status));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_cut_to_microseconds() {
    World::run(async |world| {
        let fine = |at: Option<Timestamp>, nanos| at.map(|at| Timestamp { nanos, ..at });
        let first = Timestamp { seconds: -62_135_596_800, nanos: 0 };
        let last = Timestamp { seconds: 253_402_300_799, nanos: 999_999_999 };
        for (starts, ends, start, end) in [
            (
                fine(say::hour(1), 123_456_789),
                fine(say::hour(2), 999_999_999),
                fine(say::hour(1), 123_456_000),
                fine(say::hour(2), 999_999_000),
            ),
            (Some(first), Some(last), Some(first), fine(Some(last), 999_999_000)),
            // Before 1970, where cutting and rounding towards zero part.
            (
                Some(Timestamp { seconds: -1, nanos: 999_999_999 }),
                None,
                Some(Timestamp { seconds: -1, nanos: 999_999_000 }),
                None,
            ),
        ] {
            let asked = pb::CreateGrantRequest {
                effective_at: starts,
                expires_at: ends,
                ..say::units("acme", "1")
            };
            let made = world.client.grant(asked).await;
            assert_eq!((made.effective_at, made.expires_at), (start, end));
            assert_eq!(world.client.fetch(&made.id).await, made);
        }
        // What differs by less than a microsecond is the same instant.
        let bad = pb::CreateGrantRequest {
            effective_at: fine(say::hour(1), 1_000),
            expires_at: fine(say::hour(1), 1_999),
            ..say::units("acme", "1")
        };
        let status = world.client.try_grant(bad).await.expect_err("an empty window");
        assert_eq!(say::bad_fields(&status), ["expires_at"]);
    })
    .await;
}

/// The widest values that are allowed come back as they were sent.
#[tokio::test(flavor = "multi_thread")]
async fn limits_are_inclusive() {
    World::run(async |world| {
        let metrics: Vec<String> = (10..60).map(|n| format!("{n}{}", "m".repeat(253))).collect();
        let metadata =
            (10..60).map(|n| (format!("{n}{}", "é".repeat(38)), "ß".repeat(500))).collect();
        let asked = pb::CreateGrantRequest {
            request_id: "r".repeat(255),
            metrics: metrics.clone(),
            description: "é".repeat(1_000),
            metadata,
            ..say::units(&"c".repeat(255), "1000000000000000")
        };
        let made = world.client.grant(asked.clone()).await;
        assert_eq!((&made.customer_id, &made.metrics), (&asked.customer_id, &metrics));
        assert_eq!((&made.description, &made.metadata), (&asked.description, &asked.metadata));
        let event = pb::RecordUsageRequest {
            metadata: asked.metadata.clone(),
            ..say::usage(&asked.customer_id, &"e".repeat(255), &metrics[49], "1000000000000000")
        };
        let event = world.client.record(event).await;
        assert_eq!((event.covered.as_str(), &event.metadata), ("1000000000000000", &made.metadata));
        assert_eq!(say::paid(&event.allocations), [(made.id.as_str(), "1000000000000000")]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_grant_is_not_found() {
    World::run(async |world| {
        let id = "0198b6a0-0000-7000-8000-000000000000";
        let client = &world.client;
        let update = pb::UpdateGrantRequest { priority: Some(1), ..say::update(id, &["priority"]) };
        for refused in [
            client.try_fetch(id).await,
            client.try_fetch("0198B6A0-0000-7000-8000-000000000000").await,
            client.try_update(update).await,
            client.try_void(id, "why not").await,
        ] {
            let status = say::refused(refused, Code::NotFound, "GRANT_NOT_FOUND");
            let resource = ("credits.v1.Grant".to_owned(), id.to_owned());
            assert_eq!(say::resource(&status), resource);
        }
        assert!(world.database.counts().await.iter().all(|(_, count)| *count == 0));
        assert_eq!(world.now(), t0());
    })
    .await;
}
