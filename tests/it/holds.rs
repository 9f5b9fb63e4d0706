//! Holds: credits set aside, and what becomes of them, on every way to look at them.

mod ends;
mod keys;
mod life;
mod limit;
mod many;
mod servers;
mod time;
mod void;

use chrono::TimeDelta;
use creditd::pb;

use crate::harness::{World, say};

/// A hold of acme's on `m`, for so many minutes.
fn hold(id: &str, quantity: &str, minutes: i64) -> pb::CreateHoldRequest {
    let ttl = say::duration(TimeDelta::minutes(minutes));
    pb::CreateHoldRequest { ttl, ..say::hold("acme", id, "m", quantity) }
}

/// So many minutes after the beginning of the test clock.
fn minute(minutes: i64) -> Option<prost_types::Timestamp> {
    say::after(TimeDelta::minutes(minutes))
}

/// A hold's figures and status, in a line.
fn stands(hold: &pb::Hold) -> String {
    let pb::Hold { quantity, held, settled, released, .. } = hold;
    let status = hold.status().as_str_name().trim_start_matches("HOLD_STATUS_").to_owned();
    format!("{status} {quantity}: {held} held, {settled} settled, {released} released")
}

/// What every read says of acme, its grants, and a hold.
async fn seen(world: &World, hold: &str) -> Vec<String> {
    let client = &world.client;
    let list = pb::ListGrantsRequest { customer_id: "acme".into(), ..Default::default() };
    let mut listed = client.try_list_grants(list).await.expect("grants").grants;
    for grant in &listed {
        assert_eq!(client.fetch(&grant.id).await, *grant);
    }
    let mut reported = client.report(pb::ExportCreditReportRequest::default()).await.0;
    reported.sort_by(|a, b| a.id.cmp(&b.id));
    listed.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(reported, listed);
    let mut seen: Vec<String> = listed.iter().map(|grant| format!("{grant:?}")).collect();
    seen.push(format!("{:?}", client.balance("acme").await));
    seen.push(format!("{:?}", client.get_hold("acme", hold).await));
    seen.push(format!("{:?}", client.preview(say::preview("acme", "m", "1000")).await));
    seen
}

/// Something has fallen due that nobody has booked: when it is, every read says the same as before.
async fn is_seen_before_it_is_booked(world: &mut World, hold: &str) {
    let (rows, before) = (world.database.counts().await, seen(world, hold).await);
    assert_eq!(world.database.counts().await, rows, "a read has booked something");
    world.advance(TimeDelta::zero()).await;
    assert_ne!(world.database.counts().await, rows, "nothing was due");
    assert_eq!(seen(world, hold).await, before);
}

/// The story that the ledger tells of acme, a line per entry, with what is held.
async fn story(world: &World) -> Vec<String> {
    let entries = world.client.ledger("acme").await;
    let held = entries.iter().map(|entry| format!("{} -> {}", entry.held_amount, entry.held_after));
    say::lines(&entries)
        .iter()
        .zip(held)
        .map(|(line, held)| format!("{line}, held {held}"))
        .collect()
}
