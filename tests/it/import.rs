//! ImportGrants and VoidGrants.

use creditd::pb;
use creditd::pb::ImportOutcome::{Created, Duplicate, Rejected};
use tonic::Code;

use crate::harness::{World, say};

/// What became of each row.
fn outcomes(response: &pb::ImportGrantsResponse) -> Vec<(i64, pb::ImportOutcome)> {
    response.results.iter().map(|result| (result.row, result.outcome())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_made_once_and_one_bad_row_costs_no_other() {
    World::run(async |world| {
        let rows = vec![
            say::row("acme", "10"),
            say::row("", "none"),
            pb::CreateGrantRequest { expires_at: say::hour(-1), ..say::row("other", "5") },
            say::row("other", "7.5"),
        ];
        let first = world.client.import("i1", rows.clone()).await;
        assert_eq!(outcomes(&first), [(1, Created), (2, Rejected), (3, Rejected), (4, Created)]);
        assert_eq!((first.created, first.duplicates, first.rejected), (2, 0, 2));
        let error = first.results[1].error.as_ref().expect("an error");
        assert_eq!(error.code, i32::from(Code::InvalidArgument));

        let made = world.client.fetch(&first.results[3].grant_id).await;
        assert_eq!((made.import_id.as_str(), made.import_row), ("i1", 4));
        assert_eq!((made.customer_id.as_str(), made.amount.as_str()), ("other", "7.5"));

        let again = world.client.import("i1", rows).await;
        assert_eq!(
            outcomes(&again),
            [(1, Duplicate), (2, Rejected), (3, Rejected), (4, Duplicate)]
        );
        assert_eq!(again.results[3].grant_id, made.id);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_is_undone_as_a_whole() {
    World::run(async |world| {
        let rows = vec![say::row("acme", "10"), say::row("other", "5"), say::row("third", "1")];
        let made = world.client.import("i1", rows).await;
        world.client.grant(say::units("acme", "3")).await;
        world.client.record(say::usage("other", "e1", "tokens", "5")).await;
        world.client.record(say::usage("acme", "e1", "tokens", "4")).await;

        let reports = world.client.try_void_import("i1", "wrong file").await.expect("a void");
        let last = reports.last().expect("a report");
        assert_eq!((last.voided, last.skipped, last.amount_voided.as_str()), (2, 1, "7"));
        let grant = world.client.fetch(&made.results[0].grant_id).await;
        assert_eq!((grant.voided.as_str(), grant.void_reason.as_str()), ("6", "wrong file"));

        let again = world.client.try_void_import("i1", "wrong file").await.expect("a void");
        let last = again.last().expect("a report");
        assert_eq!((last.voided, last.skipped, last.amount_voided.as_str()), (0, 3, "0"));
    })
    .await;
}
