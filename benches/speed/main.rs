//! How fast creditd is, side by side with two references in the same run on the same PostgreSQL:
//! what one would write by hand (naive.rs), and the most that the database can take or give
//! (limit.rs, copy.rs).
//!
//! `cargo bench --bench speed` runs all of it in some twenty minutes, prints a table with the aims
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

mod apart;
mod balance;
mod call;
mod copy;
mod cpu;
mod deliver;
mod events;
mod export;
mod history;
mod import;
mod limit;
mod measure;
mod memory;
mod meter;
mod naive;
mod outbox;
mod past;
mod receiver;
mod report;
mod seed;
mod server;
mod stream;
mod summary;
mod sweep;
mod table;
mod unary;
mod watch;
mod window;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};

use crate::apart::Apart;
use crate::cpu::Watched;
use crate::events::{Ids, Workload};
use crate::measure::Bench;
use crate::report::Report;
use crate::server::{Creditd, Postgres};
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
    /// Ledger entries of the customer whose balance must be as cheap as that of one with 1,000, and
    /// whose past is asked for.
    #[arg(long, default_value_t = 1_000_000)]
    entries: usize,
    /// Rows of the large import, which are exported then.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=9_999_999))]
    rows: u32,
    /// Grants that fall due together, ten for each customer.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(10..=9_999_999))]
    due: u32,
    /// Webhooks that are delivered to one endpoint, and to four.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=999_999))]
    deliveries: u32,
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
    /// CreateHold and SettleHold in pairs, beside the naive way.
    Hold,
    /// ApplyCredits, beside the naive way.
    Apply,
    /// GetBalance of a short and of a long history.
    Balance,
    /// GetBalance as of instants in a long history, beside GetBalance now.
    Past,
    /// SummarizeUsage of a long history, beside adding it up by hand.
    Summary,
    /// WatchBalance: the memory of many, and how soon they hear of a change.
    Watch,
    /// ImportGrants, beside COPY.
    Import,
    /// ExportCreditReport and ExportLedger of what was imported, beside COPY.
    Export,
    /// The sweeper, beside one statement by hand; and RecordUsage meanwhile.
    Sweep,
    /// StreamUsage and ImportGrants, with an endpoint that hears of everything and without.
    Outbox,
    /// Webhooks to a receiver that answers at once, beside a loop that only sends their bodies.
    Deliver,
}

impl Options {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    fn wants_any(&self, parts: &[Part]) -> bool {
        parts.iter().any(|part| self.wants(*part))
    }

    fn workloads(&self) -> [Workload; 2] {
        [Workload::Spread(self.customers), Workload::One]
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
    let bench = Bench { options, postgres: &postgres, creditd: &creditd, begun };
    let measured = bench.measure(&mut report).await;
    creditd.explain(measured)?;
    report.peak_memory = memory::peak(creditd.pid())?;
    report.totals = creditd.stop().await?;
    if options.wants(Part::Watch) {
        say(begun, "watchers");
        report.watch = Some(watch(options, &postgres).await?);
    }
    say(begun, "the audit");
    report.audit = server::audit(postgres.url()).await?;
    Apart { options, postgres: &postgres, begun }.measure(&mut report).await?;
    say(begun, "done");
    postgres.stop().await;
    Ok(report)
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
