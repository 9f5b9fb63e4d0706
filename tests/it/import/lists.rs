//! What an import made, as lists show it; and that finding it takes no walk through the rest.

use std::collections::BTreeMap;

use creditd::pb;
use tokio_postgres::Client as Sql;

use super::file::File;
use super::{Create, results};
use crate::harness::wait::until;
use crate::harness::{Server, World, say, t0};

/// All pages of an import's grants.
async fn listed(world: &World, list: &pb::ListGrantsRequest) -> Vec<pb::Grant> {
    let (mut all, mut list) = (Vec::new(), list.clone());
    loop {
        let page = world.client.try_list_grants(list.clone()).await.expect("a page");
        all.extend(page.grants);
        list.page_token = page.next_page_token;
        if list.page_token.is_empty() {
            return all;
        }
    }
}

fn of(import_id: &str, page_size: i32) -> pb::ListGrantsRequest {
    pb::ListGrantsRequest { import_id: import_id.into(), page_size, ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_are_listed_by_their_import() {
    World::run(async |world| {
        let client = world.client.clone();
        let mut made: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        client.grant(say::units("acme", "1")).await;
        for (hour, import_id) in ["i1", "i2", "i1"].into_iter().enumerate() {
            let rows: Vec<_> =
                (0..9).map(|n| say::row(["acme", "other"][n % 2], &format!("{}", n + 1))).collect();
            let first = i64::try_from(hour * 10 + 1).expect("a row");
            let answers = client.try_import(import_id, false, vec![(first, rows)]).await;
            let results = answers.expect("an import").remove(0).results;
            let mut ids: Vec<_> = results.into_iter().map(|result| result.grant_id).collect();
            ids.sort();
            made.entry(import_id).or_default().extend(ids);
            world.advance(chrono::TimeDelta::hours(1)).await;
        }
        for (import_id, ids) in &made {
            for size in [1, 4, 9, 0] {
                let found = listed(world, &of(import_id, size)).await;
                let found_ids: Vec<_> = found.iter().map(|grant| grant.id.clone()).collect();
                assert_eq!(found_ids, *ids, "by created_at and id, {size}");
                assert!(found.iter().all(|grant| grant.import_id == *import_id));
                assert!(found.iter().all(|grant| client_row(grant) > 0));
            }
        }
        assert_eq!(listed(world, &of("i3", 0)).await, []);
        // Together with other filters; and a page's token belongs to its import.
        let both = pb::ListGrantsRequest { customer_id: "other".into(), ..of("i1", 0) };
        assert_eq!(listed(world, &both).await.len(), 8);
        let later = pb::ListGrantsRequest { created_after: say::hour(1), ..of("i1", 0) };
        assert_eq!(listed(world, &later).await.len(), 9);
        let page = client.try_list_grants(of("i1", 4)).await.expect("a page");
        let strange = pb::ListGrantsRequest { page_token: page.next_page_token, ..of("i2", 4) };
        let status = client.try_list_grants(strange).await.expect_err("another list's token");
        assert_eq!(say::bad_fields(&status), ["page_token"]);
    })
    .await;
}

fn client_row(grant: &pb::Grant) -> i64 {
    let amount: i64 = grant.amount.parse().expect("a number");
    assert_eq!(grant.import_row % 10, amount, "the row made it");
    grant.import_row
}

/// The import is the cause of the first entry, and of no other.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_entry_that_an_import_made_names_it() {
    World::run(async |world| {
        let client = world.client.clone();
        let lasting = Create { expires_at: say::hour(9), ..say::row("acme", "10") };
        let dying = Create { expires_at: say::hour(2), ..say::row("acme", "1") };
        let made = client.import("i1", vec![lasting, dying]).await;
        let grant_id = &made.results[0].grant_id;
        client.grant(say::units("acme", "5")).await;
        client.record(say::usage("acme", "e1", "m", "2.5")).await;
        let update =
            pb::UpdateGrantRequest { priority: Some(1), ..say::update(grant_id, &["priority"]) };
        client.update(update).await;
        client.void(grant_id, "r").await;
        for booked in [false, true] {
            world.only_clock_to(t0() + chrono::TimeDelta::hours(3));
            let entries = client.ledger("acme").await;
            let causes: Vec<_> =
                entries.iter().map(|entry| (entry.import_id.as_str(), entry.import_row)).collect();
            assert_eq!(causes[..3], [("i1", 1), ("i1", 2), ("", 0)], "booked: {booked}");
            assert!(causes[3..].iter().all(|cause| *cause == ("", 0)), "{entries:?}");
            assert_eq!(causes.len(), 7);
            world.advance_to(t0() + chrono::TimeDelta::hours(3)).await;
        }
        let granted = pb::ListLedgerEntriesRequest {
            customer_id: "acme".into(),
            types: vec![pb::LedgerEntryType::Granted.into()],
            ..Default::default()
        };
        let granted = client.try_list_entries(granted).await.expect("entries").entries;
        assert_eq!(granted.iter().filter(|entry| entry.import_id == "i1").count(), 2);
        let grant = client.fetch(grant_id).await;
        assert_eq!((grant.import_id.as_str(), grant.import_row), ("i1", 1));
        assert_eq!(grant.created_by, "anonymous");
    })
    .await;
}

/// A server whose sessions are called so.
async fn start(world: &World, name: &str) -> Server {
    let url = format!("{}?application_name={name}", world.database.url);
    Server::start(&url, &world.options).await
}

/// Stops a server, and waits for the end of its sessions: that is when the database counts.
async fn stop(server: Server, name: &str, sql: &Sql) {
    server.stop().await;
    let sessions = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() \
                    AND application_name = $1";
    until("its sessions have ended", async || {
        sql.query(sessions, &[&name]).await.expect("sessions").is_empty()
    })
    .await;
}

/// How many entries of each index were read, and rows by walking whole tables.
async fn reads(sql: &Sql) -> BTreeMap<String, i64> {
    let query = "SELECT indexrelname::text, idx_tup_read FROM pg_stat_user_indexes \
                 UNION ALL SELECT 'all of ' || relname, seq_tup_read FROM pg_stat_user_tables \
                 WHERE relname NOT LIKE '%migrations'";
    let rows = sql.query(query, &[]).await.expect("statistics");
    rows.into_iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Connections plan once, maybe while tables are empty. What they read of full ones later is what
/// they look for, by its index.
#[tokio::test(flavor = "multi_thread")]
async fn looking_an_import_up_walks_through_nothing_else() {
    World::run(async |world| {
        let file = |name| File { seed: 1, rows: 6_000, customers: 50, name, bad: 0.0 };
        let (others, mine) = (file("c"), File { rows: 500, ..file("m") });
        let sql = world.database.connect().await;
        // Planned on empty tables.
        let planned = start(world, "planned").await;
        let early = planned.client();
        early.try_list_grants(of("none", 0)).await.expect("a list");
        early.try_void_import("none", "r").await.expect("a void");
        early.import("none", vec![say::row("early", "1")]).await;
        let filling = start(world, "filling").await;
        for import_id in ["a", "z"] {
            results(&filling.client(), others.messages(import_id, 1, 1_000)).await;
        }
        results(&filling.client(), mine.messages("i1", 1, 100)).await;
        stop(filling, "filling", &sql).await;
        sql.batch_execute("ANALYZE").await.expect("figures");

        let late = start(world, "late").await;
        for (server, name) in [(planned, "planned"), (late, "late")] {
            let before = reads(&sql).await;
            let client = server.client();
            results(&client, mine.messages("i1", 1, 100)).await;
            let mut list = of("i1", 100);
            for _ in 0..2 {
                let page = client.try_list_grants(list.clone()).await.expect("a page");
                assert_eq!(page.grants.len(), 100);
                list.page_token = page.next_page_token;
            }
            client.try_void_import("i1", "r").await.expect("a void");
            stop(server, name, &sql).await;
            let after = reads(&sql).await;
            let read: BTreeMap<_, _> = after
                .into_iter()
                .map(|(index, count)| (index.clone(), count - before[&index]))
                .filter(|(_, count)| *count > 0)
                .collect();
            // Twelve thousand grants are of others. What is read of an index besides what is looked
            // for are entries of rows that were changed since.
            let most = |name: &str| match name {
                "import_rows_pkey" => 500,
                // 500 walked for the void, and two pages of 100.
                "grants_by_import" => 2_400,
                // 500 that rows made, 500 to be voided: looked up, and updated twice.
                "grants_pkey" | "grants_by_id" => 3_000,
                // Of 50 customers.
                "grants_open" => 2_000,
                // Whose each grant is; and each batch's 50 customers.
                "customers_pkey" => 2_500,
                // One row, read with each batch.
                "all of notification_settings" => 100,
                _ => 0,
            };
            assert!(read.contains_key("grants_by_import"), "{read:?}");
            assert!(read.iter().all(|(name, count)| *count <= most(name)), "{name}: {read:?}");
        }
    })
    .await;
}
