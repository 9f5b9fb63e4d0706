//! Many rows: each comes out once, whatever happens on the way, and memory stays flat.

use creditd::pb;
use tonic::{Status, Streaming};

use crate::harness::load::unavailable;
use crate::harness::postgres::{Fall, Postgres};
use crate::harness::wait::until;
use crate::harness::{Client, Database, Options, Server, World, say};

/// Rows of an import, all made at the same instant.
const ROWS: usize = 10_500;
/// Those that the first customer has.
const MANY: usize = 2_500;

/// One customer with many grants, and many with one.
async fn fill(client: &Client) {
    let customer = |row| if row < MANY { "many".to_owned() } else { format!("customer-{row}") };
    let rows: Vec<_> = (0..ROWS).map(|row| say::row(&customer(row), "1.5")).collect();
    let batches = (1..).step_by(1_000).zip(rows.chunks(1_000).map(<[_]>::to_vec)).collect();
    let answers = client.try_import("i1", false, batches).await.expect("an import");
    let created = answers.last().expect("an answer").created;
    assert_eq!(created, i64::try_from(ROWS).expect("a few"));
}

/// Makes each row some 3 KB long.
async fn lengthen(database: &Database, word: &str) {
    let connection = database.connect().await;
    let update = "UPDATE grants SET description = repeat($1, 600)";
    connection.execute(update, &[&word]).await.expect("an update");
}

async fn begin(client: &Client) -> Streaming<pb::ExportCreditReportResponse> {
    let request = pb::ExportCreditReportRequest::default();
    client.credits.clone().export_credit_report(request).await.expect("a report").into_inner()
}

/// The rest of a report, and how it ended.
async fn rest(
    mut report: Streaming<pb::ExportCreditReportResponse>,
) -> (Vec<pb::Grant>, Option<Status>) {
    let mut rows = Vec::new();
    loop {
        match report.message().await {
            Ok(Some(piece)) => rows.extend(piece.rows),
            Ok(None) => return (rows, None),
            Err(status) => return (rows, Some(status)),
        }
    }
}

/// Each row of the import is there, once.
fn are_all(rows: &[pb::Grant]) {
    let mut numbers: Vec<i64> = rows.iter().map(|row| row.import_row).collect();
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(1..=i64::try_from(ROWS).expect("a few")));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_one_instant_come_once() {
    World::run(async |world| {
        fill(&world.client).await;
        let (rows, _) = world.client.report(pb::ExportCreditReportRequest::default()).await;
        are_all(&rows);
        let after =
            pb::ExportCreditReportRequest { created_after: say::hour(0), ..Default::default() };
        assert_eq!(world.client.report(after).await.0, rows);
        let of = pb::ExportCreditReportRequest { customer_id: "many".into(), ..Default::default() };
        assert_eq!(world.client.report(of).await.0.len(), MANY);

        let (entries, _) = world.client.ledgers(pb::ExportLedgerRequest::default()).await;
        let mut numbers: Vec<i64> = entries.iter().map(|entry| entry.import_row).collect();
        numbers.sort_unstable();
        assert!(numbers.iter().copied().eq(1..=i64::try_from(ROWS).expect("a few")));
        let after = pb::ExportLedgerRequest { recorded_after: say::hour(0), ..Default::default() };
        assert_eq!(world.client.ledgers(after).await.0, entries);
    })
    .await;
}

/// Nobody reads the first report: it is not read from the database either. Reads are not kept from
/// the connections, and what changes meanwhile is seen by those who read on.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_waits_costs_no_memory() {
    World::run(async |world| {
        fill(&world.client).await;
        lengthen(&world.database, "early").await;
        let mut waiting = Vec::new();
        // More of them than there are connections.
        for _ in 0..6 {
            waiting.push(begin(&Client::to(world.server.address)).await);
        }
        let connection = world.database.connect().await;
        let busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                    AND application_name = 'creditd' \
                    AND (state <> 'idle' OR state_change > clock_timestamp() - interval '300 ms')";
        until("exports wait for their readers", async || {
            let row = connection.query_one(busy, &[]).await.expect("a count");
            row.get::<_, i64>(0) == 0
        })
        .await;
        lengthen(&world.database, "later").await;
        world.client.balance("many").await;
        for report in waiting {
            let (rows, ending) = rest(report).await;
            assert!(ending.is_none(), "{ending:?}");
            are_all(&rows);
            let early = rows.iter().filter(|row| row.description.starts_with("early")).count();
            assert!(early < ROWS / 2, "{early} rows were read ahead");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_postgres_is_a_pause() {
    let mut postgres = Postgres::start().await;
    let database = Database::create_on(postgres.url()).await;
    let server = Server::start(&database.url, &Options::default()).await;
    let client = server.client();
    fill(&client).await;
    lengthen(&database, "early").await;
    let mut report = begin(&client).await;
    let mut rows = report.message().await.expect("a piece").expect("a piece").rows;
    postgres.fall(Fall::Fast).await;
    let reading = tokio::spawn(rest(report));
    postgres.rise().await;
    let (others, ending) = reading.await.expect("a reader");
    assert!(ending.is_none(), "{ending:?}");
    rows.extend(others);
    are_all(&rows);
    server.stop().await;
    database.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_down_says_so() {
    World::run(async |world| {
        fill(&world.client).await;
        lengthen(&world.database, "early").await;
        let going = world.another(&world.options).await;
        let mut report = begin(&going.client()).await;
        report.message().await.expect("a piece").expect("a piece");
        let stopping = tokio::spawn(going.stop());
        let (_, ending) = rest(report).await;
        unavailable(&ending.expect("the rest is missing"));
        stopping.await.expect("an end");
    })
    .await;
}
