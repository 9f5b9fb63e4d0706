//! The rules of product.md against the domain, without a database: a second, naive model and
//! random histories that both must answer alike; properties of the parts; cases by hand.

mod agreement;
mod amounts;
mod as_of;
mod books;
mod cases;
mod convert;
mod draw;
mod history;
mod holds;
mod late;
mod luck;
mod naive;
mod notifications;
mod order;
mod reach;
mod reversals;
mod stage;
mod status;
mod view;
mod windows;
pub mod wire;
mod words;

use proptest::test_runner::{Config, FileFailurePersistence};

/// Seeds of failures are kept with the build, where the next run finds them, not in the repo.
fn config(cases: u32) -> Config {
    let seeds = concat!(env!("CARGO_TARGET_TMPDIR"), "/rules.seeds");
    Config {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(seeds))),
        ..Config::default()
    }
}
