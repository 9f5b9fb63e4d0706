//! How fast creditd is, side by side with two references in the same run on the same PostgreSQL:
//! what one would write by hand (naive.rs), and the most that the database can take or give
//! (limit.rs, copy.rs).
//!
//! `cargo bench --bench speed` runs all of it in under seven minutes, prints a table with the aims
//! and writes target/speed.json. `cargo bench --bench speed -- --seconds 2 --only stream` is a
//! quick look. Measure when nothing else runs; it says so when something did.

#![allow(
    clippy::float_arithmetic,
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "measurements are ratios of times, and a bench may say at once what is wrong"
)]

mod balance;
mod copy;
mod cpu;
mod events;
mod export;
mod import;
mod limit;
mod memory;
mod meter;
mod naive;
mod report;
mod server;
mod stream;
mod table;
mod unary;
mod watch;
mod window;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};

use crate::cpu::Watched;
use crate::events::{Events, Ids, Workload};
use crate::import::Import;
use crate::report::{Report, Section};
use crate::server::{Creditd, Postgres, connect};
use crate::stream::Shape;
use crate::watch::Watch;

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// The first is the one that the aims speak of.
const SHAPES: [Shape; 2] = [Shape { streams: 4, events: 500 }, Shape { streams: 1, events: 100 }];
/// The last is the one that the aims speak of.
const IN_FLIGHT: [usize; 4] = [1, 8, 64, 256];

/// Measures creditd against references.
#[derive(Debug, Parser)]
#[command(name = "speed")]
struct Options {
    /// How long each measurement takes.
    #[arg(long, default_value_t = 5.0, value_parser = positive)]
    seconds: f64,
    /// Only these parts; may be repeated. The audit is always made.
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// Over how many customers usage is spread.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=999_999))]
    customers: u32,
    /// How event ids are made.
    #[arg(long, value_enum, default_value_t = Ids::Ordered)]
    ids: Ids,
    /// Ledger entries of the customer whose balance must be as cheap as that of one with 1,000.
    #[arg(long, default_value_t = 1_000_000)]
    entries: usize,
    /// Rows of the large import, which are exported then.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=9_999_999))]
    rows: u32,
    /// Where the database's temporary folder is made: on a disk whose commits you want to measure.
    #[arg(long, default_value = env!("CARGO_TARGET_TMPDIR"))]
    data_dir: String,
    /// One more flag of `creditd serve`, such as --serve=--lanes=4; may be repeated.
    #[arg(long, allow_hyphen_values = true)]
    serve: Vec<String>,
    /// Fail if an aim is missed.
    #[arg(long)]
    strict: bool,
    /// What cargo bench passes; without it (cargo test) nothing is measured.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// StreamUsage, beside both references.
    Stream,
    /// RecordUsage at several concurrencies, beside the naive way.
    Unary,
    /// A lone RecordUsage beside a bare commit.
    Lone,
    /// GetBalance of a short and of a long history.
    Balance,
    /// WatchBalance: the memory of many, and how soon they hear of a change.
    Watch,
    /// ImportGrants, beside COPY.
    Import,
    /// ExportCreditReport and ExportLedger of what was imported, beside COPY.
    Export,
}

