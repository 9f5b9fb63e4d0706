//! Reference (a): what one would write by hand. One transaction per event, from pgbench.
//!
//! It is given what advantages it can have: narrow keys (numbers where callers send text), few
//! indexes, no foreign keys, prepared statements, no application between pgbench and the database,
//! and the best of several concurrencies.

use std::process::Stdio;

use tokio::process::Command;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::Result;
use crate::cpu::{Used, Watched};
use crate::events::{AMOUNT, GRANTS, Ids, METRIC, QUANTITY, Workload};
use crate::report::{Cpu, Row};
use crate::server::{Postgres, connect};

pub const DATABASE: &str = "naive";

/// Where its best lies on two cores; on one customer all wait for one row.
const CONCURRENCIES: [u32; 3] = [16, 32, 64];
const CONCURRENCIES_ONE: [u32; 3] = [2, 8, 32];

const TABLES: &str = "
create table usage (
    customer_id bigint not null,
    event_id text not null,
    metric text not null,
    quantity numeric(28, 12) not null,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null default now(),
    primary key (customer_id, event_id)
);
create table grants (
    id bigint primary key,
    customer_id bigint not null,
    metric text not null,
    amount numeric(28, 12) not null,
    remaining numeric(28, 12) not null check (remaining >= 0),
    priority int not null,
    expires_at timestamptz
);
create index on grants (customer_id);
create table ledger (
    customer_id bigint not null,
    id bigint generated always as identity,
    grant_id bigint not null,
    event_id text not null,
    amount numeric(28, 12) not null,
    balance_after numeric(28, 12) not null,
    recorded_at timestamptz not null default now(),
    primary key (customer_id, id)
);";

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
    let client = connect(&postgres.config(DATABASE)).await?;
    client.batch_execute(TABLES).await?;
    let fill = format!(
        "insert into grants select c * {GRANTS}::bigint + p, c, '{METRIC}', {AMOUNT}, {AMOUNT}, \
         p * 10, case when p = {GRANTS} then now() + interval '1 year' end \
         from generate_series(0, {customers}) c, generate_series(1, {GRANTS}) p"
    );
    client.batch_execute(&fill).await?;
    Ok(client.batch_execute("analyze").await?)
}

/// Runs it at several concurrencies and returns the best.
pub async fn best(
    postgres: &Postgres,
    workload: Workload,
    ids: Ids,
    seconds: f64,
) -> Result<Naive> {
    let concurrencies = match workload {
        Workload::Spread(_) => CONCURRENCIES,
        Workload::One => CONCURRENCIES_ONE,
    };
    let mut best: Option<Naive> = None;
    for concurrency in concurrencies {
        postgres.checkpoint().await?;
        let run = run(postgres, workload, ids, seconds, concurrency).await?;
        if best.is_none_or(|best| run.events_per_second > best.events_per_second) {
            best = Some(run);
        }
    }
    Ok(best.ok_or("no concurrency tried")?)
}

/// One event. `n` counts within a client; the ids of a client grow, unless they are to be random.
fn script(workload: Workload, ids: Ids) -> String {
    let customer = match workload {
        Workload::Spread(customers) => format!("random(1, {customers})"),
        Workload::One => "0".to_owned(),
    };
    let event = match ids {
        Ids::Ordered => {
            "\\set n :n + 1\n\\set event :first + :client_id * 10000000 + :n".to_owned()
        }
        Ids::Random => format!("\\set event random(1, {})", i64::MAX),
    };
    format!(
        "\\set customer {customer}
{event}
begin;
insert into usage (customer_id, event_id, metric, quantity, occurred_at) \
values (:customer, :event, '{METRIC}', {QUANTITY}, now()) on conflict do nothing;
select id as grant_id from grants where customer_id = :customer and metric = '{METRIC}' \
and remaining >= {QUANTITY} and (expires_at is null or expires_at > now()) \
order by priority, expires_at, id limit 1 for update \\gset
update grants set remaining = remaining - {QUANTITY} where id = :grant_id returning remaining \\gset
insert into ledger (customer_id, grant_id, event_id, amount, balance_after) \
values (:customer, :grant_id, :event, -{QUANTITY}, :remaining);
commit;
"
    )
}

async fn run(
    postgres: &Postgres,
    workload: Workload,
    ids: Ids,
    seconds: f64,
    concurrency: u32,
) -> Result<Naive> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("naive.sql");
    std::fs::write(&file, script(workload, ids))?;
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
