//! The audit can fail: for each of its rules the books are tampered with, and exactly that rule
//! says so.

use chrono::TimeDelta;
use creditd::pb;
use creditd::store::{Address, audit};
use prost_types::FieldMask;

use crate::harness::child::creditd;
use crate::harness::{Database, Options, Server, World, say, t0};

/// What the owner of the tables may take back, as nobody else may.
const UNLOCK: &str = "GRANT UPDATE, DELETE ON ledger_entries, requests, import_rows, usage_events, \
                      usage_rollups, grants, customers TO current_user";

/// A rule, and what breaks it and no other.
const TAMPERINGS: &[(&str, &str)] = &[
    (
        "revision is the last sequence, and sequences have no gap",
        "UPDATE customers SET revision = revision + 1 WHERE external_id = 'acme'",
    ),
    (
        "sequence and recorded_at run together",
        "UPDATE ledger_entries SET recorded_at = '2020-01-01Z' \
         WHERE sequence = (SELECT max(sequence) FROM ledger_entries WHERE type = 'consumed')",
    ),
    (
        "a customer's recorded_at is its last one",
        "UPDATE customers SET recorded_at = '2020-01-01Z' WHERE external_id = 'acme'",
    ),
    (
        "a customer's recorded_at is its last one",
        "INSERT INTO customers VALUES (gen_random_uuid(), 'nobody', 0, 0, now(), now(), 0)",
    ),
    (
        "balances run: each entry's after is the sum so far",
        "UPDATE ledger_entries SET balance_after = balance_after + 1 WHERE type = 'expired'",
    ),
    (
        "balances run: each entry's after is the sum so far",
        "UPDATE ledger_entries SET held_after = 1 WHERE type = 'granted' AND sequence = 1",
    ),
    (
        "a grant's figures are the sums of its entries",
        "UPDATE grants SET remaining = remaining - 1, consumed = consumed + 1 WHERE sequence = 1",
    ),
    (
        "a grant's figures are the sums of its entries",
        "UPDATE grants SET expired = expired - 1, voided = voided + 1 WHERE expired > 0",
    ),
    (
        "a grant begins with one entry of its amount",
        "UPDATE grants SET created_at = created_at + interval '1 second' WHERE sequence = 1",
    ),
    (
        "amounts point the way of their type",
        "UPDATE ledger_entries SET type = 'expired' WHERE type = 'updated'",
    ),
    (
        "a grant pays for the metrics that it names",
        "UPDATE grants SET metrics = '{others}' WHERE type = 'units'",
    ),
    ("a grant's request id is kept", "DELETE FROM requests WHERE true"),
    ("an imported grant's row is kept", "DELETE FROM import_rows WHERE row = 2"),
    ("an imported grant's row is kept", "UPDATE import_rows SET row = 7 WHERE row = 2"),
    (
        "the rows of an import are kept together",
        "UPDATE import_rows SET import_key = gen_random_uuid() WHERE row = 2",
    ),
    (
        "a row of an import names a grant that it made",
        "INSERT INTO import_rows SELECT import_key, 9, customer_id, payload, NULL, \
         gen_random_uuid(), now() FROM import_rows WHERE row = 2",
    ),
    (
        "what is reclaimed is consumed by the same event at once",
        "WITH moved AS (UPDATE usage_events SET first_sequence = last_sequence \
         WHERE event_id = 'e2' RETURNING 1) \
         UPDATE ledger_entries SET event_id = NULL WHERE type = 'expiration_reclaimed'",
    ),
    (
        "a grant's rules are those of its last update",
        "UPDATE grants SET priority = 99 WHERE priority = 7",
    ),
    (
        "a grant's rules are those of its last update",
        "UPDATE grants SET expires_at = expires_at + interval '1 day', \
         due_at = due_at + interval '1 day' WHERE priority = 7",
    ),
    (
        "a grant is voided if and only if an entry says so",
        "UPDATE grants SET voided_at = NULL, void_reason = NULL WHERE voided_at IS NOT NULL",
    ),
    (
        "a grant is voided if and only if an entry says so",
        "UPDATE grants SET voided_at = now(), void_reason = 'so' WHERE sequence = 1",
    ),
    (
        "a usage event's covered part is the sum of its entries",
        "UPDATE usage_events SET quantity = quantity + 1 WHERE event_id = 'e1' \
         AND uncovered = 0",
    ),
    (
        "a usage event's covered part is the sum of its entries",
        "DELETE FROM usage_events WHERE event_id = 'e1' \
         AND uncovered = 0",
    ),
    (
        "a usage event's covered part is the sum of its entries",
        "UPDATE usage_events SET last_sequence = last_sequence + 1 WHERE event_id = 'e1' \
         AND uncovered = 0",
    ),
    (
        "rollups are the sums of the events recorded before they end",
        "UPDATE usage_rollups SET quantity = quantity + 1",
    ),
    (
        "rollups are the sums of the events recorded before they end",
        "UPDATE usage_rollups SET last_timestamp = last_timestamp + interval '1 second'",
    ),
    ("rollups are the sums of the events recorded before they end", "DELETE FROM usage_rollups"),
    (
        "rollups are the sums of the events recorded before they end",
        "UPDATE customers SET rolled_until = '2030-01-01Z' WHERE external_id = 'acme'",
    ),
    (
        "a grant with something left falls due when it expires",
        "UPDATE grants SET due_at = due_at + interval '1 day' WHERE remaining > 0",
    ),
    (
        "a grant with something left falls due when it expires",
        "UPDATE grants SET due_at = NULL WHERE remaining > 0",
    ),
    (
        "a point of the balance is what the ledger comes to",
        "INSERT INTO balance_points SELECT customer_id, sequence, recorded_at, '{}', '{}', '{}' \
         FROM ledger_entries WHERE sequence = 1",
    ),
    (
        "a point of the balance is what the ledger comes to",
        "INSERT INTO balance_points SELECT customer_id, sequence, recorded_at, \
         ARRAY[grant_id, grant_id], ARRAY[balance_after, 1], '{0, 0}' \
         FROM ledger_entries WHERE sequence = 1",
    ),
    (
        "a point of the balance is what the ledger comes to",
        "INSERT INTO balance_points SELECT customer_id, sequence, recorded_at, \
         ARRAY[grant_id], ARRAY[balance_after], '{1}' FROM ledger_entries WHERE sequence = 1",
    ),
    (
        "a point of the balance is what the ledger comes to",
        "INSERT INTO balance_points SELECT customer_id, sequence, '2020-01-01Z', \
         ARRAY[grant_id], ARRAY[balance_after], '{0}' FROM ledger_entries WHERE sequence = 1",
    ),
    (
        "a used request id names a grant",
        "INSERT INTO requests SELECT id, 'r', id, NULL, id, now() FROM customers LIMIT 1",
    ),
];