impl Options {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    fn setting(&self, postgres: &Postgres) -> String {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let mut setting = format!(
            "{processors} processors, PostgreSQL {}, {} s each, {} customers, {:?} ids",
            postgres.major(),
            self.seconds,
            self.customers,
            self.ids
        );
        if !self.serve.is_empty() {
            setting = format!("{setting}, serve {}", self.serve.join(" "));
        }
        setting
    }
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let options = Options::parse();
    if !options.bench {
        println!("run me by `cargo bench --bench speed`");
        return Ok(ExitCode::SUCCESS);
    }
    let report = run(&options).await?;
    table::print(&report);
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("speed.json");
    std::fs::write(&file, serde_json::to_string_pretty(&report.json())? + "\n")?;
    println!("\nas JSON: {}", file.display());
    let missed = options.strict && report.aims().iter().any(|aim| !aim.is_reached());
    let wrong = report.audit == Some(false);
    Ok(if missed || wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn run(options: &Options) -> Result<Report> {
    let begun = Instant::now();
    let postgres = Postgres::start(&options.data_dir).await?;
    let mut report = Report { setting: options.setting(&postgres), ..Report::default() };
    report.others_before = others(&postgres).await?;
    if report.others_before > table::OTHERS_TOLERATED {
        eprintln!("NOT QUIET: others keep {:.1} processors busy", report.others_before);
    }
    let creditd = Creditd::start(postgres.url(), &options.serve).await?;
    let measured = measure(options, &postgres, &creditd, &mut report, begun).await;
    creditd.explain(measured)?;
    report.peak_memory = memory::peak(creditd.pid())?;
    report.totals = creditd.stop().await?;
    if options.wants(Part::Watch) {
        say(begun, "watchers");
        report.watch = Some(watch(options, &postgres).await?);
    }
    say(begun, "the audit");
    report.audit = server::audit(postgres.url()).await?;
    if options.wants(Part::Import) || options.wants(Part::Export) {
        bulk(options, &postgres, &mut report, begun).await?;
    }
    say(begun, "done");
    postgres.stop().await;
    Ok(report)
}

async fn measure(
    options: &Options,
    postgres: &Postgres,
    creditd: &Creditd,
    report: &mut Report,
    begun: Instant,
) -> Result<()> {
    say(begun, "customers and grants");
    naive::prepare(postgres, options.customers).await?;
    copy::prepare(postgres, limit::DATABASE).await?;
    report.grants_rate = unary::make_grants(creditd, options.customers).await?;
    for workload in [Workload::Spread(options.customers), Workload::One] {
        let section = section(options, postgres, creditd, workload, begun).await?;
        report.sections.push(section);
    }
    if options.wants(Part::Lone) {
        say(begun, "a lone call beside a bare commit");
        let events = Events::new(Workload::Spread(options.customers), options.ids);
        postgres.checkpoint().await?;
        report.lone = Some(unary::lone(creditd, postgres, options.seconds, events).await?);
    }
    if options.wants(Part::Balance) {
        say(begun, "balances of a short and of a long history");
        let (seconds, entries) = (options.seconds, options.entries);
        let flatness = balance::flatness(creditd, seconds, entries, options.ids).await?;
        report.flatness = Some(flatness);
    }
    Ok(())
}

/// One workload: the references right beside what is compared with them.
async fn section(
    options: &Options,
    postgres: &Postgres,
    creditd: &Creditd,
    workload: Workload,
    begun: Instant,
) -> Result<Section> {
    let (ids, seconds) = (options.ids, options.seconds);
    let (stream, unary) = (options.wants(Part::Stream), options.wants(Part::Unary));
    let watched = Watched { server: Some(creditd.pid()), postgres: postgres.pid()? };
    let events = || Events::new(workload, ids);
    let mut section = Section {
        workload: workload.name(),
        naive: None,
        limit: None,
        streams: Vec::new(),
        unary: Vec::new(),
    };
    if stream || unary {
        say(begun, &format!("{}: naive", workload.name()));
        section.naive = Some(naive::best(postgres, workload, ids, seconds).await?);
    }
    if stream {
        say(begun, &format!("{}: limit", workload.name()));
        section.limit = Some(limit::best(postgres, workload, ids, seconds).await?);
        for shape in SHAPES {
            say(begun, &format!("{}: {}", workload.name(), report::stream_name(shape)));
            postgres.checkpoint().await?;
            let measured = stream::load(creditd, watched, seconds, shape, None, events).await?;
            section.streams.push((shape, measured));
        }
    }
    if unary {
        for in_flight in IN_FLIGHT {
            say(begun, &format!("{}: RecordUsage, {in_flight} in flight", workload.name()));
            postgres.checkpoint().await?;
            let (measured, latency) =
                unary::load(creditd, watched, seconds, in_flight, events).await?;
            section.unary.push((in_flight, measured, latency));
        }
    }
    Ok(section)
}

/// On a server that has just started, and so holds no memory that others needed.
async fn watch(options: &Options, postgres: &Postgres) -> Result<Watch> {
    let creditd = Creditd::start(postgres.url(), &options.serve).await?;
    postgres.checkpoint().await?;
    let (seconds, customers) = (options.seconds, options.customers);
    let load = watch::load(&creditd, postgres, seconds, customers, options.ids).await;
    let watch = creditd.explain(load)?;
    creditd.stop().await?;
    Ok(watch)
}

/// Import and export, on a server and a database of their own, whose books are audited, too.
async fn bulk(
    options: &Options,
    postgres: &Postgres,
    report: &mut Report,
    begun: Instant,
) -> Result<()> {
    let url = postgres.create(import::DATABASE).await?;
    let creditd = Creditd::start(&url, &options.serve).await?;
    say(begun, "import");
    let imported = creditd.explain(import::load(&creditd, postgres, options.rows).await)?;
    // Whoever reads rows first after they were written has to note in each that it counts.
    connect(&postgres.config(import::DATABASE)).await?.batch_execute("vacuum analyze").await?;
    if options.wants(Part::Import) {
        say(begun, "import: limit");
        let limit = import::limit(postgres, &imported).await?;
        report.import = Some(Import { imported, limit });
    }
    if options.wants(Part::Export) {
        say(begun, "export, each beside its COPY");
        postgres.checkpoint().await?;
        report.exports = creditd.explain(export::load(&creditd, postgres).await)?;
    }
    creditd.stop().await?;
    say(begun, "the audit of the import");
    let audit = server::audit(&url).await?;
    report.audit = report.audit.zip(audit).map(|(before, import)| before && import);
    Ok(())
}

/// How many processors others keep busy while we do nothing.
async fn others(postgres: &Postgres) -> Result<f64> {
    let watched = Watched { server: None, postgres: postgres.pid()? };
    let (before, begun) = (watched.read()?, Instant::now());
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok(before.until(watched.read()?).others() / begun.elapsed().as_secs_f64())
}

fn say(begun: Instant, what: &str) {
    eprintln!("{:>5.0} s  {what}", begun.elapsed().as_secs_f64());
}

fn positive(text: &str) -> Result<f64> {
    let seconds: f64 = text.parse()?;
    if seconds > 0.0 && seconds <= 3_600.0 {
        Ok(seconds)
    } else {
        Err("more than 0, at most 3600".into())
    }
}
