//! `creditd export`: grants with their figures, and the ledger, for spreadsheets and programs.

mod grant;
mod ledger;
mod sink;

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use tonic::{Status, Streaming};

use self::sink::{Exported, Sink};
use super::figures::grouped;
use super::output::note;
use super::progress::{Progress, Total};
use super::words::numbers;
use super::{Endpoint, Error, time};
use crate::domain::ids::Customer;
use crate::pb::{
    ExportCreditReportRequest, ExportLedgerRequest, GrantStatus, GrantType, LedgerEntryType,
};

const FORM: &str = "\
The CSV is UTF-8 with a header line, commas, and lines that end in a line feed. A cell that begins
with = + - @ (or a tab or line break), and is no negative number, has an apostrophe before it, so
that a spreadsheet takes it for text and not for a formula; `creditd import` takes it away again.
With -o the file begins with a byte order mark, so that Excel reads it as UTF-8, and it appears
when it is complete: an export that breaks off leaves what was there before.

Times are RFC 3339 in UTC, amounts as creditd says them, metrics separated by ; (one with a ; in it
quoted), metadata one JSON object. TIME in a filter is RFC 3339, or a date: its beginning in UTC.
";

/// What to export.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum Command {
    /// All grants with their figures, as of one instant.
    ///
    /// Grants of one customer follow each other, oldest first. The columns of an import come
    /// first, so that the file can be imported elsewhere: what then counts is what was granted.
    #[command(after_long_help = FORM.to_owned() + grant::EXAMPLES)]
    Grants(Grants),

    /// All ledger entries recorded until now, for revenue and breakage.
    ///
    /// Entries of one customer follow each other by sequence.
    #[command(after_long_help = FORM.to_owned() + ledger::EXAMPLES)]
    Ledger(Ledger),
}

/// Where to, and how.
#[derive(clap::Args, Clone, Debug)]
struct To {
    /// The file to write [default: standard output].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write JSON instead of CSV: what the wire says, one object a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    endpoint: Endpoint,
}

/// Which grants.
#[derive(clap::Args, Clone, Debug)]
pub struct Grants {
    /// Only grants of this customer.
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
    /// Only grants of this type.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<GrantType>,
    /// Only grants of this status; repeat it for more than one.
    #[arg(long = "status", value_name = "STATUS")]
    statuses: Vec<GrantStatus>,
    /// Only grants created at or after this time or date.
    #[arg(long, value_name = "TIME", value_parser = time::instant)]
    created_after: Option<DateTime<Utc>>,
    /// Only grants created before this time or date.
    #[arg(long, value_name = "TIME", value_parser = time::instant)]
    created_before: Option<DateTime<Utc>>,
    /// As it was at this time or date [default: now].
    #[arg(long, value_name = "TIME", value_parser = time::instant)]
    as_of: Option<DateTime<Utc>>,
    /// Only grants that this import created.
    #[arg(long, value_name = "ID")]
    import_id: Option<String>,
    /// Only grants that this campaign created.
    #[arg(long, alias = "campaign-id", value_name = "ID")]
    campaign: Option<String>,
    #[command(flatten)]
    to: To,
}

/// Which ledger entries.
#[derive(clap::Args, Clone, Debug)]
pub struct Ledger {
    /// Only entries of this customer.
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
    /// Only entries of this type; repeat it for more than one.
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<LedgerEntryType>,
    /// Only entries recorded at or after this time or date.
    #[arg(long, value_name = "TIME", value_parser = time::instant)]
    recorded_after: Option<DateTime<Utc>>,
    /// Only entries recorded before this time or date.
    #[arg(long, value_name = "TIME", value_parser = time::instant)]
    recorded_before: Option<DateTime<Utc>>,
    #[command(flatten)]
    to: To,
}

pub(super) async fn run(command: Command) -> Result<(), Error> {
    tokio::select! {
        done = export(command) => done,
        _ = tokio::signal::ctrl_c() => {
            Err(Error::Unfinished("interrupted: the export is not complete".to_owned()))
        }
    }
}

