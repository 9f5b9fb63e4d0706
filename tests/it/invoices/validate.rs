//! validate_only: the answer of the real call, and nothing written.

use chrono::TimeDelta;
use creditd::pb;
use tonic::Code;

use crate::harness::{World, say, t0};

fn trial(of: &pb::ApplyCreditsRequest) -> pb::ApplyCreditsRequest {
    pb::ApplyCreditsRequest { validate_only: true, ..of.clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_answers_as_the_real_call_and_leaves_nothing() {
    World::run(async |world| {
        let client = world.client.clone();
        let until =
            pb::CreateGrantRequest { expires_at: say::hour(1), ..say::money("acme", "5", "EUR") };
        client.grant(until).await;
        client.grant(say::money("acme", "5", "EUR")).await;
        // What has fallen due is not booked, and counted; late, it is reclaimed.
        world.only_clock_to(t0() + TimeDelta::hours(2));
        let minute = say::after(TimeDelta::minutes(30));
        for (id, customer, applied_at) in
            [("now", "acme", None), ("late", "acme", minute), ("now", "nobody", None)]
        {
            let real =
                pb::ApplyCreditsRequest { applied_at, ..say::apply(customer, id, "EUR", "7") };
            let rows = world.database.counts().await;
            let revision = client.balance(customer).await.revision;
            let tried = client.apply(trial(&real)).await;
            assert_eq!(world.database.counts().await, rows, "something was written");
            let refused = client.try_application(customer, id).await;
            say::refused(refused, Code::NotFound, "APPLICATION_NOT_FOUND");
            assert_eq!(client.balance(customer).await.revision, revision);
            assert_eq!(client.apply(real.clone()).await, tried);
            client.reverse_application(say::reverse_application(customer, id, "")).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_replays_and_refuses_as_the_real_call() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::money("acme", "5", "EUR")).await;
        let real = say::apply("acme", "i1", "EUR", "3");
        // A trial does not use its key up.
        client
            .apply(trial(&pb::ApplyCreditsRequest { amount_due: "4".into(), ..real.clone() }))
            .await;
        client.apply(real.clone()).await;
        client.reverse_application(say::reverse_application("acme", "i1", "1")).await;
        let rows = world.database.counts().await;
        let shown = client.application("acme", "i1").await;
        let again = client.try_apply(trial(&real)).await.expect("a replay");
        assert_eq!((again.replayed, again.application), (true, Some(shown)));
        let other = pb::ApplyCreditsRequest { amount_due: "4".into(), ..real.clone() };
        let refused = client.try_apply(trial(&other)).await;
        say::refused(refused, Code::AlreadyExists, "INVOICE_ALREADY_APPLIED");
        let late = pb::ApplyCreditsRequest {
            invoice_id: "i2".into(),
            applied_at: say::hour(-10_000),
            ..real
        };
        let refused = client.try_apply(trial(&late)).await;
        say::refused(refused, Code::FailedPrecondition, "TIMESTAMP_OUT_OF_WINDOW");
        let bad = pb::ApplyCreditsRequest { amount_due: "1.001".into(), ..late };
        let refused = client.try_apply(trial(&bad)).await.expect_err("too precise");
        assert_eq!(say::bad_fields(&refused), ["amount_due"]);
        assert_eq!(world.database.counts().await, rows);
    })
    .await;
}
