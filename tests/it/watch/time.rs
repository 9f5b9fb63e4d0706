//! Changes that only time brings.

use std::time::Instant;

use chrono::{DateTime, TimeDelta};
use creditd::limits;
use creditd::pb;

use super::{Watch, available};
use crate::harness::{Options, World, say};

/// A grant with a window, on the test clock.
fn grant(customer: &str, from: i64, to: i64) -> pb::CreateGrantRequest {
    pb::CreateGrantRequest {
        effective_at: say::hour(from),
        expires_at: say::hour(to),
        ..say::units(customer, "10")
    }
}

fn statuses(balance: &pb::Balance) -> Vec<pb::GrantStatus> {
    balance.grants.iter().map(pb::GrantBalance::status).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_starts_and_expires_when_the_test_clock_says_so() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(grant("acme", 1, 3)).await;
        client.grant(grant("acme", 2, 4)).await;
        client.grant(grant("other", 0, 3)).await;
        let mut watch = Watch::on(&client, &["acme"]).await;
        let balance = watch.next().await;
        assert_eq!(statuses(&balance), [pb::GrantStatus::Pending; 2]);
        world.advance_to(crate::harness::t0() + TimeDelta::minutes(30)).await;
        for (hour, revision, shown) in [(1, 2, "10"), (2, 2, "20"), (3, 3, "10"), (4, 4, "")] {
            world.advance_to(crate::harness::t0() + TimeDelta::hours(hour)).await;
            let balance = watch.next().await;
            assert_eq!((balance.revision, available(&balance)), (revision, shown));
            assert_eq!(balance.as_of, say::hour(hour));
            assert_eq!(balance, client.balance("acme").await);
        }
        assert_eq!(watch.read, 5);
    })
    .await;
}

/// Nobody sweeps, and the revision that is shown is in the ledger all the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_is_booked() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(grant("acme", 0, 1)).await;
        let mut watch = Watch::on(&client, &["acme"]).await;
        watch.next().await;
        world.only_clock_to(crate::harness::t0() + TimeDelta::hours(2));
        let balance = watch.next().await;
        assert_eq!((balance.revision, available(&balance)), (2, ""));
        let sql = world.database.connect().await;
        let booked = "SELECT count(*) FROM ledger_entries WHERE type = 'expired'";
        let booked: i64 = sql.query_one(booked, &[]).await.expect("a count").get(0);
        assert_eq!(booked, 1);
        // And for who comes when something is due.
        client.grant(grant("late", 0, 5)).await;
        world.only_clock_to(crate::harness::t0() + TimeDelta::hours(6));
        let balance = Watch::on(&client, &["late"]).await.next().await;
        assert_eq!((balance.revision, balance.as_of), (2, say::hour(6)));
    })
    .await;
}

/// On the database's clock, with no other traffic, and no sweeper.
#[tokio::test(flavor = "multi_thread")]
async fn a_grant_starts_and_expires_on_time() {
    World::run_with(Options { sweeper: false, ..Options::real() }, async |world| {
        let client = &world.client;
        let mut watch = Watch::on(client, &["acme"]).await;
        let now = say::instant(watch.next().await.as_of.as_ref());
        let at = |millis| Some(say::time(now + TimeDelta::milliseconds(millis)));
        let begun = Instant::now();
        let short = pb::CreateGrantRequest {
            effective_at: at(1_200),
            expires_at: at(2_400),
            ..say::units("acme", "10")
        };
        client.grant(short).await;
        let instant = |balance: &pb::Balance| say::instant(balance.as_of.as_ref());
        assert_eq!(statuses(&watch.next().await), [pb::GrantStatus::Pending]);
        let balance = watch.next().await;
        assert_eq!((balance.revision, available(&balance)), (1, "10"));
        assert!(instant(&balance) >= now + TimeDelta::milliseconds(1_200));
        let balance = watch.next().await;
        assert_eq!((balance.revision, available(&balance)), (2, ""));
        assert!(instant(&balance) >= now + TimeDelta::milliseconds(2_400));
        // Nobody had to look at the clock by chance.
        assert!(begun.elapsed() < limits::CLOCK_LOOK_EVERY, "{:?}", begun.elapsed());
        assert_eq!(watch.read, 4);
    })
    .await;
}

/// A grant whose expiry is moved is not forgotten, and not told of twice.
#[tokio::test(flavor = "multi_thread")]
async fn an_expiry_that_moves_is_followed() {
    World::run(async |world| {
        let client = world.client.clone();
        let made = client.grant(grant("acme", 0, 10)).await;
        let mut watch = Watch::on(&client, &["acme"]).await;
        watch.next().await;
        for end in [20, 5] {
            let update = pb::UpdateGrantRequest {
                expires_at: say::hour(end),
                ..say::update(&made.id, &["expires_at"])
            };
            client.update(update).await;
            watch.next().await;
        }
        let end: DateTime<_> = crate::harness::t0() + TimeDelta::hours(5);
        world.advance_to(end).await;
        let balance = watch.next().await;
        assert_eq!((balance.revision, available(&balance)), (4, ""));
        world.advance_to(end + TimeDelta::hours(20)).await;
        client.grant(say::units("acme", "3")).await;
        assert_eq!(available(&watch.next().await), "3");
    })
    .await;
}
