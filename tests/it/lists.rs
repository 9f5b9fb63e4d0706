//! Lists: filters, pages, order, and what time has brought but nobody has booked.

mod entries;
mod events;
mod grants;
mod story;

use crate::harness::World;

/// A customer never mentioned has empty lists and an empty balance, and is not made by asking.
#[tokio::test(flavor = "multi_thread")]
async fn of_an_unknown_customer_are_empty() {
    World::run(async |world| {
        use creditd::pb;
        let client = &world.client;
        let customer_id = "nobody".to_owned();
        let request =
            pb::ListGrantsRequest { customer_id: customer_id.clone(), ..Default::default() };
        let grants = client.try_list_grants(request).await.expect("a list");
        assert_eq!(grants, pb::ListGrantsResponse::default());
        assert_eq!(client.ledger("nobody").await, []);
        assert_eq!(client.events("nobody").await, []);
        let expected = pb::Balance {
            customer_id,
            revision: 0,
            as_of: crate::harness::say::hour(0),
            ..Default::default()
        };
        assert_eq!(client.balance("nobody").await, expected);
        assert!(world.database.counts().await.iter().all(|(_, count)| *count == 0));
    })
    .await;
}

/// Pages of large objects are shorter than asked, so that a client with gRPC's default limit of
/// 4 MiB for a message can read them; none is left out.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_large_objects_fits_into_a_message() {
    World::run(async |world| {
        use crate::harness::say;
        use creditd::pb;
        let client = &world.client;
        let metadata: std::collections::BTreeMap<_, _> =
            (10..60).map(|n| (format!("{n}"), "😀".repeat(500))).collect();
        let count = 50;
        for n in 0..count {
            let asked =
                pb::CreateGrantRequest { metadata: metadata.clone(), ..say::units("acme", "1") };
            client.grant(asked).await;
            let metadata = metadata.clone();
            let event = say::usage("acme", &format!("e{n:02}"), "m", "1");
            client.record(pb::RecordUsageRequest { metadata, ..event }).await;
        }
        let mut list = pb::ListGrantsRequest { customer_id: "acme".into(), ..Default::default() };
        let mut found = Vec::new();
        loop {
            let page = client.try_list_grants(list.clone()).await.expect("a page");
            assert!(!page.grants.is_empty());
            found.extend(page.grants.into_iter().map(|grant| grant.id));
            list.page_token = page.next_page_token;
            if list.page_token.is_empty() {
                break;
            }
        }
        found.dedup();
        assert_eq!(found.len(), count);
        let mut list =
            pb::ListUsageEventsRequest { customer_id: "acme".into(), ..Default::default() };
        let mut found = Vec::new();
        loop {
            let page = client.try_list_events(list.clone()).await.expect("a page");
            found.extend(page.events.into_iter().map(|event| event.event_id));
            list.page_token = page.next_page_token;
            if list.page_token.is_empty() {
                break;
            }
        }
        assert_eq!(found, (0..count).map(|n| format!("e{n:02}")).collect::<Vec<_>>());
    })
    .await;
}
