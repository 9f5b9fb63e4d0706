//! The exports, each beside COPY of the same out of the same tables.

use creditd::pb::credit_service_client::CreditServiceClient;
use creditd::pb::{ExportCreditReportRequest, ExportLedgerRequest};
use tonic::transport::Channel;

use crate::Result;
use crate::copy;
use crate::cpu::Watched;
use crate::import::DATABASE;
use crate::memory;
use crate::meter::{Measured, Meter, float};
use crate::report::{Aim, Group, Row};
use crate::server::{Creditd, Postgres, connect};

/// Rows a second that are enough, whatever COPY reaches.
const ENOUGH: f64 = 100_000.0;
/// The part of COPY's rate that is enough, where that is less.
const PART_OF_COPY: f64 = 0.5;

/// What ExportCreditReport shows of every grant, in its order.
const GRANTS: &str = "select g.id, c.external_id, g.type, g.amount, g.currency, g.metrics, \
    g.priority, g.category, g.effective_at, g.expires_at, g.description, g.metadata, g.remaining, \
    g.held, g.consumed, g.expired, g.voided, g.created_at, g.updated_at, g.voided_at, \
    g.void_reason, g.created_by, g.import_id, g.import_row \
    from grants g join customers c on c.id = g.customer_id \
    order by g.customer_id, g.created_at, g.id";
/// What ExportLedger shows of every entry, in its order. Amounts print as the grant's currency says.
const LEDGER: &str = "select c.external_id, l.sequence, l.grant_id, l.type, l.amount, \
    l.balance_after, l.held_amount, l.held_after, l.event_id, l.reason, l.actor, l.occurred_at, \
    l.recorded_at, l.change, g.currency, g.import_id, g.import_row \
    from ledger_entries l join customers c on c.id = l.customer_id \
    join grants g on (g.customer_id, g.id) = (l.customer_id, l.grant_id) \
    order by l.customer_id, l.sequence";

/// One export beside COPY.
#[derive(Debug)]
pub struct Export {
    name: &'static str,
    limit: Measured,
    measured: Measured,
    /// The server's while it exported.
    pub peak_memory: f64,
}

/// Which export.
#[derive(Debug, Clone, Copy)]
enum Kind {
    CreditReport,
    Ledger,
}

impl Export {
    fn ratio(&self) -> f64 {
        self.measured.rate() / self.limit.rate()
    }

    pub fn rows(&self) -> [Row; 2] {
        let limit = Some(self.ratio());
        [
            Row::new(format!("COPY TO of the same, {} rows", self.limit.events), &self.limit),
            Row { limit, ..Row::new(self.name.to_owned(), &self.measured) },
        ]
    }

    pub fn aims(&self) -> [Aim; 2] {
        let rate = self.measured.rate() / ENOUGH;
        let what =
            format!("{} / {ENOUGH} rows a second, or / {PART_OF_COPY} of COPY TO", self.name);
        let memory = format!("{}: server's peak memory, MB", self.name);
        [
            Aim::at_least(what, 1.0, rate.max(self.ratio() / PART_OF_COPY)),
            Aim::at_most(memory, 150.0, self.peak_memory),
        ]
    }
}

pub fn group(exports: &[Export]) -> Group {
    Group { name: "export".to_owned(), rows: exports.iter().flat_map(Export::rows).collect() }
}

/// Exports all that the import left, one export after the other, each right after its COPY.
pub async fn load(creditd: &Creditd, postgres: &Postgres) -> Result<Vec<Export>> {
    let mut exports = Vec::new();
    for kind in [Kind::CreditReport, Kind::Ledger] {
        exports.push(compare(creditd, postgres, kind).await?);
    }
    Ok(exports)
}

async fn compare(creditd: &Creditd, postgres: &Postgres, kind: Kind) -> Result<Export> {
    let (name, query) = match kind {
        Kind::CreditReport => ("ExportCreditReport", GRANTS),
        Kind::Ledger => ("ExportLedger", LEDGER),
    };
    let postmaster = postgres.pid()?;
    let client = connect(&postgres.config(DATABASE)).await?;
    let meter = Meter::start(Watched { server: None, postgres: postmaster })?;
    let mut copied: u32 = 0;
    copy::out_of(&client, query, |_| copied += 1).await?;
    let limit = meter.after(float(copied))?;

    let channel = creditd.channels(1).await?.remove(0);
    memory::reset_peak(creditd.pid())?;
    let meter = Meter::start(Watched { server: Some(creditd.pid()), postgres: postmaster })?;
    let exported = match kind {
        Kind::CreditReport => credit_report(channel).await?,
        Kind::Ledger => ledger(channel).await?,
    };
    let measured = meter.after(float(exported))?;
    if u32::try_from(exported)? != copied {
        return Err(format!("{name} has {exported} rows, COPY has {copied}").into());
    }
    Ok(Export { name, limit, measured, peak_memory: memory::peak(creditd.pid())? })
}

/// How many rows it has.
async fn credit_report(channel: Channel) -> Result<usize> {
    let request = ExportCreditReportRequest::default();
    let answer = CreditServiceClient::new(channel).export_credit_report(request).await?;
    let (mut pieces, mut rows) = (answer.into_inner(), 0);
    while let Some(piece) = pieces.message().await? {
        rows += piece.rows.len();
    }
    Ok(rows)
}

/// How many entries it has.
async fn ledger(channel: Channel) -> Result<usize> {
    let request = ExportLedgerRequest::default();
    let answer = CreditServiceClient::new(channel).export_ledger(request).await?;
    let (mut pieces, mut entries) = (answer.into_inner(), 0);
    while let Some(piece) = pieces.message().await? {
        entries += piece.entries.len();
    }
    Ok(entries)
}
