//! The story of a hold, an invoice and an event: what the ledger tells of each.

use chrono::TimeDelta;
use creditd::pb::{self, LedgerEntryType as Type};

use crate::harness::{World, say, t0};

type List = pb::ListLedgerEntriesRequest;

fn acme() -> List {
    List { customer_id: "acme".into(), ..Default::default() }
}

async fn pages(world: &World, mut list: List) -> Vec<pb::LedgerEntry> {
    let mut all = Vec::new();
    loop {
        let page = world.client.try_list_entries(list.clone()).await.expect("a page");
        all.extend(page.entries);
        list.page_token = page.next_page_token;
        if list.page_token.is_empty() {
            return all;
        }
    }
}

/// A grant that expires, one that is voided, and money; a settled and a released hold, usage,
/// invoices, and reversals of what has ended meanwhile.
async fn story(world: &mut World) -> [pb::Grant; 3] {
    let client = world.client.clone();
    let units = |expires_at| pb::CreateGrantRequest {
        effective_at: say::hour(-1),
        expires_at,
        ..say::units("acme", "10")
    };
    let ends = client.grant(units(say::hour(100))).await;
    let voided = client.grant(units(None)).await;
    let money = client.grant(say::money("acme", "10", "USD")).await;
    client.hold(say::hold("acme", "h1", "m", "12")).await;
    let settle = pb::SettleHoldRequest {
        event_id: "e1".into(),
        timestamp: say::after(TimeDelta::minutes(-7)),
        ..say::settle("acme", "h1", "14")
    };
    client.settle(settle).await;
    client.record(say::usage("acme", "e2", "m", "3")).await;
    client.hold(say::hold("acme", "h2", "m", "2")).await;
    client.release("acme", "h2").await;
    client.apply(say::apply("acme", "i1", "USD", "7")).await;
    client.apply(say::apply("acme", "i2", "USD", "2")).await;
    client.reverse_application(say::reverse_application("acme", "i1", "3")).await;
    world.advance(TimeDelta::hours(150)).await;
    client.void(&voided.id, "over").await;
    client.reverse_usage(say::reverse_usage("acme", "e1", "")).await;
    client.reverse_usage(say::reverse_usage("acme", "e2", "1")).await;
    // What was forfeited is as good as what has expired: a late event reclaims it.
    let late =
        pb::RecordUsageRequest { timestamp: say::hour(99), ..say::usage("acme", "e3", "m", "4") };
    client.record(late).await;
    [ends, voided, money]
}

const LINES: [&str; 25] = [
    "1 GRANTED 10 -> 10",
    "2 GRANTED 10 -> 10",
    "3 GRANTED 10.00 -> 10.00",
    "4 HELD 0 -> 10",
    "5 HELD 0 -> 10",
    "6 CONSUMED -10 -> 0",
    "7 CONSUMED -2 -> 8",
    "8 CONSUMED -2 -> 6",
    "9 CONSUMED -3 -> 3",
    "10 HELD 0 -> 3",
    "11 HOLD_RELEASED 0 -> 3",
    "12 APPLIED -7.00 -> 3.00",
    "13 APPLIED -2.00 -> 1.00",
    "14 APPLICATION_REVERSED 3.00 -> 4.00",
    "15 VOIDED -3 -> 0",
    "16 USAGE_REVERSED 2 -> 2",
    "17 VOIDED -2 -> 0",
    "18 USAGE_REVERSED 2 -> 2",
    "19 VOIDED -2 -> 0",
    "20 USAGE_REVERSED 10 -> 10",
    "21 EXPIRED -10 -> 0",
    "22 USAGE_REVERSED 1 -> 1",
    "23 VOIDED -1 -> 0",
    "24 EXPIRATION_RECLAIMED 4 -> 4",
    "25 CONSUMED -4 -> 0",
];

