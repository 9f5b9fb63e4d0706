//! ListLedgerEntries.

use chrono::TimeDelta;
use creditd::pb::{self, LedgerEntryType as Type};

use crate::harness::{World, say, t0};

type List = pb::ListLedgerEntriesRequest;

fn acme() -> List {
    List { customer_id: "acme".into(), ..Default::default() }
}

async fn pages(world: &World, list: &List) -> Vec<pb::LedgerEntry> {
    let (mut all, mut list) = (Vec::new(), list.clone());
    loop {
        let page = world.client.try_list_entries(list.clone()).await.expect("a page");
        assert!(page.entries.len() <= usize::try_from(list.page_size).expect("a size"));
        all.extend(page.entries);
        list.page_token = page.next_page_token;
        if list.page_token.is_empty() {
            return all;
        }
    }
}

async fn sequences(world: &World, list: List) -> Vec<i64> {
    pages(world, &list).await.into_iter().map(|entry| entry.sequence).collect()
}

/// Eleven entries, an hour between one call and the next; the last two, which time alone brings,
/// are not booked.
async fn story(world: &mut World) -> [pb::Grant; 3] {
    let client = world.client.clone();
    let units =
        |amount, expires_at| pb::CreateGrantRequest { expires_at, ..say::units("acme", amount) };
    let hour = TimeDelta::hours(1);
    let a = client.grant(units("10", say::hour(20))).await;
    world.advance(hour).await;
    let b = client.grant(units("10", say::hour(30))).await;
    world.advance(hour).await;
    let dollars =
        pb::CreateGrantRequest { expires_at: say::hour(30), ..say::money("acme", "7", "USD") };
    let c = client.grant(dollars).await;
    world.advance(hour).await;
    client.record(say::usage("acme", "e1", "m", "12")).await;
    world.advance(hour).await;
    let update = pb::UpdateGrantRequest { priority: Some(1), ..say::update(&b.id, &["priority"]) };
    client.update(update).await;
    world.advance(hour).await;
    client.record(say::usage("acme", "e2", "m", "3")).await;
    let again = client.grant(units("2", say::hour(25))).await;
    client.void(&again.id, "r").await;
    world.only_clock_to(t0() + TimeDelta::hours(40));
    [a, b, c]
}