/// Books with something of everything; nobody is connected to them.
async fn books() -> Database {
    let database = Database::create().await;
    let options = Options::at(t0());
    let server = Server::start(&database.url, &options).await;
    let client = server.client();
    let (mut credits, mut usage) = (client.credits.clone(), client.usage.clone());
    let mut ids = Vec::new();
    for (amount, hours) in [("100", 240), ("50", 1), ("30", 240), ("20", 240)] {
        let grant = pb::CreateGrantRequest {
            expires_at: Some(say::time(t0() + TimeDelta::hours(hours))),
            ..say::units("acme", amount)
        };
        let made = credits.create_grant(grant).await.expect("a grant").into_inner();
        ids.push(made.grant.expect("a grant").id);
    }
    let update = pb::UpdateGrantRequest {
        grant_id: ids[2].clone(),
        update_mask: Some(FieldMask { paths: vec!["priority".into(), "expires_at".into()] }),
        priority: Some(7),
        expires_at: Some(say::time(t0() + TimeDelta::hours(480))),
        ..Default::default()
    };
    credits.update_grant(update).await.expect("an update");
    let void = pb::VoidGrantRequest { grant_id: ids[3].clone(), reason: "left us".into() };
    credits.void_grant(void).await.expect("a void");
    // Takes all of the 30 that go first now, and 5 of the 50, which then expires.
    usage.record_usage(say::usage("acme", "e1", "tokens", "35")).await.expect("usage");
    usage.record_usage(say::usage("other", "e0", "tokens", "2")).await.expect("usage");
    let time = Some(say::time(t0() + TimeDelta::hours(2)));
    client.clock.clone().advance_to(pb::AdvanceToRequest { time }).await.expect("the clock");
    let late = pb::RecordUsageRequest {
        timestamp: Some(say::time(t0() + TimeDelta::minutes(30))),
        ..say::usage("acme", "e2", "tokens", "40")
    };
    usage.record_usage(late).await.expect("usage");
    // Only this one's usage is rolled up.
    database.roll_up_next().await;
    usage.record_usage(say::usage("other", "e1", "tokens", "3")).await.expect("usage");
    client.import("file", vec![say::row("third", "1"), say::row("fourth", "1")]).await;
    server.stop().await;
    database
}

