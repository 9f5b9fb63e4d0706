//! Callers that do not read, and answers that are large.

use std::collections::BTreeMap;

use creditd::pb::credit_service_client::CreditServiceClient;
use tonic::Code;
use tonic::transport::Endpoint;

use super::{Create, begin, read, rejected};
use crate::harness::{Client, World, say};

/// Who sends without reading is held back: what he has sent waits with him, not in the server.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_does_not_read_is_held_back() {
    const BATCHES: i64 = 80;
    const ROWS: i64 = 100;
    World::run(async |world| {
        let messages = |import_id: &str| {
            let rows = |number: i64| {
                let row = Create { description: "d".repeat(800), ..say::row("acme", "1") };
                (0..ROWS).map(move |n| Create {
                    customer_id: format!("c-{}", (number * ROWS + n) % 500),
                    ..row.clone()
                })
            };
            let batch = move |number| say::batch(number * ROWS + 1, rows(number).collect());
            std::iter::once(say::header(import_id, false)).chain((0..BATCHES).map(batch))
        };
        // The transport takes no more than 64 KB that nobody reads.
        let endpoint = Endpoint::from_shared(format!("http://{}", world.server.address));
        let endpoint = endpoint.expect("an address").initial_stream_window_size(65_535);
        let credits = CreditServiceClient::new(endpoint.connect_lazy());
        let client = Client { credits, ..world.server.client() };
        let deaf = begin(&client, messages("deaf")).await;
        // In the time that it takes to import as much for somebody else.
        let (answers, end) = read(begin(&world.client, messages("other")).await).await;
        end.expect("a clean end");
        assert_eq!(answers.len(), 80);
        let sql = world.database.connect().await;
        let count = "SELECT count(*) FROM grants WHERE import_id = 'deaf'";
        let made: i64 = sql.query_one(count, &[]).await.expect("a count").get(0);
        // Answers to some 14 batches fill what the transport takes; 8 batches are in flight, and a
        // few answers on their way.
        assert!((ROWS..=40 * ROWS).contains(&made), "{made} rows");
        // Nothing is lost: it was only waiting.
        let (answers, end) = read(deaf).await;
        end.expect("a clean end");
        assert_eq!(answers.last().map(|last| last.created), Some(BATCHES * ROWS));
    })
    .await;
}

/// A row with as many faults as fit, at length.
fn faulty() -> Create {
    let key = |n: u32| format!("{n:02}{}", "\u{10fffe}".repeat(38));
    let metadata: BTreeMap<_, _> = (0..20).map(|n| (key(n), "\0".to_owned())).collect();
    Create { metadata, ..say::row("acme", "1") }
}

/// A thousand rows with long faults: an answer that told all of them would be more than callers
/// take, and they would send it again for ever.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_stays_within_what_callers_take() {
    World::run(async |world| {
        for dry_run in [true, false] {
            let batch = vec![(1, vec![faulty(); 1_000])];
            let answers = world.client.try_import("i1", dry_run, batch).await.expect("an answer");
            assert_eq!(answers[0].rejected, 1_000);
            let all: Vec<_> = answers[0].results.iter().map(rejected).collect();
            assert!(all.iter().all(|status| status.code() == Code::InvalidArgument));
            assert!(all.iter().all(|status| say::reason(status) == "INVALID_FIELD"));
            assert!(all.iter().all(|status| status.message().starts_with("metadata[00")));
            assert!(say::bad_fields(&all[0]).len() > 5);
        }
    })
    .await;
}
