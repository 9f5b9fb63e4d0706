//! Two servers work on the same hold, each with what it remembers; connections die on the way.

use chrono::TimeDelta;
use creditd::pb;
use tonic::Code;

use super::{hold, stands};
use crate::harness::{Client, World, say};

/// Both servers have the account in hand, as it is now.
async fn remembered(clients: [&Client; 2], round: usize) {
    for (number, client) in clients.into_iter().enumerate() {
        client.record(say::usage("acme", &format!("r{round}-{number}"), "m", "0.5")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_server_does_to_a_hold_the_other_knows() {
    World::run(async |world| {
        let other = world.another(&world.options).await;
        let clients = [world.client.clone(), other.client()];
        clients[0].grant(say::units("acme", "1000")).await;
        for round in 0..6 {
            let (this, that) = (&clients[round % 2], &clients[(round + 1) % 2]);
            let id = |kind: &str| format!("{kind}-{round}");
            for kind in ["settled", "released", "extended"] {
                this.hold(hold(&id(kind), "10", 30)).await;
            }
            remembered([this, that], 2 * round).await;
            // What one extends lasts as long on the other one.
            let longer =
                this.extend(say::extend("acme", &id("extended"), TimeDelta::hours(2))).await;
            assert_eq!(that.get_hold("acme", &id("extended")).await, longer);
            let (held, event) = that.settle(say::settle("acme", &id("settled"), "4")).await;
            assert_eq!(event.covered, "4");
            assert_eq!(this.settle(say::settle("acme", &id("settled"), "4")).await, (held, event));
            let refused = this.try_release("acme", &id("settled")).await;
            say::refused(refused, Code::FailedPrecondition, "HOLD_NOT_OPEN");
            let held = this.release("acme", &id("released")).await;
            assert_eq!(that.release("acme", &id("released")).await, held);
            let refused = that.try_settle(say::settle("acme", &id("released"), "1")).await;
            say::refused(refused, Code::FailedPrecondition, "HOLD_NOT_OPEN");
            remembered([that, this], 2 * round + 1).await;
            // Past the deadline of its creation, and not past that of its extension.
            world.advance(TimeDelta::minutes(40)).await;
            let (held, event) = that.settle(say::settle("acme", &id("extended"), "6")).await;
            assert_eq!(stands(&held), "SETTLED 10: 0 held, 6 settled, 4 released");
            assert_eq!(this.event("acme", &id("extended")).await, event);
            for client in &clients {
                // Each round takes 4, 6, and four halves.
                let left = (1_000 - 12 * (round + 1)).to_string();
                let total = client.balance("acme").await.totals.remove(0);
                assert_eq!((total.available, total.held.as_str()), (left, "0"));
            }
        }
        other.stop().await;
    })
    .await;
}

/// A deadline that the one brought forward has come for the other one, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_is_the_same_on_both() {
    World::run(async |world| {
        let other = world.another(&world.options).await;
        let clients = [world.client.clone(), other.client()];
        clients[0].grant(say::units("acme", "100")).await;
        for round in 0..4 {
            let (this, that) = (&clients[round % 2], &clients[(round + 1) % 2]);
            let id = format!("h{round}");
            this.hold(hold(&id, "90", 600)).await;
            remembered([this, that], round).await;
            this.extend(say::extend("acme", &id, TimeDelta::minutes(1))).await;
            world.only_clock_to(world.now() + TimeDelta::minutes(1));
            let rest = say::hold("acme", &format!("rest{round}"), "m", "90");
            let held = that.hold(rest).await;
            assert_eq!(
                that.release("acme", &held.hold_id).await.status(),
                pb::HoldStatus::Released
            );
            let refused = that.try_extend(say::extend("acme", &id, TimeDelta::hours(1))).await;
            say::refused(refused, Code::FailedPrecondition, "HOLD_NOT_OPEN");
        }
        other.stop().await;
    })
    .await;
}
