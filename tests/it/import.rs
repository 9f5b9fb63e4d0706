//! ImportGrants.

mod dry;
mod file;
mod flow;
mod keys;
mod large;
mod lists;
mod payload;
mod protocol;
mod restart;
mod two;

use creditd::pb;
use creditd::pb::ImportOutcome::{self, Created, Duplicate, Rejected};
use futures_util::stream;
use tonic::{Code, Status, Streaming};

use crate::harness::{Client, World, say};

type Create = pb::CreateGrantRequest;
type Answers = Streaming<pb::ImportGrantsResponse>;

/// Begins an import that sends these messages.
async fn begin<M>(client: &Client, messages: M) -> Answers
where
    M: IntoIterator<Item = pb::ImportGrantsRequest>,
    M::IntoIter: Send + 'static,
{
    let answers = client.credits.clone().import_grants(stream::iter(messages)).await;
    answers.expect("a stream").into_inner()
}

/// Reads an import to its end: what was answered until then, and how it ended.
async fn read(mut answers: Answers) -> (Vec<pb::ImportGrantsResponse>, Result<(), Status>) {
    let mut all = Vec::new();
    loop {
        match answers.message().await {
            Ok(Some(answer)) => all.push(answer),
            Ok(None) => return (all, Ok(())),
            Err(status) => return (all, Err(status)),
        }
    }
}

/// All results of an import that sends these messages and ends well.
async fn results<M>(client: &Client, messages: M) -> Vec<pb::ImportResult>
where
    M: IntoIterator<Item = pb::ImportGrantsRequest>,
    M::IntoIter: Send + 'static,
{
    let (answers, end) = read(begin(client, messages).await).await;
    end.expect("a clean end");
    answers.into_iter().flat_map(|answer| answer.results).collect()
}

/// What became of each row.
fn outcomes(results: &[pb::ImportResult]) -> Vec<(i64, ImportOutcome)> {
    results.iter().map(|result| (result.row, result.outcome())).collect()
}

/// Why a row was rejected.
fn rejected(result: &pb::ImportResult) -> Status {
    assert_eq!((result.outcome(), result.grant_id.as_str()), (Rejected, ""), "{result:?}");
    say::status(result.error.as_ref().expect("an error"))
}

/// Checks that a row was refused because its key has another payload.
#[track_caller]
fn reused(result: &pb::ImportResult) {
    let status = rejected(result);
    let told = (status.code(), say::reason(&status));
    assert_eq!(told, (Code::AlreadyExists, "REQUEST_ID_REUSED".to_owned()));
    assert!(status.message().contains("row"), "it speaks of the row: {status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_made_once_and_one_bad_row_costs_no_other() {
    World::run(async |world| {
        let rows = vec![
            say::row("acme", "10"),
            say::row("", "none"),
            Create { expires_at: say::hour(-1), ..say::row("other", "5") },
            say::row("other", "7.5"),
        ];
        let first = world.client.import("i1", rows.clone()).await;
        let all = [(1, Created), (2, Rejected), (3, Rejected), (4, Created)];
        assert_eq!(outcomes(&first.results), all);
        assert_eq!((first.created, first.duplicates, first.rejected), (2, 0, 2));
        assert_eq!(say::bad_fields(&rejected(&first.results[1])), ["customer_id", "amount"]);

        let made = world.client.fetch(&first.results[3].grant_id).await;
        assert_eq!((made.import_id.as_str(), made.import_row), ("i1", 4));
        assert_eq!((made.customer_id.as_str(), made.amount.as_str()), ("other", "7.5"));

        let again = world.client.import("i1", rows).await;
        let all = [(1, Duplicate), (2, Rejected), (3, Rejected), (4, Duplicate)];
        assert_eq!(outcomes(&again.results), all);
        assert_eq!((again.created, again.duplicates, again.rejected), (0, 2, 2));
        assert_eq!(again.results[3].grant_id, made.id);
    })
    .await;
}

/// The sums are those of the call so far, batch after batch.
#[tokio::test(flavor = "multi_thread")]
async fn each_answer_counts_the_call_so_far() {
    World::run(async |world| {
        let good = || say::row("acme", "1");
        let bad = || say::row("acme", "0");
        world.client.import("i1", vec![good()]).await;
        let batches = vec![(1, vec![good(), bad()]), (10, vec![good(), good()]), (12, vec![bad()])];
        let answers = world.client.try_import("i1", false, batches).await.expect("an import");
        let sums = |answer: &pb::ImportGrantsResponse| {
            (answer.created, answer.duplicates, answer.rejected)
        };
        let told: Vec<_> = answers.iter().map(sums).collect();
        assert_eq!(told, [(0, 1, 1), (2, 1, 1), (2, 1, 2)]);
        let rows: Vec<_> = answers.iter().flat_map(|a| &a.results).map(|r| r.row).collect();
        assert_eq!(rows, [1, 2, 10, 11, 12]);
    })
    .await;
}
