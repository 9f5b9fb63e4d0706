//! A batch leaves what its commands would leave one by one, and its number of statements does not
//! depend on its size.

mod points;
mod rollups;
mod script;
mod statements;

use std::sync::Arc;

use chrono::TimeDelta;
use creditd::domain::amount::Amount;
use creditd::domain::command::{Action, Command, CreateGrant, Key, Outcome, RecordUsage};
use creditd::domain::grant::{Metadata, Notes, Priority, Scope};
use creditd::domain::ids::{Customer, EventId, GrantId, ImportId, Metric, RequestId};
use creditd::domain::import::ImportRow;
use creditd::domain::notification::EventType;
use creditd::domain::refusal::Refusal;
use creditd::domain::time::Windows;
use creditd::domain::usage::Uncovered;
use creditd::engine::{Engine, Failure, Lanes, Reply, Sizes, Stats};
use creditd::metrics::Registry;
use creditd::store::{Address, Clock, Store, TestClock};
use rand::RngExt as _;
use uuid::Uuid;

use self::script::Script;
use crate::harness::{Database, dump, t0};

const GROUPS: usize = 8;
const COMMANDS: usize = 100;

/// An engine of one lane on a database of its own, without a wire.
struct Books {
    database: Database,
    clock: TestClock,
    engine: Engine,
    lanes: Lanes,
}

impl Books {
    async fn open(batch_commands: u16) -> Self {
        let database = Database::create().await;
        let clock = TestClock::new(t0());
        let address = Address::parse(&database.url).expect("a URL");
        let windows =
            Windows { max_event_age: TimeDelta::days(35), late_usage: TimeDelta::hours(72) };
        let store = Store::new(address, 1, Clock::Test(clock.clone()), windows).expect("a store");
        let sizes = Sizes { lanes: 1, batch_commands, queue: 10 };
        let stats = Stats::new(&Registry::new().expect("a registry")).expect("stats");
        let (engine, lanes) = Engine::start(&store, sizes, Arc::new(stats));
        Self { database, clock, engine, lanes }
    }

    /// The same, where somebody is told of everything.
    async fn told(batch_commands: u16) -> Self {
        let books = Self::open(batch_commands).await;
        let sql = books.database.connect().await;
        let interests = r#"{"endpoints": [{"id": "00000000-0000-0000-0000-000000000001", "types": null}],
            "warnings": [172800, 21600], "thresholds": [
                {"metric": "minutes", "amount": "20", "recover_at": "30"},
                {"currency": "USD", "amount": "5", "recover_at": "5"}]}"#;
        let settings =
            format!("UPDATE notification_settings SET version = 1, interests = '{interests}'");
        sql.batch_execute(&settings).await.expect("settings");
        books
    }

    /// Carries out commands as one batch.
    async fn batch(&self, commands: &[Command]) -> Vec<Reply> {
        let before = self.engine.stats();
        let replies = self.engine.enqueue(commands.to_vec(), None).await.replies().await;
        let after = self.engine.stats();
        assert_eq!((after.batches - before.batches, after.retries), (1, 0), "one batch");
        replies
    }

    async fn close(self) {
        self.lanes.drain().await;
        self.database.audit().await;
        self.database.drop().await;
    }
}

fn customer(number: u32) -> Customer {
    Customer::parse(&format!("customer-{number}")).expect("an id")
}

fn request(number: impl std::fmt::Display) -> Key {
    Key::Request(RequestId::parse(&format!("r{number}")).expect("an id"))
}

fn row(import_id: &str, number: usize) -> Key {
    let import_id = ImportId::parse(import_id).expect("an id");
    Key::Import(ImportRow { import_id, row: i64::try_from(number).expect("a row") + 1 })
}

fn metric(name: &str) -> Metric {
    Metric::parse(name).expect("a name")
}

pub fn command(customer: &Customer, action: Action) -> Command {
    Command { customer: customer.clone(), actor: "anonymous".into(), action }
}

fn told(replies: &[Reply]) -> Vec<String> {
    let internal = |reply: &Reply| matches!(reply, Err(Failure::Internal(_)));
    assert!(!replies.iter().any(internal), "{replies:?}");
    replies.iter().map(|reply| format!("{reply:?}")).collect()
}

