//! Lists: their filters, their page sizes and their page tokens.

use creditd::pb;

use super::{Spot, refuses};
use crate::harness::{World, say};

type Grants = pb::ListGrantsRequest;
type Entries = pb::ListLedgerEntriesRequest;
type Events = pb::ListUsageEventsRequest;

#[tokio::test(flavor = "multi_thread")]
async fn of_grants() {
    World::run(async |world| {
        let client = world.client.clone();
        let spots: &[Spot<Grants>] = &[
            Spot::OptionalId("customer_id", |r| &mut r.customer_id),
            Spot::Enum("type", |r| &mut r.r#type),
            Spot::Case("statuses[1]", |r| r.statuses = vec![1, 0, 5]),
            Spot::Currency("currency", |r| &mut r.currency),
            Spot::OptionalId("metric", |r| &mut r.metric),
            Spot::OptionalId("import_id", |r| &mut r.import_id),
            Spot::OptionalId("campaign_id", |r| &mut r.campaign_id),
            Spot::Time("expires_before", |r| &mut r.expires_before),
            Spot::Time("created_after", |r| &mut r.created_after),
            Spot::Time("created_before", |r| &mut r.created_before),
            Spot::PageSize(|r| &mut r.page_size),
            Spot::Case("page_token", |r| r.page_token = "?".into()),
        ];
        refuses(world, Grants::default(), spots, on!(client, try_list_grants)).await;
        let others: &[Spot<Grants>] = &[
            Spot::Case("statuses[0]", |r| r.statuses = vec![6]),
            Spot::Case("statuses[0]", |r| r.statuses = vec![-1]),
            Spot::Case("created_before", |r| {
                (r.created_after, r.created_before) = (say::hour(2), say::hour(1));
            }),
            Spot::Case("created_before", |r| {
                (r.created_after, r.created_before) = (say::hour(2), say::hour(2));
            }),
        ];
        for other in others {
            let other = std::slice::from_ref(other);
            refuses(world, Grants::default(), other, on!(client, try_list_grants)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_entries() {
    World::run(async |world| {
        let client = world.client.clone();
        let good = Entries { customer_id: "acme".into(), ..Default::default() };
        let spots: &[Spot<Entries>] = &[
            Spot::Id("customer_id", |r| &mut r.customer_id),
            Spot::OptionalGrantId("grant_id", |r| &mut r.grant_id),
            Spot::OptionalId("event_id", |r| &mut r.event_id),
            Spot::OptionalId("invoice_id", |r| &mut r.invoice_id),
            Spot::OptionalId("hold_id", |r| &mut r.hold_id),
            Spot::Case("types[1]", |r| r.types = vec![1, 0]),
            Spot::Case("after_sequence", |r| r.after_sequence = -1),
            Spot::Time("recorded_after", |r| &mut r.recorded_after),
            Spot::Time("recorded_before", |r| &mut r.recorded_before),
            Spot::PageSize(|r| &mut r.page_size),
            Spot::Case("page_token", |r| r.page_token = "AAAA".into()),
        ];
        refuses(world, good.clone(), spots, on!(client, try_list_entries)).await;
        let others: &[Spot<Entries>] = &[
            Spot::Case("types[0]", |r| r.types = vec![12]),
            Spot::Case("recorded_before", |r| {
                (r.recorded_after, r.recorded_before) = (say::hour(2), say::hour(2));
            }),
        ];
        for other in others {
            let other = std::slice::from_ref(other);
            refuses(world, good.clone(), other, on!(client, try_list_entries)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_events() {
    World::run(async |world| {
        let client = world.client.clone();
        let good = Events { customer_id: "acme".into(), ..Default::default() };
        let spots: &[Spot<Events>] = &[
            Spot::Id("customer_id", |r| &mut r.customer_id),
            Spot::OptionalId("metric", |r| &mut r.metric),
            Spot::OptionalGrantId("grant_id", |r| &mut r.grant_id),
            Spot::Time("timestamp_after", |r| &mut r.timestamp_after),
            Spot::Time("timestamp_before", |r| &mut r.timestamp_before),
            Spot::Time("recorded_after", |r| &mut r.recorded_after),
            Spot::PageSize(|r| &mut r.page_size),
            Spot::Case("page_token", |r| r.page_token = "AAAA".into()),
        ];
        refuses(world, good.clone(), spots, on!(client, try_list_events)).await;
        let backwards: Spot<Events> = Spot::Case("timestamp_before", |r| {
            (r.timestamp_after, r.timestamp_before) = (say::hour(2), say::hour(1));
        });
        refuses(world, good, &[backwards], on!(client, try_list_events)).await;
    })
    .await;
}

/// Three events and three grants, and a token of each list of two pages.
async fn tokens(world: &World) -> [String; 3] {
    let client = &world.client;
    for n in 1..=3 {
        client.grant(say::units("acme", "1")).await;
        // An id that reads as a grant's: tokens hold it.
        let id = format!("0198b6a0-0000-7000-8000-00000000000{n}");
        client.record(say::usage("acme", &id, "tokens", "1")).await;
    }
    let customer_id = "acme".to_owned();
    let page_size = 1;
    let grants = Grants { customer_id: customer_id.clone(), page_size, ..Default::default() };
    let entries = Entries { customer_id: customer_id.clone(), page_size, ..Default::default() };
    let events = Events { customer_id, page_size, ..Default::default() };
    let grants = client.try_list_grants(grants).await.expect("grants").next_page_token;
    let entries = client.try_list_entries(entries).await.expect("entries").next_page_token;
    let events = client.try_list_events(events).await.expect("events").next_page_token;
    [grants, entries, events]
}

/// What each list says to a token: whether it is taken.
async fn taken(world: &World, page_token: &str) -> [bool; 3] {
    let client = &world.client;
    let (customer_id, page_token) = ("acme".to_owned(), page_token.to_owned());
    let refused = |status: tonic::Status| {
        assert_eq!(say::bad_fields(&status), ["page_token"]);
    };
    let grants = Grants {
        customer_id: customer_id.clone(),
        page_token: page_token.clone(),
        ..Default::default()
    };
    let entries = Entries {
        customer_id: customer_id.clone(),
        page_token: page_token.clone(),
        ..Default::default()
    };
    let events = Events { customer_id, page_token, ..Default::default() };
    [
        client.try_list_grants(grants).await.map_err(refused).is_ok(),
        client.try_list_entries(entries).await.map_err(refused).is_ok(),
        client.try_list_events(events).await.map_err(refused).is_ok(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_of_its_list() {
    World::run(async |world| {
        let [grants, entries, events] = tokens(world).await;
        assert_eq!(taken(world, &grants).await, [true, false, false]);
        assert_eq!(taken(world, &entries).await, [false, true, false]);
        assert_eq!(taken(world, &events).await, [false, false, true]);
        for garbage in ["x", "=", "AAAAAAAAAAA", "\u{e9}", &"A".repeat(10_000)] {
            assert_eq!(taken(world, garbage).await, [false; 3], "{garbage}");
        }
        // One that was cut, or to which something was added.
        for token in [&grants, &entries, &events] {
            let cut = &token[..10];
            assert_eq!(taken(world, cut).await, [false; 3], "{cut}");
            assert_eq!(taken(world, &format!("{token}!")).await, [false; 3]);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_of_its_filter() {
    World::run(async |world| {
        let client = &world.client;
        let [grants, entries, events] = tokens(world).await;
        let others: &[fn(&mut Grants)] = &[
            |r| r.customer_id = "umbrella".into(),
            |r| r.customer_id.clear(),
            |r| r.r#type = 2,
            |r| r.statuses = vec![2],
            |r| r.metric = "tokens".into(),
            |r| r.created_after = say::hour(-1),
        ];
        for other in others {
            let mut request = Grants {
                customer_id: "acme".into(),
                page_token: grants.clone(),
                ..Default::default()
            };
            other(&mut request);
            let status = client.try_list_grants(request.clone()).await.expect_err("another filter");
            assert_eq!(say::bad_fields(&status), ["page_token"], "{request:?}");
        }
        let others: &[fn(&mut Entries)] = &[
            |r| r.customer_id = "umbrella".into(),
            |r| r.types = vec![1],
            |r| r.event_id = "x".into(),
            |r| r.invoice_id = "x".into(),
            |r| r.hold_id = "x".into(),
            |r| r.after_sequence = 1,
            |r| r.recorded_before = say::hour(1),
        ];
        for other in others {
            let mut request = Entries {
                customer_id: "acme".into(),
                page_token: entries.clone(),
                ..Default::default()
            };
            other(&mut request);
            let refused = client.try_list_entries(request.clone()).await;
            let status = refused.expect_err("another filter");
            assert_eq!(say::bad_fields(&status), ["page_token"], "{request:?}");
        }
        let other = Events {
            customer_id: "acme".into(),
            metric: "tokens".into(),
            page_token: events.clone(),
            ..Default::default()
        };
        let status = client.try_list_events(other).await.expect_err("another filter");
        assert_eq!(say::bad_fields(&status), ["page_token"]);
        // The size of the page is no part of the filter.
        let resized = Events {
            customer_id: "acme".into(),
            page_size: 2,
            page_token: events,
            ..Default::default()
        };
        assert_eq!(client.try_list_events(resized).await.expect("the rest").events.len(), 2);
    })
    .await;
}

/// A token that was meddled with is refused like any other; it never reaches the database.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_meddled_with() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
    World::run(async |world| {
        let [grants, _, events] = tokens(world).await;
        let meddled = |token: &str, key: &str| {
            let digest = &BASE64.decode(token).expect("base64")[..8];
            BASE64.encode([digest, key.as_bytes()].concat())
        };
        for key in [
            "1:a\0b",
            "1:",
            "1: ",
            "1",
            "",
            ":",
            "x:y",
            "8210266876799999999:a",
            "-9223372036854775808:a",
        ] {
            assert_eq!(taken(world, &meddled(&events, key)).await, [false; 3], "{key:?}");
        }
        let id = "0198b6a0-0000-7000-8000-000000000000";
        for key in ["1:x".to_owned(), format!("8210266876799999999:{id}"), format!("1:{id}0")] {
            assert_eq!(taken(world, &meddled(&grants, &key)).await, [false; 3], "{key:?}");
        }
    })
    .await;
}
