//! Two servers on one database, with clocks that differ: they decide as one would.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use creditd::domain::amount::Amount;
use creditd::pb;
use creditd::store::Clock;
use prost_types::FieldMask;
use tonic::Code;

use crate::harness::wait::until;
use crate::harness::{Client, Options, World, say, t0};

const SKEW: TimeDelta = TimeDelta::seconds(5);

async fn ledger(client: &Client, customer: &str) -> Vec<pb::LedgerEntry> {
    let ask = pb::ListLedgerEntriesRequest {
        customer_id: customer.into(),
        page_size: 1_000,
        ..Default::default()
    };
    client.credits.clone().list_ledger_entries(ask).await.expect("a ledger").into_inner().entries
}

async fn available(client: &Client, customer: &str) -> String {
    let ask = pb::GetBalanceRequest { customer_id: customer.into(), ..Default::default() };
    let balance = client.credits.clone().get_balance(ask).await.expect("a balance").into_inner();
    let totals = balance.balance.expect("a balance").totals;
    totals.first().map_or_else(|| "0".to_owned(), |total| total.available.clone())
}

/// Every event is sent to both servers at once, by many callers, on a few customers.
#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_differ_leave_one_history() {
    const CUSTOMERS: [&str; 3] = ["a", "b", "c"];
    World::run_with(Options::at(t0()), async |world| {
        let ahead = Options::at(t0() + SKEW);
        let other = world.another(&ahead).await;
        let clients = [world.client.clone(), other.client()];
        for customer in CUSTOMERS {
            for amount in ["40", "30", "20"] {
                let grant = pb::CreateGrantRequest {
                    expires_at: Some(say::time(t0() + TimeDelta::days(1))),
                    ..say::units(customer, amount)
                };
                clients[1].credits.clone().create_grant(grant).await.expect("a grant");
            }
        }
        let clocks = [&world.options.clock, &ahead.clock].map(|clock| match clock {
            Clock::Test(clock) => clock.clone(),
            Clock::Database => panic!("no test clock"),
        });
        for wave in 0..4 {
            let tasks = (0..144).map(|number| {
                let (caller, event) = (number % 2, number / 2);
                let mut usage = clients[caller].usage.clone();
                // The last ones are sent to one server alone.
                let id = match number {
                    ..120 => format!("e{wave}-{event}"),
                    _ => format!("alone{wave}-{number}"),
                };
                let request = say::usage(CUSTOMERS[event % 3], &id, "tokens", "0.5");
                tokio::spawn(async move {
                    let answer = usage.record_usage(request).await.expect("usage").into_inner();
                    (answer.event.expect("an event"), answer.duplicate)
                })
            });
            let tasks: Vec<_> = tasks.collect();
            let mut answers: BTreeMap<String, Vec<(pb::UsageEvent, bool)>> = BTreeMap::new();
            for task in tasks {
                let (event, duplicate) = task.await.expect("a task");
                answers.entry(event.event_id.clone()).or_default().push((event, duplicate));
            }
            for (id, both) in answers {
                assert_eq!(both.len(), if id.starts_with("alone") { 1 } else { 2 });
                assert!(both.iter().all(|(event, _)| *event == both[0].0), "{id}: {both:?}");
                let recorded = both.iter().filter(|(_, duplicate)| !duplicate).count();
                assert_eq!(recorded, 1, "{id}: one server recorded it, the other one saw that");
            }
            // First the one that is behind overtakes, then the other one again.
            let clock = &clocks[wave % 2];
            clock.advance_to(clock.now() + SKEW * 2).expect("forward");
        }
        for customer in CUSTOMERS {
            let entries = ledger(&clients[0], customer).await;
            assert_eq!(entries, ledger(&clients[1], customer).await);
            let sequences: Vec<i64> = entries.iter().map(|entry| entry.sequence).collect();
            assert!(
                sequences.iter().copied().eq(1..=sequences[sequences.len() - 1]),
                "{sequences:?}"
            );
            let times: Vec<DateTime<Utc>> =
                entries.iter().map(|entry| say::instant(entry.recorded_at.as_ref())).collect();
            assert!(times.is_sorted(), "{times:?}");
            let seen: BTreeSet<_> = times.into_iter().collect();
            assert!(seen.len() > 2, "both clocks were heard: {seen:?}");
            // 4 waves of 20 events on both servers and 8 on one, each of 0.5.
            assert_eq!(available(&clients[0], customer).await, "34");
        }
        other.stop().await;
    })
    .await;
}

