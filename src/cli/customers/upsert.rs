//! `creditd customers upsert`.

use std::iter::zip;
use std::path::{Path, PathBuf};

use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::super::aside::aside;
use super::super::csv::is_stream;
use super::super::error::why;
use super::super::output::write;
use super::super::patience::Patience;
use super::super::progress::{Progress, Total};
use super::super::{Connection, Endpoint, Error};
use super::Sheet;
use crate::limits;
use crate::pb::customer_service_client::CustomerServiceClient;
use crate::pb::{Customer, UpsertCustomersRequest, UpsertCustomersResponse, UpsertOutcome};

pub const EXAMPLES: &str = "\
Columns, in any order, named by the header line:
  customer_id   required
  name          text for people
  segments      several separated by ; (one with a ; in it quoted); empty: none

Examples:
  creditd customers upsert customers.csv
  psql -c \"copy (select id as customer_id, plan as segments from accounts) to stdout csv header\" \\
    | creditd customers upsert -";

/// Which profiles to write.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The CSV, plain or gzip; - is standard input.
    #[arg(value_name = "FILE.csv")]
    file: PathBuf,
    /// Print the summary as one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    endpoint: Endpoint,
}

/// Customers, each with its line.
type Batch = Vec<(u64, Customer)>;

pub(super) async fn run(args: Args) -> Result<(), Error> {
    let (file, stream) = (args.file.clone(), is_stream(&args.file));
    // A file that does not read is told before anything is written.
    let total =
        if stream { Total::Unknown } else { Total::known(aside(move || count(&file)).await??) };
    let mut upsert = Upsert {
        client: args.endpoint.customers().await?,
        stream: None,
        progress: Progress::new("customers", total),
        tally: Tally::default(),
    };
    let (batches, mut received) = mpsc::channel(1);
    let file = args.file;
    let reading = aside(move || read(&file, &batches));
    while let Some(batch) = received.recv().await {
        upsert.send(batch).await?;
    }
    reading.await??;
    upsert.progress.done();
    upsert.tally.tell(args.json)
}

fn count(path: &Path) -> Result<usize, Error> {
    let mut sheet = Sheet::of_profiles(path)?;
    let mut rows = 0;
    while sheet.next()?.is_some() {
        rows += 1;
    }
    Ok(rows)
}

/// Reads the file into messages, until nobody takes them.
fn read(path: &Path, batches: &mpsc::Sender<Batch>) -> Result<(), Error> {
    let mut sheet = Sheet::of_profiles(path)?;
    let mut batch = Batch::new();
    while let Some(row) = sheet.next()? {
        batch.push(row);
        if batch.len() == limits::PROFILES_MAX
            && batches.blocking_send(std::mem::take(&mut batch)).is_err()
        {
            return Ok(());
        }
    }
    if !batch.is_empty() {
        // Whoever stopped listening has a reason of its own to tell.
        let _ = batches.blocking_send(batch);
    }
    Ok(())
}

/// What is sent, and what is answered.
type Stream = (mpsc::Sender<UpsertCustomersRequest>, Streaming<UpsertCustomersResponse>);

struct Upsert {
    client: CustomerServiceClient<Connection>,
    /// Made when first used, and again when it breaks.
    stream: Option<Stream>,
    progress: Progress,
    tally: Tally,
}

impl Upsert {
    /// Sends a batch until it is answered: to write a profile again changes nothing.
    async fn send(&mut self, batch: Batch) -> Result<(), Error> {
        let customers: Vec<Customer> = batch.iter().map(|(_, customer)| customer.clone()).collect();
        let mut patience = Patience::new();
        let answer = loop {
            match self.ask(customers.clone()).await {
                Ok(answer) => break answer,
                Err(broken) => {
                    self.stream = None;
                    patience.wait(broken, &self.progress).await?;
                }
            }
        };
        if answer.results.len() != batch.len() {
            return Err(Error::Unexpected("creditd answered other customers than were sent"));
        }
        for ((line, _), result) in zip(&batch, &answer.results) {
            match result.outcome() {
                UpsertOutcome::Created => self.tally.created += 1,
                UpsertOutcome::Updated => self.tally.updated += 1,
                UpsertOutcome::Unchanged => self.tally.unchanged += 1,
                UpsertOutcome::Rejected | UpsertOutcome::Unspecified => {
                    self.tally.rejected += 1;
                    let why = result.error.as_ref().map(why).unwrap_or_default();
                    self.progress.say(&format!("line {line} was rejected: {why}"));
                }
            }
        }
        self.progress.add(u64::try_from(batch.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    async fn ask(&mut self, customers: Vec<Customer>) -> Result<UpsertCustomersResponse, Status> {
        let ended = || Status::unavailable("the stream ended early");
        let (requests, answers) = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let (requests, messages) = mpsc::channel(1);
                let answers = self.client.upsert_customers(ReceiverStream::new(messages)).await?;
                none.insert((requests, answers.into_inner()))
            }
        };
        requests.send(UpsertCustomersRequest { customers }).await.map_err(|_| ended())?;
        answers.message().await?.ok_or_else(ended)
    }
}

/// What became of the rows.
#[derive(Default)]
struct Tally {
    created: u64,
    updated: u64,
    unchanged: u64,
    rejected: u64,
}

impl Tally {
    fn tell(&self, as_json: bool) -> Result<(), Error> {
        let Self { created, updated, unchanged, rejected } = self;
        write(&if as_json {
            let counts = json!({ "created": created, "updated": updated,
                "unchanged": unchanged, "rejected": rejected });
            format!("{counts}\n")
        } else {
            format!(
                "{created} created, {updated} updated, {unchanged} unchanged, {rejected} rejected\n"
            )
        })?;
        match rejected {
            0 => Ok(()),
            count => Err(Error::Unfinished(format!("{count} rows were rejected"))),
        }
    }
}
