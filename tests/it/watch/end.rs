//! The end: who reads hears of it, and who does not holds nobody up.

use std::time::{Duration, Instant};

use creditd::limits;
use futures_util::future::join_all;
use tonic::Code;

use super::{Watch, available, narrow};
use crate::harness::child::Serving;
use crate::harness::load;
use crate::harness::wait::until;
use crate::harness::{Options, World, say};

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_is_told_that_the_server_goes_down() {
    World::run(async |world| {
        let other = world.another(&Options::default()).await;
        let client = other.client();
        let watches = join_all((0..20).map(|_| Watch::on(&client, &["acme", "b"]))).await;
        let ends = tokio::spawn(join_all(watches.into_iter().map(Watch::end)));
        let begun = Instant::now();
        other.stop().await;
        assert!(begun.elapsed() < Options::default().grace / 2, "{:?}", begun.elapsed());
        for end in ends.await.expect("ends") {
            assert_eq!((end.code(), end.message()), (Code::Unavailable, "creditd is going down"));
            load::unavailable(&end);
        }
    })
    .await;
}

/// Streams that their callers do not read are stuck behind what was sent already.
#[tokio::test(flavor = "multi_thread")]
async fn who_never_reads_holds_no_shutdown_up() {
    World::run(async |world| {
        let other = world.another(&Options::default()).await;
        let client = other.client();
        let names: Vec<String> = (0..100).map(|number| format!("customer-{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let deaf = narrow(other.address);
        let never_read = join_all((0..3).map(|_| Watch::with(deaf.clone(), &names))).await;
        let reads = Watch::on(&client, &names).await;
        for name in names.iter().take(50) {
            client.grant(say::units(name, "10")).await;
        }
        let begun = Instant::now();
        other.stop().await;
        let took = begun.elapsed();
        assert!(took < Options::default().grace / 2, "{took:?}");
        load::unavailable(&reads.end().await);
        drop(never_read);
    })
    .await;
}

/// Who waits for a lane that is stuck is answered before streams are left alone, and the process
/// ends.
#[tokio::test(flavor = "multi_thread")]
async fn calls_are_answered_before_streams_are_cut() {
    World::run(async |world| {
        let other = Serving::start(&world.database.url).await;
        let client = other.client();
        client.grant(say::units("acme", "10")).await;
        let deaf = narrow(other.address);
        let names: Vec<String> = (0..100).map(|number| format!("customer-{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let never_read = Watch::with(deaf, &names).await;
        let lock = world.database.lock("acme").await;
        let call = {
            let client = client.clone();
            tokio::spawn(async move { client.record(say::usage("acme", "e1", "t", "1")).await })
        };
        let streamed = {
            let events = vec![say::usage("acme", "e2", "t", "1")];
            let request = creditd::pb::StreamUsageRequest { events };
            // A stream that its caller does not end.
            let requests = futures_util::StreamExt::chain(
                tokio_stream::iter([request]),
                futures_util::stream::pending(),
            );
            let mut usage = client.usage.clone();
            let mut stream = usage.stream_usage(requests).await.expect("a stream").into_inner();
            tokio::spawn(async move { (stream.message().await, stream.message().await) })
        };
        world.database.until_waiting(1).await;
        let address = other.address;
        let stopping = tokio::spawn(other.stop());
        let connect = async || tokio::net::TcpStream::connect(address).await.is_err();
        until("it takes nothing new", connect).await;
        let begun = Instant::now();
        let long = async || begun.elapsed() > limits::FAREWELL + Duration::from_secs(1);
        until("streams alone would have been cut", long).await;
        lock.release().await;
        assert_eq!(call.await.expect("a call").covered, "1");
        let (answer, end) = streamed.await.expect("a stream");
        assert_eq!(answer.expect("an answer").expect("an answer").results.len(), 1);
        load::unavailable(&end.expect_err("the end"));
        assert!(stopping.await.expect("a stop").success());
        assert_eq!(available(&world.client.balance("acme").await), "8");
        drop(never_read);
    })
    .await;
}
