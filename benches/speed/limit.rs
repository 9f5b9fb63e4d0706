//! Reference (b): the most that PostgreSQL can take. COPY of the two rows that creditd writes per
//! event, into the same tables, with nothing looked up, locked or decided.

use std::collections::HashMap;
use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use creditd::domain::ids::Customer;
use uuid::Uuid;

use crate::Result;
use crate::copy::{self, CHUNK, CONNECTIONS, Chunk, Copied};
use crate::events::{Events, Ids, METRIC, QUANTITY, Workload, customer, since_epoch};
use crate::meter::float;
use crate::server::Postgres;

pub const DATABASE: &str = "copied";
/// Events per second of measurement, about half of what it can take: rows are made beforehand.
const EVENTS_PER_SECOND: f64 = 80_000.0;
/// What is left of the grant, in every row: as many digits as creditd writes.
const LEFT: &str = "999999999998.5";

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

/// Runs it on one connection and on two and returns the better.
pub async fn best(
    postgres: &Postgres,
    workload: Workload,
    ids: Ids,
    seconds: f64,
) -> Result<Copied> {
    let mut rows = Rows { events: Events::new(workload, ids), ids, customers: HashMap::new() };
    let mut runs = Vec::new();
    for connections in CONNECTIONS {
        rows.events = Events::new(workload, rows.ids);
        let mut chunks = Vec::new();
        let mut events = 0.0;
        while events < seconds * EVENTS_PER_SECOND {
            chunks.push(rows.chunk()?);
            events += float(CHUNK);
        }
        runs.push(copy::into(postgres, DATABASE, connections, chunks, events).await?);
    }
    copy::best(runs)
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
        Ok(vec![(USAGE_COLUMNS, usage.into()), (LEDGER_COLUMNS, ledger.into())])
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