/// Carries out one script in three ways; the rows that it leaves.
async fn batches_equal_singles(seed: u64) -> Vec<String> {
    let (whole, parts, singles) =
        tokio::join!(Books::told(2_000), Books::told(2_000), Books::told(1));
    let mut script = Script::new(seed);
    for group in 0..GROUPS {
        let commands: Vec<Command> = (0..COMMANDS).map(|_| script.next()).collect();
        let together = told(&whole.batch(&commands).await);
        let mut in_parts = Vec::new();
        let mut rest = &commands[..];
        while !rest.is_empty() {
            let (part, after) = rest.split_at(script.rng.random_range(1..=rest.len().min(30)));
            in_parts.extend(told(&parts.batch(part).await));
            rest = after;
        }
        let mut one_by_one = Vec::new();
        for command in commands {
            one_by_one.push(singles.engine.execute(command, None).await);
        }
        let one_by_one = told(&one_by_one);
        let place = format!("seed {seed}, group {group}");
        dump::same(&format!("{place}: answers together and alone"), &together, &one_by_one);
        dump::same(&format!("{place}: answers in parts and alone"), &in_parts, &one_by_one);
        for books in [&whole, &parts, &singles] {
            books.database.roll_up_next().await;
        }
        script.now += TimeDelta::minutes(script.rng.random_range(0..30 * 60));
        for books in [&whole, &parts, &singles] {
            books.clock.advance_to(script.now).expect("a clock");
        }
    }
    let alone = dump::rows(&singles.database).await;
    let rows = dump::rows(&whole.database).await;
    dump::same(&format!("seed {seed}: rows together and alone"), &rows, &alone);
    let rows = dump::rows(&parts.database).await;
    dump::same(&format!("seed {seed}: rows in parts and alone"), &rows, &alone);
    tokio::join!(whole.close(), parts.close(), singles.close());
    alone
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_leaves_what_its_commands_leave_one_by_one() {
    let rows = batches_equal_singles(1).await;
    // The tables that commands write; points lie further apart than these histories are long.
    for table in [
        "customers",
        "grants",
        "usage_events",
        "usage_rollups",
        "ledger_entries",
        "requests",
        "import_rows",
        "holds",
        "credit_applications",
        "deliveries",
    ] {
        assert!(rows.iter().any(|row| row.starts_with(table)), "no {table}");
    }
    for kind in EventType::ALL {
        let kind = format!("\"event_type\": \"{kind}\"");
        assert!(rows.iter().any(|row| row.contains(&kind)), "no {kind}");
    }
    for kind in [
        "consumed",
        "applied",
        "held",
        "hold_released",
        "expired",
        "voided",
        "updated",
        "usage_reversed",
        "application_reversed",
        "expiration_reclaimed",
    ] {
        let kind = format!("\"type\": \"{kind}\"");
        assert!(rows.iter().any(|row| row.contains(&kind)), "no {kind}");
    }
    for status in ["open", "settled", "released", "expired"] {
        let status = format!("\"status\": \"{status}\"");
        assert!(rows.iter().any(|row| row.contains(&status)), "no hold that is {status}");
    }
    // And one that nobody has tried before.
    batches_equal_singles(rand::random()).await;
}

/// Who is the first in a batch to name a row has it, though each customer's account knows its own
/// rows alone.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_row_that_comes_twice_in_a_batch_the_first_is_made() {
    let books = Books::open(2_000).await;
    let [acme, other] = [customer(1), customer(2)];
    let ended = |command: Command| {
        let Action::CreateGrant(mut create) = command.action else { panic!("no grant") };
        create.expires_at = Some(t0());
        Command { action: Action::CreateGrant(create), ..command }
    };
    let rows = [
        imported(&acme, "i1", 1),
        imported(&other, "i1", 1),
        imported(&acme, "i1", 1),
        // What is refused leaves the row to the next.
        ended(imported(&acme, "i1", 2)),
        imported(&other, "i1", 2),
        imported(&acme, "i1", 2),
        // A row of another import, and a request, are other keys.
        imported(&other, "i2", 1),
        creation(&other, 1),
    ];
    for again in [false, true] {
        let replies = books.batch(&rows).await;
        let told = replies.iter().map(|reply| match reply {
            Ok(Outcome::Grant { replayed, .. }) => Ok(*replayed),
            Err(Failure::Refused(Refusal::ImportRowReused)) => Err("reused"),
            Err(Failure::Refused(Refusal::InvalidField { .. })) => Err("ended"),
            other => panic!("{other:?}"),
        });
        let told: Vec<_> = told.collect();
        let second = if again { Err("reused") } else { Err("ended") };
        let first = Ok(again);
        let expected = [first, Err("reused"), Ok(true), second, first, Err("reused"), first, first];
        assert_eq!(told, expected, "again: {again}");
    }
    books.close().await;
}

/// The id of the grant that [`creation`] makes.
fn grant_id(of: &Customer, number: u32) -> GrantId {
    GrantId(Uuid::new_v5(&of.key, &number.to_be_bytes()))
}

fn creation(of: &Customer, number: u32) -> Command {
    creation_by(request(number), grant_id(of, number), of)
}

/// A row of an import of this name.
fn imported(of: &Customer, import_id: &str, number: u32) -> Command {
    let key = row(import_id, usize::try_from(number).expect("a number"));
    creation_by(key, GrantId(Uuid::now_v7()), of)
}

fn creation_by(key: Key, grant_id: GrantId, of: &Customer) -> Command {
    let create = CreateGrant {
        key,
        grant_id,
        scope: Scope::units(Vec::new()),
        amount: Amount::parse("1000", 0).expect("an amount"),
        priority: Priority::of_category(None),
        category: None,
        effective_at: None,
        expires_at: None,
        notes: Notes::default(),
    };
    command(of, Action::CreateGrant(Box::new(create)))
}

pub fn usage(of: &Customer, event: &str) -> Command {
    let usage = RecordUsage {
        event_id: EventId::parse(event).expect("an id"),
        metric: metric("tokens"),
        quantity: Amount::parse("1", 0).expect("an amount"),
        timestamp: None,
        policy: Uncovered::AllowOverage,
        metadata: Metadata::new(),
    };
    command(of, Action::RecordUsage(Box::new(usage)))
}