/// Credit for 10 of 20 events, refused where it does not suffice, asked for on both servers.
#[tokio::test(flavor = "multi_thread")]
async fn no_credit_is_spent_on_both_servers() {
    World::run(async |world| {
        let other = world.another(&world.options).await;
        let clients = [world.client.clone(), other.client()];
        for round in 0..6 {
            let customer = format!("thrifty-{round}");
            let grant = say::units(&customer, "10");
            clients[round % 2].credits.clone().create_grant(grant).await.expect("a grant");
            let tasks = (0..40).map(|number| {
                let mut usage = clients[number % 2].usage.clone();
                let event = say::usage(&customer, &format!("e{}", number / 2), "tokens", "1");
                let event = pb::RecordUsageRequest {
                    insufficient_credits: pb::InsufficientCredits::Reject.into(),
                    ..event
                };
                let id = event.event_id.clone();
                tokio::spawn(async move { (id, usage.record_usage(event).await) })
            });
            let tasks: Vec<_> = tasks.collect();
            let (mut done, mut refused) = (BTreeSet::new(), BTreeSet::new());
            for task in tasks {
                let (id, answer) = task.await.expect("a task");
                if answer.is_ok() {
                    done.insert(id);
                } else {
                    say::refused(answer, Code::FailedPrecondition, "INSUFFICIENT_CREDITS");
                    refused.insert(id);
                }
            }
            assert_eq!((done.len(), refused.len()), (10, 10), "round {round}");
            assert!(done.is_disjoint(&refused), "both servers said the same of each event");
        }
        other.stop().await;
    })
    .await;
}

/// Each server keeps accounts between batches; what the other one did is always seen.
#[tokio::test(flavor = "multi_thread")]
async fn no_server_decides_on_yesterdays_figures() {
    World::run(async |world| {
        let other = world.another(&world.options).await;
        let clients = [world.client.clone(), other.client()];
        let mut left = Amount::parse("100", 0).expect("an amount");
        let one = Amount::parse("1.5", 1).expect("an amount");
        let made = clients[0].credits.clone().create_grant(say::units("acme", "100")).await;
        let mut grant_id = made.expect("a grant").into_inner().grant.expect("a grant").id;
        for round in 0_usize..24 {
            let (this, that) = (&clients[round % 2], &clients[(round + 1) % 2]);
            // Both remember the account; then one changes it and the other one must see that.
            for (number, client) in [this, that, this, this, that].into_iter().enumerate() {
                let event = say::usage("acme", &format!("e{round}-{number}"), "tokens", "1.5");
                let answer = client.usage.clone().record_usage(event).await.expect("usage");
                let paid = answer.into_inner().event.expect("an event").allocations;
                assert_eq!(paid.len(), 1);
                assert_eq!((&*paid[0].grant_id, &*paid[0].amount), (&*grant_id, "1.5"));
                left = left.less(one).expect("credit");
            }
            for client in &clients {
                assert_eq!(available(client, "acme").await, left.to_string(), "round {round}");
            }
            // A grant that goes first from now on; then the same rank for the one before it.
            let priority = i32::try_from(49 - round).ok();
            let grant = pb::CreateGrantRequest { priority, ..say::units("acme", "50") };
            let made = this.credits.clone().create_grant(grant).await.expect("a grant");
            let new = made.into_inner().grant.expect("a grant").id;
            let before = std::mem::replace(&mut grant_id, new);
            let voided = pb::VoidGrantRequest { grant_id: before, reason: "in turn".into() };
            let voided = that.credits.clone().void_grant(voided).await.expect("a void");
            assert_eq!(
                voided.into_inner().grant.expect("a grant").status(),
                pb::GrantStatus::Voided
            );
            left = Amount::parse("50", 0).expect("an amount");
        }
        other.stop().await;
    })
    .await;
}

fn update(
    grant_id: &str,
    paths: &[&str],
    description: &str,
    priority: i32,
) -> pb::UpdateGrantRequest {
    pb::UpdateGrantRequest {
        grant_id: grant_id.to_owned(),
        update_mask: Some(FieldMask { paths: paths.iter().map(|&path| path.into()).collect() }),
        description: description.to_owned(),
        priority: Some(priority),
        ..Default::default()
    }
}

