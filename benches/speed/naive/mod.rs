//! Reference (a): what one would write by hand. One transaction per call, from pgbench.
//!
//! It is given what advantages it can have: narrow keys (numbers where callers send text), few
//! indexes, no foreign keys, prepared statements, no application between pgbench and the database,
//! and the best of several concurrencies.

mod script;

use std::process::Stdio;

use tokio::process::Command;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::Result;
use crate::call::Call;
use crate::cpu::{Used, Watched};
use crate::events::{Ids, Workload};
use crate::report::{Cpu, Row};
use crate::server::{Postgres, connect};

pub const DATABASE: &str = "naive";

/// Where its best lies on two cores; on one customer all wait for one row.
const CONCURRENCIES: [u32; 3] = [16, 32, 64];
const CONCURRENCIES_ONE: [u32; 3] = [2, 4, 8];

/// What pgbench measured.
#[derive(Debug, Clone, Copy)]
pub struct Naive {
    pub events_per_second: f64,
    pub concurrency: u32,
    pub used: Used,
    pub events: f64,
}

impl Naive {
    pub fn row(&self) -> Row {
        Row {
            name: format!("naive, {} connections", self.concurrency),
            rate: self.events_per_second,
            naive: None,
            limit: None,
            latency: None,
            cpu: Cpu::new(self.used, self.events, self.events_per_second),
        }
    }
}

/// Makes its database, with the customers and grants that creditd gets too.
pub async fn prepare(postgres: &Postgres, customers: u32) -> Result<()> {
    postgres.create(DATABASE).await?;
    fill(postgres, &format!("{}\n{}", script::TABLES, script::units(customers))).await
}

/// Gives its customers the money that creditd's get too.
pub async fn add_money(postgres: &Postgres, customers: u32) -> Result<()> {
    fill(postgres, &script::money(customers)).await
}

async fn fill(postgres: &Postgres, rows: &str) -> Result<()> {
    let client = connect(&postgres.config(DATABASE)).await?;
    client.batch_execute(rows).await?;
    Ok(client.batch_execute("analyze").await?)
}

/// Runs it at several concurrencies and returns the best.
pub async fn best(
    postgres: &Postgres,
    call: Call,
    workload: Workload,
    ids: Ids,
    seconds: f64,
) -> Result<Naive> {
    let script = script::of(call, workload, ids);
    let concurrencies = match workload {
        Workload::Spread(_) => CONCURRENCIES,
        Workload::One => CONCURRENCIES_ONE,
    };
    let mut best: Option<Naive> = None;
    for concurrency in concurrencies {
        postgres.checkpoint().await?;
        let run = run(postgres, &script, seconds, concurrency).await?;
        if best.is_none_or(|best| run.events_per_second > best.events_per_second) {
            best = Some(run);
        }
    }
    Ok(best.ok_or("no concurrency tried")?)
}

async fn run(postgres: &Postgres, script: &str, seconds: f64, concurrency: u32) -> Result<Naive> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("naive.sql");
    std::fs::write(&file, script)?;
    let program = postgres.bin()?.join("pgbench");
    let whole_seconds = seconds.ceil().max(1.0);
    // Nineteen digits, growing from run to run, with room for the clients' own counts.
    let first = crate::events::since_epoch().as_millis() * 1_000_000;
    let mut command = Command::new(&program);
    command
        .args(["--no-vacuum", "--protocol=prepared", "--jobs=2"])
        .arg(format!("--client={concurrency}"))
        .arg(format!("--time={whole_seconds}"))
        .arg(format!("--define=first={first}"))
        .args(["--define=n=0", "--file"])
        .arg(&file)
        .stdin(Stdio::null());
    address(&mut command, &postgres.config(DATABASE))?;
    let watched = Watched { server: None, postgres: postgres.pid()? };
    let before = watched.read()?;
    let output = command
        .output()
        .await
        .map_err(|error| format!("{} (of the same installation): {error}", program.display()))?;
    let used = before.until(watched.read()?);
    let (said, complaints) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if !output.status.success() || complaints.contains("aborted") {
        return Err(format!("pgbench: {}\n{complaints}", output.status).into());
    }
    let number = |name: &str| -> Option<f64> {
        let rest = said.lines().find_map(|line| line.strip_prefix(name))?;
        rest.split_whitespace().next()?.split('/').next()?.parse().ok()
    };
    let events = number("number of transactions actually processed: ");
    match (events, number("tps = ")) {
        (Some(events), Some(events_per_second)) => {
            Ok(Naive { events_per_second, concurrency, used, events })
        }
        // On a machine that is very busy; then it names no rate.
        (Some(0.0), None) => Ok(Naive { events_per_second: 0.0, concurrency, used, events: 0.0 }),
        _ => Err(format!("pgbench said what we do not understand:\n{said}").into()),
    }
}

/// By the environment: a command line is for all to see.
fn address(command: &mut Command, config: &Config) -> Result<()> {
    let host = match config.get_hosts() {
        [Host::Tcp(host)] => host.as_str(),
        _ => return Err("one TCP host expected".into()),
    };
    let password = std::str::from_utf8(config.get_password().unwrap_or_default())?;
    command
        .env("PGHOST", host)
        .env("PGPORT", config.get_ports().first().copied().unwrap_or(5432).to_string())
        .env("PGUSER", config.get_user().unwrap_or_default())
        .env("PGPASSWORD", password)
        .env("PGDATABASE", config.get_dbname().unwrap_or_default());
    Ok(())
}
