//! What the replay came to, and how it is printed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use chrono::TimeDelta;
use rust_decimal::Decimal;

use super::Error;
use super::calls::{Created, Standing};
use super::scenario::METRICS;
use crate::cli::figures::{grouped, rate, seconds};

/// Customers with most overage that are named.
const WORST: usize = 5;

/// Sums of one metric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Events recorded.
    pub events: u64,
    /// What was used.
    pub quantity: Decimal,
    /// What grants paid for.
    pub covered: Decimal,
    /// What they did not.
    pub overage: Decimal,
}

/// The answers to usage events, added up exactly.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// By metric.
    pub metrics: [Sums; 2],
    /// Events that had been recorded before.
    pub duplicates: u64,
    /// Events refused, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Overage of each customer, by rank and metric.
    overage: Vec<[Decimal; 2]>,
}

/// What one replay came to. Its `Display` is what the command prints.
#[derive(Debug)]
pub struct Summary {
    /// The endpoint, for the commands to try next.
    pub endpoint: String,
    /// The replay's name.
    pub run: String,
    /// Requests of the traces.
    pub requests: usize,
    /// The customers' ids by rank.
    pub customers: Vec<String>,
    /// From the first request to the last.
    pub span: TimeDelta,
    /// Grants made.
    pub created: Created,
    /// How long the grants took.
    pub grants_took: Duration,
    /// The usage.
    pub tally: Tally,
    /// How long the usage took.
    pub usage_took: Duration,
    /// Grants at the end.
    pub standing: Standing,
}

impl Tally {
    /// For that many customers.
    pub(super) fn new(customers: usize) -> Self {
        Self { overage: vec![[Decimal::ZERO; 2]; customers], ..Self::default() }
    }

    /// Adds one event.
    pub(super) fn record(
        &mut self,
        metric: usize,
        customer: usize,
        quantity: Decimal,
        covered: Decimal,
        overage: Decimal,
    ) -> Result<(), Error> {
        if let Some(sums) = self.metrics.get_mut(metric) {
            sums.add(&Sums { events: 1, quantity, covered, overage })?;
        }
        if let Some(own) = self.overage.get_mut(customer).and_then(|own| own.get_mut(metric)) {
            *own = sum(*own, overage)?;
        }
        Ok(())
    }

    /// Counts one refused event.
    pub(super) fn refuse(&mut self, reason: String) {
        *self.refused.entry(reason).or_default() += 1;
    }

    /// Adds another stream's.
    pub(super) fn add(&mut self, other: &Self) -> Result<(), Error> {
        for (own, other) in self.metrics.iter_mut().zip(&other.metrics) {
            own.add(other)?;
        }
        self.duplicates += other.duplicates;
        for (reason, count) in &other.refused {
            *self.refused.entry(reason.clone()).or_default() += count;
        }
        for (own, other) in self.overage.iter_mut().flatten().zip(other.overage.iter().flatten()) {
            *own = sum(*own, *other)?;
        }
        Ok(())
    }

    /// Events recorded.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.metrics.iter().map(|sums| sums.events).sum()
    }

    /// The customers (by rank) with overage, most first, with both metrics' share of it.
    fn worst(&self) -> Result<Vec<(usize, Decimal, [Decimal; 2])>, Error> {
        let mut worst = Vec::new();
        for (rank, &[input, output]) in self.overage.iter().enumerate() {
            let both = sum(input, output)?;
            if !both.is_zero() {
                worst.push((rank, both, [input, output]));
            }
        }
        worst.sort_by_key(|&(rank, both, _)| (std::cmp::Reverse(both), rank));
        worst.truncate(WORST);
        Ok(worst)
    }
}

impl Sums {
    fn add(&mut self, other: &Self) -> Result<(), Error> {
        self.events += other.events;
        self.quantity = sum(self.quantity, other.quantity)?;
        self.covered = sum(self.covered, other.covered)?;
        self.overage = sum(self.overage, other.overage)?;
        Ok(())
    }
}

