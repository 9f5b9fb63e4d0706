//! Repetitions: the same invoice with the same payload, and with another.

use chrono::TimeDelta;
use creditd::pb;
use tonic::Code;

use super::figures;
use crate::harness::{World, say};

type Apply = pb::ApplyCreditsRequest;
type Reverse = pb::ReverseCreditApplicationRequest;

#[tokio::test(flavor = "multi_thread")]
async fn payloads_compare_by_value() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::money("acme", "10", "USD")).await;
        let first = Apply {
            applied_at: say::after(TimeDelta::microseconds(-7)),
            ..say::apply("acme", "i1", "USD", "4")
        };
        let applied = client.apply(first.clone()).await;
        let omitted = client.apply(say::apply("acme", "i2", "USD", "1")).await;
        world.advance(TimeDelta::hours(1)).await;
        let rows = world.database.counts().await;
        let same: &[fn(&mut Apply)] = &[
            |_| {},
            |r| r.amount_due = "04.0".into(),
            |r| r.applied_at = None,
            |r| r.applied_at.as_mut().expect("a time").nanos += 999,
        ];
        for change in same {
            let mut again = first.clone();
            change(&mut again);
            let answer = client.try_apply(again.clone()).await.expect("a replay");
            assert_eq!(
                (answer.replayed, answer.application.as_ref()),
                (true, Some(&applied)),
                "{again:?}"
            );
        }
        for applied_at in [None, say::hour(0), say::hour(-20), say::hour(100_000)] {
            let again = Apply { applied_at, ..say::apply("acme", "i2", "USD", "1") };
            let answer = client.try_apply(again).await.expect("a replay");
            assert_eq!((answer.replayed, answer.application.as_ref()), (true, Some(&omitted)));
        }
        let other: &[fn(&mut Apply)] = &[
            |r| r.amount_due = "4.01".into(),
            |r| r.amount_due = "0".into(),
            |r| r.currency = "EUR".into(),
            |r| r.applied_at = say::after(TimeDelta::microseconds(-8)),
            // Out of its window, which is not looked at before the key.
            |r| r.applied_at = say::hour(-100_000),
        ];
        for change in other {
            let mut again = first.clone();
            change(&mut again);
            let refused = client.try_apply(again).await;
            say::refused(refused, Code::AlreadyExists, "INVOICE_ALREADY_APPLIED");
        }
        assert_eq!(world.database.counts().await, rows);
    })
    .await;
}

/// An invoice that was reversed never draws again, and a reversal that is repeated gives nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_after_a_reversal_draws_nothing() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::money("acme", "10", "USD")).await;
        let apply = say::apply("acme", "i1", "USD", "12");
        client.apply(apply.clone()).await;
        let some = say::reverse_application("acme", "i1", "4");
        let all = say::reverse_application("acme", "i1", "");
        let first = client.reverse_application(some.clone()).await;
        let shown = first.application.clone().expect("an application");
        assert_eq!(figures(&shown), "12.00: 6.00 applied, 6.00 remaining, 4.00 reversed");
        client.reverse_application(all.clone()).await;
        let rows = world.database.counts().await;
        let answer = client.try_apply(apply).await.expect("a replay");
        let now = answer.application.expect("an application");
        assert_eq!(figures(&now), "12.00: 0.00 applied, 12.00 remaining, 10.00 reversed");
        assert_eq!((answer.replayed, now.lines.len()), (true, 0));
        // What each did, and the application as it is now.
        for (reverse, restored) in [(&some, "4.00"), (&all, "6.00")] {
            let again = client.try_reverse_application(reverse.clone()).await.expect("a replay");
            assert_eq!((again.replayed, again.restored.as_str()), (true, restored));
            assert_eq!(again.application.as_ref(), Some(&now));
        }
        assert_eq!(world.database.counts().await, rows);
        assert_eq!(client.balance("acme").await.totals[0].available, "10.00");
    })
    .await;
}

