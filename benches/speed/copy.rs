//! COPY, the fastest way into PostgreSQL and out of it: with nothing looked up, locked or decided.

use std::pin::pin;
use std::sync::Mutex;

use creditd::store::Address;
use futures_util::future::try_join_all;
use futures_util::{SinkExt as _, TryStreamExt as _};
use prost::bytes::Bytes;
use tokio_postgres::Client;

use crate::Result;
use crate::cpu::Watched;
use crate::meter::{Measured, Meter};
use crate::report::Row;
use crate::server::{Postgres, connect};

/// Rows per transaction, of each table: five of creditd's largest batches.
pub const CHUNK: usize = 10_000;
/// A second connection adds a little where cores are free.
pub const CONNECTIONS: [usize; 2] = [1, 2];

/// What goes in in one transaction: tables, perhaps with their columns, and their rows as text.
pub type Chunk = Vec<(&'static str, Bytes)>;

/// What COPY reached.
#[derive(Debug, Clone, Copy)]
pub struct Copied {
    pub connections: usize,
    pub measured: Measured,
}

impl Copied {
    pub fn row(&self) -> Row {
        let name = format!("limit: COPY, {} connection(s)", self.connections);
        Row { limit: Some(1.0), ..Row::new(name, &self.measured) }
    }
}

/// Makes a database with creditd's own tables.
pub async fn prepare(postgres: &Postgres, database: &str) -> Result<String> {
    let url = postgres.create(database).await?;
    Address::parse(&url)?.migrate().await?;
    Ok(url)
}

/// Copies chunks into a database, in their order. They stand for so many events.
pub async fn into(
    postgres: &Postgres,
    database: &str,
    connections: usize,
    mut chunks: Vec<Chunk>,
    events: f64,
) -> Result<Copied> {
    // They are taken from the end.
    chunks.reverse();
    let chunks = Mutex::new(chunks);
    let mut clients = Vec::new();
    for _ in 0..connections {
        clients.push(connect(&postgres.config(database)).await?);
    }
    postgres.checkpoint().await?;
    let meter = Meter::start(Watched { server: None, postgres: postgres.pid()? })?;
    try_join_all(clients.iter_mut().map(|client| copy_all(client, &chunks))).await?;
    Ok(Copied { connections, measured: meter.after(events)? })
}

async fn copy_all(client: &mut Client, chunks: &Mutex<Vec<Chunk>>) -> Result<()> {
    loop {
        let next = chunks.lock().map_err(|_| "poisoned")?.pop();
        let Some(chunk) = next else { return Ok(()) };
        let transaction = client.transaction().await?;
        for (table, text) in chunk {
            let sink = transaction.copy_in(&format!("copy {table} from stdin")).await?;
            let mut sink = pin!(sink);
            sink.send(text).await?;
            sink.as_mut().finish().await?;
        }
        transaction.commit().await?;
    }
}

/// Reads what a query yields: PostgreSQL sends each row by itself.
pub async fn out_of(client: &Client, query: &str, mut row: impl FnMut(Bytes)) -> Result<()> {
    let rows = client.copy_out(&format!("copy ({query}) to stdout")).await?;
    let mut rows = pin!(rows);
    while let Some(text) = rows.try_next().await? {
        row(text);
    }
    Ok(())
}

/// The one with the highest rate.
pub fn best(runs: Vec<Copied>) -> Result<Copied> {
    let rate = |run: &Copied| run.measured.rate();
    let best = runs.into_iter().max_by(|a, b| rate(a).total_cmp(&rate(b)));
    Ok(best.ok_or("nothing tried")?)
}
