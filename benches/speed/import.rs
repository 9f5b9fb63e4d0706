//! ImportGrants, beside COPY of the very rows that it wrote; and whether its memory stays flat.

use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime};

use creditd::pb::credit_service_client::CreditServiceClient;
use creditd::pb::import_grants_request::Message;
use creditd::pb::{
    CreateGrantRequest, GrantCategory, GrantType, ImportBatch, ImportGrantsRequest, ImportHeader,
};
use prost::bytes::Bytes;
use tokio::sync::mpsc;
use tokio_postgres::Client;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use crate::Result;
use crate::copy::{self, CHUNK, CONNECTIONS, Chunk, Copied};
use crate::cpu::Watched;
use crate::events::METRIC;
use crate::memory;
use crate::meter::{Measured, Meter, float};
use crate::report::{Aim, Group, Row};
use crate::server::{Creditd, Postgres, connect};
use crate::stream::AHEAD;

/// Its own, so that the books begin empty, as those that COPY fills.
pub const DATABASE: &str = "imported";
/// The import whose memory the large one is compared with.
const SMALL: u32 = 10_000;
/// Rows whose import is compared with COPY of the same: both begin with small tables.
const COMPARED: u32 = 200_000;
/// Rows in one request.
const BATCH: u32 = 1_000;
/// The ids of the two imports.
const SMALL_ID: &str = "small";
const LARGE_ID: &str = "large";

/// What importing took.
#[derive(Debug)]
pub struct Imported {
    /// The first rows, as many as COPY gets.
    pub compared: Measured,
    /// All of them.
    pub whole: Measured,
    /// The server's peak memory during the small import, and during the large one.
    pub small_peak: f64,
    pub large_peak: f64,
}

/// Importing beside COPY.
#[derive(Debug)]
pub struct Import {
    pub imported: Imported,
    pub limit: Copied,
}

impl Import {
    pub fn group(&self) -> Group {
        let Imported { compared, whole, .. } = &self.imported;
        let rate = self.limit.measured.rate();
        let beside = |what: &str, measured: &Measured| Row {
            limit: Some(measured.rate() / rate),
            ..Row::new(format!("ImportGrants, {what}{} rows", measured.events), measured)
        };
        Group {
            name: "import".to_owned(),
            rows: vec![self.limit.row(), beside("first ", compared), beside("", whole)],
        }
    }

    pub fn aims(&self) -> [Aim; 2] {
        let Imported { compared, whole, small_peak, large_peak } = &self.imported;
        let ratio = compared.rate() / self.limit.measured.rate();
        let memory = format!("memory: peak of an import of {} rows / of {SMALL}", whole.events);
        [
            Aim::at_least("import / limit", 0.3, ratio),
            Aim::at_most(memory, 1.2, large_peak / small_peak),
        ]
    }
}

/// Imports a few rows, then many.
pub async fn load(creditd: &Creditd, postgres: &Postgres, rows: u32) -> Result<Imported> {
    let channel = creditd.channels(1).await?.remove(0);
    let watched = Watched { server: Some(creditd.pid()), postgres: postgres.pid()? };
    memory::reset_peak(creditd.pid())?;
    import(channel.clone(), watched, SMALL_ID, SMALL).await?;
    let small_peak = memory::peak(creditd.pid())?;
    postgres.checkpoint().await?;
    memory::reset_peak(creditd.pid())?;
    let (compared, whole) = import(channel, watched, LARGE_ID, rows).await?;
    Ok(Imported { compared, whole, small_peak, large_peak: memory::peak(creditd.pid())? })
}

/// Imports so many rows, and returns what the first of them took, and what all did. Sends on while batches are unanswered; flow control alone holds it back.
pub async fn import(
    channel: Channel,
    watched: Watched,
    import_id: &'static str,
    rows: u32,
) -> Result<(Measured, Measured)> {
    let (requests, queue) = mpsc::channel(AHEAD);
    tokio::spawn(async move {
        for message in messages(import_id, rows) {
            if requests.send(ImportGrantsRequest { message: Some(message) }).await.is_err() {
                return; // the stream has failed, and its reader says why
            }
        }
    });
    let mut client = CreditServiceClient::new(channel);
    let meter = Meter::start(watched)?;
    let mut answers = client.import_grants(ReceiverStream::new(queue)).await?.into_inner();
    let (mut created, mut compared) = (0, None);
    while let Some(answer) = answers.message().await? {
        if answer.duplicates + answer.rejected > 0 {
            return Err(format!("not every row was new and good: {:?}", answer.results).into());
        }
        created = u32::try_from(answer.created)?;
        if created >= rows.min(COMPARED) && compared.is_none() {
            compared = Some(meter.after(float(created))?);
        }
    }
    if created != rows {
        return Err(format!("{created} of {rows} rows were created").into());
    }
    Ok((compared.ok_or("no rows")?, meter.after(float(created))?))
}

