//! Points of the balance: where they fall does not depend on how commands came together, and a
//! batch writes all of its points with one statement.

use creditd::domain::command::Command;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::{Books, creation, customer, usage};
use crate::harness::dump;

/// Grants and usage of two customers: one with few open grants, and one with more than the entries
/// from one point to the next would be without them.
fn commands() -> Vec<Command> {
    let [few, many] = [customer(1), customer(2)];
    let grants = (0..3).map(|n| creation(&few, n)).chain((0..1_030).map(|n| creation(&many, n)));
    let events = (0..2_200).map(|n| format!("e{n}"));
    let usage = events.flat_map(|event| [usage(&few, &event), usage(&many, &event)]);
    grants.chain(usage).collect()
}

async fn points(books: &Books) -> Vec<(String, i64, i32)> {
    let sql = books.database.connect().await;
    let query = "SELECT external_id, sequence, cardinality(grant_ids) FROM balance_points p \
                 JOIN customers c ON c.id = p.customer_id ORDER BY 1, 2";
    let rows = sql.query(query, &[]).await.expect("points");
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn points_fall_where_they_would_one_by_one() {
    let (whole, parts) = tokio::join!(Books::open(2_000), Books::open(2_000));
    let commands = commands();
    for batch in commands.chunks(2_000) {
        whole.batch(batch).await;
    }
    let mut rng = StdRng::seed_from_u64(1);
    let mut rest = &commands[..];
    while !rest.is_empty() {
        let (part, after) = rest.split_at(rng.random_range(1..=60).min(rest.len()));
        parts.batch(part).await;
        rest = after;
    }
    // Grants of 1,000 each: of three the first two are used up by the second point. 1,024 grants are
    // all that the third point knows of; then they are too many for 1,024 entries.
    let expected = [
        ("customer-1".to_owned(), 1_024, 2),
        ("customer-1".to_owned(), 2_048, 1),
        ("customer-2".to_owned(), 1_024, 1_024),
        ("customer-2".to_owned(), 2_048, 1_029),
    ];
    assert_eq!(points(&whole).await, expected);
    let (whole_rows, part_rows) =
        (dump::rows(&whole.database).await, dump::rows(&parts.database).await);
    dump::same("rows of batches and of parts", &whole_rows, &part_rows);
    tokio::join!(whole.close(), parts.close());
}

#[tokio::test(flavor = "multi_thread")]
async fn points_take_one_statement_however_many_they_are() {
    let books = Books::open(3_000).await;
    let [acme, other] = [customer(1), customer(2)];
    let statements = async |batch: Vec<Command>| {
        let before = books.engine.stats().statements;
        books.batch(&batch).await;
        books.engine.stats().statements - before
    };
    statements((0..4).map(|n| creation(&acme, n)).collect()).await;
    statements((0..1_023).map(|n| creation(&other, n)).collect()).await;
    // To the entry before a point, the point; from there to the one before the next, and that.
    let mut counted = Vec::new();
    for events in [0..1_019, 1_019..1_020, 1_020..2_043, 2_043..2_044] {
        let batch = events.map(|n| usage(&acme, &format!("e{n}")));
        counted.push(statements(batch.collect()).await);
    }
    let without = counted[0];
    assert_eq!(counted, [without, without + 1, without, without + 1]);
    // Three points of two customers.
    let both = (0..1_050).map(|n| format!("f{n}"));
    let both = both.flat_map(|event| [usage(&acme, &event), usage(&other, &event)]);
    assert_eq!(statements(both.collect()).await, without + 1);
    let sequences: Vec<i64> = points(&books).await.iter().map(|point| point.1).collect();
    assert_eq!(sequences, [1_024, 2_048, 3_072, 1_024, 2_048]);
    books.close().await;
}
