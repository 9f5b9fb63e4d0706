//! Dry runs: nothing is written, and every row is decided as the real run decides it.

use std::collections::BTreeMap;

use creditd::pb;
use creditd::pb::ImportOutcome::{Created, Duplicate, Rejected};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::file::{File, SPOILS};
use super::{Create, outcomes, rejected};
use crate::harness::{World, dump, say};

type Batches = Vec<(i64, Vec<Create>)>;

/// Rows in batches of random sizes, now and then with a gap.
fn in_batches(rng: &mut StdRng, mut rows: Vec<Create>) -> Batches {
    let mut batches = Vec::new();
    let mut first = 1;
    while !rows.is_empty() {
        let rest = rows.split_off(rng.random_range(1..=rows.len().min(300)));
        let next = first + i64::try_from(rows.len()).expect("a few");
        batches.push((first, std::mem::replace(&mut rows, rest)));
        first = next + rng.random_range(0..3);
    }
    batches
}

/// A result, in words: details may come in any order.
fn words(result: &pb::ImportResult) -> String {
    let why = result.error.as_ref().map(say::status).map(|status| {
        let metadata: BTreeMap<_, _> = say::metadata(&status).into_iter().collect();
        format!("{:?} {} {} {metadata:?}", status.code(), say::reason(&status), status.message())
    });
    format!("{} {:?} {} {why:?}", result.row, result.outcome(), result.grant_id)
}

/// All results of a run, and the sums after each batch.
fn all(answers: &[pb::ImportGrantsResponse]) -> Vec<String> {
    let sums = |answer: &pb::ImportGrantsResponse| {
        format!("{} {} {}", answer.created, answer.duplicates, answer.rejected)
    };
    let lines = |answer: &pb::ImportGrantsResponse| {
        answer.results.iter().map(words).chain([sums(answer)]).collect::<Vec<_>>()
    };
    answers.iter().flat_map(lines).collect()
}

/// Results as a dry run gives them: what is new has no id.
fn told(answers: Vec<pb::ImportGrantsResponse>) -> Vec<pb::ImportGrantsResponse> {
    let nameless = |mut answer: pb::ImportGrantsResponse| {
        for result in &mut answer.results {
            if result.outcome() == Created {
                result.grant_id.clear();
            }
        }
        answer
    };
    answers.into_iter().map(nameless).collect()
}

/// A dry run, twice, which must write nothing; and the real one, which must answer the same.
async fn dry_and_real(world: &World, id: &str, batches: Batches) -> Vec<pb::ImportGrantsResponse> {
    let before = dump::rows(&world.database).await;
    let dry = world.client.try_import(id, true, batches.clone()).await.expect("a dry run");
    let again = world.client.try_import(id, true, batches.clone()).await.expect("a dry run");
    let other = world.client.try_import("other", true, vec![(1, vec![say::row("new", "1")])]).await;
    assert_eq!(outcomes(&other.expect("a dry run")[0].results), [(1, Created)]);
    dump::same("rows before and after", &before, &dump::rows(&world.database).await);
    dump::same("two dry runs", &all(&dry), &all(&again));
    let fresh = dry.iter().flat_map(|answer| &answer.results).filter(|r| r.outcome() == Created);
    assert!(fresh.into_iter().all(|result| result.grant_id.is_empty()));
    let real = world.client.try_import(id, false, batches).await.expect("an import");
    let real = told(real);
    dump::same("the dry run and the real one", &all(&dry), &all(&real));
    real
}

#[tokio::test(flavor = "multi_thread")]
async fn it_decides_as_the_real_run() {
    World::run(async |world| {
        let seed = rand::random();
        eprintln!("seed {seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        let file = File { seed, rows: 1_500, customers: 60, name: "c", bad: 0.2 };
        let rows: Vec<Create> = (1..=file.rows).map(|number| file.row(number).0).collect();
        let batches = in_batches(&mut rng, rows);

        // An earlier run, cut after some of them; and others in between.
        let part = batches[..batches.len() / 3].to_vec();
        dry_and_real(world, "i1", part).await;
        for number in 0..60 {
            let customer = format!("c-{number}");
            let usage = say::usage(&customer, "e1", "tokens", "500");
            world.client.record(usage).await;
        }
        world.advance(chrono::TimeDelta::hours(1)).await;
        let mut changed = batches.clone();
        for (_, rows) in &mut changed {
            for row in rows {
                match rng.random_range(0..40) {
                    0 => row.amount = "123.45".into(),
                    1 => row.customer_id = format!("d-{}", rng.random_range(0..9)),
                    2 => row.expires_at = say::hour(1),
                    3 => SPOILS.choose(&mut rng).expect("a spoil")(row),
                    _ => {}
                }
            }
        }
        let answers = dry_and_real(world, "i1", changed).await;
        let all: Vec<_> = answers.into_iter().flat_map(|answer| answer.results).collect();
        for outcome in [Created, Duplicate, Rejected] {
            assert!(all.iter().filter(|result| result.outcome() == outcome).count() > 50);
        }
        let refused = all.iter().filter(|result| result.outcome() == Rejected);
        let reasons: Vec<_> = refused.map(|result| say::reason(&rejected(result))).collect();
        for reason in ["INVALID_FIELD", "REQUEST_ID_REUSED"] {
            assert!(reasons.iter().any(|told| told == reason), "no {reason}");
        }
        dry_and_real(world, "i1", batches).await;
    })
    .await;
}

/// The limit is reached in the middle of the run, by rows of several batches.
#[tokio::test(flavor = "multi_thread")]
async fn it_knows_what_the_limit_will_be_when_it_comes_to_a_row() {
    World::run(async |world| {
        let client = world.client.clone();
        let made = client.import("before", vec![say::row("big", "1"); 9_990]).await;
        assert_eq!(made.created, 9_990);
        let big = || say::row("big", "2");
        let small = || say::row("small", "2");
        let ended = || Create { expires_at: say::hour(0), ..big() };
        // Ten fit: three, four, and three of the third batch.
        let batches = vec![
            (1, vec![big(), small(), big(), ended(), big()]),
            (6, vec![big(), big(), small(), big(), big()]),
            (20, vec![ended(), big(), big(), big(), big(), ended(), small(), big()]),
            (30, vec![small(), big()]),
        ];
        let answers = dry_and_real(world, "i1", batches.clone()).await;
        let last = answers.last().expect("an answer");
        assert_eq!((last.created, last.duplicates, last.rejected), (14, 0, 6));
        let full = rejected(&answers[2].results[4]);
        assert_eq!(say::reason(&full), "LIMIT_EXCEEDED");
        assert_eq!(say::metadata(&full)["limit"], "10000");

        // Some end, some are there already: each leaves, or takes, no more than its own room.
        client.void(&made.results[0].grant_id, "room").await;
        client.record(say::usage("big", "e1", "m", "1")).await;
        let answers = dry_and_real(world, "i1", batches).await;
        let last = answers.last().expect("an answer");
        assert_eq!((last.created, last.duplicates, last.rejected), (2, 14, 4));
        assert_eq!(client.balance("big").await.grants.len(), 10_000);
    })
    .await;
}
