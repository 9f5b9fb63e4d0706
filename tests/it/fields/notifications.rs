//! NotificationService.

use std::fmt::Debug;

use creditd::pb;
use prost_types::Duration;
use tonic::Status;

use super::{Spot, refuses, sorted};
use crate::harness::{Client, World, notify, say};

type Create = pb::CreateWebhookEndpointRequest;
type Update = pb::UpdateWebhookEndpointRequest;
type Set = pb::UpdateNotificationSettingsRequest;
type List = pb::ListDeliveriesRequest;

/// Each of these in turn, because they spoil the same field.
async fn each<R, A, F>(world: &World, good: R, spots: &[Spot<R>], call: impl Fn(R) -> F)
where
    R: Clone + Debug + 'static,
    A: Debug,
    F: Future<Output = Result<A, Status>>,
{
    for spot in spots {
        refuses(world, good.clone(), std::slice::from_ref(spot), &call).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint() {
    World::run_silent(async |world| {
        let client = world.client.clone();
        let spots: &[Spot<Create>] = &[
            Spot::Case("url", |r| r.url.clear()),
            Spot::Case("event_types[1]", |r| {
                r.event_types = say::names(&["grant.created", "grant.gone"]);
            }),
            Spot::Text("description", |r| &mut r.description),
            Spot::OptionalId("request_id", |r| &mut r.request_id),
        ];
        let url = "https://example.com/x".to_owned();
        let good = Create { url, request_id: "once".to_owned(), ..Create::default() };
        refuses(world, good.clone(), spots, on!(client, try_create_endpoint)).await;
        let others: &[Spot<Create>] = &[
            Spot::Case("url", |r| r.url = "example.com".into()),
            Spot::Case("url", |r| r.url = "ftp://example.com".into()),
            Spot::Case("url", |r| r.url = "https://u:p@example.com".into()),
            Spot::Case("url", |r| r.url = "https://example.com/#f".into()),
            Spot::Case("url", |r| r.url = "https://224.0.0.1/".into()),
            Spot::Case("url", |r| r.url = " https://example.com".into()),
            Spot::Case("url", |r| r.url = format!("https://example.com/{}", "x".repeat(1_981))),
            Spot::Case("event_types[0]", |r| r.event_types = say::names(&[""])),
            Spot::Case("event_types[0]", |r| r.event_types = say::names(&["Grant.Created"])),
            Spot::Case("event_types[0]", |r| r.event_types = say::names(&["notification.test"])),
            Spot::Case("event_types", |r| r.event_types = vec!["grant.created".into(); 101]),
        ];
        each(world, good, others, on!(client, try_create_endpoint)).await;
        // The longest that is taken.
        let url = format!("https://example.com/{}", "x".repeat(1_980));
        let asked = Create { description: "é".repeat(1_000), ..notify::endpoint(&url) };
        assert_eq!(client.create_endpoint(asked).await.0.url, url);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_an_endpoint() {
    World::run_silent(async |world| {
        let client = world.client.clone();
        let (made, _) = client.create_endpoint(notify::endpoint("https://example.com")).await;
        let all = ["url", "event_types", "description", "disabled"];
        let good = Update { url: "https://example.org".into(), ..notify::update(&made.id, &all) };
        let spots: &[Spot<Update>] = &[
            Spot::GrantId("endpoint_id", |r| &mut r.endpoint_id),
            Spot::Case("url", |r| r.url.clear()),
            Spot::Case("event_types[0]", |r| r.event_types = say::names(&["x"])),
            Spot::Text("description", |r| &mut r.description),
        ];
        refuses(world, good.clone(), spots, on!(client, try_update_endpoint)).await;
        let others: &[Spot<Update>] = &[
            Spot::Case("update_mask", |r| r.update_mask = None),
            Spot::Case("update_mask", |r| r.update_mask = Some(prost_types::FieldMask::default())),
            Spot::Case("update_mask", |r| {
                r.update_mask.as_mut().expect("a mask").paths.push("secret".into());
            }),
        ];
        each(world, good.clone(), others, on!(client, try_update_endpoint)).await;
        // What is not named is not looked at.
        let unnamed = Update { update_mask: notify::update("", &["disabled"]).update_mask, ..good };
        let unnamed = Update { url: "?".into(), description: "\0".into(), ..unnamed };
        client.update_endpoint(unnamed).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_or_a_delivery_that_is_named() {
    World::run_silent(async |world| {
        let client = &world.client;
        for bad in ["", "nope", "0198", " ", "0198b6a0-0000-7000-8000-00000000000g"] {
            for status in [
                client.try_get_endpoint(bad).await.expect_err(bad),
                client.try_delete_endpoint(bad).await.expect_err(bad),
                client.try_rotate(bad).await.expect_err(bad),
                client.try_send_test(bad).await.expect_err(bad),
            ] {
                assert_eq!(say::bad_fields(&status), ["endpoint_id"], "{bad:?}");
            }
            let status = client.try_retry(bad).await.expect_err(bad);
            assert_eq!(say::bad_fields(&status), ["delivery_id"], "{bad:?}");
        }
        let none = client.try_update_endpoint(Update::default()).await.expect_err("empty");
        assert_eq!(sorted(say::bad_fields(&none)), ["endpoint_id", "update_mask"]);
    })
    .await;
}

fn period(seconds: i64, nanos: i32) -> Duration {
    Duration { seconds, nanos }
}

/// A field of the first threshold.
macro_rules! line {
    ($field:literal, $change:expr) => {
        Spot::Case($field, |r: &mut Set| {
            let change: fn(&mut pb::BalanceThreshold) = $change;
            change(&mut r.balance_thresholds[0]);
        })
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn settings() {
    World::run_silent(async |world| {
        let client = world.client.clone();
        let good = Set {
            expiry_warnings: vec![period(1, 0), period(400 * 86_400, 0)],
            ..notify::thresholds(&[notify::line("USD", "10"), notify::line("tokens", "10")])
        };
        let good = Set { update_mask: None, ..good };
        let spots: &[Spot<Set>] = &[
            Spot::Case("expiry_warnings[1]", |r| r.expiry_warnings[1] = period(0, 0)),
            Spot::Case("expiry_warnings[0]", |r| r.expiry_warnings[0] = period(-1, 0)),
            Spot::Case("expiry_warnings[0]", |r| r.expiry_warnings[0] = period(1, 1)),
            Spot::Case("expiry_warnings[0]", |r| r.expiry_warnings[0] = period(i64::MAX, 0)),
            Spot::Case("expiry_warnings[1]", |r| r.expiry_warnings[1] = period(34_560_001, 0)),
            Spot::Case("expiry_warnings[1]", |r| r.expiry_warnings[1] = period(1, 0)),
            Spot::Case("expiry_warnings", |r| {
                r.expiry_warnings = (1..=11).map(|n| period(n, 0)).collect();
            }),
            line!("balance_thresholds[0].currency", |r| r.currency = "usd".into()),
            line!("balance_thresholds[0]", |r| r.metric = "tokens".into()),
            line!("balance_thresholds[0]", |r| r.currency.clear()),
            line!("balance_thresholds[0].amount", |r| r.amount.clear()),
            line!("balance_thresholds[0].amount", |r| r.amount = "0".into()),
            line!("balance_thresholds[0].amount", |r| r.amount = "-1".into()),
            line!("balance_thresholds[0].amount", |r| r.amount = "10.001".into()),
            line!("balance_thresholds[0].recover_at", |r| r.recover_at = "9.99".into()),
            line!("balance_thresholds[0].recover_at", |r| r.recover_at = "10.001".into()),
            line!("balance_thresholds[0].recover_at", |r| r.recover_at = "x".into()),
            Spot::Case("balance_thresholds[1].metric", |r| {
                r.balance_thresholds[1].metric = " a".into();
            }),
            Spot::Case("balance_thresholds[1].amount", |r| {
                r.balance_thresholds[1].amount = "0.0000000000001".into();
            }),
            // The same line, however it is written, and wherever it recovers.
            Spot::Case("balance_thresholds[2]", |r| {
                let line = notify::line("USD", "10.00");
                r.balance_thresholds.push(pb::BalanceThreshold { recover_at: "11".into(), ..line });
            }),
            Spot::Case("balance_thresholds", |r| {
                let line = |n: usize| notify::line("tokens", &n.to_string());
                r.balance_thresholds = (1..=21).map(line).collect();
            }),
        ];
        each(world, good.clone(), spots, on!(client, try_update_settings)).await;
        let masks: &[Spot<Set>] = &[Spot::Case("update_mask", |r| {
            r.update_mask = notify::update("", &["balance_thresholds", "updated_at"]).update_mask;
        })];
        each(world, good, masks, on!(client, try_update_settings)).await;
        // All of it at once, and the most that is taken.
        several(&client).await;
        let most = Set {
            expiry_warnings: (1..=10).map(|n| period(n, 0)).collect(),
            balance_thresholds: (1..=20).map(|n| notify::line("JPY", &n.to_string())).collect(),
            update_mask: None,
        };
        client.update_settings(most).await;
    })
    .await;
}

async fn several(client: &Client) {
    let line = pb::BalanceThreshold { recover_at: "x".into(), ..notify::line("USD", "1") };
    let neither = pb::BalanceThreshold { amount: "?".into(), ..Default::default() };
    let bad = Set {
        expiry_warnings: vec![period(0, 0), period(1, 0), period(0, 5)],
        balance_thresholds: vec![line, neither],
        update_mask: None,
    };
    let status = client.try_update_settings(bad).await.expect_err("all of it is bad");
    let named = [
        "balance_thresholds[0].recover_at",
        "balance_thresholds[1]",
        "balance_thresholds[1].amount",
        "expiry_warnings[0]",
        "expiry_warnings[2]",
    ];
    assert_eq!(sorted(say::bad_fields(&status)), named);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_deliveries() {
    World::run_silent(async |world| {
        let client = world.client.clone();
        let spots: &[Spot<List>] = &[
            Spot::OptionalGrantId("endpoint_id", |r| &mut r.endpoint_id),
            Spot::Case("statuses[1]", |r| r.statuses = vec![1, 0]),
            Spot::Case("event_type", |r| r.event_type = "grant".into()),
            Spot::OptionalId("customer_id", |r| &mut r.customer_id),
            Spot::PageSize(|r| &mut r.page_size),
            Spot::Case("page_token", |r| r.page_token = "AAAA".into()),
        ];
        refuses(world, List::default(), spots, on!(client, try_list_deliveries)).await;
        let others: &[Spot<List>] = &[
            Spot::Case("statuses[0]", |r| r.statuses = vec![4]),
            Spot::Case("statuses[0]", |r| r.statuses = vec![-1]),
            Spot::Case("statuses", |r| r.statuses = vec![1; 101]),
        ];
        each(world, List::default(), others, on!(client, try_list_deliveries)).await;
        // A token is of its filter.
        let (to, _) = client.create_endpoint(notify::endpoint("https://example.com")).await;
        for _ in 0..2 {
            client.try_send_test(&to.id).await.expect("a delivery");
        }
        let one = List { page_size: 1, ..Default::default() };
        let page_token = client.try_list_deliveries(one).await.expect("a page").next_page_token;
        let other = List { page_token, statuses: vec![1], ..Default::default() };
        let status = client.try_list_deliveries(other).await.expect_err("another filter");
        assert_eq!(say::bad_fields(&status), ["page_token"]);
    })
    .await;
}
