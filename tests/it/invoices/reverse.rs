//! Reversals of applications and of usage, and what they refuse.

use chrono::TimeDelta;
use creditd::pb;
use tonic::Code;

use super::{figures, paid};
use crate::harness::{World, say, t0};

#[tokio::test(flavor = "multi_thread")]
async fn credits_go_back_last_taken_first() {
    World::run(async |world| {
        let client = world.client.clone();
        let until = |amount, hours| pb::CreateGrantRequest {
            expires_at: say::hour(hours),
            ..say::money("acme", amount, "USD")
        };
        let ends = client.grant(until("10", 1)).await;
        let voided = client.grant(until("10", 2_000)).await;
        let lives = client.grant(until("10", 3_000)).await;
        client.apply(say::apply("acme", "i1", "USD", "35")).await;
        // An exhausted grant is not voided; what is left of it is.
        client.reverse_application(say::reverse_application("acme", "i1", "11")).await;
        client.void(&voided.id, "over").await;
        world.advance(TimeDelta::hours(100)).await;
        let before = client.ledger("acme").await.len();
        let reverse = say::reverse_application("acme", "i1", "12");
        let back = client.reverse_application(reverse).await;
        // Nine of the voided one, three of the expired one.
        assert_eq!((back.restored.as_str(), back.forfeited.as_str()), ("0.00", "12.00"));
        let now = back.application.expect("an application");
        assert_eq!(figures(&now), "35.00: 7.00 applied, 28.00 remaining, 23.00 reversed");
        assert_eq!(paid(&now), [(&*ends.id, "7.00")]);
        assert_eq!(client.application("acme", "i1").await, now);
        let entries = client.ledger("acme").await.split_off(before);
        let lines: Vec<_> = say::lines(&entries)
            .iter()
            .map(|line| line.split_once(' ').expect("a sequence").1.to_owned())
            .collect();
        let expected = [
            "APPLICATION_REVERSED 9.00 -> 9.00",
            "VOIDED -9.00 -> 0.00",
            "APPLICATION_REVERSED 3.00 -> 3.00",
            "EXPIRED -3.00 -> 0.00",
        ];
        assert_eq!(lines, expected);
        for entry in &entries {
            let cause = (&*entry.invoice_id, &*entry.reason, &*entry.actor);
            assert_eq!(cause, ("i1", "a refund", "anonymous"));
            assert_eq!((entry.occurred_at, entry.recorded_at), (say::hour(100), say::hour(100)));
        }
        let grant = client.fetch(&voided.id).await;
        let shown = "10.00: 0.00 remaining, 0.00 held, 0.00 consumed, 0.00 expired, 10.00 voided";
        assert_eq!((say::figures(&grant).as_str(), &*grant.void_reason), (shown, "over"));
        assert_eq!(client.fetch(&lives.id).await.remaining, "10.00");
        // All of the rest; and then all of nothing.
        for forfeited in ["7.00", "0.00"] {
            let rest = client.reverse_application(say::reverse_application("acme", "i1", "")).await;
            assert_eq!((rest.restored.as_str(), rest.forfeited.as_str()), ("0.00", forfeited));
        }
        // What was forfeited may be reclaimed as late as anything that has expired: no more.
        assert_eq!(client.fetch(&ends.id).await.status(), pb::GrantStatus::Expired);
    })
    .await;
}

