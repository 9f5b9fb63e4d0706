//! Deadlines come on time: for who watches, and in the ledger.

use std::time::Instant;

use chrono::TimeDelta;
use creditd::limits;
use creditd::pb;

use super::{hold, minute};
use crate::harness::wait::until;
use crate::harness::{Options, World, say, t0};
use crate::watch::Watch;

/// What a balance shows of the only kind of credits that there is: available and held.
fn shows(balance: &pb::Balance) -> (&str, &str) {
    match &balance.totals[..] {
        [total] => (&total.available, &total.held),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_is_told_of_every_step() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "10")).await;
        let mut watch = Watch::on(&client, &["acme"]).await;
        watch.next().await;
        client.hold(hold("h1", "6", 30)).await;
        assert_eq!(shows(&watch.next().await), ("4", "6"));
        client.settle(say::settle("acme", "h1", "1")).await;
        assert_eq!(shows(&watch.next().await), ("9", "0"));
        client.hold(hold("h2", "9", 30)).await;
        assert_eq!(shows(&watch.next().await), ("0", "9"));
        client.release("acme", "h2").await;
        assert_eq!(shows(&watch.next().await), ("9", "0"));
        client.hold(hold("h3", "5", 30)).await;
        assert_eq!(shows(&watch.next().await), ("4", "5"));
        world.advance(TimeDelta::minutes(29)).await;
        world.advance(TimeDelta::minutes(1)).await;
        let balance = watch.next().await;
        assert_eq!((shows(&balance), balance.as_of), (("9", "0"), minute(30)));
        assert_eq!(balance, client.balance("acme").await);
        assert_eq!(watch.read, 7);
    })
    .await;
}

/// Later, and then sooner than at first: at that instant, and at no other.
#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_moves_is_followed() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "10")).await;
        for (id, ttl) in [("later", 90), ("sooner", 10)] {
            let begun = world.now();
            client.hold(hold(id, "6", 30)).await;
            let mut watch = Watch::on(&client, &["acme"]).await;
            watch.next().await;
            client.extend(say::extend("acme", id, TimeDelta::minutes(ttl))).await;
            let end = begun + TimeDelta::minutes(ttl);
            world.advance_to(end - TimeDelta::microseconds(1)).await;
            assert_eq!(shows(&client.balance("acme").await), ("4", "6"));
            world.advance_to(end).await;
            let balance = watch.until(|balance| shows(balance) == ("10", "0")).await;
            assert_eq!(balance.as_of, Some(say::time(end)));
        }
    })
    .await;
}

/// Nobody sweeps, and what is shown is in the ledger all the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_is_booked() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "10")).await;
        client.hold(hold("h1", "6", 30)).await;
        let mut watch = Watch::on(&client, &["acme"]).await;
        watch.next().await;
        world.only_clock_to(t0() + TimeDelta::minutes(45));
        let balance = watch.next().await;
        assert_eq!((balance.revision, shows(&balance)), (3, ("10", "0")));
        let sql = world.database.connect().await;
        let booked = "SELECT count(*) FROM ledger_entries WHERE type = 'hold_released'";
        assert_eq!(sql.query_one(booked, &[]).await.expect("a count").get::<_, i64>(0), 1);
    })
    .await;
}

/// On the database's clock, with no other traffic, and no sweeper.
#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_comes_on_time() {
    World::run_with(Options { sweeper: false, ..Options::real() }, async |world| {
        let client = &world.client;
        client.grant(say::units("acme", "10")).await;
        let mut watch = Watch::on(client, &["acme"]).await;
        watch.next().await;
        let begun = Instant::now();
        let ttl = say::duration(TimeDelta::milliseconds(1_200));
        let made = client.hold(pb::CreateHoldRequest { ttl, ..hold("h1", "6", 1) }).await;
        assert_eq!(shows(&watch.next().await), ("4", "6"));
        let balance = watch.next().await;
        assert_eq!(shows(&balance), ("10", "0"));
        let end = say::instant(made.expires_at.as_ref());
        assert!(say::instant(balance.as_of.as_ref()) >= end);
        assert!(begun.elapsed() < limits::CLOCK_LOOK_EVERY, "{:?}", begun.elapsed());
    })
    .await;
}

/// Two sweepers, on the database's clock: each deadline is booked once, at its instant.
#[tokio::test(flavor = "multi_thread")]
async fn each_deadline_is_booked_once() {
    const HOLDS: i32 = 40;
    World::run_with(Options::real(), async |world| {
        let other = world.another(&world.options).await;
        let clients = [world.client.clone(), other.client()];
        for number in 0..10 {
            clients[0].grant(say::units(&format!("customer-{number}"), "8")).await;
        }
        let calls = (0..HOLDS).map(|number| {
            let client = &clients[usize::try_from(number % 2).expect("an index")];
            let customer = format!("customer-{}", number % 10);
            let id = format!("h{number}");
            async move {
                // Some are put off, some are brought forward.
                let ttl = say::duration(
                    TimeDelta::milliseconds(1_000) + TimeDelta::minutes(i64::from(number % 3)),
                );
                let asked = pb::CreateHoldRequest { ttl, ..say::hold(&customer, &id, "m", "2") };
                client.hold(asked).await;
                let soon = TimeDelta::milliseconds(1_500 + 20 * i64::from(number));
                client.extend(say::extend(&customer, &id, soon)).await;
            }
        });
        futures_util::future::join_all(calls).await;
        let sql = world.database.connect().await;
        let booked = "SELECT count(*) FROM ledger_entries WHERE type = 'hold_released'";
        until("all deadlines are booked", async || {
            let row = sql.query_one(booked, &[]).await.expect("a count");
            row.get::<_, i64>(0) >= i64::from(HOLDS)
        })
        .await;
        let wrong = "SELECT count(*), count(DISTINCT (h.customer_id, h.hold_id)), \
                     count(*) FILTER (WHERE e.occurred_at <> h.expires_at \
                                         OR e.recorded_at <> h.expires_at \
                                         OR e.actor <> 'creditd' OR h.status <> 'expired') \
                     FROM ledger_entries e JOIN holds h USING (customer_id, hold_id) \
                     WHERE e.type = 'hold_released'";
        let row = sql.query_one(wrong, &[]).await.expect("counts");
        let counts: [i64; 3] = [row.get(0), row.get(1), row.get(2)];
        let all = i64::from(HOLDS);
        assert_eq!(counts, [all, all, 0], "booked, of holds, not at their instant");
        other.stop().await;
    })
    .await;
}
