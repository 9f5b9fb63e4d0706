//! Many at once: as many connections as there is room for, and many streams that only wait.

use std::time::Duration;

use creditd::cli::error::reason;
use creditd::watch::Limits;
use futures_util::future::join_all;

use super::authority::{Authority, Folder};
use super::{ask, hurried, raw, serves, with};
use crate::harness::child::Serving;
use crate::harness::wait::until;
use crate::harness::{Options, World, say};
use crate::telemetry::figure;
use crate::watch::Watch;

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_room_there_is_nobody_is_let_in() {
    World::run_with(with(|door| door.connections = 3), async |world| {
        ask(&world.client).await.expect("an answer");
        let address = world.server.address;
        let inside = [raw::http2(address).await, raw::http2(address).await];
        until("it is full", async || world.server.door().came_in == 3).await;
        for refused in 1..=3 {
            assert!(raw::rest(raw::connect(address).await).await.is_empty());
            assert_eq!(world.server.door().full, refused);
        }
        ask(&world.client).await.expect("an answer");
        drop(inside);
        until("there is room", async || world.server.door().open == 1).await;
        ask(&world.server.client()).await.expect("an answer");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_gets_its_share() {
    World::run_with(with(|door| door.connections_per_address = Some(2)), async |world| {
        ask(&world.client).await.expect("an answer");
        let address = world.server.address;
        let inside = raw::http2(address).await;
        let came = async |many| world.server.door().came_in == many;
        until("it has its share", async || came(2).await).await;
        for refused in 1..=3 {
            assert!(raw::rest(raw::connect(address).await).await.is_empty());
            assert_eq!(world.server.door().of_one_address, refused);
        }
        let others = [2, 2, 3].map(|host| raw::http2_from([127, 0, 0, host].into(), address));
        let others = join_all(others).await;
        until("the others are in", async || came(5).await).await;
        drop((inside, others));
        let alone = async || world.server.door().open == 1;
        until("there is room", alone).await;
        ask(&world.server.client()).await.expect("an answer");
        until("it has gone", alone).await;
        raw::rest(raw::saying(address, b"GET / HTTP/1.1\r\nhost: a.example\r\n\r\n").await).await;
        until("it is counted", async || world.server.door().failed == 1).await;
        let refused = |reason| {
            let series = format!(r#"creditd_connections_refused_total{{reason="{reason}"}}"#);
            figure(&world.server.metrics(), &series)
        };
        for _ in 0..2 {
            assert_eq!(["full", "address", "handshake"].map(refused), [0, 3, 1]);
        }
    })
    .await;
}

/// Connections that say nothing, or half of what they should, are closed in the end, and hold
/// nobody up.
#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_begin_is_sent_away() {
    let authority = Authority::new();
    let folder = Folder::of(&authority.server());
    let mut options = hurried();
    for tls in [None, Some(folder.files())] {
        options.door.tls = tls.clone();
        World::run_with(options.clone(), async |world| {
            let address = world.server.address;
            let half: &[u8] =
                if tls.is_some() { &[22, 3, 1, 2, 0, 1, 0] } else { &raw::PREFACE[..9] };
            let silent = join_all((0..100).map(|_| raw::connect(address))).await;
            let halted = join_all((0..100).map(|_| raw::saying(address, half))).await;
            let come = async || {
                let door = world.server.door();
                u64::try_from(door.open).expect("a number") + door.failed == 200
            };
            until("all have come", come).await;
            if tls.is_some() {
                let client = super::secure(address, &authority, None).await.expect("a client");
                ask(&client).await.expect("an answer");
            } else {
                serves(world).await;
            }
            for said in join_all(silent.into_iter().chain(halted).map(raw::rest)).await {
                assert!(said.is_empty(), "{said:?}");
            }
            until("all are counted", async || world.server.door().failed == 200).await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_streams_wait_and_calls_are_answered() {
    const CONNECTIONS: usize = 20;
    const EACH: usize = 500;
    let watch = Limits { watchers: 10_000, watched_customers: 10_000 };
    World::run_with(Options { watch, ..Options::default() }, async |world| {
        let clients: Vec<_> = (0..CONNECTIONS).map(|_| world.server.client()).collect();
        let watches =
            clients.iter().flat_map(|client| (0..EACH).map(|_| Watch::on(client, &["idle"])));
        let watches = join_all(watches).await;
        assert_eq!(world.server.watching().watchers, CONNECTIONS * EACH);
        serves(world).await;
        for client in &clients {
            ask(client).await.expect("an answer");
        }
        drop(watches);
    })
    .await;
}

/// Clients are asked to connect again, and streams are left alone.
#[tokio::test(flavor = "multi_thread")]
async fn old_connections_make_way_for_new_ones() {
    let options = with(|door| door.patience.age = Duration::from_millis(50));
    World::run_with(options, async |world| {
        let lasting = world.server.client();
        let mut watch = Watch::on(&lasting, &["acme"]).await;
        watch.next().await;
        let again = async || {
            // tonic's client gives up a call that crosses the word to leave, in words of its own.
            if let Err(status) = ask(&world.client).await {
                assert_eq!(reason(&status), None, "{status:?}");
            }
            world.server.door().came_in > 20
        };
        until("it has connected again and again", again).await;
        serves(world).await;
        // Of two changes it may have the second alone.
        assert!(watch.next().await.revision > 0);
    })
    .await;
}

/// Short of files, creditd serves who is in, and lets others in when some have gone.
#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_accepted_now_is_later() {
    World::run(async |world| {
        let other = Serving::start_with_files(&world.database.url, 64).await;
        let client = other.client();
        client.grant(say::units("acme", "1")).await;
        let crowd = join_all((0..100).map(|_| raw::http2(other.address))).await;
        client.grant(say::units("acme", "1")).await;
        let late = tokio::spawn(async move {
            let client = other.client();
            client.grant(say::units("acme", "1")).await;
            other
        });
        client.grant(say::units("acme", "1")).await;
        drop(crowd);
        assert!(late.await.expect("an answer").stop().await.success());
    })
    .await;
}