/// Filters, and the sequences of what they keep of the story.
fn cases([ends, voided, money]: &[pb::Grant; 3]) -> Vec<(List, &'static [i64])> {
    let event = |id: &str| List { event_id: id.into(), ..acme() };
    let hold = |id: &str| List { hold_id: id.into(), ..acme() };
    let invoice = |id: &str| List { invoice_id: id.into(), ..acme() };
    let grant = |grant: &pb::Grant, list| List { grant_id: grant.id.clone(), ..list };
    let types = |types: &[Type], list| List {
        types: types.iter().map(|kind| i32::from(*kind)).collect(),
        ..list
    };
    let elsewhere = |list| List { customer_id: "umbrella".into(), ..list };
    vec![
        (event("e1"), &[6, 7, 8, 16, 17, 18, 19, 20, 21]),
        (event("e2"), &[9, 22, 23]),
        (event("e3"), &[24, 25]),
        (event("h1"), &[]),
        (hold("h1"), &[4, 5, 6, 7, 8]),
        (hold("h2"), &[10, 11]),
        (hold("e1"), &[]),
        (invoice("i1"), &[12, 14]),
        (invoice("i2"), &[13]),
        (invoice("e1"), &[]),
        (grant(ends, acme()), &[1, 4, 6, 20, 21, 24, 25]),
        (grant(money, acme()), &[3, 12, 13, 14]),
        (grant(voided, event("e1")), &[7, 8, 16, 17, 18, 19]),
        (grant(ends, event("e1")), &[6, 20, 21]),
        (grant(ends, hold("h1")), &[4, 6]),
        (grant(ends, invoice("i1")), &[]),
        (List { event_id: "e1".into(), ..hold("h1") }, &[6, 7, 8]),
        (List { event_id: "e2".into(), ..hold("h1") }, &[]),
        (List { event_id: "e1".into(), ..invoice("i1") }, &[]),
        (types(&[Type::Held, Type::HoldReleased], acme()), &[4, 5, 10, 11]),
        (types(&[Type::Consumed], hold("h1")), &[6, 7, 8]),
        (types(&[Type::UsageReversed], event("e1")), &[16, 18, 20]),
        (types(&[Type::Applied, Type::ApplicationReversed], acme()), &[12, 13, 14]),
        (List { after_sequence: 12, ..invoice("i1") }, &[14]),
        (List { recorded_after: say::hour(1), ..event("e1") }, &[16, 17, 18, 19, 20, 21]),
        (List { recorded_before: say::hour(1), ..event("e1") }, &[6, 7, 8]),
        (elsewhere(event("e1")), &[]),
        (elsewhere(hold("h1")), &[]),
        (elsewhere(invoice("i1")), &[]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_has_its_own() {
    World::run(async |world| {
        let grants = story(world).await;
        assert_eq!(say::lines(&world.client.ledger("acme").await), LINES);
        for (list, expected) in cases(&grants) {
            for page_size in [1, 2, 1_000] {
                let list = List { page_size, ..list.clone() };
                let listed = pages(world, list.clone()).await;
                let sequences: Vec<i64> = listed.iter().map(|entry| entry.sequence).collect();
                assert_eq!(sequences, expected, "{list:?}");
            }
        }
    })
    .await;
}

/// What caused each entry, why, and when.
#[tokio::test(flavor = "multi_thread")]
async fn each_entry_says_where_it_comes_from() {
    World::run(async |world| {
        story(world).await;
        let entries = world.client.ledger("acme").await;
        // Sequences, event, hold, invoice, reason.
        let causes = [
            (4..=5, ["", "h1", "", ""]),
            (6..=8, ["e1", "h1", "", ""]),
            (9..=9, ["e2", "", "", ""]),
            (10..=11, ["", "h2", "", ""]),
            (12..=12, ["", "", "i1", ""]),
            (13..=13, ["", "", "i2", ""]),
            (14..=14, ["", "", "i1", "a refund"]),
            (15..=15, ["", "", "", "over"]),
            (16..=21, ["e1", "", "", "a mistake"]),
            (22..=23, ["e2", "", "", "a mistake"]),
            (24..=25, ["e3", "", "", ""]),
        ];
        for (sequences, cause) in causes {
            for sequence in sequences {
                let entry = &entries[sequence - 1];
                let shown = [&entry.event_id, &entry.hold_id, &entry.invoice_id, &entry.reason];
                assert_eq!(shown, cause, "{sequence}");
                assert_eq!(entry.actor, "anonymous");
                let recorded = if sequence < 15 { say::hour(0) } else { say::hour(150) };
                let occurred = match sequence {
                    6..=8 => say::after(TimeDelta::minutes(-7)),
                    24.. => say::hour(99),
                    _ => recorded,
                };
                assert_eq!((entry.occurred_at, entry.recorded_at), (occurred, recorded));
            }
        }
        let held: Vec<_> = entries
            .iter()
            .filter(|entry| !["0", "0.00"].contains(&&*entry.held_amount))
            .map(|entry| (entry.sequence, &*entry.held_amount, &*entry.held_after))
            .collect();
        let expected = [
            (4, "10", "10"),
            (5, "2", "2"),
            (6, "-10", "0"),
            (7, "-2", "0"),
            (10, "2", "2"),
            (11, "-2", "0"),
        ];
        assert_eq!(held, expected);
        // The export tells the same.
        let exported = world.client.ledgers(pb::ExportLedgerRequest::default()).await.0;
        assert_eq!(exported, entries);
    })
    .await;
}

/// An event that was reversed is still one that drew on its grants.
#[tokio::test(flavor = "multi_thread")]
async fn events_are_found_by_the_grants_they_drew_on() {
    World::run(async |world| {
        let [ends, voided, money] = story(world).await;
        for (grant, expected) in
            [(&ends, &["e1", "e3"][..]), (&voided, &["e1", "e2"]), (&money, &[])]
        {
            let list = pb::ListUsageEventsRequest {
                customer_id: "acme".into(),
                grant_id: grant.id.clone(),
                ..Default::default()
            };
            let events = world.client.try_list_events(list).await.expect("events").events;
            let ids: Vec<_> = events.iter().map(|event| event.event_id.as_str()).collect();
            assert_eq!(ids, expected);
        }
        let events = world.client.events("acme").await;
        let shown: Vec<_> = events
            .iter()
            .map(|event| [&*event.event_id, &event.covered, &event.reversed, &event.hold_id])
            .collect();
        assert_eq!(shown, [["e1", "0", "14", "h1"], ["e2", "2", "1", ""], ["e3", "4", "0", ""]]);
        assert_eq!(events[0].allocations, []);
        assert_eq!(say::paid(&events[1].allocations), [(&*voided.id, "2")]);
    })
    .await;
}

/// What time brings is in the story of its hold, though nobody has booked it.
#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_is_in_the_story_of_its_hold() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "10")).await;
        client.hold(say::hold("acme", "h1", "m", "4")).await;
        world.only_clock_to(t0() + TimeDelta::hours(1));
        let listed = pages(world, List { hold_id: "h1".into(), page_size: 1, ..acme() }).await;
        assert_eq!(say::lines(&listed), ["2 HELD 0 -> 10", "3 HOLD_RELEASED 0 -> 10"]);
        let last = &listed[1];
        let due = say::after(TimeDelta::minutes(15));
        assert_eq!((last.occurred_at, last.recorded_at, &*last.actor), (due, due, "creditd"));
    })
    .await;
}
