//! Two importers of one import at once.

use creditd::engine::Sizes;
use creditd::pb;
use creditd::pb::ImportOutcome::{self, Created, Duplicate, Rejected};
use futures_util::future::join;

use super::file::File;
use super::{begin, read, reused};
use crate::harness::{Client, Options, World};

/// Imports both files as the same import at once; what each is told of each row.
async fn both(
    clients: [&Client; 2],
    files: [File; 2],
    batches: [i64; 2],
) -> [Vec<pb::ImportResult>; 2] {
    let import = async |n: usize| {
        let answers = begin(clients[n], files[n].messages("i1", 1, batches[n])).await;
        let (answers, end) = read(answers).await;
        end.unwrap_or_else(|end| panic!("{end:?}, {:?}", files[n]));
        let results: Vec<_> = answers.into_iter().flat_map(|answer| answer.results).collect();
        assert!(results.iter().map(|result| result.row).eq(1..=files[n].rows));
        results
    };
    let (one, other) = join(import(0), import(1)).await;
    [one, other]
}

fn file(name: &'static str) -> File {
    File { seed: rand::random(), rows: 3_000, customers: 1_200, name, bad: 0.02 }
}

/// Sizes of the two importers' batches. Small ones are faster: large ones must not starve.
const BATCHES: [[i64; 2]; 3] = [[500, 500], [70, 1_000], [1_000, 5]];

/// Runs a test on one server, and on two of the same database.
async fn on_one_and_on_two(test: impl AsyncFn(&World, [&Client; 2])) {
    World::run(async |world| test(world, [&world.client, &world.server.client()]).await).await;
    World::run(async |world| {
        let other = world.another(&world.options).await;
        test(world, [&world.client, &other.client()]).await;
        other.stop().await;
    })
    .await;
}

/// All customers are new, so that both come upon them at once.
#[tokio::test(flavor = "multi_thread")]
async fn of_the_same_rows_each_is_made_by_one_of_them() {
    for batches in BATCHES {
        on_one_and_on_two(async |_, clients| {
            let same = file("c");
            let [one, other] = both(clients, [same, same], batches).await;
            for (one, other) in one.iter().zip(&other) {
                let outcomes = [one.outcome(), other.outcome()];
                if same.row(one.row).1 {
                    let fair = outcomes == [Created, Duplicate] || outcomes == [Duplicate, Created];
                    assert!(fair, "{one:?}, {other:?}");
                    assert_eq!(one.grant_id, other.grant_id);
                } else {
                    assert_eq!(outcomes, [Rejected, Rejected]);
                    assert_eq!(one, other);
                }
            }
        })
        .await;
    }
}

/// Whichever comes first has the row, whoever the customers are.
#[tokio::test(flavor = "multi_thread")]
async fn of_other_rows_one_wins_and_the_other_is_told() {
    for batches in BATCHES {
        // Other customers: nothing but the row brings the two together. Then the same ones.
        for names in [["a", "b"], ["c", "c"]] {
            on_one_and_on_two(async |world, clients| {
                let files = names.map(file);
                let results = both(clients, files, batches).await;
                let mut grants = 0;
                for (one, other) in results[0].iter().zip(&results[1]) {
                    let good = files.map(|file| file.row(one.row).1);
                    match (good, [one.outcome(), other.outcome()]) {
                        ([true, true], [Created, Rejected]) => reused(other),
                        ([true, true], [Rejected, Created]) => reused(one),
                        // A bad row is told that it is bad, and leaves the key to the other.
                        ([true, false], [Created, Rejected])
                        | ([false, true], [Rejected, Created])
                        | ([false, false], [Rejected, Rejected]) => {}
                        _ => panic!("{one:?}, {other:?}, {files:?}"),
                    }
                    grants += i64::from(good[0] || good[1]);
                }
                let counts = world.database.counts().await;
                assert!(counts.contains(&("import_rows".into(), grants)), "{counts:?}, {grants}");
                assert!(counts.contains(&("grants".into(), grants)), "{counts:?}, {grants}");
            })
            .await;
        }
    }
}

/// Both importers' rows in one lane, so that batches hold the same row twice.
#[tokio::test(flavor = "multi_thread")]
async fn in_one_lane_batches_hold_rows_of_both() {
    let sizes = Sizes { lanes: 1, ..Options::default().sizes };
    World::run_with(Options { sizes, ..Options::default() }, async |world| {
        let files = ["a", "b"].map(|name| File { bad: 0.0, ..file(name) });
        let other = world.server.client();
        let results = both([&world.client, &other], files, [50, 50]).await;
        let made = |results: &[pb::ImportResult], outcome: ImportOutcome| {
            results.iter().filter(|result| result.outcome() == outcome).count()
        };
        let [one, two] = results.map(|all| [made(&all, Created), made(&all, Rejected)]);
        assert_eq!((one[0] + two[0], one[1] + two[1]), (3_000, 3_000));
        assert_eq!((one[0], one[1]), (two[1], two[0]));
    })
    .await;
}