fn sum(a: Decimal, b: Decimal) -> Result<Decimal, Error> {
    a.checked_add(b).ok_or(Error::Unexpected("the sums are too large to add up exactly"))
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, tally, created, .. } = self;
        writeln!(
            f,
            "Run {run}: {} requests made within {} minutes, by {} customers with {} grants",
            grouped(self.requests),
            self.span.num_minutes(),
            grouped(self.customers.len()),
            grouped(created.grants),
        )?;
        writeln!(f)?;
        write!(f, "  {} grants in {}", grouped(created.grants), seconds(self.grants_took))?;
        match created.replayed {
            0 => writeln!(f)?,
            replayed => writeln!(f, ", {} of them made before", grouped(replayed))?,
        }
        writeln!(
            f,
            "  {} usage events in {}: {} events/s",
            grouped(tally.events()),
            seconds(self.usage_took),
            grouped(rate(tally.events(), self.usage_took)),
        )?;
        writeln!(f, "  {} duplicates", grouped(tally.duplicates))?;
        if tally.refused.is_empty() {
            writeln!(f, "  0 refused")?;
        }
        for (reason, count) in &tally.refused {
            writeln!(f, "  {} refused: {reason}", grouped(count))?;
        }
        writeln!(f)?;
        self.metrics(f)?;
        writeln!(f)?;
        self.grants(f)?;
        writeln!(f)?;
        self.worst(f)?;
        self.next(f)
    }
}

impl Summary {
    fn metrics(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |f: &mut fmt::Formatter<'_>, cells: [String; 5]| {
            let [metric, events, quantity, covered, overage] = cells;
            writeln!(f, "  {metric:<14} {events:>9} {quantity:>14} {covered:>14} {overage:>14}")
        };
        row(f, ["metric", "events", "tokens", "covered", "overage"].map(str::to_owned))?;
        for (metric, sums) in METRICS.iter().zip(&self.tally.metrics) {
            row(
                f,
                [
                    (*metric).to_owned(),
                    grouped(sums.events),
                    grouped(sums.quantity),
                    grouped(sums.covered),
                    grouped(sums.overage),
                ],
            )?;
        }
        Ok(())
    }

    fn grants(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Standing { pending, active, exhausted, expired, voided } = self.standing;
        write!(
            f,
            "  grants now: {} exhausted, {} active, {} pending",
            grouped(exhausted),
            grouped(active),
            grouped(pending)
        )?;
        for (count, status) in [(expired, "expired"), (voided, "voided")] {
            if count > 0 {
                write!(f, ", {} {status}", grouped(count))?;
            }
        }
        writeln!(f)
    }

    fn worst(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let worst = self.tally.worst().map_err(|_| fmt::Error)?;
        if worst.is_empty() {
            return Ok(());
        }
        writeln!(f, "  most overage")?;
        for (rank, both, [input, output]) in worst {
            let id = self.customers.get(rank).map_or("", String::as_str);
            let (both, input, output) = (grouped(both), grouped(input), grouped(output));
            writeln!(f, "  {id}  {both:>11} tokens ({input} in, {output} out)")?;
        }
        writeln!(f)
    }

    fn next(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let worst = self.tally.worst().map_err(|_| fmt::Error)?;
        let rank = worst.first().map_or(0, |&(rank, ..)| rank);
        let id = self.customers.get(rank).map_or("", String::as_str);
        let (plaintext, address) = match self.endpoint.split_once("://") {
            Some(("https", address)) => ("", address),
            Some((_, address)) => ("-plaintext ", address),
            None => ("-plaintext ", self.endpoint.as_str()),
        };
        let address = address.trim_end_matches('/');
        writeln!(f, "What one customer has left, and every entry that led there:")?;
        for (rpc, fields) in [("GetBalance", ""), ("ListLedgerEntries", ",\"page_size\":20")] {
            writeln!(f, "  grpcurl {plaintext}-d '{{\"customer_id\":\"{id}\"{fields}}}' \\")?;
            writeln!(f, "    {address} credits.v1.CreditService/{rpc}")?;
        }
        writeln!(f, "The same once more, which draws nothing, for every event is a duplicate:")?;
        write!(f, "  creditd demo --run {}", self.run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_add_up() {
        let two = Decimal::TWO;
        let mut one = Tally::new(8);
        one.record(0, 3, two, Decimal::ONE, Decimal::ONE).unwrap();
        one.refuse("EVENT_ID_REUSED".into());
        let mut other = one.clone();
        other.record(1, 3, two, Decimal::ZERO, two).unwrap();
        other.record(1, 7, two, Decimal::ZERO, two).unwrap();
        other.duplicates = 4;
        one.add(&other).unwrap();
        assert_eq!((one.events(), one.duplicates, one.refused["EVENT_ID_REUSED"]), (4, 4, 2));
        assert_eq!(one.metrics[0].covered, two);
        assert_eq!(one.metrics[1].overage, Decimal::from(4));
        let worst = one.worst().unwrap();
        assert_eq!(worst, [(3, Decimal::from(4), [two, two]), (7, two, [Decimal::ZERO, two])]);
    }
}
