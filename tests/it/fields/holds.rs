//! UsageService: holds, and usage given back.

use chrono::TimeDelta;
use creditd::pb;
use prost_types::Duration;

use super::{Spot, refuses, sorted};
use crate::harness::{World, say};

#[tokio::test(flavor = "multi_thread")]
async fn a_hold() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "10")).await;
        let spots: &[Spot<pb::CreateHoldRequest>] = &[
            Spot::Id("customer_id", |r| &mut r.customer_id),
            Spot::Id("hold_id", |r| &mut r.hold_id),
            Spot::Id("metric", |r| &mut r.metric),
            Spot::Amount("quantity", |r| &mut r.quantity),
            Spot::Ttl("ttl", |r| &mut r.ttl),
        ];
        let good = say::hold("acme", "h1", "m", "1");
        refuses(world, good, spots, on!(client, try_hold)).await;
        // The least and the most that is taken; less than a microsecond is cut.
        for (id, ttl, shown) in [
            ("least", Duration { seconds: 0, nanos: 1_999 }, TimeDelta::microseconds(1)),
            ("most", Duration { seconds: 86_400, nanos: 999 }, TimeDelta::hours(24)),
            (
                "one",
                Duration { seconds: 1, nanos: 999_999_999 },
                TimeDelta::microseconds(1_999_999),
            ),
        ] {
            let asked = pb::CreateHoldRequest {
                ttl: Some(ttl),
                ..say::hold("acme", id, "m", "0.000000000001")
            };
            assert_eq!(client.hold(asked).await.expires_at, say::after(shown));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "10")).await;
        client.hold(say::hold("acme", "h1", "m", "1")).await;
        let spots: &[Spot<pb::ExtendHoldRequest>] = &[
            Spot::Id("customer_id", |r| &mut r.customer_id),
            Spot::Id("hold_id", |r| &mut r.hold_id),
            Spot::Ttl("ttl", |r| &mut r.ttl),
        ];
        let good = say::extend("acme", "h1", TimeDelta::hours(24));
        refuses(world, good.clone(), spots, on!(client, try_extend)).await;
        let missing: Spot<pb::ExtendHoldRequest> = Spot::Case("ttl", |r| r.ttl = None);
        refuses(world, good, &[missing], on!(client, try_extend)).await;
        assert_eq!(client.get_hold("acme", "h1").await.expires_at, say::hour(24));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settlement() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "10")).await;
        client.hold(say::hold("acme", "h1", "m", "1")).await;
        let spots: &[Spot<pb::SettleHoldRequest>] = &[
            Spot::Id("customer_id", |r| &mut r.customer_id),
            Spot::Id("hold_id", |r| &mut r.hold_id),
            Spot::Quantity("quantity", |r| &mut r.quantity),
            Spot::OptionalId("event_id", |r| &mut r.event_id),
            Spot::Time("timestamp", |r| &mut r.timestamp),
        ];
        refuses(world, say::settle("acme", "h1", "0"), spots, on!(client, try_settle)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_is_named() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "10")).await;
        client.hold(say::hold("acme", "h1", "m", "1")).await;
        let spots: &[Spot<pb::GetHoldRequest>] = &[
            Spot::Id("customer_id", |r| &mut r.customer_id),
            Spot::Id("hold_id", |r| &mut r.hold_id),
        ];
        let good = pb::GetHoldRequest { customer_id: "acme".into(), hold_id: "h1".into() };
        let get =
            async |r: pb::GetHoldRequest| client.try_get_hold(&r.customer_id, &r.hold_id).await;
        refuses(world, good.clone(), spots, get).await;
        let release =
            async |r: pb::GetHoldRequest| client.try_release(&r.customer_id, &r.hold_id).await;
        refuses(world, good, spots, release).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_given_back() {
    type Reverse = pb::ReverseUsageRequest;
    World::run(async |world| {
        let client = world.client.clone();
        client.record(say::usage("acme", "e1", "m", "5")).await;
        let spots: &[Spot<Reverse>] = &[
            Spot::Id("request_id", |r| &mut r.request_id),
            Spot::Id("customer_id", |r| &mut r.customer_id),
            Spot::Id("event_id", |r| &mut r.event_id),
            Spot::OptionalAmount("quantity", |r| &mut r.quantity),
            Spot::Text("reason", |r| &mut r.reason),
        ];
        let good = say::reverse_usage("acme", "e1", "1");
        refuses(world, good.clone(), spots, on!(client, try_reverse_usage)).await;
        let missing: [fn(&mut Reverse); 2] = [|r| r.reason.clear(), |r| r.reason = " \t".into()];
        for missing in missing {
            let spots = [Spot::Case("reason", missing)];
            refuses(world, good.clone(), &spots, on!(client, try_reverse_usage)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_request() {
    World::run(async |world| {
        let client = &world.client;
        let named = |status| sorted(say::bad_fields(&status));
        let none = client.try_hold(pb::CreateHoldRequest::default()).await.expect_err("empty");
        assert_eq!(named(none), ["customer_id", "hold_id", "metric", "quantity"]);
        let none = client.try_extend(pb::ExtendHoldRequest::default()).await.expect_err("empty");
        assert_eq!(named(none), ["customer_id", "hold_id", "ttl"]);
        let none = client.try_settle(pb::SettleHoldRequest::default()).await.expect_err("empty");
        assert_eq!(named(none), ["customer_id", "hold_id", "quantity"]);
        let none = client.try_release("", "").await.expect_err("empty");
        assert_eq!(named(none), ["customer_id", "hold_id"]);
        let none = client.try_get_hold("", "").await.expect_err("empty");
        assert_eq!(named(none), ["customer_id", "hold_id"]);
        let none = pb::ReverseUsageRequest::default();
        let none = client.try_reverse_usage(none).await.expect_err("empty");
        assert_eq!(named(none), ["customer_id", "event_id", "reason", "request_id"]);
    })
    .await;
}
