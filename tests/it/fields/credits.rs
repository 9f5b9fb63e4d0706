//! CreditService.

use std::sync::atomic::{AtomicI64, Ordering};

use creditd::pb;
use prost_types::FieldMask;
use tonic::Status;

use super::{Spot, refuses};
use crate::harness::{Client, World, say};

type Create = pb::CreateGrantRequest;

/// What a grant of any kind has.
fn of_any_grant() -> Vec<Spot<Create>> {
    vec![
        Spot::Id("request_id", |r| &mut r.request_id),
        Spot::Id("customer_id", |r| &mut r.customer_id),
        Spot::Amount("amount", |r| &mut r.amount),
        Spot::Enum("category", |r| &mut r.category),
        Spot::Case("priority", |r| r.priority = Some(-1)),
        Spot::Time("effective_at", |r| &mut r.effective_at),
        Spot::Time("expires_at", |r| &mut r.expires_at),
        Spot::Text("description", |r| &mut r.description),
        Spot::Metadata(|r| &mut r.metadata),
    ]
}

/// What else may be bad with a unit grant.
const OF_UNITS: &[Spot<Create>] = &[
    Spot::Case("type", |r| r.r#type = 0),
    Spot::Enum("type", |r| &mut r.r#type),
    Spot::Case("priority", |r| r.priority = Some(101)),
    Spot::Case("priority", |r| r.priority = Some(i32::MIN)),
    Spot::Case("priority", |r| r.priority = Some(256)),
    Spot::Case("metrics", |r| r.metrics = (0..51).map(|n| n.to_string()).collect()),
    Spot::Case("metrics[2]", |r| r.metrics = say::names(&["a", "b", "", "c"])),
    Spot::Case("expires_at", |r| {
        (r.effective_at, r.expires_at) = (say::hour(2), say::hour(2));
    }),
    Spot::Case("expires_at", |r| {
        (r.effective_at, r.expires_at) = (say::hour(2), say::hour(1));
    }),
];

/// What else may be bad with a monetary grant.
const OF_MONEY: &[Spot<Create>] = &[
    Spot::Case("currency", |r| r.currency.clear()),
    Spot::Case("amount", |r| r.amount = "1.001".into()),
    Spot::Case("amount", |r| r.amount = "0.00".into()),
    Spot::Case("amount", |r| (r.amount, r.currency) = ("1.5".into(), "JPY".into())),
    Spot::Case("amount", |r| (r.amount, r.currency) = ("1.0005".into(), "KWD".into())),
    Spot::Case("amount", |r| r.amount = "1000000000000000.01".into()),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_grant() {
    World::run(async |world| {
        let client = world.client.clone();
        let good = Create { metrics: say::names(&["tokens"]), ..say::units("acme", "100") };
        let mut spots = of_any_grant();
        spots.push(Spot::Case("currency", |r| r.currency = "USD".into()));
        spots.push(Spot::Id("metrics[0]", |r| &mut r.metrics[0]));
        refuses(world, good.clone(), &spots, on!(client, try_grant)).await;
        for other in OF_UNITS {
            refuses(world, good.clone(), std::slice::from_ref(other), on!(client, try_grant)).await;
        }
    })
    .await;
}

/// Imports one row, which must be told what a call of its own is told.
async fn import(client: &Client, number: &AtomicI64, row: Create) -> Result<(), Status> {
    let alone = Create { request_id: "alone".into(), validate_only: true, ..row.clone() };
    let alone = client.try_grant(alone).await.err();
    let comparable = row.request_id.is_empty() && !row.validate_only;
    let batch = vec![(number.fetch_add(1, Ordering::Relaxed), vec![row])];
    let answers = client.try_import("i1", false, batch).await?;
    let told = answers[0].results[0].error.as_ref().map(say::status);
    if comparable {
        let said = |s: &Status| (s.code(), s.message().to_owned(), s.details().to_vec());
        assert_eq!(told.as_ref().map(said), alone.as_ref().map(said));
    }
    told.map_or(Ok(()), Err)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_an_import() {
    World::run(async |world| {
        let number = AtomicI64::new(1);
        let call = |row| import(&world.client, &number, row);
        let mut spots = of_any_grant();
        spots[0] = Spot::Case("request_id", |r| r.request_id = "r1".into());
        spots.push(Spot::Case("validate_only", |r| r.validate_only = true));
        let units = Create { metrics: say::names(&["tokens"]), ..say::row("acme", "100") };
        let money = Create { request_id: String::new(), ..say::money("acme", "100", "USD") };
        refuses(world, units.clone(), &spots, call).await;
        refuses(world, money.clone(), &spots, call).await;
        for other in OF_UNITS {
            refuses(world, units.clone(), std::slice::from_ref(other), call).await;
        }
        for other in OF_MONEY {
            refuses(world, money.clone(), std::slice::from_ref(other), call).await;
        }
        // And what depends on the clock.
        let ended: [fn(&mut Create); 2] =
            [|r| r.expires_at = say::hour(0), |r| r.expires_at = say::hour(-1)];
        for ended in ended {
            refuses(world, units.clone(), &[Spot::Case("expires_at", ended)], call).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monetary_grant() {
    World::run(async |world| {
        let client = world.client.clone();
        let good = say::money("acme", "100", "USD");
        let mut spots = of_any_grant();
        spots.push(Spot::Currency("currency", |r| &mut r.currency));
        spots.push(Spot::Case("metrics", |r| r.metrics = say::names(&["tokens"])));
        refuses(world, good.clone(), &spots, on!(client, try_grant)).await;
        for other in OF_MONEY {
            refuses(world, good.clone(), std::slice::from_ref(other), on!(client, try_grant)).await;
        }
    })
    .await;
}

/// Without a type it is not known what currency and metrics must be; but what is bad in any case
/// is named.
#[tokio::test(flavor = "multi_thread")]
async fn a_grant_without_a_type() {
    World::run(async |world| {
        for kind in [0, 99] {
            let bad = Create {
                r#type: kind,
                currency: "usd".into(),
                metrics: say::names(&["tokens", ""]),
                amount: "0.0000000000001".into(),
                ..say::units("acme", "")
            };
            let status = world.client.try_grant(bad).await.expect_err("no type");
            let named = super::sorted(say::bad_fields(&status));
            assert_eq!(named, ["amount", "currency", "metrics[1]", "type"]);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_request() {
    World::run(async |world| {
        let named = |status| super::sorted(say::bad_fields(&status));
        let client = &world.client;
        let none = client.try_grant(Create::default()).await.expect_err("empty");
        assert_eq!(named(none), ["amount", "customer_id", "request_id", "type"]);
        let none = client.try_fetch("").await.expect_err("empty");
        assert_eq!(named(none), ["grant_id"]);
        let none = client.try_update(pb::UpdateGrantRequest::default()).await.expect_err("empty");
        assert_eq!(named(none), ["grant_id", "update_mask"]);
        let none = client.try_void("", "").await.expect_err("empty");
        assert_eq!(named(none), ["grant_id", "reason"]);
        let none = client.try_balance(pb::GetBalanceRequest::default()).await.expect_err("empty");
        assert_eq!(named(none), ["customer_id"]);
        let none = pb::ListLedgerEntriesRequest::default();
        assert_eq!(named(client.try_list_entries(none).await.expect_err("empty")), ["customer_id"]);
        let none = pb::ListUsageEventsRequest::default();
        assert_eq!(named(client.try_list_events(none).await.expect_err("empty")), ["customer_id"]);
        let none = pb::RecordUsageRequest::default();
        let status = client.try_record(none).await.expect_err("empty");
        assert_eq!(named(status), ["customer_id", "event_id", "metric", "quantity"]);
        let none = pb::PreviewUsageRequest::default();
        let status = client.try_preview(none).await.expect_err("empty");
        assert_eq!(named(status), ["customer_id", "metric", "quantity"]);
        let none = client.try_event("", "").await.expect_err("empty");
        assert_eq!(named(none), ["customer_id", "event_id"]);
        let none = client.try_advance(pb::AdvanceToRequest::default()).await.expect_err("empty");
        assert_eq!(named(none), ["time"]);
        // The one request that is whole when it is empty.
        client.try_list_grants(pb::ListGrantsRequest::default()).await.expect("all grants");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_is_named() {
    World::run(async |world| {
        let client = world.client.clone();
        let grant = client.grant(say::units("acme", "100")).await;
        let fetch = |request: pb::GetGrantRequest| {
            let client = client.clone();
            async move { client.try_fetch(&request.grant_id).await }
        };
        let good = pb::GetGrantRequest { grant_id: grant.id.clone() };
        refuses(world, good, &[Spot::GrantId("grant_id", |r| &mut r.grant_id)], fetch).await;

        let void = |request: pb::VoidGrantRequest| {
            let client = client.clone();
            async move { client.try_void(&request.grant_id, &request.reason).await }
        };
        let good = pb::VoidGrantRequest { grant_id: grant.id, reason: "r".into() };
        let spots: &[Spot<pb::VoidGrantRequest>] = &[
            Spot::GrantId("grant_id", |r| &mut r.grant_id),
            Spot::Text("reason", |r| &mut r.reason),
        ];
        refuses(world, good.clone(), spots, void).await;
        let missing: [fn(&mut pb::VoidGrantRequest); 2] =
            [|r| r.reason.clear(), |r| r.reason = " \t".into()];
        for missing in missing {
            refuses(world, good.clone(), &[Spot::Case("reason", missing)], void).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_void_of_an_import() {
    type VoidAll = pb::VoidGrantsRequest;
    World::run(async |world| {
        let client = world.client.clone();
        let good =
            VoidAll { import_id: "i1".into(), reason: "r".into(), campaign_id: String::new() };
        let spots: &[Spot<VoidAll>] =
            &[Spot::Id("import_id", |r| &mut r.import_id), Spot::Text("reason", |r| &mut r.reason)];
        refuses(world, good.clone(), spots, on!(client, try_void_all)).await;
        let of_a_campaign =
            VoidAll { import_id: String::new(), campaign_id: "c1".into(), ..good.clone() };
        let spots: &[Spot<VoidAll>] = &[Spot::OptionalId("campaign_id", |r| &mut r.campaign_id)];
        refuses(world, of_a_campaign, spots, on!(client, try_void_all)).await;
        let both: &[Spot<VoidAll>] = &[Spot::Case("campaign_id", |r| r.campaign_id = "c1".into())];
        refuses(world, good.clone(), both, on!(client, try_void_all)).await;
        let missing: [fn(&mut VoidAll); 2] = [|r| r.reason.clear(), |r| r.reason = " \t".into()];
        for missing in missing {
            let missing = [Spot::Case("reason", missing)];
            refuses(world, good.clone(), &missing, on!(client, try_void_all)).await;
        }
        let none = world.client.try_void_import("", "").await.expect_err("empty");
        assert_eq!(say::bad_fields(&none), ["import_id", "reason"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update() {
    type Update = pb::UpdateGrantRequest;
    World::run(async |world| {
        let client = world.client.clone();
        let grant = client.grant(say::units("acme", "100")).await;
        let all = ["description", "metadata", "priority", "expires_at"];
        let good = Update { priority: Some(1), ..say::update(&grant.id, &all) };
        let spots: &[Spot<Update>] = &[
            Spot::GrantId("grant_id", |r| &mut r.grant_id),
            Spot::Text("description", |r| &mut r.description),
            Spot::Metadata(|r| &mut r.metadata),
            Spot::Case("priority", |r| r.priority = Some(101)),
            Spot::Time("expires_at", |r| &mut r.expires_at),
        ];
        refuses(world, good.clone(), spots, on!(client, try_update)).await;
        let mask = |r: &mut Update, paths: &[&str]| {
            r.update_mask = Some(FieldMask { paths: say::names(paths) });
        };
        let others: &[fn(&mut Update)] =
            &[|r| r.update_mask = None, |r| r.update_mask = Some(FieldMask::default())];
        for other in others {
            refuses(world, good.clone(), &[Spot::Case("update_mask", *other)], {
                on!(client, try_update)
            })
            .await;
        }
        for path in ["amount", "", "Description", "*", "grant.priority", "expiresAt"] {
            let mut bad = good.clone();
            mask(&mut bad, &["priority", path]);
            let status = client.try_update(bad).await.expect_err(path);
            assert_eq!(say::bad_fields(&status), ["update_mask"], "{path}");
        }
        // Fields that the mask does not name are ignored, whatever they hold.
        let mut lenient = Update { priority: Some(-5), ..good };
        mask(&mut lenient, &["description"]);
        assert_eq!(client.update(lenient).await.priority, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_balance() {
    type Get = pb::GetBalanceRequest;
    World::run(async |world| {
        let client = world.client.clone();
        let good = Get { customer_id: "acme".into(), ..Default::default() };
        let of_metric: &[Spot<Get>] = &[
            Spot::Id("customer_id", |r| &mut r.customer_id),
            Spot::OptionalId("metric", |r| &mut r.metric),
            Spot::Time("as_of", |r| &mut r.as_of),
        ];
        refuses(world, good.clone(), of_metric, on!(client, try_balance)).await;
        let of_currency: &[Spot<Get>] = &[
            Spot::Id("customer_id", |r| &mut r.customer_id),
            Spot::Currency("currency", |r| &mut r.currency),
        ];
        refuses(world, good.clone(), of_currency, on!(client, try_balance)).await;
        let both: Spot<Get> = Spot::Case("currency", |r| {
            (r.metric, r.currency) = ("tokens".into(), "USD".into());
        });
        refuses(world, good, &[both], on!(client, try_balance)).await;
    })
    .await;
}

/// Many faults: the first 60 by name, the others counted; the status fits into what clients accept
/// as headers (16 KB).
#[tokio::test(flavor = "multi_thread")]
async fn very_many_faults_at_once() {
    World::run(async |world| {
        let client = &world.client;
        let metrics = vec![String::new(); 50];
        let metadata = (10..60).map(|n| (n.to_string(), "v".repeat(501))).collect();
        let bad = Create { metrics, metadata, ..say::units("", "100") };
        let named = say::bad_fields(&client.try_grant(bad).await.expect_err("all of it is bad"));
        assert_eq!(named.len(), 61);
        assert_eq!((named[0].as_str(), named[1].as_str()), ("customer_id", "metrics[0]"));
        assert_eq!((named[59].as_str(), named[60].as_str()), ("metadata[18]", ""));

        for wide in ['x', 'é', '😀', '\u{10fffe}', '\u{1}'] {
            let metadata = (10..60)
                .map(|n| (format!("{n}{}", wide.to_string().repeat(39)), "v".repeat(501)))
                .collect();
            let bad = Create { metadata, ..say::units("acme", "100") };
            let status = client.try_grant(bad).await.expect_err("all of it is bad");
            let named = say::bad_fields(&status);
            assert!(named.len() > 10, "{wide:?}: only {} are named", named.len());
            let shown = format!("metadata[10{}", wide.escape_debug());
            assert!(named[0].starts_with(&shown), "{} {shown}", named[0]);
        }
    })
    .await;
}