/// A grant that nothing was left of is there again, and pays again.
#[tokio::test(flavor = "multi_thread")]
async fn an_exhausted_grant_comes_back() {
    World::run(async |world| {
        let client = world.client.clone();
        let asked =
            pb::CreateGrantRequest { expires_at: say::hour(1_000), ..say::units("acme", "10") };
        let grant = client.grant(asked).await;
        client.record(say::usage("acme", "e1", "m", "15")).await;
        assert_eq!(client.fetch(&grant.id).await.status(), pb::GrantStatus::Exhausted);
        // Longer than a late event may come.
        world.advance(TimeDelta::hours(500)).await;
        let back = client.reverse_usage(say::reverse_usage("acme", "e1", "8")).await;
        let told = [&*back.restored, &back.forfeited, &back.uncovered_reversed];
        assert_eq!(told, ["3", "0", "5"]);
        let event = back.event.expect("an event");
        let shown = [&*event.quantity, &event.covered, &event.uncovered, &event.reversed];
        assert_eq!(shown, ["15", "7", "0", "8"]);
        assert_eq!(client.event("acme", "e1").await, event);
        assert_eq!(client.fetch(&grant.id).await.status(), pb::GrantStatus::Active);
        let used = client.record(say::usage("acme", "e2", "m", "2")).await;
        assert_eq!(say::paid(&used.allocations), [(&*grant.id, "2")]);
        // And its end comes as it would have come.
        world.only_clock_to(t0() + TimeDelta::hours(1_000));
        assert_eq!(client.fetch(&grant.id).await.expired, "1");
        let entries = client.ledger("acme").await;
        let last = entries.last().expect("an entry");
        assert_eq!(
            (last.r#type(), last.occurred_at),
            (pb::LedgerEntryType::Expired, say::hour(1_000))
        );
        // The event is the same to who repeats it.
        let again =
            client.try_record(say::usage("acme", "e1", "m", "15")).await.expect("a duplicate");
        assert_eq!((again.duplicate, again.event), (true, Some(event)));
    })
    .await;
}

/// Only what nobody had paid is given back: it leaves no entry, and its key is used up all the same.
#[tokio::test(flavor = "multi_thread")]
async fn overage_may_be_taken_back() {
    World::run(async |world| {
        let client = world.client.clone();
        client.record(say::usage("acme", "e1", "m", "5")).await;
        world.advance(TimeDelta::hours(1)).await;
        let reverse = say::reverse_usage("acme", "e1", "2");
        let back = client.reverse_usage(reverse.clone()).await;
        let told = [&*back.restored, &back.forfeited, &back.uncovered_reversed];
        assert_eq!(told, ["0", "0", "2"]);
        assert_eq!(client.ledger("acme").await, []);
        world.advance(TimeDelta::hours(1)).await;
        let again = client.try_reverse_usage(reverse).await.expect("a replay");
        assert_eq!(again, pb::ReverseUsageResponse { replayed: true, ..back });
        let rest = client.reverse_usage(say::reverse_usage("acme", "e1", "")).await;
        assert_eq!(rest.uncovered_reversed, "3");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_come_in_their_order() {
    World::run(async |world| {
        let client = world.client.clone();
        let empty = world.database.counts().await;
        // Nothing is found of nobody, and nobody is left behind.
        for (customer, id) in [("nobody", "x"), ("acme", "X"), ("umbrella", "x")] {
            let refused = client
                .try_reverse_application(say::reverse_application(customer, id, "0.001"))
                .await;
            let status = say::refused(refused, Code::NotFound, "APPLICATION_NOT_FOUND");
            let named = ("credits.v1.CreditApplication".to_owned(), id.to_owned());
            assert_eq!(say::resource(&status), named);
            let status = client.try_application(customer, id).await.expect_err("none");
            assert_eq!(
                (say::reason(&status).as_str(), say::resource(&status)),
                ("APPLICATION_NOT_FOUND", named)
            );
            let refused = client.try_reverse_usage(say::reverse_usage(customer, id, "99")).await;
            let status = say::refused(refused, Code::NotFound, "EVENT_NOT_FOUND");
            assert_eq!(say::resource(&status), ("credits.v1.UsageEvent".to_owned(), id.to_owned()));
            if customer == "nobody" {
                assert_eq!(world.database.counts().await, empty);
                client.grant(say::money("acme", "10", "USD")).await;
                client.apply(say::apply("acme", "x", "USD", "7")).await;
                client.record(say::usage("acme", "x", "m", "7")).await;
                client.grant(say::units("umbrella", "1")).await;
            }
        }
        let rows = world.database.counts().await;
        // More decimals than the currency has come before more than is left.
        let precise = say::reverse_application("acme", "x", "99.001");
        let status = client.try_reverse_application(precise).await.expect_err("too precise");
        assert_eq!(say::bad_fields(&status), ["amount"]);
        for amount in ["7.01", "1000000000000000"] {
            let refused =
                client.try_reverse_application(say::reverse_application("acme", "x", amount)).await;
            let status = say::refused(refused, Code::FailedPrecondition, "REVERSAL_EXCEEDS");
            assert_eq!(say::metadata(&status)["left"], "7.00");
        }
        let refused = client.try_reverse_usage(say::reverse_usage("acme", "x", "7.50")).await;
        let status = say::refused(refused, Code::FailedPrecondition, "REVERSAL_EXCEEDS");
        let metadata = say::metadata(&status);
        assert_eq!((&*metadata["requested"], &*metadata["left"]), ("7.5", "7"));
        assert_eq!(world.database.counts().await, rows);
        // No key was used up.
        let again = pb::ReverseUsageRequest {
            quantity: "7".into(),
            ..say::reverse_usage("acme", "x", "8")
        };
        client.reverse_usage(again).await;
    })
    .await;
}
