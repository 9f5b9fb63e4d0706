//! Imports through crashes: of creditd, of PostgreSQL, of the connection between them.

use creditd::pb;

use super::file::File;
use super::large::{Told, is_whole};
use super::{begin, read};
use crate::crash::behind_a_proxy;
use crate::harness::child::Serving;
use crate::harness::postgres::{Fall, Postgres};
use crate::harness::{Database, Options, Server, World, load};

fn file(rows: i64) -> File {
    File { seed: rand::random(), rows, customers: 300, name: "c", bad: 0.02 }
}

#[tokio::test(flavor = "multi_thread")]
async fn creditd_is_killed_and_the_import_resumed() {
    let database = Database::create().await;
    let file = file(6_000);
    let mut told = Told::default();
    for (from, to) in [(1, 700), (500, 2_500), (2_000, 4_000)] {
        let serving = Serving::start(&database.url).await;
        let mut answers = told.call(&serving.client(), &file, from, 97).await;
        assert!(!told.hear(&file, &mut answers, to).await.expect("answers"), "it ended early");
        serving.kill().await;
        told.hear(&file, &mut answers, file.rows).await.expect_err("it was killed");
    }
    let serving = Serving::start(&database.url).await;
    told.finish(&serving.client(), &database, &file, 1_000).await;
    assert!(serving.stop().await.success());
    database.audit().await;
    database.drop().await;
}

/// A server that goes down says so; what it had answered is done.
#[tokio::test(flavor = "multi_thread")]
async fn creditd_goes_down_and_the_import_is_resumed() {
    World::run(async |world| {
        let other = world.another(&world.options).await;
        let file = file(5_000);
        let mut told = Told::default();
        let mut answers = told.call(&other.client(), &file, 1, 50).await;
        assert!(!told.hear(&file, &mut answers, 500).await.expect("answers"), "it ended early");
        let stopping = tokio::spawn(other.stop());
        let end = told.hear(&file, &mut answers, file.rows).await;
        load::unavailable(&end.expect_err("it goes down"));
        stopping.await.expect("a stop");
        told.finish(&world.client, &world.database, &file, 300).await;
    })
    .await;
}

/// The commit is done, and the word of it lost: nobody notices, not even by a DUPLICATE.
#[tokio::test(flavor = "multi_thread")]
async fn commits_whose_answer_is_lost_are_told_as_what_they_were() {
    let database = Database::create().await;
    let (url, proxy) = behind_a_proxy(&database, 0.4).await;
    let server = Server::start(&url, &Options::real()).await;
    let file = file(2_000);
    let (answers, end) = read(begin(&server.client(), file.messages("i1", 1, 40)).await).await;
    end.expect("a clean end");
    let results: Vec<_> = answers.iter().flat_map(|answer| &answer.results).collect();
    let good = (1..=file.rows).filter(|row| file.row(*row).1).count();
    let created = results.iter().filter(|r| r.outcome() == pb::ImportOutcome::Created);
    let made = created.map(|result| (result.row, result.grant_id.clone())).collect();
    assert!(proxy.cuts() > 3, "only {} commits were lost", proxy.cuts());
    is_whole(&database, &file, &made).await;
    assert_eq!(made.len(), good);
    let last = answers.last().expect("an answer");
    assert_eq!((last.duplicates, results.len()), (0, 2_000));

    let last = server.client().try_void_import("i1", "lost").await.expect("a void");
    let last = last.last().expect("a report");
    assert_eq!(usize::try_from(last.voided), Ok(good), "{last:?}");
    server.stop().await;
    database.audit().await;
    database.drop().await;
}

/// The stream goes on, or ends with UNAVAILABLE; to run it again makes it whole.
#[tokio::test(flavor = "multi_thread")]
async fn postgres_falls_and_the_import_goes_on() {
    let mut postgres = Postgres::start().await;
    let database = Database::create_on(postgres.url()).await;
    let server = Server::start(&database.url, &Options::real()).await;
    let client = server.client();
    let file = file(10_000);
    let mut told = Told::default();
    for (from, how) in [(1, Fall::Fast), (1_000, Fall::Killed)] {
        let mut answers = told.call(&client, &file, from, 50).await;
        let cut = told.last + 1_500;
        assert!(!told.hear(&file, &mut answers, cut).await.expect("answers"), "it ended early");
        postgres.fall(how).await;
        postgres.rise().await;
        match told.hear(&file, &mut answers, cut + 2_000).await {
            Ok(ended) => assert!(!ended, "it ended early"),
            Err(status) => load::unavailable(&status),
        }
    }
    told.finish(&client, &database, &file, 1_000).await;
    server.stop().await;
    database.audit().await;
    postgres.fall(Fall::Fast).await;
}
