//! Balances: what a customer can spend now, and what makes it up.

use chrono::TimeDelta;
use creditd::pb::{self, GrantStatus, GrantType};

use crate::harness::{World, say, t0};

fn total(kind: GrantType, currency: &str, metrics: &[&str], sum: &str) -> pb::BalanceTotal {
    pb::BalanceTotal {
        r#type: kind.into(),
        currency: currency.into(),
        metrics: say::names(metrics),
        available: sum.into(),
        held: if currency == "USD" || currency == "EUR" { "0.00".into() } else { "0".into() },
        remaining: sum.into(),
    }
}

fn tied(amount: &str, metrics: &[&str]) -> pb::CreateGrantRequest {
    pb::CreateGrantRequest { metrics: say::names(metrics), ..say::units("acme", amount) }
}

/// One total per currency, by currency; then one per set of metrics, by metrics.
#[tokio::test(flavor = "multi_thread")]
async fn totals_are_by_currency_and_by_set_of_metrics() {
    World::run(async |world| {
        let client = world.client.clone();
        let early = pb::CreateGrantRequest { priority: Some(0), ..tied("5", &["b"]) };
        for asked in [
            early,
            tied("1", &["b", "a"]),
            say::money("acme", "3", "USD"),
            tied("2.5", &["a", "b", "a"]),
            say::units("acme", "10"),
            say::money("acme", "100", "JPY"),
            say::money("acme", "0.55", "USD"),
            say::units("acme", "0.000000000001"),
            tied("7", &["a"]),
            say::money("acme", "1", "EUR"),
        ] {
            client.grant(asked).await;
        }
        client.grant(say::units("umbrella", "1000")).await;
        let balance = client.balance("acme").await;
        let expected = [
            total(GrantType::Monetary, "EUR", &[], "1.00"),
            total(GrantType::Monetary, "JPY", &[], "100"),
            total(GrantType::Monetary, "USD", &[], "3.55"),
            total(GrantType::Units, "", &[], "10.000000000001"),
            total(GrantType::Units, "", &["a"], "7"),
            total(GrantType::Units, "", &["a", "b"], "3.5"),
            total(GrantType::Units, "", &["b"], "5"),
        ];
        assert_eq!(balance.totals, expected);
        assert_eq!((balance.revision, balance.as_of), (10, say::hour(0)));
        assert_eq!(balance.customer_id, "acme");
        assert_eq!(balance.grants.len(), 10);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_count_what_could_pay() {
    World::run(async |world| {
        let client = world.client.clone();
        let soon = pb::CreateGrantRequest { expires_at: say::hour(1), ..tied("1", &["a", "b"]) };
        client.grant(soon).await;
        client.grant(tied("2", &["b"])).await;
        client.grant(say::units("acme", "4")).await;
        let soon =
            pb::CreateGrantRequest { expires_at: say::hour(2), ..say::money("acme", "8", "USD") };
        client.grant(soon).await;
        client.grant(say::money("acme", "16", "EUR")).await;
        for (metric, currency, remaining, expiring) in [
            ("a", "", vec!["1", "4"], vec!["1"]),
            ("b", "", vec!["1", "2", "4"], vec!["1"]),
            ("c", "", vec!["4"], vec![]),
            ("", "USD", vec!["8.00"], vec!["8.00"]),
            ("", "EUR", vec!["16.00"], vec![]),
            ("", "JPY", vec![], vec![]),
            ("", "", vec!["1", "8.00", "2", "4", "16.00"], vec!["1", "8.00"]),
        ] {
            let request = pb::GetBalanceRequest {
                as_of: None,
                customer_id: "acme".into(),
                metric: metric.into(),
                currency: currency.into(),
            };
            let balance = client.try_balance(request).await.expect("a balance");
            let found: Vec<_> = balance.grants.iter().map(|g| g.remaining.as_str()).collect();
            assert_eq!(found, remaining, "{metric}{currency}");
            assert_eq!(balance.revision, 5, "the customer's, whatever is counted");
            let found: Vec<_> =
                balance.upcoming_expirations.iter().map(|u| u.amount.as_str()).collect();
            assert_eq!(found, expiring, "{metric}{currency}");
            let mut sums: Vec<_> = balance.totals.iter().map(|t| t.remaining.as_str()).collect();
            let mut remaining = remaining;
            sums.sort_unstable();
            remaining.sort_unstable();
            assert_eq!(sums, remaining, "each grant is the only one of its set");
        }
    })
    .await;
}

/// A pending grant is listed and will expire, but nothing of it can be spent.
#[tokio::test(flavor = "multi_thread")]
async fn pending_grants_are_listed_and_not_counted() {
    World::run(async |world| {
        let client = world.client.clone();
        let live = client.grant(say::units("acme", "10")).await;
        let asked = pb::CreateGrantRequest {
            priority: Some(1),
            effective_at: say::hour(1),
            expires_at: say::hour(2),
            ..say::units("acme", "5")
        };
        let pending = client.grant(asked).await;
        let part = |grant: &pb::Grant, available: &str| pb::GrantBalance {
            grant_id: grant.id.clone(),
            status: grant.status,
            priority: grant.priority,
            expires_at: grant.expires_at,
            available: available.into(),
            held: "0".into(),
            remaining: grant.remaining.clone(),
        };
        let upcoming = pb::UpcomingExpiration {
            grant_id: pending.id.clone(),
            expires_at: say::hour(2),
            r#type: GrantType::Units.into(),
            currency: String::new(),
            metrics: Vec::new(),
            amount: "5".into(),
        };
        let expected = pb::Balance {
            customer_id: "acme".into(),
            revision: 2,
            as_of: say::hour(0),
            totals: vec![total(GrantType::Units, "", &[], "10")],
            grants: vec![part(&pending, "0"), part(&live, "10")],
            upcoming_expirations: vec![upcoming],
        };
        assert_eq!(client.balance("acme").await, expected);

        // It begins: time alone changes the balance, and not its revision.
        world.only_clock_to(t0() + TimeDelta::hours(1));
        let begun = pb::Grant { status: GrantStatus::Active.into(), ..pending };
        let expected = pb::Balance {
            as_of: say::hour(1),
            totals: vec![total(GrantType::Units, "", &[], "15")],
            grants: vec![part(&begun, "5"), part(&live, "10")],
            ..expected
        };
        assert_eq!(client.balance("acme").await, expected);

        // It ends, and nobody has booked it: gone, and counted in the revision.
        world.only_clock_to(t0() + TimeDelta::hours(2));
        let expected = pb::Balance {
            revision: 3,
            as_of: say::hour(2),
            totals: vec![total(GrantType::Units, "", &[], "10")],
            grants: vec![part(&live, "10")],
            upcoming_expirations: Vec::new(),
            ..expected
        };
        let counts = world.database.counts().await;
        assert_eq!(client.balance("acme").await, expected);
        assert_eq!(world.database.counts().await, counts, "a read wrote something");
        world.advance(TimeDelta::zero()).await;
        assert_eq!(client.balance("acme").await, expected);
        assert_eq!(client.ledger("acme").await.last().map(|entry| entry.sequence), Some(3));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_will_expire_is_listed_soonest_first() {
    World::run(async |world| {
        let client = world.client.clone();
        for (amount, priority, hour) in
            [("1", 1, 30), ("2", 2, 10), ("3", 3, 20), ("4", 4, 10), ("5", 0, 40)]
        {
            let asked = pb::CreateGrantRequest {
                priority: Some(priority),
                expires_at: say::hour(hour),
                ..say::units("acme", amount)
            };
            client.grant(asked).await;
        }
        client.grant(say::units("acme", "6")).await;
        // All of one, a part of another.
        client.record(say::usage("acme", "e1", "m", "5.25")).await;
        let balance = client.balance("acme").await;
        let upcoming: Vec<_> = balance
            .upcoming_expirations
            .iter()
            .map(|upcoming| (upcoming.amount.as_str(), upcoming.expires_at))
            .collect();
        let expected = [
            ("2", say::hour(10)),
            ("4", say::hour(10)),
            ("3", say::hour(20)),
            ("0.75", say::hour(30)),
        ];
        assert_eq!(upcoming, expected);
        let order: Vec<_> = balance.grants.iter().map(|g| g.remaining.as_str()).collect();
        assert_eq!(order, ["0.75", "2", "3", "4", "6"]);
        assert_eq!(balance.totals[0].available, "15.75");
    })
    .await;
}

/// The revision is the last sequence after every kind of change, and after none.
#[tokio::test(flavor = "multi_thread")]
async fn the_revision_is_the_last_sequence() {
    World::run(async |world| {
        let client = world.client.clone();
        let check = async |expected: i64| {
            assert_eq!(client.balance("acme").await.revision, expected);
            let last = client.ledger("acme").await.last().map_or(0, |entry| entry.sequence);
            assert_eq!(last, expected);
        };
        check(0).await;
        client.record(say::usage("acme", "e0", "m", "1")).await;
        check(0).await;
        let asked = pb::CreateGrantRequest { expires_at: say::hour(1), ..say::units("acme", "5") };
        let first = client.grant(asked).await;
        check(1).await;
        let second = client.grant(say::units("acme", "5")).await;
        check(2).await;
        client.record(say::usage("acme", "e1", "m", "7")).await;
        check(4).await;
        let notes = pb::UpdateGrantRequest {
            description: "d".into(),
            ..say::update(&second.id, &["description"])
        };
        client.update(notes).await;
        check(4).await;
        let rules =
            pb::UpdateGrantRequest { priority: Some(1), ..say::update(&second.id, &["priority"]) };
        client.update(rules).await;
        check(5).await;
        client.void(&second.id, "r").await;
        check(6).await;
        client.record(say::usage("acme", "e2", "m", "1")).await;
        check(6).await;
        world.only_clock_to(t0() + TimeDelta::hours(2));
        check(6).await;
        assert_eq!(client.fetch(&first.id).await.status(), GrantStatus::Exhausted);
        let balance = client.balance("acme").await;
        assert_eq!(
            (balance.totals, balance.grants, balance.upcoming_expirations),
            Default::default()
        );
    })
    .await;
}
