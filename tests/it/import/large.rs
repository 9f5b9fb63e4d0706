//! A large file, cut at random rows and resumed.

use std::collections::{BTreeMap, HashMap};

use creditd::pb;
use creditd::pb::ImportOutcome::{Created, Rejected};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tonic::Status;

use super::file::File;
use super::{Answers, begin};
use crate::harness::proxy::Proxy;
use crate::harness::{Client, Database, World};

/// What an importer has been told: by row, the grant that was made; and of the call under way how
/// far it has come.
#[derive(Default)]
pub struct Told {
    pub made: BTreeMap<i64, String>,
    /// The last row that was answered.
    pub last: i64,
    /// The row that the call began with.
    from: i64,
    fresh: i64,
    rejected: i64,
}

impl Told {
    /// Begins a call at this row.
    pub async fn call(&mut self, client: &Client, file: &File, from: i64, batch: i64) -> Answers {
        let made = std::mem::take(&mut self.made);
        *self = Self { made, from, last: from - 1, ..Self::default() };
        begin(client, file.messages("i1", from, batch)).await
    }

    /// Reads answers until so many rows are answered; whether the import has ended before.
    pub async fn hear(
        &mut self,
        file: &File,
        answers: &mut Answers,
        rows: i64,
    ) -> Result<bool, Status> {
        while self.last < rows {
            let Some(answer) = answers.message().await? else { return Ok(true) };
            for result in &answer.results {
                self.take(file, result);
            }
            let duplicates = self.last - self.from + 1 - self.fresh - self.rejected;
            let sums = (answer.created, answer.duplicates, answer.rejected);
            assert_eq!(sums, (self.fresh, duplicates, self.rejected), "{file:?}");
        }
        Ok(false)
    }

    fn take(&mut self, file: &File, result: &pb::ImportResult) {
        self.last += 1;
        assert_eq!(result.row, self.last, "results are dense and in order, {file:?}");
        let good = file.row(result.row).1;
        assert_eq!(good, result.outcome() != Rejected, "{result:?}, {file:?}");
        if !good {
            self.rejected += 1;
            return;
        }
        let before = self.made.insert(result.row, result.grant_id.clone());
        assert!(before.as_ref().is_none_or(|id| *id == result.grant_id), "{result:?}, {file:?}");
        if result.outcome() == Created {
            assert_eq!(before, None, "acknowledged, and made again: {result:?}, {file:?}");
            self.fresh += 1;
        }
    }

    /// Imports the whole file, and looks at the books.
    pub async fn finish(mut self, client: &Client, database: &Database, file: &File, batch: i64) {
        let mut answers = self.call(client, file, 1, batch).await;
        let ended = self.hear(file, &mut answers, i64::MAX).await.expect("answers");
        assert!(ended && self.last == file.rows, "{file:?}");
        is_whole(database, file, &self.made).await;
    }
}

/// The books hold each good row of the file once, and nothing else.
pub async fn is_whole(database: &Database, file: &File, made: &BTreeMap<i64, String>) {
    let sql = database.connect().await;
    let rows = "SELECT g.import_row, g.id::text, c.external_id, g.type, (g.remaining * 100)::bigint, \
                r.row FROM grants g JOIN customers c ON c.id = g.customer_id \
                LEFT JOIN import_rows r ON r.grant_id = g.id ORDER BY g.import_row";
    let mut expected = made.iter();
    let mut totals: HashMap<(String, String), i64> = HashMap::new();
    for row in sql.query(rows, &[]).await.expect("rows") {
        let number: i64 = row.get(0);
        let (told, id) = expected.next().expect("a grant that was told of");
        assert_eq!((number, row.get::<_, &str>(1)), (*told, id.as_str()), "{file:?}");
        assert_eq!(row.get::<_, Option<i64>>(5), Some(number), "its key, {file:?}");
        let (asked, good) = file.row(number);
        assert!(good, "{asked:?}");
        assert_eq!(row.get::<_, String>(2), asked.customer_id);
        let cents: i64 = asked.amount.replace('.', "").parse().expect("cents");
        assert_eq!(row.get::<_, i64>(4), cents);
        *totals.entry((asked.customer_id, row.get(3))).or_default() += cents;
    }
    assert_eq!(expected.next(), None, "grants that were told of and are not there, {file:?}");
    let sums = "SELECT c.external_id, g.type, (sum(e.amount) * 100)::bigint FROM ledger_entries e \
                JOIN grants g ON g.customer_id = e.customer_id AND g.id = e.grant_id \
                JOIN customers c ON c.id = e.customer_id GROUP BY 1, 2";
    let sums = sql.query(sums, &[]).await.expect("sums");
    let sums = sums.into_iter().map(|row| ((row.get(0), row.get(1)), row.get(2)));
    assert_eq!(sums.collect::<HashMap<(String, String), i64>>(), totals);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_rows_cut_twice_are_made_once() {
    let seed = rand::random();
    let file = File { seed, rows: 100_000, customers: 3_000, name: "c", bad: 0.01 };
    World::run(async |world| {
        let mut rng = StdRng::seed_from_u64(seed);
        let other = world.another(&world.options).await;
        let mut told = Told::default();

        // The caller hangs up in the middle of what it has sent.
        let client = world.server.client();
        let mut answers = told.call(&client, &file, 1, 1_000).await;
        let cut = rng.random_range(5_000..20_000);
        assert!(!told.hear(&file, &mut answers, cut).await.expect("answers"), "it ended early");
        drop((answers, client));

        // Its connection is cut, on another server, which begins a little before.
        let from = (told.last - rng.random_range(0..5_000)).max(1);
        let proxy = Proxy::start(other.address, 0.0, 0).await;
        let client = proxy.client();
        let mut answers = told.call(&client, &file, from, 700).await;
        let cut = rng.random_range(25_000..40_000);
        assert!(!told.hear(&file, &mut answers, cut).await.expect("answers"), "it ended early");
        proxy.fall_silent();
        told.hear(&file, &mut answers, file.rows).await.expect_err("it was cut");

        told.finish(&world.client, &world.database, &file, 1_000).await;
        other.stop().await;
    })
    .await;
}
