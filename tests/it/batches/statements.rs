//! How many statements a batch takes.

use chrono::TimeDelta;
use creditd::domain::amount::Amount;
use creditd::domain::command::{
    Action, ApplyCredits, Command, CreateHold, ExtendHold, ReverseApplication, ReverseUsage,
    SettleHold, VoidGrant,
};
use creditd::domain::currency::Currency;
use creditd::domain::grant::Scope;
use creditd::domain::ids::{Customer, EventId, HoldId, InvoiceId, RequestId};
use creditd::engine::Snapshot;
use creditd::limits;

use super::{Books, command, creation, grant_id, imported, metric, usage};

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
    books.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_do_invoices_holds_and_reversals_take_more() {
    let books = Books::open(2_000).await;
    let known = |n: u32| Customer::parse(&format!("new1000-{n}")).expect("an id");
    books.batch(&(0..1_000).map(|n| creation(&known(n), 0)).collect::<Vec<_>>()).await;
    books.batch(&(0..1_000).map(|n| dollars(&known(n))).collect::<Vec<_>>()).await;
    let kinds: [(&str, fn(&Customer, &str) -> Command); 11] = [
        ("applications", applied),
        ("applications seen before", applied),
        ("reversals of applications", application_reversed),
        ("reversals of applications seen before", application_reversed),
        ("holds", held),
        ("holds seen before", held),
        ("extensions", extended),
        ("settlements", settled),
        ("settlements seen before", settled),
        ("reversals of usage", usage_reversed),
        ("reversals of usage seen before", usage_reversed),
    ];
    for (what, one) in kinds {
        statements(&books, what, |size| {
            (0..size).map(|n| one(&known(n), &size.to_string())).collect()
        })
        .await;
    }
    let of_one: [(&str, fn(&Customer, &str) -> Command); 2] =
        [("holds of one", held), ("settlements of one", settled)];
    for (what, one) in of_one {
        statements(&books, what, |size| {
            // Of so few, and yet not one: a point of somebody's balance takes a statement more.
            (0..size).map(|n| one(&known(n % 8), &format!("{size}-{n}"))).collect()
        })
        .await;
    }
    let more: Vec<Command> = (0..1_000).map(|n| held(&known(n), "more")).collect();
    books.batch(&more).await;
    statements(&books, "releases", |size| (0..size).map(|n| released(&known(n), "more")).collect())
        .await;
    books.batch(&(0..1_000).map(|n| creation(&known(n), 1_000)).collect::<Vec<_>>()).await;
    books.batch(&(0..1_000).map(|n| usage(&known(n), "e1000")).collect::<Vec<_>>()).await;
    assert_eq!(mixed(&books, 12).await, mixed(&books, 1_000).await, "of a mix");
    books.close().await;
}

/// What applications draw on.
fn dollars(of: &Customer) -> Command {
    let Action::CreateGrant(mut create) = creation(of, 1).action else { panic!("no grant") };
    create.scope = Scope::Money(usd());
    command(of, Action::CreateGrant(create))
}

fn usd() -> Currency {
    Currency::from_code("USD").expect("a currency")
}

fn applied(of: &Customer, id: &str) -> Command {
    let apply = ApplyCredits {
        invoice_id: InvoiceId::parse(id).expect("an id"),
        currency: usd(),
        amount_due: Amount::parse("1", 0).expect("an amount"),
        applied_at: None,
    };
    command(of, Action::ApplyCredits(Box::new(apply)))
}

fn application_reversed(of: &Customer, id: &str) -> Command {
    let reverse = ReverseApplication {
        request_id: RequestId::parse(&format!("invoice-{id}")).expect("an id"),
        invoice_id: InvoiceId::parse(id).expect("an id"),
        amount: None,
        reason: "counted".into(),
    };
    command(of, Action::ReverseApplication(Box::new(reverse)))
}

fn held(of: &Customer, id: &str) -> Command {
    let hold = CreateHold {
        hold_id: HoldId::parse(id).expect("an id"),
        metric: metric("tokens"),
        quantity: Amount::parse("0.1", 1).expect("an amount"),
        ttl: limits::HOLD_TTL_DEFAULT,
        allow_partial: false,
    };
    command(of, Action::CreateHold(Box::new(hold)))
}

fn extended(of: &Customer, id: &str) -> Command {
    let hold_id = HoldId::parse(id).expect("an id");
    let ttl = limits::HOLD_TTL_MAX;
    command(of, Action::ExtendHold(Box::new(ExtendHold { hold_id, ttl })))
}

fn released(of: &Customer, id: &str) -> Command {
    command(of, Action::ReleaseHold(HoldId::parse(id).expect("an id")))
}

fn settled(of: &Customer, id: &str) -> Command {
    let settle = SettleHold {
        hold_id: HoldId::parse(id).expect("an id"),
        event_id: EventId::parse(&format!("settled-{id}")).expect("an id"),
        quantity: Amount::parse("0.01", 2).expect("an amount"),
        timestamp: None,
    };
    command(of, Action::SettleHold(Box::new(settle)))
}

fn usage_reversed(of: &Customer, id: &str) -> Command {
    let reverse = ReverseUsage {
        request_id: RequestId::parse(&format!("usage-{id}")).expect("an id"),
        event_id: EventId::parse(&format!("settled-{id}")).expect("an id"),
        quantity: None,
        reason: "counted".into(),
    };
    command(of, Action::ReverseUsage(Box::new(reverse)))
}

/// Statements of a batch with something of every kind.
async fn mixed(books: &Books, size: u32) -> u64 {
    let known = |n: u32| Customer::parse(&format!("new1000-{n}")).expect("an id");
    let id = format!("mix{size}");
    let kinds = |n: u32| match n % 12 {
        0 => creation(&known(n), size + 1),
        1 => usage(&known(n), &id),
        2 => usage(&Customer::parse(&format!("{id}-{n}")).expect("an id"), "e"),
        3 => {
            // Made above, with the known customers' other grants.
            let grant_id = grant_id(&known(n), 1_000);
            let void = VoidGrant { grant_id, reason: "mixed".into() };
            command(&known(n), Action::VoidGrant(Box::new(void)))
        }
        4 => usage(&known(n), "e1000"),
        5 => imported(&known(n), &id, n),
        // Made above, or known since.
        6 => applied(&known(n), &id),
        7 => application_reversed(&known(n), "1000"),
        8 => held(&known(n), &id),
        9 => released(&known(n), "more"),
        10 => settled(&known(n), "1000"),
        _ => usage_reversed(&known(n), "1000"),
    };
    let commands: Vec<Command> = (0..size).map(kinds).collect();
    let before = books.engine.stats();
    let replies = books.batch(&commands).await;
    assert!(replies.iter().all(Result::is_ok), "{replies:?}");
    books.engine.stats().statements - before.statements
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
