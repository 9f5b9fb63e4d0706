//! What was measured, what was aimed at, and both as JSON.

use serde_json::{Value, json};

use crate::balance::{Flatness, quantile};
use crate::cpu::Used;
use crate::limit::Limit;
use crate::naive::Naive;
use crate::server::Totals;
use crate::stream::Shape;
use crate::unary::{Latency, Lone};
use crate::window::Measured;

/// One line of the table.
#[derive(Debug)]
pub struct Row {
    pub name: String,
    pub rate: f64,
    /// Times the references of the same workload.
    pub naive: Option<f64>,
    pub limit: Option<f64>,
    /// p50, p99, p999 in milliseconds.
    pub latency: Option<[f64; 3]>,
    pub cpu: Cpu,
}

/// Processor seconds per 1,000 events; and how many processors others kept busy meanwhile.
#[derive(Debug, Clone, Copy)]
pub struct Cpu {
    pub server: f64,
    pub postgres: f64,
    pub client: f64,
    pub others: f64,
}

impl Cpu {
    pub fn new(used: Used, events: f64, rate: f64) -> Self {
        let thousands = events.max(1.0) / 1_000.0;
        Self {
            server: used.server / thousands,
            postgres: used.postgres / thousands,
            client: used.client / thousands,
            others: used.others() * rate / events.max(1.0),
        }
    }
}

/// All that was measured of one workload.
#[derive(Debug)]
pub struct Section {
    pub workload: &'static str,
    pub naive: Option<Naive>,
    pub limit: Option<Limit>,
    pub streams: Vec<(Shape, Measured)>,
    pub unary: Vec<(usize, Measured, Latency)>,
}

impl Section {
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        if let Some(naive) = &self.naive {
            rows.push(Row {
                cpu: Cpu::new(naive.used, naive.events, naive.events_per_second),
                ..self.row(
                    format!("naive, {} connections", naive.concurrency),
                    naive.events_per_second,
                )
            });
        }
        if let Some(limit) = &self.limit {
            rows.push(Row {
                cpu: Cpu::new(limit.used, limit.events, limit.events_per_second),
                ..self.row(
                    format!("limit: COPY, {} connection(s)", limit.connections),
                    limit.events_per_second,
                )
            });
        }
        for (shape, measured) in &self.streams {
            rows.push(self.measured(stream_name(*shape), measured));
        }
        for (in_flight, measured, latency) in &self.unary {
            rows.push(Row {
                latency: Some([0.5, 0.99, 0.999].map(|at| quantile(latency, at))),
                ..self.measured(format!("RecordUsage, {in_flight} in flight"), measured)
            });
        }
        rows
    }

    fn measured(&self, name: String, measured: &Measured) -> Row {
        Row {
            cpu: Cpu::new(measured.used, measured.events, measured.rate()),
            ..self.row(name, measured.rate())
        }
    }

    fn row(&self, name: String, rate: f64) -> Row {
        Row {
            name,
            rate,
            naive: self.naive.map(|naive| rate / naive.events_per_second),
            limit: self.limit.map(|limit| rate / limit.events_per_second),
            latency: None,
            cpu: Cpu::new(Used::default(), 1.0, 0.0),
        }
    }
}

pub fn stream_name(shape: Shape) -> String {
    format!("StreamUsage, {} x {} stream(s)", shape.events, shape.streams)
}

/// A goal, and how near we came.
#[derive(Debug)]
pub struct Aim {
    pub what: String,
    /// At least this, or at most.
    pub bound: Bound,
    pub value: f64,
}

#[derive(Debug, Clone, Copy)]
pub enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Aim {
    pub fn is_reached(&self) -> bool {
        match self.bound {
            Bound::AtLeast(least) => self.value >= least,
            Bound::AtMost(most) => self.value <= most,
        }
    }
}

/// The whole run.
#[derive(Debug, Default)]
pub struct Report {
    /// What it ran on and with.
    pub setting: String,
    /// How many processors others kept busy before it began.
    pub others_before: f64,
    pub sections: Vec<Section>,
    /// Grants made a second.
    pub grants_rate: f64,
    pub lone: Option<Lone>,
    pub flatness: Option<Flatness>,
    pub peak_memory: f64,
    pub totals: Option<Totals>,
    /// None where this creditd has no audit.
    pub audit: Option<bool>,
}

