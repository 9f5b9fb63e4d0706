//! The messages of an import: what is wrong with them ends the stream, after the answers to those
//! before. All that is bad is named, and rows of a bad message are not looked at.

use creditd::pb;
use creditd::pb::ImportOutcome::Created;

use super::{Create, begin, outcomes, read};
use crate::harness::{World, say};

fn rows(count: usize) -> Vec<Create> {
    vec![say::row("acme", "1"); count]
}

/// A message that says nothing.
fn nothing() -> pb::ImportGrantsRequest {
    pb::ImportGrantsRequest { message: None }
}

/// Sends messages, of which the last but one is bad; the fields that are named. As many batches as
/// said are answered before.
async fn faults(
    world: &World,
    answered: usize,
    messages: Vec<pb::ImportGrantsRequest>,
) -> Vec<String> {
    let before = world.database.counts().await;
    let behind = say::batch(1 << 40, vec![say::row("behind", "1")]);
    let messages: Vec<_> = messages.into_iter().chain([behind]).collect();
    let (answers, end) = read(begin(&world.client, messages.clone()).await).await;
    assert_eq!(answers.len(), answered, "{messages:?}");
    let named = say::bad_fields(&end.expect_err("a bad message"));
    assert_eq!(world.client.balance("behind").await.revision, 0, "{messages:?}");
    if answered == 0 {
        assert_eq!(world.database.counts().await, before, "{messages:?}");
    }
    named
}

#[tokio::test(flavor = "multi_thread")]
async fn the_header_comes_first_and_once() {
    World::run(async |world| {
        let header = |id: &str| say::header(id, false);
        let batch = || say::batch(1, rows(2));
        assert_eq!(faults(world, 0, vec![batch()]).await, ["header"]);
        assert_eq!(faults(world, 0, vec![nothing()]).await, ["message"]);
        assert_eq!(faults(world, 0, vec![header("i1"), nothing()]).await, ["message"]);
        assert_eq!(faults(world, 0, vec![header("i1"), header("i1")]).await, ["header"]);
        assert_eq!(faults(world, 0, vec![header("i1"), say::header("i1", true)]).await, ["header"]);
        let late = vec![header("i1"), batch(), header("i2")];
        assert_eq!(faults(world, 1, late).await, ["header"]);
        let long = "x".repeat(256);
        for bad in ["", " i", "i ", "a\nb", "a\0b", &long] {
            for dry_run in [false, true] {
                let messages = vec![say::header(bad, dry_run)];
                assert_eq!(faults(world, 0, messages).await, ["header.import_id"], "{bad:?}");
            }
        }
    })
    .await;
}

/// No batches are no error; no header is.
#[tokio::test(flavor = "multi_thread")]
async fn an_import_may_be_empty() {
    World::run(async |world| {
        let (answers, end) = read(begin(&world.client, vec![say::header("i1", false)]).await).await;
        end.expect("a clean end");
        assert_eq!(answers, []);
        assert_eq!(faults(world, 0, Vec::new()).await, ["header"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_has_1_to_1000_rows_and_they_ascend() {
    World::run(async |world| {
        let bad = async |before: Vec<(i64, usize)>, first: i64, count: usize, dry_run: bool| {
            let id = format!("{before:?} {first} {count}");
            let answered = before.len();
            let batches = before.into_iter().chain([(first, count)]);
            let batches = batches.map(|(first, count)| say::batch(first, rows(count)));
            let messages = std::iter::once(say::header(&id, dry_run)).chain(batches).collect();
            faults(world, answered, messages).await
        };
        for dry_run in [true, false] {
            for count in [0, 1_001, 5_000] {
                assert_eq!(bad(vec![], 1, count, dry_run).await, ["batch.rows"]);
            }
            for first in [0, -1, i64::MIN, i64::MAX] {
                assert_eq!(bad(vec![], first, 1, dry_run).await, ["batch.first_row"], "{first}");
                let both = ["batch.rows", "batch.first_row"];
                assert_eq!(bad(vec![], first, 1_001, dry_run).await, both, "{first}");
            }
            assert_eq!(bad(vec![], i64::MAX - 999, 1_000, dry_run).await, ["batch.first_row"]);
            // Over the rows before, or behind them.
            for first in [1, 5, 10, 14] {
                let before = vec![(5, 10)];
                assert_eq!(bad(before, first, 2, dry_run).await, ["batch.first_row"], "{first}");
            }
            let before = vec![(1, 3), (10, 2)];
            assert_eq!(bad(before, 5, 2, dry_run).await, ["batch.first_row"]);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_may_leave_gaps() {
    World::run(async |world| {
        let last = i64::MAX - 1_000;
        let firsts = [(1, 1_000), (1_001, 1), (5_000, 2), (last, 1_000)];
        let batches = firsts.map(|(first, count)| (first, rows(count))).to_vec();
        let answers = world.client.try_import("i1", false, batches).await.expect("an import");
        for ((first, count), answer) in firsts.into_iter().zip(&answers) {
            let all: Vec<_> = (first..).take(count).map(|row| (row, Created)).collect();
            assert_eq!(outcomes(&answer.results), all);
        }
        assert_eq!(answers[3].created, 2_003);
    })
    .await;
}
