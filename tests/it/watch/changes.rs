//! What is said, in what order, and how often.

use creditd::pb;
use futures_util::future::join_all;

use super::{Watch, available, narrow, timeless};
use crate::harness::wait::until;
use crate::harness::{Options, World, say};

#[tokio::test(flavor = "multi_thread")]
async fn first_the_present_state_then_each_change() {
    World::run(async |world| {
        let client = &world.client;
        let grant = client.grant(say::units("acme", "10")).await;
        let mut watch = Watch::on(client, &["acme"]).await;
        assert_eq!(watch.next().await, client.balance("acme").await);
        client.record(say::usage("acme", "e1", "tokens", "4")).await;
        assert_eq!(available(&watch.next().await), "6");
        // What no balance shows is not said.
        let note = pb::UpdateGrantRequest {
            description: "noted".into(),
            ..say::update(&grant.id, &["description"])
        };
        client.update(note).await;
        let priority =
            pb::UpdateGrantRequest { priority: Some(7), ..say::update(&grant.id, &["priority"]) };
        client.update(priority).await;
        let balance = watch.next().await;
        assert_eq!((balance.revision, balance.grants[0].priority), (3, 7));
        client.record(say::usage("acme", "e2", "tokens", "60")).await;
        assert_eq!((available(&watch.next().await), watch.read), ("", 4));
        let other = client.grant(say::units("acme", "1")).await;
        assert_eq!(available(&watch.next().await), "1");
        client.void(&other.id, "no more").await;
        assert_eq!(watch.next().await, client.balance("acme").await);
    })
    .await;
}

/// What was acknowledged before a stream began is in its first message, though others watch the
/// same customer and have not been told yet.
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_later_finds_what_was_acknowledged() {
    World::run(async |world| {
        let client = &world.client;
        client.grant(say::units("acme", "1000")).await;
        let mut first = Watch::on(client, &["acme"]).await;
        for number in 1..=50 {
            client.record(say::usage("acme", &format!("e{number}"), "tokens", "1")).await;
            let mut later = Watch::on(client, &["acme"]).await;
            assert_eq!(available(&later.next().await), (1_000 - number).to_string());
        }
        first.until(|balance| available(balance) == "950").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_may_be_watched_before_its_first_grant() {
    World::run(async |world| {
        let client = &world.client;
        let mut watch = Watch::on(client, &["nobody", "acme"]).await;
        for _ in 0..2 {
            let balance = watch.next().await;
            let at = Some(say::time(world.now()));
            let customer_id = balance.customer_id.clone();
            assert_eq!(balance, pb::Balance { customer_id, as_of: at, ..Default::default() });
        }
        // Uncovered usage makes the customer known, and changes no balance.
        client.record(say::usage("nobody", "e1", "tokens", "1")).await;
        client.grant(say::units("nobody", "10")).await;
        let balance = watch.next().await;
        assert_eq!((balance.revision, available(&balance)), (1, "10"));
        assert_eq!(balance, client.balance("nobody").await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_tells_its_customers_apart() {
    World::run(async |world| {
        let client = &world.client;
        let names = ["a", "b", "c"];
        for name in names {
            client.grant(say::units(name, "10")).await;
        }
        let mut watch = Watch::on(client, &names).await;
        let mut first = Vec::new();
        for _ in names {
            first.push(watch.next().await.customer_id);
        }
        first.sort();
        assert_eq!(first, names);
        for (name, quantity) in [("b", "1"), ("a", "2"), ("c", "3"), ("b", "4")] {
            client.record(say::usage(name, quantity, "tokens", quantity)).await;
            let balance = watch.next().await;
            assert_eq!(balance.customer_id, name);
            assert_eq!(balance, client.balance(name).await);
        }
    })
    .await;
}

/// Usage on two servers at once; watchers on both see time run forward, and where it leads.
#[tokio::test(flavor = "multi_thread")]
async fn changes_come_from_any_server() {
    World::run_with(Options::real(), async |world| {
        let other = world.another(&world.options).await;
        let clients = [world.client.clone(), other.client()];
        let names = ["acme", "initech"];
        for name in names {
            world.client.grant(say::units(name, "100000")).await;
        }
        let mut watches = Vec::new();
        for client in &clients {
            watches.push(Watch::on(client, &names).await);
        }
        let calls = (0..8).map(|task| {
            let client = clients[task % 2].clone();
            async move {
                for number in 0..40 {
                    let event = format!("e{task}-{number}");
                    client.record(say::usage(names[number % 2], &event, "tokens", "1")).await;
                }
            }
        });
        let reading = join_all(watches.iter_mut().map(async |watch| {
            let mut missing = names.to_vec();
            while !missing.is_empty() {
                let balance = watch.next().await;
                if available(&balance) == "99840" {
                    missing.retain(|name| *name != balance.customer_id);
                }
            }
        }));
        tokio::join!(join_all(calls), reading);
        // And a void on the one reaches who watches the other.
        let balance = clients[0].balance("acme").await;
        clients[0].void(&balance.grants[0].grant_id, "over").await;
        for watch in &mut watches {
            let balance = watch.next().await;
            assert_eq!(timeless(balance), timeless(clients[1].balance("acme").await));
        }
        other.stop().await;
    })
    .await;
}

/// A reader that pauses finds the latest, not every step.
#[tokio::test(flavor = "multi_thread")]
async fn who_reads_slowly_misses_steps() {
    World::run(async |world| {
        const CHANGES: usize = 400;
        let client = &world.client;
        for name in ["acme", "quiet"] {
            client.grant(say::units(name, "1000")).await;
        }
        let mut slow = Watch::with(narrow(world.server.address), &["acme", "quiet"]).await;
        let mut swift = Watch::on(client, &["acme"]).await;
        for number in 1..=CHANGES {
            client.record(say::usage("acme", &format!("e{number}"), "tokens", "1")).await;
            // Changes that come alone.
            swift.until(|balance| available(balance) == (1_000 - number).to_string()).await;
        }
        client.record(say::usage("quiet", "e", "tokens", "1")).await;
        let mut missing = vec![("acme", "600"), ("quiet", "999")];
        while !missing.is_empty() {
            let balance = slow.next().await;
            missing.retain(|(name, left)| {
                *name != balance.customer_id || *left != available(&balance)
            });
        }
        assert!(slow.read < CHANGES / 4, "{} messages", slow.read);
        assert_eq!(swift.read, CHANGES + 1);
        drop((slow, swift));
        until("nobody watches", async || world.server.watching().watchers == 0).await;
    })
    .await;
}