/// One request id for all that has one: who uses it first has it.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_is_one_key_across_calls() {
    World::run(async |world| {
        let client = world.client.clone();
        let create =
            pb::CreateGrantRequest { request_id: "made".into(), ..say::money("acme", "10", "USD") };
        client.grant(create.clone()).await;
        client.grant(say::units("acme", "10")).await;
        client.apply(say::apply("acme", "x", "USD", "4")).await;
        client.record(say::usage("acme", "x", "m", "4")).await;
        let invoice =
            Reverse { request_id: "invoice".into(), ..say::reverse_application("acme", "x", "1") };
        let usage = pb::ReverseUsageRequest {
            request_id: "usage".into(),
            reason: invoice.reason.clone(),
            ..say::reverse_usage("acme", "x", "1")
        };
        client.reverse_application(invoice.clone()).await;
        client.reverse_usage(usage.clone()).await;
        let rows = world.database.counts().await;
        for id in ["made", "invoice", "usage"] {
            if id != "made" {
                let again = pb::CreateGrantRequest { request_id: id.into(), ..create.clone() };
                let refused = client.try_grant(again).await;
                say::refused(refused, Code::AlreadyExists, "REQUEST_ID_REUSED");
            }
            if id != "invoice" {
                let again = Reverse { request_id: id.into(), ..invoice.clone() };
                let refused = client.try_reverse_application(again).await;
                say::refused(refused, Code::AlreadyExists, "REQUEST_ID_REUSED");
            }
            if id != "usage" {
                let again = pb::ReverseUsageRequest { request_id: id.into(), ..usage.clone() };
                let refused = client.try_reverse_usage(again).await;
                say::refused(refused, Code::AlreadyExists, "REQUEST_ID_REUSED");
            }
        }
        let other: &[fn(&mut Reverse)] = &[
            |r| r.amount = "1.01".into(),
            |r| r.amount.clear(),
            |r| r.reason = "another".into(),
            // Before the application is looked for.
            |r| r.invoice_id = "none".into(),
        ];
        for change in other {
            let mut again = invoice.clone();
            change(&mut again);
            let refused = client.try_reverse_application(again).await;
            say::refused(refused, Code::AlreadyExists, "REQUEST_ID_REUSED");
        }
        let same = Reverse { amount: "01.000".into(), ..invoice };
        assert!(client.try_reverse_application(same).await.expect("a replay").replayed);
        // Another customer's are their own.
        client
            .grant(pb::CreateGrantRequest {
                request_id: "usage".into(),
                ..say::units("other", "1")
            })
            .await;
        client.apply(say::apply("other", "x", "USD", "1")).await;
        assert_ne!(world.database.counts().await, rows);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_does_it() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::money("acme", "100", "USD")).await;
        let all = (0..30).map(|_| client.try_apply(say::apply("acme", "i1", "USD", "30")));
        let all = futures_util::future::join_all(all).await;
        let all: Vec<_> = all.into_iter().map(|answer| answer.expect("an application")).collect();
        assert_eq!(all.iter().filter(|answer| !answer.replayed).count(), 1);
        assert!(all.iter().all(|answer| answer.application == all[0].application));
        let reverse = say::reverse_application("acme", "i1", "7");
        let again = (0..30).map(|_| client.try_reverse_application(reverse.clone()));
        let again = futures_util::future::join_all(again).await;
        let done = again.iter().filter(|a| !a.as_ref().expect("a reversal").replayed);
        assert_eq!(done.count(), 1);
        // Of what is left for one only, one gets it.
        let rivals = (0..8)
            .map(|_| client.try_reverse_application(say::reverse_application("acme", "i1", "20")));
        let rivals = futures_util::future::join_all(rivals).await;
        assert_eq!(rivals.iter().filter(|answer| answer.is_ok()).count(), 1);
        assert_eq!(client.balance("acme").await.totals[0].available, "97.00");
    })
    .await;
}
