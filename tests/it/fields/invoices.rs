//! CreditService: invoices.

use creditd::pb;

use super::{Spot, refuses, sorted};
use crate::harness::{World, say};

type Apply = pb::ApplyCreditsRequest;
type Reverse = pb::ReverseCreditApplicationRequest;

#[tokio::test(flavor = "multi_thread")]
async fn an_application() {
    World::run(async |world| {
        let client = world.client.clone();
        let spots: &[Spot<Apply>] = &[
            Spot::Id("customer_id", |r| &mut r.customer_id),
            Spot::Id("invoice_id", |r| &mut r.invoice_id),
            Spot::Currency("currency", |r| &mut r.currency),
            Spot::Quantity("amount_due", |r| &mut r.amount_due),
            Spot::Time("applied_at", |r| &mut r.applied_at),
        ];
        let others: &[Spot<Apply>] = &[
            Spot::Case("currency", |r| r.currency.clear()),
            Spot::Case("amount_due", |r| r.amount_due = "1.001".into()),
            Spot::Case("amount_due", |r| r.amount_due = "1000000000000000.01".into()),
            Spot::Case("amount_due", |r| {
                (r.amount_due, r.currency) = ("1.5".into(), "JPY".into());
            }),
            Spot::Case("amount_due", |r| {
                (r.amount_due, r.currency) = ("1.0005".into(), "KWD".into());
            }),
        ];
        for validate_only in [false, true] {
            let good = Apply { validate_only, ..say::apply("acme", "i1", "USD", "1.000") };
            refuses(world, good.clone(), spots, on!(client, try_apply)).await;
            for other in others {
                let other = std::slice::from_ref(other);
                refuses(world, good.clone(), other, on!(client, try_apply)).await;
            }
        }
        let most = client.apply(say::apply("acme", "most", "JPY", "1000000000000000")).await;
        assert_eq!(most.amount_remaining, "1000000000000000");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_is_named() {
    World::run(async |world| {
        let client = world.client.clone();
        client.apply(say::apply("acme", "i1", "USD", "1")).await;
        let spots: &[Spot<pb::GetCreditApplicationRequest>] = &[
            Spot::Id("customer_id", |r| &mut r.customer_id),
            Spot::Id("invoice_id", |r| &mut r.invoice_id),
        ];
        let good =
            pb::GetCreditApplicationRequest { customer_id: "acme".into(), invoice_id: "i1".into() };
        let get = async |r: pb::GetCreditApplicationRequest| {
            client.try_application(&r.customer_id, &r.invoice_id).await
        };
        refuses(world, good, spots, get).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_given_back() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::money("acme", "10", "USD")).await;
        client.apply(say::apply("acme", "i1", "USD", "5")).await;
        let spots: &[Spot<Reverse>] = &[
            Spot::Id("request_id", |r| &mut r.request_id),
            Spot::Id("customer_id", |r| &mut r.customer_id),
            Spot::Id("invoice_id", |r| &mut r.invoice_id),
            Spot::OptionalAmount("amount", |r| &mut r.amount),
            Spot::Text("reason", |r| &mut r.reason),
        ];
        let good = say::reverse_application("acme", "i1", "1");
        refuses(world, good.clone(), spots, on!(client, try_reverse_application)).await;
        let others: &[Spot<Reverse>] = &[
            Spot::Case("reason", |r| r.reason.clear()),
            Spot::Case("reason", |r| r.reason = " \t".into()),
            // Too precise for the invoice's currency, under a key of its own.
            Spot::Case("amount", |r| {
                (r.request_id, r.amount) = ("precise".into(), "0.001".into());
            }),
        ];
        for other in others {
            let other = std::slice::from_ref(other);
            refuses(world, good.clone(), other, on!(client, try_reverse_application)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_request() {
    World::run(async |world| {
        let client = &world.client;
        let named = |status| sorted(say::bad_fields(&status));
        let none = client.try_apply(Apply::default()).await.expect_err("empty");
        assert_eq!(named(none), ["amount_due", "currency", "customer_id", "invoice_id"]);
        let none = client.try_application("", "").await.expect_err("empty");
        assert_eq!(named(none), ["customer_id", "invoice_id"]);
        let none = client.try_reverse_application(Reverse::default()).await.expect_err("empty");
        assert_eq!(named(none), ["customer_id", "invoice_id", "reason", "request_id"]);
    })
    .await;
}