/// The header, then the batches.
fn messages(import_id: &'static str, rows: u32) -> impl Iterator<Item = Message> {
    let header = ImportHeader { import_id: import_id.to_owned(), dry_run: false };
    // The same for all, as in a file.
    let expiry = SystemTime::now() + Duration::from_secs(365 * 86_400);
    let batches = (1..=rows).step_by(usize::try_from(BATCH).unwrap_or(1)).map(move |first| {
        let batch = first..=rows.min(first + BATCH - 1);
        Message::Batch(ImportBatch {
            first_row: i64::from(first),
            rows: grants(import_id, batch, expiry).collect(),
        })
    });
    std::iter::once(Message::Header(header)).chain(batches)
}

/// Grants as real files have them, each for a customer of its own.
fn grants(
    import_id: &'static str,
    rows: RangeInclusive<u32>,
    expiry: SystemTime,
) -> impl Iterator<Item = CreateGrantRequest> {
    rows.map(move |row| CreateGrantRequest {
        customer_id: format!("{import_id}-{row:07}"),
        r#type: GrantType::Units.into(),
        amount: "2500".to_owned(),
        metrics: vec![METRIC.to_owned()],
        category: GrantCategory::Promotional.into(),
        expires_at: Some(expiry.into()),
        description: "Welcome credits of the spring campaign".to_owned(),
        metadata: [("contract".to_owned(), format!("C-{row:07}"))].into(),
        ..CreateGrantRequest::default()
    })
}

/// Copies what the import's first rows became into empty tables, on one connection and on two, and
/// returns the better.
pub async fn limit(postgres: &Postgres, imported: &Imported) -> Result<Copied> {
    let client = connect(&postgres.config(DATABASE)).await?;
    let rows = imported.compared.events;
    let mut tables = Vec::new();
    for (table, query) in written(rows) {
        tables.push((table, texts(&client, &query).await?));
    }
    let mut runs = Vec::new();
    for connections in CONNECTIONS {
        let database = format!("imported_by_copy_{connections}");
        copy::prepare(postgres, &database).await?;
        let chunks = chunks(&tables)?;
        runs.push(copy::into(postgres, &database, connections, chunks, rows).await?);
    }
    copy::best(runs)
}

/// The tables that an import writes to, and how to read what it wrote: transaction by transaction
/// of COPY, in each sorted by customer, as creditd sorts its own.
fn written(rows: f64) -> [(&'static str, String); 4] {
    let query = |what: &str, join: &str| {
        format!(
            "select {what}.* from grants g {join} where g.import_id = '{LARGE_ID}' \
             and g.import_row <= {rows} order by (g.import_row - 1) / {CHUNK}, g.customer_id"
        )
    };
    [
        ("customers", query("c", "join customers c on c.id = g.customer_id")),
        ("grants", query("g", "")),
        ("ledger_entries", query("l", "join ledger_entries l using (customer_id, sequence)")),
        (
            "import_rows",
            query("r", "join import_rows r on (r.customer_id, r.grant_id) = (g.customer_id, g.id)"),
        ),
    ]
}

/// The rows of a query as text, in pieces of one transaction each.
async fn texts(client: &Client, query: &str) -> Result<Vec<Bytes>> {
    let (mut texts, mut rows) = (Vec::<Vec<u8>>::new(), 0);
    copy::out_of(client, query, |row| {
        if rows % CHUNK == 0 {
            texts.push(Vec::new());
        }
        rows += 1;
        if let Some(text) = texts.last_mut() {
            text.extend_from_slice(&row);
        }
    })
    .await?;
    Ok(texts.into_iter().map(Bytes::from).collect())
}

/// What goes in in one transaction: the same rows of all tables.
fn chunks(tables: &[(&'static str, Vec<Bytes>)]) -> Result<Vec<Chunk>> {
    let count = tables.first().ok_or("no tables")?.1.len();
    if tables.iter().any(|(_, texts)| texts.len() != count) {
        return Err("the import wrote more to one table than to another".into());
    }
    let chunk =
        |at: usize| tables.iter().map(move |(table, texts)| (*table, texts[at].clone())).collect();
    Ok((0..count).map(chunk).collect())
}
