//! What monetary grants pay of an invoice.

use chrono::TimeDelta;
use creditd::pb;
use tonic::Code;

use super::{figures, paid};
use crate::harness::{World, say, t0};

fn noted(note: &str, grant: pb::CreateGrantRequest) -> pb::CreateGrantRequest {
    pb::CreateGrantRequest { description: note.into(), ..grant }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_gets_what_it_needs() {
    World::run(async |world| {
        let client = world.client.clone();
        let last = client.grant(noted("bought", say::money("acme", "50", "USD"))).await;
        let first = pb::CreateGrantRequest {
            priority: Some(1),
            ..noted("a gift", say::money("acme", "30.5", "USD"))
        };
        let first = client.grant(first).await;
        client.grant(say::money("acme", "1000", "EUR")).await;
        client.grant(say::units("acme", "1000")).await;
        world.advance(TimeDelta::hours(1)).await;
        let applied = client.apply(say::apply("acme", "i1", "USD", "42")).await;
        let line = |grant: &pb::Grant, amount: &str| pb::CreditApplicationLine {
            grant_id: grant.id.clone(),
            label: "Credit Applied".into(),
            description: grant.description.clone(),
            amount: amount.into(),
        };
        let expected = pb::CreditApplication {
            customer_id: "acme".into(),
            invoice_id: "i1".into(),
            currency: "USD".into(),
            amount_due: "42.00".into(),
            amount_applied: "42.00".into(),
            amount_remaining: "0.00".into(),
            lines: vec![line(&first, "30.50"), line(&last, "11.50")],
            reversed: "0.00".into(),
            applied_at: say::hour(1),
            recorded_at: say::hour(1),
        };
        assert_eq!(applied, expected);
        assert_eq!(client.application("acme", "i1").await, expected);
        let now = client.fetch(&last.id).await;
        let shown = "50.00: 38.50 remaining, 0.00 held, 11.50 consumed, 0.00 expired, 0.00 voided";
        assert_eq!((say::figures(&now).as_str(), now.updated_at), (shown, say::hour(1)));
        let entries = client.ledger("acme").await;
        let lines = ["5 APPLIED -30.50 -> 0.00", "6 APPLIED -11.50 -> 38.50"];
        assert_eq!(say::lines(&entries)[4..], lines);
        let entry = pb::LedgerEntry {
            customer_id: "acme".into(),
            sequence: 6,
            grant_id: last.id.clone(),
            r#type: pb::LedgerEntryType::Applied.into(),
            amount: "-11.50".into(),
            balance_after: "38.50".into(),
            held_amount: "0.00".into(),
            held_after: "0.00".into(),
            actor: "anonymous".into(),
            occurred_at: say::hour(1),
            recorded_at: say::hour(1),
            currency: "USD".into(),
            invoice_id: "i1".into(),
            ..Default::default()
        };
        assert_eq!(entries[5], entry);
        // The next one gets the rest, and says what is still to be paid.
        let rest = client.apply(say::apply("acme", "i2", "USD", "100.1")).await;
        assert_eq!(figures(&rest), "100.10: 38.50 applied, 61.60 remaining, 0.00 reversed");
        assert_eq!(paid(&rest), [(&*last.id, "38.50")]);
    })
    .await;
}

/// Each currency has its own digits; nothing is rounded.
#[tokio::test(flavor = "multi_thread")]
async fn money_prints_with_its_currencys_digits() {
    World::run(async |world| {
        let client = world.client.clone();
        for (currency, granted, due, shown) in [
            ("JPY", "500", "800", "800: 500 applied, 300 remaining, 0 reversed"),
            ("USD", "5", "8.1", "8.10: 5.00 applied, 3.10 remaining, 0.00 reversed"),
            ("KWD", "5.005", "8", "8.000: 5.005 applied, 2.995 remaining, 0.000 reversed"),
        ] {
            let grant = client.grant(say::money("acme", granted, currency)).await;
            let applied = client.apply(say::apply("acme", currency, currency, due)).await;
            assert_eq!(figures(&applied), shown);
            assert_eq!(paid(&applied)[0].1, grant.amount);
            let reversed =
                client.reverse_application(say::reverse_application("acme", currency, "1")).await;
            let digits = grant.amount.split_once('.').map_or(0, |(_, digits)| digits.len());
            let one =
                if digits == 0 { "1".to_owned() } else { format!("1.{}", "0".repeat(digits)) };
            let zero = one.replacen('1', "0", 1);
            assert_eq!((reversed.restored, reversed.forfeited), (one.clone(), zero));
            assert_eq!(reversed.application.expect("an application").reversed, one);
        }
    })
    .await;
}

/// Nothing due, and nobody who could pay: both are applications, and tell of the customer.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_may_be_due_and_nothing_there() {
    World::run(async |world| {
        let client = world.client.clone();
        let none = client.apply(say::apply("acme", "i1", "USD", "0")).await;
        assert_eq!(figures(&none), "0.00: 0.00 applied, 0.00 remaining, 0.00 reversed");
        let none = client.apply(say::apply("acme", "i2", "USD", "7")).await;
        assert_eq!(figures(&none), "7.00: 0.00 applied, 7.00 remaining, 0.00 reversed");
        assert_eq!(client.application("acme", "i2").await, none);
        // A grant made later never pays for it.
        client.grant(say::money("acme", "10", "USD")).await;
        let again = client.try_apply(say::apply("acme", "i2", "USD", "7")).await.expect("a replay");
        assert_eq!((again.replayed, again.application), (true, Some(none)));
        assert_eq!(client.balance("acme").await.totals[0].available, "10.00");
    })
    .await;
}