/// Filters, and the sequences of what they keep of the story.
fn cases(a: &pb::Grant, b: &pb::Grant, c: &pb::Grant) -> Vec<(List, &'static [i64])> {
    let types = |types: &[Type]| List {
        types: types.iter().map(|kind| i32::from(*kind)).collect(),
        ..acme()
    };
    let grant = |grant: &pb::Grant| List { grant_id: grant.id.clone(), ..acme() };
    let event = |id: &str| List { event_id: id.into(), ..acme() };
    let unknown = "0198b6a0-0000-7000-8000-000000000000".to_owned();
    vec![
        (grant(a), &[1, 4]),
        (grant(b), &[2, 5, 6, 7, 10]),
        (grant(c), &[3, 11]),
        (List { grant_id: unknown, ..acme() }, &[]),
        (event("e1"), &[4, 5]),
        (event("e2"), &[7]),
        (event("e3"), &[]),
        (List { event_id: "e1".into(), ..grant(b) }, &[5]),
        (List { event_id: "e2".into(), ..grant(a) }, &[]),
        (types(&[Type::Granted]), &[1, 2, 3, 8]),
        (types(&[Type::Expired, Type::Voided]), &[9, 10, 11]),
        (types(&[Type::Updated, Type::Updated]), &[6]),
        (types(&[Type::Applied]), &[]),
        (types(&[Type::Held, Type::Consumed]), &[4, 5, 7]),
        (types(&[Type::ExpirationReclaimed]), &[]),
        (List { after_sequence: 9, ..acme() }, &[10, 11]),
        (List { after_sequence: 10, ..acme() }, &[11]),
        (List { after_sequence: 11, ..acme() }, &[]),
        (List { after_sequence: i64::MAX, ..acme() }, &[]),
        (List { after_sequence: 2, ..grant(b) }, &[5, 6, 7, 10]),
        (List { recorded_after: say::hour(5), ..acme() }, &[7, 8, 9, 10, 11]),
        (List { recorded_after: say::hour(30), ..acme() }, &[10, 11]),
        (List { recorded_after: say::hour(31), ..acme() }, &[]),
        (List { recorded_before: say::hour(1), ..acme() }, &[1]),
        (
            List { recorded_after: say::hour(1), recorded_before: say::hour(4), ..acme() },
            &[2, 3, 4, 5],
        ),
        (List { recorded_before: say::hour(30), ..types(&[Type::Expired]) }, &[]),
        (List { customer_id: "umbrella".into(), ..event("e1") }, &[]),
        (List { customer_id: "umbrella".into(), ..grant(a) }, &[]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_filter_filters() {
    World::run(async |world| {
        let [a, b, c] = story(world).await;
        let all = world.client.ledger("acme").await;
        let expected = [
            "1 GRANTED 10 -> 10",
            "2 GRANTED 10 -> 10",
            "3 GRANTED 7.00 -> 7.00",
            "4 CONSUMED -10 -> 0",
            "5 CONSUMED -2 -> 8",
            "6 UPDATED 0 -> 8",
            "7 CONSUMED -3 -> 5",
            "8 GRANTED 2 -> 2",
            "9 VOIDED -2 -> 0",
            "10 EXPIRED -5 -> 0",
            "11 EXPIRED -7.00 -> 0.00",
        ];
        assert_eq!(say::lines(&all), expected);
        for (list, expected) in &cases(&a, &b, &c) {
            for page_size in [1, 2, 1_000] {
                let list = List { page_size, ..list.clone() };
                assert_eq!(sequences(world, list.clone()).await, *expected, "{list:?}");
            }
        }
    })
    .await;
}

/// What is due is booked before it is listed, at the instants at which it was due, and once.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_is_booked_and_listed() {
    World::run(async |world| {
        let client = world.client.clone();
        // Due in another order than they were made in or are consumed in; two at the same instant.
        for (amount, hour, priority) in
            [("1", 3, 1), ("2", 1, 9), ("3", 2, 5), ("4", 2, 2), ("5", 9, 0)]
        {
            let asked = pb::CreateGrantRequest {
                priority: Some(priority),
                expires_at: say::hour(hour),
                ..say::units("acme", amount)
            };
            client.grant(asked).await;
        }
        world.only_clock_to(t0() + TimeDelta::hours(3));
        let listed = client.ledger("acme").await;
        let booked = world.database.counts().await;
        assert_eq!(
            say::lines(&listed[5..]),
            ["6 EXPIRED -2 -> 0", "7 EXPIRED -3 -> 0", "8 EXPIRED -4 -> 0", "9 EXPIRED -1 -> 0"]
        );
        for (entry, hour) in listed[5..].iter().zip([1, 2, 2, 3]) {
            assert_eq!((entry.occurred_at, entry.recorded_at), (say::hour(hour), say::hour(hour)));
            assert_eq!((entry.actor.as_str(), entry.event_id.as_str()), ("creditd", ""));
        }
        for page_size in [1, 2, 3, 1_000] {
            assert_eq!(pages(world, &List { page_size, ..acme() }).await, listed);
        }
        assert_eq!(client.balance("acme").await.revision, 9);
        world.advance(TimeDelta::hours(1)).await;
        assert_eq!(client.ledger("acme").await, listed);
        assert_eq!(world.database.counts().await, booked, "nothing more was due");
        assert_eq!(client.balance("acme").await.revision, 9);
    })
    .await;
}

/// Pages that began before something was booked go on behind it.
#[tokio::test(flavor = "multi_thread")]
async fn pages_go_on_through_a_booking() {
    World::run(async |world| {
        let client = world.client.clone();
        for hour in 1..=5 {
            let asked =
                pb::CreateGrantRequest { expires_at: say::hour(hour), ..say::units("acme", "1") };
            client.grant(asked).await;
        }
        world.only_clock_to(t0() + TimeDelta::hours(4));
        let mut list = List { page_size: 2, ..acme() };
        let mut seen = Vec::new();
        loop {
            let page = client.try_list_entries(list.clone()).await.expect("a page");
            seen.extend(page.entries.into_iter().map(|entry| entry.sequence));
            list.page_token = page.next_page_token;
            if list.page_token.is_empty() {
                break;
            }
            if seen.len() == 6 {
                world.advance(TimeDelta::zero()).await;
                client.record(say::usage("acme", "e1", "m", "1")).await;
            }
        }
        assert_eq!(seen, (1..=10).collect::<Vec<i64>>());
    })
    .await;
}
