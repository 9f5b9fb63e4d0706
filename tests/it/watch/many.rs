//! Many watchers, many customers, and the limits of both.

use creditd::limits;
use creditd::pb;
use creditd::watch::{Counts, Limits};
use futures_util::future::join_all;
use tonic::{Code, Status};

use super::{Watch, available, request};
use crate::harness::wait::until;
use crate::harness::{Options, World, say};

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_watchers_hear_of_one_change() {
    World::run(async |world| {
        let client = &world.client;
        client.grant(say::units("acme", "10")).await;
        let watches = (0..1_000).map(|_| Watch::on(client, &["acme"]));
        let mut watches = join_all(watches).await;
        let counts = Counts { watchers: 1_000, watched_customers: 1_000, customers: 1 };
        assert_eq!(world.server.watching(), counts);
        for (event, left) in [("e1", "9"), ("e2", "8")] {
            client.record(say::usage("acme", event, "tokens", "1")).await;
            let heard = watches.iter_mut().map(async |watch| {
                watch.until(|balance| available(balance) == left).await;
            });
            join_all(heard).await;
        }
        drop(watches);
        until("nothing is left of them", async || world.server.watching() == Counts::default())
            .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_a_thousand_customers() {
    World::run(async |world| {
        let client = &world.client;
        let names: Vec<String> = (0..1_000).map(|number| format!("customer-{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for name in &names[..20] {
            client.grant(say::units(name, "10")).await;
        }
        let mut watch = Watch::on(client, &names).await;
        for _ in 0..1_000 {
            assert!(watch.next().await.revision <= 1);
        }
        assert_eq!(watch.last.len(), 1_000);
        // One batch that changes them all, and a prefix each in what it notifies.
        let events = names.iter().map(|name| say::usage(name, "e", "tokens", "1")).collect();
        let stream = tokio_stream::iter([pb::StreamUsageRequest { events }]);
        let mut answers = client.usage.clone().stream_usage(stream).await.expect("a stream");
        assert_eq!(
            answers.get_mut().message().await.expect("one").expect("one").results.len(),
            1_000
        );
        let mut changed = Vec::new();
        for _ in 0..20 {
            let balance = watch.next().await;
            assert_eq!(available(&balance), "9");
            changed.push(balance.customer_id);
        }
        changed.sort();
        changed.dedup();
        assert_eq!(changed.len(), 20);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_field_is_named() {
    World::run(async |world| {
        let client = &world.client;
        let fields =
            async |customers: &[&str]| say::bad_fields(&Watch::refused(client, customers).await);
        assert_eq!(fields(&[]).await, ["customer_ids"]);
        let many: Vec<String> = (0..=limits::WATCH_CUSTOMERS_MAX).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(fields(&many).await, ["customer_ids"]);
        let long = "x".repeat(256);
        let bad = ["acme", "", "b", " c", &long, "acme", "b\n", "b"];
        let named: Vec<String> =
            [1, 3, 4, 5, 6, 7].map(|index| format!("customer_ids[{index}]")).into();
        assert_eq!(fields(&bad).await, named);
        assert_eq!(world.server.watching(), Counts::default());
    })
    .await;
}

fn limit(status: &Status) -> (String, String) {
    assert_eq!(
        (status.code(), &*say::reason(status)),
        (Code::FailedPrecondition, "LIMIT_EXCEEDED")
    );
    let metadata = say::metadata(status);
    (metadata["name"].clone(), metadata["limit"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_may_watch_than_the_limits_say() {
    let watch = Limits { watchers: 3, watched_customers: 5 };
    World::run_with(Options { watch, ..Options::default() }, async |world| {
        let client = &world.client;
        let named = |name: &str, number: &str| (name.to_owned(), number.to_owned());
        let many = Watch::refused(client, &["a", "b", "c", "d", "e", "f"]).await;
        assert_eq!(limit(&many), named("watched_customers", "5"));
        let mut watches = vec![Watch::on(client, &["a", "b", "c"]).await];
        let many = Watch::refused(client, &["a", "b", "d"]).await;
        assert_eq!(limit(&many), named("watched_customers", "5"));
        watches.push(Watch::on(client, &["a"]).await);
        watches.push(Watch::on(client, &["d"]).await);
        // Both are reached: the watchers come first.
        assert_eq!(limit(&Watch::refused(client, &["e"]).await), named("watchers", "3"));
        let counts = Counts { watchers: 3, watched_customers: 5, customers: 4 };
        assert_eq!(world.server.watching(), counts);
        // Who goes makes room, and those who stay hear on.
        drop(watches.remove(0));
        until("there is room again", async || world.server.watching().watchers == 2).await;
        let counts = Counts { watchers: 2, watched_customers: 2, customers: 2 };
        assert_eq!(world.server.watching(), counts);
        let mut again = Watch::on(client, &["e", "f", "g"]).await;
        again.next().await;
        client.grant(say::units("a", "1")).await;
        watches[0].until(|balance| available(balance) == "1").await;
    })
    .await;
}

/// Callers that hang up while they wait for the first state leave nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_is_forgotten() {
    World::run(async |world| {
        for round in 0..20 {
            let client = world.server.client();
            let names = [format!("customer-{round}"), "acme".to_owned()];
            let names = [names[0].as_str(), &names[1]];
            let watches = (0..20).map(|_| {
                let mut credits = client.credits.clone();
                async move { credits.watch_balance(request(&names)).await.map(drop) }
            });
            let asking = join_all(watches);
            // As many as happen to be under way.
            let asked = tokio::time::timeout(std::time::Duration::from_millis(round), asking).await;
            drop((asked, client));
        }
        until("nothing is left of them", async || world.server.watching() == Counts::default())
            .await;
    })
    .await;
}