#[tokio::test(flavor = "multi_thread")]
async fn each_rule_sees_what_breaks_it() {
    let books = books().await;
    books.audit().await;
    let mut failures = Vec::new();
    for (rule, tampering) in TAMPERINGS {
        let tampered = books.copy().await;
        let client = tampered.connect().await;
        client.batch_execute(UNLOCK).await.expect("rights");
        let touched = client.execute(*tampering, &[]).await.expect("tampering");
        let address = Address::parse(&tampered.url).expect("a URL");
        let report = audit::audit(&address).await.expect("an audit");
        let found = report.differences;
        if touched == 0 || found.is_empty() || found.iter().any(|found| found.rule != *rule) {
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            failures.push(format!("{rule}\n  {tampering}\n  {touched} rows: {found:?}"));
        }
        tampered.drop().await;
    }
    assert!(failures.is_empty(), "not seen, or not alone:\n{}", failures.join("\n"));
    books.drop().await;
}

/// No rule is without a tampering here.
#[tokio::test(flavor = "multi_thread")]
async fn every_rule_is_tried() {
    let rules = concat!(
        include_str!("../../src/store/audit/rules.rs"),
        include_str!("../../src/store/audit/promises.rs")
    );
    for rule in rules.split("    (\n        \"").skip(1) {
        let (rule, _) = rule.split_once('"').expect("a rule's name");
        assert!(TAMPERINGS.iter().any(|(tried, _)| *tried == rule), "{rule:?} is not tried");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_says_what_it_finds_and_fails() {
    World::run(async |world| {
        let mut credits = world.client.credits.clone();
        credits.create_grant(say::units("acme", "10")).await.expect("a grant");
        let audit = || async {
            let mut command = creditd();
            command.args(["audit", "--database-url", &world.database.url]);
            let output = command.output().await.expect("an audit");
            (output.status.code(), String::from_utf8(output.stdout).expect("text"))
        };
        let clean = "1 customers, 1 grants, 1 ledger entries, 0 usage events: the books agree\n";
        assert_eq!(audit().await, (Some(0), clean.to_owned()));

        let client = world.database.connect().await;
        let more = "UPDATE customers SET revision = revision + 1";
        client.batch_execute(more).await.expect("tampering");
        let (code, said) = audit().await;
        assert_eq!(code, Some(1));
        let line = "revision is the last sequence, and sequences have no gap: customer acme, \
                    revision: expected 1 entries, last 1, found 2\n";
        assert!(said.starts_with(line), "{said}");
        assert!(said.ends_with("0 usage events: 1 differences\n"), "{said}");
        let less = "UPDATE customers SET revision = revision - 1";
        client.batch_execute(less).await.expect("amends");
    })
    .await;
}

/// The ledger is append-only even for the role that creditd runs as.
#[tokio::test(flavor = "multi_thread")]
async fn the_service_may_not_tamper() {
    let books = books().await;
    let client = books.connect().await;
    for tampering in [
        "UPDATE ledger_entries SET amount = 1",
        "DELETE FROM ledger_entries",
        "TRUNCATE ledger_entries",
        "UPDATE requests SET request_id = 'r'",
        "DELETE FROM requests",
        "UPDATE import_rows SET row = row + 1",
        "DELETE FROM import_rows",
        "UPDATE balance_points SET remaining = held",
        "DELETE FROM balance_points",
        "DELETE FROM usage_events",
        "DELETE FROM usage_rollups",
        "DELETE FROM grants",
        "DELETE FROM customers",
    ] {
        let refused = client.batch_execute(tampering).await.expect_err(tampering);
        let code = refused.code().map(tokio_postgres::error::SqlState::code);
        assert_eq!(code, Some("42501"), "{tampering}: {refused}");
    }
    books.audit().await;
    books.drop().await;
}
