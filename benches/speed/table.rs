//! The report for people.

use crate::balance::quantile;
use crate::import::Imported;
use crate::meter::float;
use crate::report::{Aim, Bound, Report, Row};
use crate::unary::Latency;
use crate::watch::Watch;

/// Processors that others may keep busy before the figures are doubtful: the kernel's own threads
/// take some when much is written.
pub const OTHERS_TOLERATED: f64 = 0.25;

pub fn print(report: &Report) {
    println!("\ncreditd, speed: {}", report.setting);
    println!(
        "\n{:<34} {:>9} {:>7} {:>7} {:>8} {:>8} {:>8}   {:>6} {:>6} {:>6} {:>6}",
        "",
        "a second",
        "x naive",
        "x limit",
        "p50 ms",
        "p99 ms",
        "p999 ms",
        "server",
        "pg",
        "client",
        "others"
    );
    for group in report.groups() {
        println!("{:<86}   CPU s per 1,000", group.name);
        for row in &group.rows {
            line(row);
        }
    }
    println!("\nCreateGrant, 128 in flight: {:.0}/s", report.grants_rate);
    reads(report);
    if let Some(watch) = &report.watch {
        watching(watch);
    }
    if let Some(import) = &report.import {
        let Imported { whole, small_peak, large_peak, .. } = &import.imported;
        println!(
            "import: {small_peak:.0} MB at its peak when small, {large_peak:.0} MB with {} rows",
            whole.events
        );
    }
    if let Some(sweep) = &report.sweep {
        println!("sweep while RecordUsage ran: {:.0} grants/s", sweep.beside.rate());
    }
    if let Some(outbox) = &report.outbox {
        println!(
            "notifications: one for {:.0} events, and one for each grant of an import, which takes \
             {:.2} times as long",
            1.0 / outbox.per_event,
            1.0 / outbox.import_ratio()
        );
    }
    match &report.totals {
        Some(totals) => println!(
            "lanes: {:.2} statements per batch, {:.0} commands per batch ({} batches, {} retries)",
            ratio(totals.statements, totals.batches),
            ratio(totals.commands, totals.batches),
            totals.batches,
            totals.retries
        ),
        None => println!("lanes: the server logged no totals"),
    }
    println!("server: {:.0} MB at its peak", report.peak_memory);
    println!(
        "books: {}",
        match report.audit {
            Some(true) => "clean",
            Some(false) => "NOT CLEAN",
            None => "not audited, this creditd cannot",
        }
    );
    aims(&report.aims());
    doubts(report);
}

/// Calls that were made one at a time.
fn reads(report: &Report) {
    if let Some(lone) = &report.lone {
        latencies("one row inserted and committed, alone", &lone.commit);
        latencies("RecordUsage, alone, in turn with it", &lone.call);
    }
    if let Some(flatness) = &report.flatness {
        let named = |entries: usize| format!("GetBalance, {entries} ledger entries");
        latencies(&named(flatness.short_entries), &flatness.short);
        latencies(&named(flatness.long_entries), &flatness.long);
    }
    if let Some(past) = &report.past {
        latencies("GetBalance now, in turn with the past ones", &past.now);
        for (percent, latency) in &past.then {
            let named = format!("GetBalance as of {percent} % of {} entries", past.entries);
            latencies(&named, latency);
        }
    }
    if let Some(summary) = &report.summary {
        latencies(&format!("sum over {} usage events, by hand", summary.events), &summary.by_hand);
        latencies("SummarizeUsage of the same, ALL", &summary.whole);
        latencies("SummarizeUsage of the same, DAY", &summary.by_day);
    }
}

fn line(row: &Row) {
    let times = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.2}"));
    let [p50, p99, p999] =
        row.latency.map_or([const { String::new() }; 3], |all| all.map(|ms| format!("{ms:.2}")));
    println!(
        "  {:<32} {:>9.0} {:>7} {:>7} {p50:>8} {p99:>8} {p999:>8}   {:>6.3} {:>6.3} {:>6.3} {:>6.2}",
        row.name,
        row.rate,
        times(row.naive),
        times(row.limit),
        row.cpu.server,
        row.cpu.postgres,
        row.cpu.client,
        row.cpu.others
    );
}

fn latencies(name: &str, latency: &Latency) {
    println!(
        "{name}: p50 {:.3} ms, p99 {:.3} ms, p999 {:.3} ms ({} times)",
        quantile(latency, 0.5),
        quantile(latency, 0.99),
        quantile(latency, 0.999),
        latency.len()
    );
}

fn watching(watch: &Watch) {
    println!(
        "{} watchers: {:.1} KB each (the server alone {:.0} MB, with them {:.0} MB)",
        watch.watchers,
        watch.kilobytes_each(),
        watch.alone,
        watch.watched
    );
    latencies("from a change's answer to the last of 1,000 watchers", &watch.lag);
    println!("  at most {:.3} ms", quantile(&watch.lag, 1.0));
}

fn aims(aims: &[Aim]) {
    println!("\naims");
    for aim in aims {
        let bound = match aim.bound {
            Bound::AtLeast(least) => format!("at least {least}"),
            Bound::AtMost(most) => format!("at most {most}"),
        };
        let reached = if aim.is_reached() { "reached" } else { "MISSED" };
        println!("  {reached:<8} {:>8.2}  ({bound})  {}", aim.value, aim.what);
    }
}

/// Says it where the machine was not quiet.
fn doubts(report: &Report) {
    let during = report.groups().into_iter().flat_map(|group| group.rows);
    let most = during.map(|row| row.cpu.others).fold(report.others_before, f64::max);
    if most > OTHERS_TOLERATED {
        println!(
            "\nNOT QUIET: something else kept {most:.1} processors busy (column \"others\"; {:.1} \
             before it began). Do not quote these figures.",
            report.others_before
        );
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    float(part) / float(whole).max(1.0)
}