impl Report {
    pub fn aims(&self) -> Vec<Aim> {
        let mut aims = Vec::new();
        for section in &self.sections {
            section_aims(section, &mut aims);
        }
        let mut at_most = |what: &str, most: f64, value: f64| {
            aims.push(Aim { what: what.to_owned(), bound: Bound::AtMost(most), value });
        };
        if let Some(lone) = &self.lone {
            let ratio = quantile(&lone.call, 0.99) / quantile(&lone.commit, 0.99);
            at_most("p99 of a lone RecordUsage / of a bare commit", 4.0, ratio);
        }
        if let Some(flatness) = &self.flatness {
            let what = format!(
                "GetBalance with {} ledger entries / with {}",
                flatness.long_entries, flatness.short_entries
            );
            at_most(&what, 1.2, flatness.ratio());
        }
        at_most("server's peak memory, MB", 150.0, self.peak_memory);
        aims
    }

    pub fn json(&self) -> Value {
        json!({
            "setting": self.setting,
            "others_busy_before": self.others_before,
            "workloads": self.sections.iter().map(section_json).collect::<Vec<_>>(),
            "grants_made_per_second": self.grants_rate,
            "lone_ms": self.lone.as_ref().map(|lone| json!({
                "bare_commit": latency_json(&lone.commit),
                "record_usage": latency_json(&lone.call),
            })),
            "get_balance_ms": self.flatness.as_ref().map(|flatness| json!({
                "short_entries": flatness.short_entries,
                "long_entries": flatness.long_entries,
                "short": latency_json(&flatness.short),
                "long": latency_json(&flatness.long),
                "ratio": flatness.ratio(),
            })),
            "server_peak_memory_mb": self.peak_memory,
            "engine": self.totals.map(|totals| json!({
                "batches": totals.batches,
                "commands": totals.commands,
                "statements": totals.statements,
                "retries": totals.retries,
            })),
            "audit_clean": self.audit,
            "aims": self.aims().iter().map(aim_json).collect::<Vec<_>>(),
        })
    }
}

/// What is aimed at differs: on one customer the naive way queues for one row.
fn section_aims(section: &Section, aims: &mut Vec<Aim>) {
    let one = section.workload == crate::events::Workload::One.name();
    let (stream_aim, unary_aim) = if one { (18.0, 7.0) } else { (6.0, 2.0) };
    let mut at_least = |what: String, least: f64, value: Option<f64>| {
        if let Some(value) = value {
            let what = format!("{}: {what}", section.workload);
            aims.push(Aim { what, bound: Bound::AtLeast(least), value });
        }
    };
    if let Some((shape, measured)) = section.streams.first() {
        let row = section.measured(stream_name(*shape), measured);
        at_least(format!("{} / naive", row.name), stream_aim, row.naive);
        at_least(format!("{} / limit", row.name), 0.35, row.limit);
    }
    if let Some((in_flight, measured, _)) = section.unary.last() {
        let row = section.measured(String::new(), measured);
        at_least(format!("RecordUsage, {in_flight} in flight / naive"), unary_aim, row.naive);
    }
}

fn section_json(section: &Section) -> Value {
    let rows = section.rows();
    let rows = rows.iter().map(|row| {
        json!({
            "name": row.name,
            "events_per_second": row.rate,
            "times_naive": row.naive,
            "times_limit": row.limit,
            "p50_p99_p999_ms": row.latency,
            "cpu_seconds_per_1000_events": {
                "server": row.cpu.server,
                "postgres": row.cpu.postgres,
                "client": row.cpu.client,
            },
            "others_busy": row.cpu.others,
        })
    });
    json!({ "workload": section.workload, "rows": rows.collect::<Vec<_>>() })
}

fn latency_json(latency: &Latency) -> Value {
    json!({
        "count": latency.len(),
        "p50": quantile(latency, 0.5),
        "p99": quantile(latency, 0.99),
        "p999": quantile(latency, 0.999),
    })
}

fn aim_json(aim: &Aim) -> Value {
    let (least, most) = match aim.bound {
        Bound::AtLeast(least) => (Some(least), None),
        Bound::AtMost(most) => (None, Some(most)),
    };
    json!({
        "what": aim.what, "at_least": least, "at_most": most,
        "value": aim.value, "reached": aim.is_reached(),
    })
}
