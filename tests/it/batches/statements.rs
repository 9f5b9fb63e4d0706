//! How many statements a batch takes.

use chrono::TimeDelta;
use creditd::domain::command::{Action, Command, VoidGrant};
use creditd::domain::ids::Customer;
use creditd::engine::Snapshot;

use super::{Books, command, creation, grant_id, imported, usage};

/// What it takes to carry out a batch of each of these sizes.
async fn statements(books: &Books, what: &str, mut batch: impl FnMut(u32) -> Vec<Command>) {
    let mut counted = Vec::new();
    for size in [1, 10, 100, 1_000] {
        let commands = batch(size);
        assert_eq!(commands.len(), usize::try_from(size).expect("a size"));
        let before: Snapshot = books.engine.stats();
        let replies = books.batch(&commands).await;
        assert!(replies.iter().all(Result::is_ok), "{what}: {replies:?}");
        counted.push(books.engine.stats().statements - before.statements);
    }
    assert!(counted.iter().all(|count| *count == counted[0]), "{what}: {counted:?} statements");
    assert!(counted[0] <= 16, "{what}: {counted:?} statements");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_a_thousand_takes_as_many_statements_as_one_of_one() {
    let books = Books::open(2_000).await;
    let named = |kind: &str, number: u32| Customer::parse(&format!("{kind}-{number}")).expect("id");
    let each = |size: u32, of: &dyn Fn(u32) -> Command| (0..size).map(of).collect::<Vec<_>>();

    statements(&books, "grants of new customers", |size| {
        each(size, &|n| creation(&named(&format!("new{size}"), n), 0))
    })
    .await;
    statements(&books, "grants of known customers", |size| {
        each(size, &|n| creation(&named("new1000", n), size))
    })
    .await;
    statements(&books, "rows of new customers", |size| {
        each(size, &|n| imported(&named(&format!("row{size}"), n), &format!("new{size}"), n))
    })
    .await;
    statements(&books, "rows of known customers", |size| {
        each(size, &|n| imported(&named("new1000", n), &format!("known{size}"), n))
    })
    .await;
    statements(&books, "rows seen before", |size| {
        each(size, &|n| imported(&named("new1000", n), "known1000", n))
    })
    .await;
    statements(&books, "usage of known customers", |size| {
        each(size, &|n| usage(&named("new1000", n), &format!("e{size}")))
    })
    .await;
    statements(&books, "usage of one customer", |size| {
        each(size, &|n| usage(&named("new1", 0), &format!("e{size}-{n}")))
    })
    .await;
    statements(&books, "usage of new customers", |size| {
        each(size, &|n| usage(&named(&format!("used{size}"), n), "e"))
    })
    .await;
    statements(&books, "usage seen before", |size| {
        each(size, &|n| usage(&named("new1000", n), &format!("e{size}")))
    })
    .await;
    rolled_up(&books).await;
    assert_eq!(mixed(&books, 10).await, mixed(&books, 1_000).await, "of a mix");
    books.close().await;
}

/// Every event rolls up what its customer recorded an hour before.
async fn rolled_up(books: &Books) {
    let named = |n: u32| Customer::parse(&format!("new1000-{n}")).expect("id");
    let mut counted = Vec::new();
    for size in [1, 10, 100, 1_000] {
        let batch = |kind| (0..size).map(|n| usage(&named(n), &format!("{kind}{size}"))).collect();
        let (before, after): (Vec<Command>, Vec<Command>) = (batch("before"), batch("after"));
        let is_ok = |replies: &[creditd::engine::Reply]| replies.iter().all(Result::is_ok);
        assert!(is_ok(&books.batch(&before).await));
        books.database.roll_up_next().await;
        books.clock.advance_to(books.clock.now() + TimeDelta::hours(1)).expect("a clock");
        let stats = books.engine.stats();
        assert!(is_ok(&books.batch(&after).await));
        counted.push(books.engine.stats().statements - stats.statements);
    }
    assert!(counted.iter().all(|count| *count == counted[0] && *count <= 16), "{counted:?}");
    let client = books.database.connect().await;
    let rolled = "SELECT count(DISTINCT customer_id) FROM usage_rollups";
    assert_eq!(client.query_one(rolled, &[]).await.expect("a count").get::<_, i64>(0), 1_000);
}

/// Statements of a batch with something of every kind.
async fn mixed(books: &Books, size: u32) -> u64 {
    let known = |n: u32| Customer::parse(&format!("new1000-{n}")).expect("an id");
    let kinds = |n: u32| match n % 6 {
        5 => imported(&known(n), &format!("mix{size}"), n),
        0 => creation(&known(n), size + 1),
        1 => usage(&known(n), &format!("mix{size}")),
        2 => usage(&Customer::parse(&format!("mix{size}-{n}")).expect("an id"), "e"),
        3 => {
            // Made above, with the known customers' other grants.
            let grant_id = grant_id(&known(n), 1_000);
            let void = VoidGrant { grant_id, reason: "mixed".into() };
            command(&known(n), Action::VoidGrant(Box::new(void)))
        }
        _ => usage(&known(n), "e1000"),
    };
    let commands: Vec<Command> = (0..size).map(kinds).collect();
    let before = books.engine.stats();
    let replies = books.batch(&commands).await;
    assert!(replies.iter().all(Result::is_ok), "{replies:?}");
    books.engine.stats().statements - before.statements
}
