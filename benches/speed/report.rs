//! What was measured, what was aimed at, and both as JSON.

use serde_json::{Value, json};

use crate::balance::{Flatness, quantile};
use crate::call::Call;
use crate::copy::Copied;
use crate::cpu::Used;
use crate::deliver::Deliver;
use crate::events::Workload;
use crate::export::{self, Export};
use crate::import::Import;
use crate::meter::Measured;
use crate::naive::Naive;
use crate::outbox::Outbox;
use crate::past::Past;
use crate::server::Totals;
use crate::stream::Shape;
use crate::summary::Summary;
use crate::sweep::Sweep;
use crate::unary::{Latency, Lone};
use crate::watch::Watch;

/// Lines of the table that belong together.
#[derive(Debug)]
pub struct Group {
    pub name: String,
    pub rows: Vec<Row>,
}

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

impl Row {
    /// Without a reference to compare it with.
    pub fn new(name: String, measured: &Measured) -> Self {
        let rate = measured.rate();
        let cpu = Cpu::new(measured.used, measured.events, rate);
        Self { name, rate, naive: None, limit: None, latency: None, cpu }
    }
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

/// All that was measured of one call and one workload.
#[derive(Debug)]
pub struct Section {
    pub call: Call,
    pub workload: Workload,
    pub naive: Option<Naive>,
    pub limit: Option<Copied>,
    pub streams: Vec<(Shape, Measured)>,
    pub unary: Vec<(usize, Measured, Latency)>,
}

impl Section {
    /// With nothing measured yet.
    pub fn new(call: Call, workload: Workload) -> Self {
        Self { call, workload, naive: None, limit: None, streams: Vec::new(), unary: Vec::new() }
    }

    fn group(&self) -> Group {
        let mut rows = Vec::new();
        if let Some(naive) = &self.naive {
            rows.push(self.compared(naive.row()));
        }
        if let Some(limit) = &self.limit {
            rows.push(self.compared(limit.row()));
        }
        for (shape, measured) in &self.streams {
            rows.push(self.measured(stream_name(*shape), measured));
        }
        for (in_flight, measured, latency) in &self.unary {
            rows.push(Row {
                latency: Some([0.5, 0.99, 0.999].map(|at| quantile(latency, at))),
                ..self.measured(unary_name(self.call, *in_flight), measured)
            });
        }
        Group { name: self.name(), rows }
    }

    pub fn name(&self) -> String {
        match self.call {
            Call::RecordUsage => self.workload.name().to_owned(),
            call => format!("{}, {}", call.name(), self.workload.name()),
        }
    }

    fn measured(&self, name: String, measured: &Measured) -> Row {
        self.compared(Row::new(name, measured))
    }

    fn compared(&self, row: Row) -> Row {
        Row {
            naive: self.naive.map(|naive| row.rate / naive.events_per_second),
            limit: self.limit.map(|limit| row.rate / limit.measured.rate()),
            ..row
        }
    }
}

pub fn stream_name(shape: Shape) -> String {
    format!("StreamUsage, {} x {} stream(s)", shape.events, shape.streams)
}

pub fn unary_name(call: Call, in_flight: usize) -> String {
    format!("{}, {in_flight} in flight", call.name())
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
    pub fn at_least(what: impl Into<String>, least: f64, value: f64) -> Self {
        Self { what: what.into(), bound: Bound::AtLeast(least), value }
    }

    pub fn at_most(what: impl Into<String>, most: f64, value: f64) -> Self {
        Self { what: what.into(), bound: Bound::AtMost(most), value }
    }

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
    pub past: Option<Past>,
    pub summary: Option<Summary>,
    pub watch: Option<Watch>,
    pub import: Option<Import>,
    pub exports: Vec<Export>,
    pub sweep: Option<Sweep>,
    pub outbox: Option<Outbox>,
    pub deliver: Option<Deliver>,
    pub peak_memory: f64,
    pub totals: Option<Totals>,
    /// None where this creditd has no audit.
    pub audit: Option<bool>,
}

impl Report {
    /// The table.
    pub fn groups(&self) -> Vec<Group> {
        let sections = self.sections.iter();
        let mut groups: Vec<_> = sections.map(Section::group).collect();
        groups.extend(self.watch.as_ref().map(Watch::group));
        groups.extend(self.import.as_ref().map(Import::group));
        groups.push(export::group(&self.exports));
        groups.extend(self.sweep.as_ref().map(Sweep::group));
        groups.extend(self.outbox.as_ref().map(Outbox::group));
        groups.extend(self.deliver.as_ref().map(Deliver::group));
        groups.retain(|group| !group.rows.is_empty());
        groups
    }