async fn export(command: Command) -> Result<(), Error> {
    match command {
        Command::Grants(args) => grants(args).await,
        Command::Ledger(args) => ledger(args).await,
    }
}

async fn grants(args: Grants) -> Result<(), Error> {
    let is_of_one = args.customer.is_some();
    let request = ExportCreditReportRequest {
        customer_id: args.customer.unwrap_or_default(),
        r#type: args.kind.unwrap_or_default().into(),
        statuses: numbers(&args.statuses),
        created_after: args.created_after.map(time::to_wire),
        created_before: args.created_before.map(time::to_wire),
        as_of: args.as_of.map(time::to_wire),
        import_id: args.import_id.unwrap_or_default(),
        campaign_id: args.campaign.unwrap_or_default(),
    };
    let mut client = args.to.endpoint.credits().await?;
    let answers = client.export_credit_report(request).await?.into_inner();
    copy(&args.to, is_of_one, answers, |piece| (piece.rows, piece.as_of)).await
}

async fn ledger(args: Ledger) -> Result<(), Error> {
    let is_of_one = args.customer.is_some();
    let request = ExportLedgerRequest {
        types: numbers(&args.types),
        recorded_after: args.recorded_after.map(time::to_wire),
        recorded_before: args.recorded_before.map(time::to_wire),
        customer_id: args.customer.unwrap_or_default(),
    };
    let mut client = args.to.endpoint.credits().await?;
    let answers = client.export_ledger(request).await?.into_inner();
    copy(&args.to, is_of_one, answers, |piece| (piece.entries, piece.as_of)).await
}

/// Writes down what comes, piece by piece.
async fn copy<P, R: Exported>(
    to: &To,
    is_of_one: bool,
    mut answers: Streaming<P>,
    open: impl Fn(P) -> (Vec<R>, Option<Timestamp>),
) -> Result<(), Error> {
    let mut sink = Sink::new::<R>(to.output.as_deref(), to.json)?;
    let progress = Progress::new(R::WHAT, Total::Unknown);
    let mut done = 0;
    let mut at = None;
    while let Some(piece) = answers.message().await.map_err(|status| broken::<R>(done, status))? {
        let (rows, as_of) = open(piece);
        for row in &rows {
            sink.add(row)?;
        }
        at = time::shown(as_of.as_ref()).or(at);
        let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        done += count;
        if let Some(last) = rows.last().filter(|_| !is_of_one) {
            progress.expect(Total::About(estimate(done, last.customer_id())));
        }
        progress.add(count);
    }
    sink.finish()?;
    progress.done();
    let place = to.output.as_ref().map(|path| format!(", in {}", path.display()));
    let (what, place) = (R::WHAT, place.unwrap_or_default());
    note(&format!("{} {what} as of {}{place}", grouped(done), at.unwrap_or_default()));
    Ok(())
}

/// How many there will be, judging by how far the customers' keys have come: creditd goes through
/// them in their order, and they are spread evenly.
fn estimate(done: u64, customer_id: &str) -> u64 {
    const KEYS: u128 = 1 << 32;
    let key = Customer::stored(customer_id).key.as_u128() >> 96;
    u64::try_from(u128::from(done) * KEYS / (key + 1)).unwrap_or(u64::MAX)
}

fn broken<R: Exported>(done: u64, status: Status) -> Error {
    let error = Error::from(status);
    if done == 0 {
        return error;
    }
    let (done, what) = (grouped(done), R::WHAT);
    Error::Unfinished(format!("the export broke off after {done} {what}; run it again. {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_come_is_estimated_by_the_keys() {
        let mut keys: Vec<String> = (0..1_000).map(|number| format!("customer-{number}")).collect();
        keys.sort_by_key(|id| Customer::stored(id).key);
        for done in [100, 500, 900] {
            let about = estimate(done, &keys[usize::try_from(done).unwrap() - 1]);
            assert!((850..=1_150).contains(&about), "{done}: {about}");
        }
    }
}
