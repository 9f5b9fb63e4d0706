//! Exports of one instant while everything moves: the database's own clock, two servers, callers
//! at work.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use creditd::domain::amount::Amount;
use creditd::pb;

use crate::harness::load::{Load, OnFailure};
use crate::harness::{Client, Options, World, load, say};

const ROUNDS: usize = 40;

fn amount(text: &str) -> Amount {
    let (negative, size) = match text.strip_prefix('-') {
        Some(size) => (true, size),
        None => (false, text),
    };
    let size = Amount::parse(size, 12).expect("an amount");
    if negative { -size } else { size }
}

/// Remaining and consumed of each grant, as told by the entries recorded by an instant.
fn folded(entries: &[pb::LedgerEntry], at: DateTime<Utc>) -> BTreeMap<&str, (Amount, Amount)> {
    let mut grants: BTreeMap<&str, (Amount, Amount)> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| say::instant(entry.recorded_at.as_ref()) <= at) {
        let (remaining, consumed) = grants.entry(&entry.grant_id).or_default();
        let moved = amount(&entry.amount);
        *remaining = remaining.plus(moved).expect("a sum");
        if entry.r#type() == pb::LedgerEntryType::Consumed {
            *consumed = consumed.minus(moved).expect("a sum");
        }
    }
    grants
}

fn reported(rows: &[pb::Grant]) -> BTreeMap<&str, (Amount, Amount)> {
    let figures = |row: &pb::Grant| (amount(&row.remaining), amount(&row.consumed));
    rows.iter().map(|row| (row.id.as_str(), figures(row))).collect()
}

/// The time of the last change is told only of what has not changed since.
fn timeless(rows: &[pb::Grant]) -> Vec<pb::Grant> {
    rows.iter().map(|row| pb::Grant { updated_at: None, ..row.clone() }).collect()
}

/// New customers and new grants, for as long as it takes.
async fn arrive(client: Client, name: usize) {
    for number in 0.. {
        let customer = format!("new-{name}-{}", number / 3);
        client.grant(say::units(&customer, "2")).await;
        client.record(say::usage(&customer, &format!("e{number}"), "tokens", "1.5")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_export_is_of_its_instant() {
    let options = Options::real();
    World::run_with(options.clone(), async |world| {
        let other = world.another(&options).await;
        let clients = [world.client.clone(), other.client()];
        load::grants(&world.client).await;
        for customer in ["customer-0", "customer-1", "customer-2"] {
            world.client.grant(say::units(customer, "1000000")).await;
        }
        let callers = clients.iter().cycle().take(6).cloned().collect();
        let load = Load::start("load", callers, OnFailure::Panic);
        let arriving: Vec<_> =
            clients.iter().cloned().enumerate().map(|(n, c)| tokio::spawn(arrive(c, n))).collect();
        let (mut reports, mut ledgers) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let client = &clients[round % 2];
            reports.push(client.report(pb::ExportCreditReportRequest::default()).await);
            ledgers.push(client.ledgers(pb::ExportLedgerRequest::default()).await);
            load.more(1).await;
        }
        for task in arriving {
            task.abort();
        }
        load.stop().await;
        let (all, _) = world.client.ledgers(pb::ExportLedgerRequest::default()).await;
        for (rows, at) in &reports {
            assert_eq!(reported(rows), folded(&all, *at));
            let as_of = Some(say::time(*at));
            let again = pb::ExportCreditReportRequest { as_of, ..Default::default() };
            let (again, _) = world.client.report(again).await;
            assert_eq!(timeless(&again), timeless(rows), "as of {at}");
        }
        for (entries, at) in &ledgers {
            let by_then =
                |entry: &&pb::LedgerEntry| say::instant(entry.recorded_at.as_ref()) <= *at;
            let expected: Vec<_> = all.iter().filter(by_then).cloned().collect();
            assert!(*entries == expected, "{} of {}, as of {at}", entries.len(), expected.len());
        }
        other.stop().await;
    })
    .await;
}