/// applied_at stands for an event's timestamp: its window, and what a late one may reclaim.
#[tokio::test(flavor = "multi_thread")]
async fn applied_at_is_when_it_counts() {
    World::run(async |world| {
        let client = world.client.clone();
        let until = |amount, hours| pb::CreateGrantRequest {
            expires_at: say::hour(hours),
            ..say::money("acme", amount, "USD")
        };
        let early = client.grant(until("10", 10)).await;
        let live = client.grant(until("10", 100)).await;
        let pending = pb::CreateGrantRequest { effective_at: say::hour(15), ..until("10", 50) };
        client.grant(pending).await;
        world.only_clock_to(t0() + TimeDelta::hours(20));
        let at = |applied_at, invoice, due| pb::ApplyCreditsRequest {
            applied_at,
            ..say::apply("acme", invoice, "USD", due)
        };
        let late = client.apply(at(say::hour(9), "i1", "14")).await;
        assert_eq!(paid(&late), [(&*early.id, "10.00"), (&live.id, "4.00")]);
        assert_eq!((late.applied_at, late.recorded_at), (say::hour(9), say::hour(20)));
        let entries = client.ledger("acme").await;
        let lines = [
            "4 EXPIRED -10.00 -> 0.00",
            "5 EXPIRATION_RECLAIMED 10.00 -> 10.00",
            "6 APPLIED -10.00 -> 0.00",
            "7 APPLIED -4.00 -> 6.00",
        ];
        assert_eq!(say::lines(&entries)[3..], lines);
        assert!(entries[4..].iter().all(|entry| entry.occurred_at == say::hour(9)));
        assert!(entries[4..].iter().all(|entry| entry.invoice_id == "i1"));

        let tick = TimeDelta::microseconds(1);
        let (ahead, behind) = (TimeDelta::minutes(5), TimeDelta::days(-35));
        let from_now = |delta| say::after(TimeDelta::hours(20) + delta);
        for (id, edge) in [("ahead", ahead), ("behind", behind)] {
            client.apply(at(from_now(edge), id, "0")).await;
        }
        let rows = world.database.counts().await;
        for beyond in [ahead + tick, behind - tick] {
            let refused = client.try_apply(at(from_now(beyond), "beyond", "1")).await;
            say::refused(refused, Code::FailedPrecondition, "TIMESTAMP_OUT_OF_WINDOW");
        }
        assert_eq!(world.database.counts().await, rows);
    })
    .await;
}

/// A line shows what its grant is called now.
#[tokio::test(flavor = "multi_thread")]
async fn lines_have_the_grants_present_description() {
    World::run(async |world| {
        let client = world.client.clone();
        let grant = client.grant(noted("before", say::money("acme", "10", "USD"))).await;
        let apply = say::apply("acme", "i1", "USD", "4");
        assert_eq!(client.apply(apply.clone()).await.lines[0].description, "before");
        let update = pb::UpdateGrantRequest {
            description: "after".into(),
            ..say::update(&grant.id, &["description"])
        };
        client.update(update).await;
        let shown = client.application("acme", "i1").await;
        assert_eq!(shown.lines[0].description, "after");
        let again = client.try_apply(apply.clone()).await.expect("a replay").application;
        assert_eq!(again, Some(shown.clone()));
        let trial = pb::ApplyCreditsRequest { validate_only: true, ..apply };
        assert_eq!(client.try_apply(trial).await.expect("a replay").application, Some(shown));
        let part = client.reverse_application(say::reverse_application("acme", "i1", "1")).await;
        assert_eq!(part.application.expect("an application").lines[0].description, "after");
    })
    .await;
}
