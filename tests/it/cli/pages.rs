//! Long lists: page by page, up to a limit, as long as somebody reads.

use creditd::limits;
use creditd::pb;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use super::{command, run, says};
use crate::harness::{World, say};

/// More events than fit into a page, and more text than fits into a pipe.
const EVENTS: usize = 2_500;

async fn record(world: &World) {
    let event = |number| say::usage("acme", &format!("event-{number:04}"), "tokens", "1");
    let events: Vec<_> = (0..EVENTS).map(event).collect();
    let messages: Vec<_> = events
        .chunks(limits::STREAM_EVENTS_MAX)
        .map(|events| pb::StreamUsageRequest { events: events.to_vec() })
        .collect();
    let mut client = world.client.usage.clone();
    let mut answers =
        client.stream_usage(tokio_stream::iter(messages)).await.expect("a stream").into_inner();
    while answers.message().await.expect("an answer").is_some() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_go_on_to_their_limit_and_say_when_there_is_more() {
    World::run(async |world| {
        record(world).await;
        let more = "there are more usage events: --limit 0 lists all\n";
        for (line, count, note) in [
            ("", 100, more),
            (" --limit 1", 1, more),
            (" --limit 1001", 1_001, more),
            (" --limit 2500", EVENTS, ""),
            (" --limit 9999", EVENTS, ""),
        ] {
            let said = run(world, &format!("usage list acme{line}")).await;
            let lines: Vec<&str> = said.out.lines().skip(1).collect();
            assert_eq!((lines.len(), said.err.as_str()), (count, note), "{line}");
            let last = format!("event-{:04}", count - 1);
            assert!(lines[count - 1].contains(&last), "{line}: {}", lines[count - 1]);
        }
        let all = says(world, "usage list acme --limit 0 --json").await;
        assert_eq!(all.lines().count(), EVENTS);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_has_read_enough_hears_no_complaint() {
    World::run(async |world| {
        record(world).await;
        for line in ["usage list acme --limit 0", "usage list acme --limit 0 --json"] {
            let mut child = command(world.server.address, line).spawn().expect("a child");
            let out = child.stdout.take().expect("its output");
            let first = BufReader::new(out).lines().next_line().await.expect("a line");
            assert!(first.is_some());
            let mut complaints = String::new();
            let mut err = child.stderr.take().expect("its notes");
            err.read_to_string(&mut complaints).await.expect("text");
            let code = child.wait().await.expect("its end").code();
            assert_eq!((code, complaints.as_str()), (Some(0), ""), "{line}");
        }
    })
    .await;
}
