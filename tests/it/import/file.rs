//! Files of rows, made by chance: the same seed, the same file.

use chrono::TimeDelta;
use creditd::pb;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::Create;
use crate::harness::{say, t0};

/// Ways to spoil a row, whatever it is otherwise.
pub const SPOILS: &[fn(&mut Create)] = &[
    |r| r.customer_id.clear(),
    |r| r.customer_id.push(' '),
    |r| r.customer_id = "x".repeat(256),
    |r| r.r#type = 0,
    |r| r.r#type = 77,
    |r| r.amount.clear(),
    |r| r.amount = "0.00".into(),
    |r| r.amount = "-1".into(),
    |r| r.amount = "1e3".into(),
    |r| r.amount.push_str("0000000000001"),
    |r| r.amount = "1000000000000001".into(),
    |r| r.currency.push_str("usd"),
    |r| (r.currency, r.metrics) = ("EUR".into(), say::names(&["tokens"])),
    |r| r.metrics.push("\u{7f}".into()),
    |r| r.priority = Some(101),
    |r| r.category = -1,
    |r| r.effective_at = Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 }),
    |r| r.expires_at = say::hour(0),
    |r| r.expires_at = say::hour(-400),
    |r| (r.effective_at, r.expires_at) = (say::hour(9), say::hour(9)),
    |r| r.description = "é".repeat(1_001),
    |r| r.metadata = say::pairs(&[(&"k".repeat(41), "v"), ("good", "v")]),
    |r| (r.customer_id, r.amount, r.priority) = (String::new(), "x".into(), Some(-1)),
];

/// Ways to spoil a row that are none for a call of its own.
pub const ROW_SPOILS: &[fn(&mut Create)] =
    &[|r| r.request_id = "r1".into(), |r| r.validate_only = true];

/// A file.
#[derive(Debug, Clone, Copy)]
pub struct File {
    pub seed: u64,
    /// How many rows it has.
    pub rows: i64,
    /// How many customers they are for.
    pub customers: u32,
    /// What the customers' names begin with.
    pub name: &'static str,
    /// How many of its rows are bad.
    pub bad: f64,
}

impl File {
    /// A row, and whether it is good.
    pub fn row(&self, number: i64) -> (Create, bool) {
        let mut rng = StdRng::seed_from_u64(self.seed.wrapping_add(number.cast_unsigned()));
        let customer = format!("{}-{}", self.name, rng.random_range(0..self.customers));
        let cents = rng.random_range(1..=100_000);
        let amount = format!("{}.{:02}", cents / 100, cents % 100);
        let mut row = match rng.random_range(0..4) {
            0 => Create { request_id: String::new(), ..say::money(&customer, &amount, "USD") },
            1 => Create { metrics: say::names(&["tokens"]), ..say::row(&customer, &amount) },
            _ => say::row(&customer, &amount),
        };
        if rng.random_bool(0.3) {
            let days = TimeDelta::days(rng.random_range(1..400));
            row.expires_at = Some(say::time(t0() + TimeDelta::days(400 * 365) + days));
        }
        if rng.random_bool(0.3) {
            row.effective_at = say::hour(rng.random_range(-500..500));
        }
        if rng.random_bool(0.3) {
            row.category = rng.random_range(0..5);
        }
        let good = !rng.random_bool(self.bad);
        if !good {
            let spoils = SPOILS.len() + ROW_SPOILS.len();
            let spoil = SPOILS.iter().chain(ROW_SPOILS).nth(rng.random_range(0..spoils));
            spoil.expect("a spoil")(&mut row);
        }
        (row, good)
    }

    /// The messages that import it from a row on, in batches of this size.
    pub fn messages(
        self,
        import_id: &str,
        from: i64,
        batch: i64,
    ) -> impl Iterator<Item = pb::ImportGrantsRequest> + Send + use<> {
        let header = say::header(import_id, false);
        let mut next = from;
        let batches = std::iter::from_fn(move || {
            let first = next;
            next = (first + batch).min(self.rows + 1);
            let rows: Vec<Create> = (first..next).map(|number| self.row(number).0).collect();
            (!rows.is_empty()).then(|| say::batch(first, rows))
        });
        std::iter::once(header).chain(batches)
    }
}
