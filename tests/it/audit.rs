//! The audit can fail: for each of its rules the books are tampered with, and exactly that rule
//! says so.

mod books;
mod campaigns;
mod promises;
mod rules;

use creditd::store::{Address, audit};

use self::books::books;
use crate::harness::child::creditd;
use crate::harness::database::TABLES;
use crate::harness::{World, say};

/// A rule, and what breaks it and no other.
fn tamperings() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    rules::TAMPERINGS.iter().chain(promises::TAMPERINGS).chain(campaigns::TAMPERINGS)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_rule_sees_what_breaks_it() {
    let books = books().await;
    books.audit().await;
    let client = books.connect().await;
    // What the owner of the tables may take back, as nobody else may.
    let rights = "GRANT UPDATE, DELETE, TRUNCATE ON";
    let unlock = format!("{rights} {} TO current_user", TABLES.join(", "));
    client.batch_execute(&unlock).await.expect("rights");
    let address = Address::parse(&books.url).expect("a URL");
    let save = TABLES.map(|table| format!("CREATE TABLE saved_{table} AS TABLE {table}"));
    client.batch_execute(&save.join("; ")).await.expect("a copy");
    let amends = TABLES
        .map(|table| format!("TRUNCATE {table}; INSERT INTO {table} SELECT * FROM saved_{table}"));
    let mut failures = Vec::new();
    for (rule, tampering) in tamperings() {
        let touched = client.execute(*tampering, &[]).await.expect(tampering);
        let report = audit::audit(&address).await.expect("an audit");
        let found = report.differences;
        if touched == 0 || found.is_empty() || found.iter().any(|found| found.rule != *rule) {
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            failures.push(format!("{rule}\n  {tampering}\n  {touched} rows: {found:?}"));
        }
        client.batch_execute(&amends.join("; ")).await.expect("amends");
    }
    assert!(failures.is_empty(), "not seen, or not alone:\n{}", failures.join("\n"));
    books.drop().await;
}

/// No rule is without a tampering here.
#[tokio::test(flavor = "multi_thread")]
async fn every_rule_is_tried() {
    let rules = concat!(
        include_str!("../../src/store/audit/rules.rs"),
        include_str!("../../src/store/audit/promises.rs"),
        include_str!("../../src/store/audit/campaigns.rs")
    );
    for rule in rules.split("    (\n        \"").skip(1) {
        let (rule, _) = rule.split_once('"').expect("a rule's name");
        assert!(tamperings().any(|(tried, _)| *tried == rule), "{rule:?} is not tried");
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
        "UPDATE campaigns SET amount = 1",
        "DELETE FROM campaigns",
        "DELETE FROM campaign_runs",
        "UPDATE campaign_grants SET run = run + 1",
        "DELETE FROM campaign_grants",
        "UPDATE balance_points SET remaining = held",
        "DELETE FROM balance_points",
        "DELETE FROM usage_events",
        "DELETE FROM usage_rollups",
        "DELETE FROM holds",
        "TRUNCATE holds",
        "DELETE FROM credit_applications",
        "TRUNCATE credit_applications",
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