    pub fn aims(&self) -> Vec<Aim> {
        let mut aims = Vec::new();
        for section in &self.sections {
            section_aims(section, &mut aims);
        }
        if let Some(lone) = &self.lone {
            let ratio = quantile(&lone.call, 0.99) / quantile(&lone.commit, 0.99);
            aims.push(Aim::at_most("p99 of a lone RecordUsage / of a bare commit", 4.0, ratio));
        }
        if let Some(flatness) = &self.flatness {
            let what = format!(
                "GetBalance with {} ledger entries / with {}",
                flatness.long_entries, flatness.short_entries
            );
            aims.push(Aim::at_most(what, 1.2, flatness.ratio()));
        }
        aims.extend(self.past.iter().flat_map(Past::aims));
        aims.push(Aim::at_most("server's peak memory, MB", 150.0, self.peak_memory));
        aims.extend(self.watch.iter().flat_map(Watch::aims));
        aims.extend(self.import.iter().flat_map(Import::aims));
        aims.extend(self.exports.iter().flat_map(Export::aims));
        aims.extend(self.sweep.iter().flat_map(Sweep::aims));
        aims.extend(self.outbox.iter().flat_map(Outbox::aims));
        aims
    }

    pub fn json(&self) -> Value {
        json!({
            "setting": self.setting,
            "others_busy_before": self.others_before,
            "workloads": self.groups().iter().map(group_json).collect::<Vec<_>>(),
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
            "get_past_balance_ms": self.past.as_ref().map(Past::json),
            "summarize_usage_ms": self.summary.as_ref().map(Summary::json),
            "watch": self.watch.as_ref().map(Watch::json),
            "import_peak_memory_mb": self.import.as_ref().map(|import| json!({
                "small": import.imported.small_peak,
                "large": import.imported.large_peak,
            })),
            "sweep": self.sweep.as_ref().map(Sweep::json),
            "outbox": self.outbox.as_ref().map(Outbox::json),
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
    let (stream_aim, unary_aim) = match section.workload {
        Workload::Spread(_) => (6.0, 2.0),
        Workload::One => (18.0, 7.0),
    };
    let mut at_least = |what: String, least: f64, value: Option<f64>| {
        if let Some(value) = value {
            let what = format!("{}: {what}", section.workload.name());
            aims.push(Aim::at_least(what, least, value));
        }
    };
    if let Some((shape, measured)) = section.streams.first() {
        let row = section.measured(stream_name(*shape), measured);
        at_least(format!("{} / naive", row.name), stream_aim, row.naive);
        at_least(format!("{} / limit", row.name), 0.35, row.limit);
    }
    if let Some((in_flight, measured, _)) = section.unary.last() {
        let row = section.measured(unary_name(section.call, *in_flight), measured);
        at_least(format!("{} / naive", row.name), unary_aim, row.naive);
    }
}

fn group_json(group: &Group) -> Value {
    let rows = group.rows.iter().map(|row| {
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
    json!({ "workload": group.name, "rows": rows.collect::<Vec<_>>() })
}

pub fn latency_json(latency: &Latency) -> Value {
    json!({
        "count": latency.len(),
        "p50": quantile(latency, 0.5),
        "p99": quantile(latency, 0.99),
        "p999": quantile(latency, 0.999),
        "max": quantile(latency, 1.0),
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