/// Notes leave no entry, so that the revision says nothing of them; the cache must know all the same.
#[tokio::test(flavor = "multi_thread")]
async fn notes_of_one_server_survive_the_other() {
    World::run(async |world| {
        let other = world.another(&world.options).await;
        let clients = [world.client.clone(), other.client()];
        let made = clients[0].credits.clone().create_grant(say::units("acme", "100")).await;
        let id = made.expect("a grant").into_inner().grant.expect("a grant").id;
        for round in 0_i32..10 {
            let (this, that) = if round % 2 == 0 { (0, 1) } else { (1, 0) };
            let (this, that) = (&clients[this], &clients[that]);
            // The other server remembers the account as it is before the note.
            let event = say::usage("acme", &format!("e{round}"), "tokens", "1");
            that.usage.clone().record_usage(event).await.expect("usage");
            let note = format!("note {round}");
            let noted = update(&id, &["description"], &note, 0);
            this.credits.clone().update_grant(noted).await.expect("an update");
            // A rule changes on the other server, which writes the note back with it.
            let ranked = update(&id, &["priority"], "", round + 1);
            let ranked = that.credits.clone().update_grant(ranked).await.expect("an update");
            let ranked = ranked.into_inner().grant.expect("a grant");
            assert_eq!((ranked.description.as_str(), ranked.priority), (&*note, round + 1));
        }
        let noted = update(&id, &["description"], "the last", 0);
        clients[0].credits.clone().update_grant(noted).await.expect("an update");
        let void = pb::VoidGrantRequest { grant_id: id, reason: "over".into() };
        let voided = clients[1].credits.clone().void_grant(void.clone()).await.expect("a void");
        let voided = voided.into_inner().grant.expect("a grant");
        assert_eq!((&*voided.description, &*voided.voided), ("the last", "90"));
        let again = clients[0].credits.clone().void_grant(void).await.expect("a void");
        assert_eq!(again.into_inner().grant, Some(voided));
        other.stop().await;
    })
    .await;
}

/// Both servers sweep; each expiry is booked once, at the instant at which it fell due.
#[tokio::test(flavor = "multi_thread")]
async fn two_sweepers_book_each_expiry_once() {
    const GRANTS: usize = 60;
    World::run_with(Options::real(), async |world| {
        let other = world.another(&world.options).await;
        let clients = [world.client.clone(), other.client()];
        let sql = world.database.connect().await;
        let clock = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
        let now: i64 = sql.query_one(clock, &[]).await.expect("a clock").get(0);
        let now = DateTime::from_timestamp_micros(now).expect("an instant");
        let tasks = (0..GRANTS).map(|number| {
            let mut credits = clients[number % 2].credits.clone();
            let end = now
                + TimeDelta::milliseconds(1_500 + 20 * i64::try_from(number % 30).expect("few"));
            let grant = pb::CreateGrantRequest {
                expires_at: Some(say::time(end)),
                ..say::units(&format!("customer-{}", number % 20), "5")
            };
            tokio::spawn(async move { credits.create_grant(grant).await.expect("a grant") })
        });
        let tasks: Vec<_> = tasks.collect();
        for task in tasks {
            task.await.expect("a task");
        }
        let booked = "SELECT count(*) FROM ledger_entries WHERE type = 'expired'";
        until("all expiries are booked", async || {
            let row = sql.query_one(booked, &[]).await.expect("a count");
            row.get::<_, i64>(0) >= 60
        })
        .await;
        let wrong = "SELECT count(*), count(DISTINCT e.grant_id), \
                     count(*) FILTER (WHERE e.occurred_at <> g.expires_at \
                                         OR e.recorded_at <> g.expires_at \
                                         OR e.actor <> 'creditd') \
                     FROM ledger_entries e JOIN grants g ON g.id = e.grant_id \
                     WHERE e.type = 'expired'";
        let row = sql.query_one(wrong, &[]).await.expect("counts");
        let counts: [i64; 3] = [row.get(0), row.get(1), row.get(2)];
        assert_eq!(counts, [60, 60, 0], "booked, of grants, not at their instant");
        other.stop().await;
    })
    .await;
}
