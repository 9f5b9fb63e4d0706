//! VoidGrants.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use creditd::pb::{self, GrantStatus, GrantType};
use futures_util::future::join;

use crate::harness::load::{Load, OnFailure};
use crate::harness::{Client, World, say, t0};

type Create = pb::CreateGrantRequest;

fn money(customer: &str, amount: &str, currency: &str) -> Create {
    Create { request_id: String::new(), ..say::money(customer, amount, currency) }
}

/// Voids an import, and gives the last report.
async fn void(client: &Client, import_id: &str, reason: &str) -> pb::VoidGrantsResponse {
    let reports = client.try_void_import(import_id, reason).await.expect("a void");
    let sums = |report: &pb::VoidGrantsResponse| (report.voided, report.skipped);
    assert!(reports.is_sorted_by_key(sums), "totals only grow: {reports:?}");
    reports.last().expect("at least one").clone()
}

fn amounts(report: &pb::VoidGrantsResponse) -> Vec<(GrantType, &str, &str)> {
    report.amounts.iter().map(|a| (a.r#type(), a.currency.as_str(), a.amount.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_is_undone_as_a_whole() {
    World::run(async |world| {
        let client = world.client.clone();
        let rows = vec![say::row("acme", "10"), say::row("other", "5"), say::row("third", "1")];
        let made = client.import("i1", rows).await;
        let kept = client.grant(say::units("acme", "3")).await;
        client.record(say::usage("other", "e1", "tokens", "5")).await;
        client.record(say::usage("acme", "e1", "tokens", "4")).await;
        world.advance(TimeDelta::hours(1)).await;

        let last = void(&client, "i1", "wrong file").await;
        assert_eq!((last.voided, last.skipped, last.amount_voided.as_str()), (2, 1, "7"));
        assert_eq!(amounts(&last), [(GrantType::Units, "", "7")]);
        let grant = client.fetch(&made.results[0].grant_id).await;
        assert_eq!((grant.voided.as_str(), grant.void_reason.as_str()), ("6", "wrong file"));
        assert_eq!((grant.status(), grant.voided_at), (GrantStatus::Voided, say::hour(1)));
        let entry = client.ledger("acme").await.pop().expect("an entry");
        assert_eq!((entry.r#type(), entry.amount.as_str()), (pb::LedgerEntryType::Voided, "-6"));
        assert_eq!((entry.reason.as_str(), entry.actor.as_str()), ("wrong file", "anonymous"));
        assert_eq!((entry.import_id.as_str(), entry.occurred_at), ("", say::hour(1)));
        assert_eq!(client.fetch(&kept.id).await, kept);

        let again = void(&client, "i1", "another reason").await;
        assert_eq!((again.voided, again.skipped, again.amount_voided.as_str()), (0, 3, "0"));
        assert_eq!(again.amounts, []);
        assert_eq!(client.fetch(&grant.id).await, grant, "with its first reason");
    })
    .await;
}

/// Money and units together have no one amount; each kind has its own.
#[tokio::test(flavor = "multi_thread")]
async fn amounts_are_told_by_kind() {
    World::run(async |world| {
        let rows = vec![
            money("acme", "10.50", "USD"),
            say::row("acme", "0.000000000001"),
            money("other", "7", "JPY"),
            money("other", "0.50", "USD"),
            Create { metrics: say::names(&["a"]), ..say::row("other", "3") },
        ];
        world.client.import("mixed", rows).await;
        world
            .client
            .import("dollars", vec![money("acme", "1", "USD"), money("b", "2", "USD")])
            .await;
        let last = void(&world.client, "mixed", "r").await;
        assert_eq!((last.voided, last.amount_voided.as_str()), (5, ""));
        let told = [
            (GrantType::Units, "", "3.000000000001"),
            (GrantType::Monetary, "JPY", "7"),
            (GrantType::Monetary, "USD", "11.00"),
        ];
        assert_eq!(amounts(&last), told);
        let last = void(&world.client, "dollars", "r").await;
        assert_eq!((last.voided, last.amount_voided.as_str()), (2, "3.00"));
        assert_eq!(amounts(&last), [(GrantType::Monetary, "USD", "3.00")]);
    })
    .await;
}

/// What has ended is skipped, whether or not its end is booked; what has not begun is voided.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_ended_is_skipped() {
    World::run(async |world| {
        let client = world.client.clone();
        let rows = vec![
            say::row("voided", "1"),
            Create { expires_at: say::hour(1), ..say::row("expired", "2") },
            say::row("exhausted", "3"),
            Create { effective_at: say::hour(100), ..say::row("pending", "4") },
            say::row("active", "5"),
        ];
        let made = client.import("i1", rows.clone()).await;
        client.import("i2", rows).await;
        client.void(&made.results[0].grant_id, "before").await;
        let both = say::usage("exhausted", "e1", "m", "6");
        client.record(both).await;
        world.only_clock_to(t0() + TimeDelta::hours(1));
        let last = void(&client, "i1", "after").await;
        assert_eq!((last.voided, last.skipped, last.amount_voided.as_str()), (2, 3, "9"));
        let statuses = [
            (0, GrantStatus::Voided, "before"),
            (1, GrantStatus::Expired, ""),
            (2, GrantStatus::Exhausted, ""),
            (3, GrantStatus::Voided, "after"),
            (4, GrantStatus::Voided, "after"),
        ];
        for (n, status, reason) in statuses {
            let grant = client.fetch(&made.results[n].grant_id).await;
            assert_eq!((grant.status(), grant.void_reason.as_str()), (status, reason));
        }
        // The other import's grants are as they were.
        for (customer, left) in [("voided", "1"), ("active", "5")] {
            assert_eq!(client.balance(customer).await.totals[0].available, left);
        }
        // Rows stay used: the file again makes nothing.
        let again = client.import("i1", vec![say::row("voided", "1")]).await;
        assert_eq!((again.created, again.duplicates), (0, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_import_has_nothing_to_void() {
    World::run(async |world| {
        let reports = world.client.try_void_import("nobody", "r").await.expect("no error");
        let nothing = pb::VoidGrantsResponse { amount_voided: "0".into(), ..Default::default() };
        assert_eq!(reports, [nothing]);
    })
    .await;
}

/// 2,500 grants of 400 customers.
async fn import_many(client: &Client) {
    let rows = (0..2_500).map(|n| say::row(&format!("c-{}", n % 400), "2"));
    assert_eq!(client.import("many", rows.collect()).await.created, 2_500);
}

/// Reasons of all voids, and how many there are of each.
async fn voids(world: &World) -> Vec<(String, i64)> {
    let sql = world.database.connect().await;
    let query = "SELECT reason, count(*) FROM ledger_entries WHERE type = 'voided' \
                 GROUP BY reason ORDER BY reason";
    let rows = sql.query(query, &[]).await.expect("voids");
    rows.into_iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_told_piece_by_piece() {
    World::run(async |world| {
        import_many(&world.client).await;
        let reports = world.client.try_void_import("many", "r").await.expect("a void");
        let told: Vec<_> =
            reports.iter().map(|r| (r.voided, r.skipped, r.amount_voided.as_str())).collect();
        assert_eq!(told[..3], [(250, 0, "500"), (500, 0, "1000"), (750, 0, "1500")]);
        assert_eq!(told.last(), Some(&(2_500, 0, "5000")));
        let last = void(&world.client, "many", "again").await;
        assert_eq!((last.voided, last.skipped, last.amount_voided.as_str()), (0, 2_500, "0"));
        assert_eq!(voids(world).await, [("r".to_owned(), 2_500)]);
    })
    .await;
}

/// A caller that hangs up leaves whole voids behind; to repeat the call finishes it.
#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_repeats_the_call() {
    World::run(async |world| {
        import_many(&world.client).await;
        for (reason, read) in [("first", 0), ("second", 1)] {
            let client = world.server.client();
            let request = pb::VoidGrantsRequest {
                import_id: "many".into(),
                reason: reason.into(),
                ..Default::default()
            };
            let reports = client.credits.clone().void_grants(request).await.expect("a stream");
            let mut reports = reports.into_inner();
            for _ in 0..read {
                reports.message().await.expect("a report").expect("a report");
            }
            drop((reports, client));
        }
        let last = void(&world.client, "many", "third").await;
        assert_eq!(last.voided + last.skipped, 2_500);
        assert!(last.skipped >= 250, "what was reported is done: {last:?}");
        let voids = voids(world).await;
        let all: i64 = voids.iter().map(|(_, count)| count).sum();
        assert_eq!(all, 2_500, "each once: {voids:?}");
        let balances = (0..400).map(|n| format!("c-{n}")).collect::<BTreeSet<_>>();
        for customer in balances.iter().take(20) {
            assert_eq!(world.client.balance(customer).await.totals, []);
        }
    })
    .await;
}

/// Two callers at once, and usage that spends the same grants: each is voided by one of them, and
/// what is spent stays spent.
#[tokio::test(flavor = "multi_thread")]
async fn two_voids_at_once_while_usage_runs() {
    World::run(async |world| {
        let client = &world.client;
        let rows = (0..1_500).map(|n| say::row(&format!("customer-{}", n % 3), "2"));
        client.import("i1", rows.collect()).await;
        let other = world.another(&world.options).await;
        let clients = (0..4).map(|_| world.server.client()).collect();
        let load = Load::start("load", clients, OnFailure::Panic);
        load.more(30).await;
        let (one, two) = join(void(client, "i1", "one"), void(&other.client(), "i1", "two")).await;
        load.more(10).await;
        load.stop().await.is_all(client).await;
        let voids = voids(world).await;
        let all: i64 = voids.iter().map(|(_, count)| count).sum();
        assert_eq!(one.voided + two.voided, all, "{voids:?}");
        for report in [&one, &two] {
            assert_eq!(report.voided + report.skipped, 1_500);
        }
        let sql = world.database.connect().await;
        let sums = "SELECT sum(remaining)::text, (sum(voided))::text, sum(consumed) > 0, \
                    sum(amount)::bigint FROM grants";
        let row = sql.query_one(sums, &[]).await.expect("sums");
        let cents = |text: &str| creditd::domain::amount::Amount::parse(text, 12).expect("amount");
        let told = cents(&one.amount_voided).plus(cents(&two.amount_voided)).expect("a sum");
        assert_eq!(told, cents(row.get(1)));
        assert_eq!((row.get(2), row.get(3)), (true, 3_000_i64));
        assert_eq!(cents(row.get(0)), cents("0"), "all of it is voided or spent");
        other.stop().await;
    })
    .await;
}
