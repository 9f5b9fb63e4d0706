//! Reference (b): the most that PostgreSQL can take. COPY of the two rows that creditd writes per
//! event, into the same tables, with nothing looked up, locked or decided.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Cursor;
use std::pin::pin;
use std::sync::Mutex;
use std::time::Instant;

use chrono::{DateTime, Utc};
use creditd::domain::ids::Customer;
use creditd::store::Address;
use futures_util::SinkExt as _;
use futures_util::future::try_join_all;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::Result;
use crate::cpu::{Used, Watched};
use crate::events::{Events, Ids, METRIC, QUANTITY, Workload, customer, since_epoch};
use crate::server::{Postgres, connect};

pub const DATABASE: &str = "copied";
/// Events per transaction: five of creditd's largest batches.
const CHUNK: usize = 10_000;
/// Events per second of measurement, about half of what it can take: rows are made beforehand.
const EVENTS_PER_SECOND: f64 = 80_000.0;
/// What is left of the grant, in every row: as many digits as creditd writes.
const LEFT: &str = "999999999998.5";
/// A second connection adds a little where cores are free.
const CONNECTIONS: [usize; 2] = [1, 2];

/// What COPY reached.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    pub events_per_second: f64,
    pub connections: usize,
    pub used: Used,
    pub events: f64,
}

/// What goes into the two tables in one transaction.
struct Chunk {
    usage: Vec<u8>,
    ledger: Vec<u8>,
}

/// Makes rows as creditd would; keeps the customers' sequences.
pub struct Rows {
    events: Events,
    ids: Ids,
    customers: HashMap<u32, Account>,
}

struct Account {
    key: Uuid,
    grant: Uuid,
    sequence: u64,
}

/// Makes its database: creditd's own tables.
pub async fn prepare(postgres: &Postgres) -> Result<()> {
    let url = postgres.create(DATABASE).await?;
    Ok(Address::parse(&url)?.migrate().await?)
}

/// Runs it on one connection and on two and returns the better.
pub async fn best(
    postgres: &Postgres,
    workload: Workload,
    ids: Ids,
    seconds: f64,
) -> Result<Limit> {
    let mut rows = Rows { events: Events::new(workload, ids), ids, customers: HashMap::new() };
    let mut best: Option<Limit> = None;
    for connections in CONNECTIONS {
        let run = run(postgres, &mut rows, workload, seconds, connections).await?;
        if best.is_none_or(|best| run.events_per_second > best.events_per_second) {
            best = Some(run);
        }
    }
    Ok(best.ok_or("nothing tried")?)
}

async fn run(
    postgres: &Postgres,
    rows: &mut Rows,
    workload: Workload,
    seconds: f64,
    connections: usize,
) -> Result<Limit> {
    rows.events = Events::new(workload, rows.ids);
    let mut chunks = Vec::new();
    let mut events = 0.0;
    while events < seconds * EVENTS_PER_SECOND {
        chunks.push(rows.chunk()?);
        events += f64::from(u32::try_from(CHUNK)?);
    }
    // From the end: in the order in which they were made.
    chunks.reverse();
    let chunks = Mutex::new(chunks);
    let mut clients = Vec::new();
    for _ in 0..connections {
        clients.push(connect(&postgres.config(DATABASE)).await?);
    }
    postgres.checkpoint().await?;
    let watched = Watched { server: None, postgres: postgres.pid()? };
    let before = watched.read()?;
    let begun = Instant::now();
    try_join_all(clients.iter_mut().map(|client| copy_all(client, &chunks))).await?;
    let elapsed = begun.elapsed().as_secs_f64();
    let used = before.until(watched.read()?);
    Ok(Limit { events_per_second: events / elapsed, connections, used, events })
}

async fn copy_all(client: &mut Client, chunks: &Mutex<Vec<Chunk>>) -> Result<()> {
    loop {
        let next = chunks.lock().map_err(|_| "poisoned")?.pop();
        let Some(Chunk { usage, ledger }) = next else { return Ok(()) };
        let transaction = client.transaction().await?;
        for (table, text) in [(USAGE_COLUMNS, usage), (LEDGER_COLUMNS, ledger)] {
            let sink = transaction.copy_in(&format!("copy {table} from stdin")).await?;
            let mut sink = pin!(sink);
            sink.send(Cursor::new(text)).await?;
            sink.as_mut().finish().await?;
        }
        transaction.commit().await?;
    }
}

const USAGE_COLUMNS: &str = "usage_events (customer_id, event_id, metric, quantity, uncovered, \
    reversed, timestamp, recorded_at, first_sequence, last_sequence, timestamp_given, reject)";
const LEDGER_COLUMNS: &str = "ledger_entries (customer_id, sequence, grant_id, type, amount, \
    balance_after, held_amount, held_after, event_id, actor, occurred_at, recorded_at)";

impl Rows {
    /// The rows of one transaction, sorted by customer, as creditd sorts its own.
    fn chunk(&mut self) -> Result<Chunk> {
        let mut made = Vec::with_capacity(CHUNK);
        for _ in 0..CHUNK {
            let number = self.events.number();
            let account = self.customers.entry(number).or_insert_with(|| Account::new(number));
            made.push((account.key, self.events.id(since_epoch()), number));
        }
        made.sort_unstable();
        let (mut usage, mut ledger) = (String::new(), String::new());
        for (_, id, number) in made {
            let account = self.customers.get_mut(&number).ok_or("a customer unknown")?;
            account.sequence += 1;
            account.write(&mut usage, &mut ledger, &id)?;
        }
        Ok(Chunk { usage: usage.into_bytes(), ledger: ledger.into_bytes() })
    }
}

impl Account {
    fn new(number: u32) -> Self {
        let name = customer(number);
        Self { key: Customer::stored(&name).key, grant: Uuid::now_v7(), sequence: 0 }
    }

    fn write(&self, usage: &mut String, ledger: &mut String, event: &str) -> Result<()> {
        let Self { key, grant, sequence } = self;
        let now: DateTime<Utc> = std::time::SystemTime::now().into();
        let now = now.format("%Y-%m-%d %H:%M:%S%.6f+00");
        writeln!(
            usage,
            "{key}\t{event}\t{METRIC}\t{QUANTITY}\t0\t0\t{now}\t{now}\t{sequence}\t{sequence}\tt\tf"
        )?;
        writeln!(
            ledger,
            "{key}\t{sequence}\t{grant}\tconsumed\t-{QUANTITY}\t{LEFT}\t0\t0\t{event}\t\
             anonymous\t{now}\t{now}"
        )?;
        Ok(())
    }
}
