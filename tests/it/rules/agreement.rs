//! Random histories: the domain and the naive model must agree after every call.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::books::Books;
use super::config;
use super::history::{History, histories};
use super::naive::Naive;
use super::words::{Kind, No, Reply, Status};

/// Where the domain may stand after a call, the model must stand too.
fn agree(history: &History) -> Result<(), TestCaseError> {
    let mut books = Books::new(history.windows);
    let mut naive = Naive::new(history.windows);
    for (number, step) in history.steps.iter().enumerate() {
        let now = naive.pass(step.clock);
        let expected = naive.answer(&step.said, now);
        let said = std::slice::from_ref(&step.said);
        let answered = books.run(step.replica, step.clock, said);
        prop_assert_eq!(answered, vec![expected], "step {}: {:?}", number, step);
        prop_assert_eq!(books.lines(), naive.lines(), "step {}: {:?}", number, step);
        prop_assert_eq!(books.views(step.clock), naive.views(now), "step {}: {:?}", number, step);
        let (balance, expected) = (books.balance(step.clock), naive.balance(step.clock));
        prop_assert_eq!(balance, expected, "step {}: {:?}", number, step);
    }
    // What a reader is told of the future is what the model comes to by then.
    let end = history.end();
    let mut then = naive;
    let now = then.pass(end);
    prop_assert_eq!(books.balance(end), then.balance(end));
    prop_assert_eq!(books.views(end), then.views(now));
    Ok(())
}

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn domain_and_naive_model_agree(history in histories(50)) {
        agree(&history)?;
    }
}

/// Histories that never reach the rules would prove nothing.
#[test]
fn histories_reach_the_rules() {
    let mut runner = TestRunner::deterministic();
    let mut seen = std::collections::BTreeMap::<&str, u32>::new();
    let mut calls = 0;
    for _ in 0..200 {
        let history = histories(50).new_tree(&mut runner).expect("a history").current();
        let mut naive = Naive::new(history.windows);
        let mut ends = 0;
        for step in &history.steps {
            let now = naive.pass(step.clock);
            let reply = naive.answer(&step.said, now);
            calls += 1;
            *seen.entry(name(&reply)).or_default() += 1;
            if matches!(&reply, Reply::Usage { event, duplicate: false } if event.paid.len() > 1) {
                *seen.entry("split").or_default() += 1;
            }
            ends = now;
        }
        for line in naive.lines() {
            *seen.entry(entry(line.kind)).or_default() += 1;
        }
        for view in naive.views(ends) {
            *seen.entry(standing(view.status)).or_default() += 1;
        }
    }
    assert_eq!(seen.len(), 24, "every reply, entry and status, and splits: {seen:?}");
    assert!(calls > 3_000 && seen.values().all(|count| *count >= 15), "{calls}: {seen:?}");
}

fn name(reply: &Reply) -> &'static str {
    match reply {
        Reply::Grant { replayed: false, .. } => "grant",
        Reply::Grant { replayed: true, .. } => "grant replayed",
        Reply::Usage { duplicate: false, .. } => "usage",
        Reply::Usage { duplicate: true, .. } => "usage duplicate",
        Reply::Swept => "swept",
        Reply::Refused(No::BadExpiry) => "bad expiry",
        Reply::Refused(No::GrantNotFound) => "not found",
        Reply::Refused(No::RequestIdReused) => "request reused",
        Reply::Refused(No::EventIdReused) => "event reused",
        Reply::Refused(No::Insufficient { .. }) => "insufficient",
        Reply::Refused(No::GrantNotActive) => "not active",
        Reply::Refused(No::OutOfWindow) => "out of window",
        Reply::Refused(No::Other) => "never",
    }
}

fn entry(kind: Kind) -> &'static str {
    match kind {
        Kind::Granted => "GRANTED",
        Kind::Updated => "UPDATED",
        Kind::Consumed => "CONSUMED",
        Kind::Expired => "EXPIRED",
        Kind::Voided => "VOIDED",
        Kind::Reclaimed => "RECLAIMED",
    }
}

fn standing(status: Status) -> &'static str {
    match status {
        Status::Pending => "is pending",
        Status::Active => "is active",
        Status::Exhausted => "is exhausted",
        Status::Expired => "is expired",
        Status::Voided => "is voided",
    }
}
