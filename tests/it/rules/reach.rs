//! Histories that never reach the rules would prove nothing.

mod news;

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use self::news::Seen;
use super::history::histories;
use super::naive::Naive;
use super::words::{Call, Hold, HoldStatus, Kind, Line, No, Reply, Reversed, Settle, Status};

/// Every reply and refusal, every type of entry, every status of grants and holds, and what is
/// worth meeting besides; every type of notification, and the same of those.
const NAMES: usize = 112;

#[test]
fn histories_reach_the_rules() {
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeMap::<&str, u32>::new();
    let mut calls = 0;
    for _ in 0..2_000 {
        let history = histories(70).new_tree(&mut runner).expect("a history").current();
        let mut naive = Naive::new(history.windows);
        let mut wishes = &history.wishes;
        let mut ends = 0;
        for step in &history.steps {
            wishes = step.wishes.as_ref().unwrap_or(wishes);
            naive.wish(wishes);
            let earlier = naive.clone();
            let now = naive.pass(step.clock);
            let before = naive.holds();
            let reply = naive.answer(&step.said, now);
            calls += 1;
            let telling = Seen { step, wishes, before: &earlier, after: &naive, now };
            let names = std::iter::once(name(&reply)).chain(met(&step.said.call, &reply, &before));
            let names = names.chain(telling.names());
            names.for_each(|name| *seen.entry(name).or_default() += 1);
            ends = now;
        }
        let lines = naive.lines();
        let names = lines.iter().map(|line| entry(line.kind)).chain(pairs(&lines));
        let names = names.chain(naive.views(ends).into_iter().map(|view| standing(view.status)));
        let names = names.chain(naive.holds().into_iter().map(|hold| ending(hold.status)));
        names.for_each(|name| *seen.entry(name).or_default() += 1);
    }
    assert_eq!(seen.len(), NAMES, "{seen:#?}");
    assert!(calls > 60_000 && seen.values().all(|count| *count >= 5), "{calls}: {seen:#?}");
}

/// What is worth meeting in one reply.
fn met(call: &Call, reply: &Reply, before: &[Hold]) -> Vec<&'static str> {
    let split = |parts: usize| (parts > 1).then_some("split");
    let met = match (call, reply) {
        (_, Reply::Usage { event, duplicate: true }) if event.reversed > 0 => {
            vec![Some("usage repeated after its reversal")]
        }
        (_, Reply::Usage { event, duplicate: true }) if event.hold.is_some() => {
            vec![Some("settled usage repeated by a meter")]
        }
        (_, Reply::Usage { event, duplicate: false }) => vec![split(event.paid.len())],
        (_, Reply::Application { application, replayed: true }) if application.reversed > 0 => {
            vec![Some("application repeated after its reversal")]
        }
        (_, Reply::Application { application, replayed: false }) => {
            vec![split(application.paid.len())]
        }
        (Call::Aside(_), Reply::Hold { hold, replayed: false }) => {
            let set_aside: i128 = hold.slices.iter().map(|(_, amount)| amount).sum();
            let partial = set_aside < hold.aside.quantity;
            vec![split(hold.slices.len()), partial.then_some("held in part")]
        }
        (Call::Aside(_), Reply::Hold { hold, replayed: true }) => {
            vec![(hold.status != HoldStatus::Open).then_some("hold repeated after its end")]
        }
        (Call::Settle(settle), Reply::Settled { hold, .. }) => {
            before.iter().map(|before| settled(settle, before, hold)).collect()
        }
        (
            _,
            Reply::UsageReversed { did, replayed: false, .. }
            | Reply::ApplicationReversed { did, replayed: false, .. },
        ) => reversed(*did),
        _ => Vec::new(),
    };
    met.into_iter().flatten().collect()
}

fn settled(settle: &Settle, before: &Hold, hold: &Hold) -> Option<&'static str> {
    match before.status {
        _ if before.aside.hold != hold.aside.hold => None,
        HoldStatus::Settled => Some("settled again"),
        HoldStatus::Expired => Some("settled after the deadline"),
        _ if settle.quantity == 0 => Some("settled with nothing"),
        _ if settle.quantity > before.held => Some("settled above the hold"),
        _ if settle.quantity < before.held => Some("settled below the hold"),
        _ => Some("settled to the letter"),
    }
}

fn reversed(did: Reversed) -> Vec<Option<&'static str>> {
    let both = did.restored > 0 && did.forfeited > 0;
    vec![
        (did.restored > 0).then_some("restored"),
        (did.forfeited > 0).then_some("forfeited"),
        (did.uncovered > 0).then_some("uncovered reversed"),
        both.then_some("restored and forfeited at once"),
        (did == Reversed::default()).then_some("nothing left to reverse"),
    ]
}

/// What is worth meeting in two entries that follow each other.
fn pairs(lines: &[Line]) -> Vec<&'static str> {
    let pair = |pair: &[Line]| {
        let (a, b) = (&pair[0], &pair[1]);
        let same = a.grant == b.grant && a.recorded == b.recorded;
        let together = same && (a.event, a.invoice, a.hold) == (b.event, b.invoice, b.hold);
        match (a.kind, b.kind) {
            (Kind::Released, Kind::Expired) if together => Some("released and expired"),
            (Kind::Released, Kind::Voided) if together => Some("released and voided"),
            (Kind::Released, Kind::Expired) if same => Some("deadline and expiry at once"),
            (Kind::UsageReversed | Kind::ApplicationReversed, Kind::Expired) if together => {
                Some("reversed and expired")
            }
            (Kind::UsageReversed | Kind::ApplicationReversed, Kind::Voided) if together => {
                Some("reversed and voided")
            }
            (Kind::Reclaimed, Kind::Applied) => Some("reclaimed for an invoice"),
            _ => None,
        }
    };
    let mut met: Vec<&str> = lines.windows(2).filter_map(pair).collect();
    let held = lines.iter().filter(|line| line.held_after > 0);
    met.extend(held.filter_map(|line| match line.kind {
        Kind::Expired => Some("expired while held"),
        Kind::Voided => Some("voided while held"),
        _ => None,
    }));
    met
}

fn name(reply: &Reply) -> &'static str {
    match reply {
        Reply::Grant { replayed: false, .. } => "grant",
        Reply::Grant { replayed: true, .. } => "grant replayed",
        Reply::Usage { duplicate: false, .. } => "usage",
        Reply::Usage { duplicate: true, .. } => "usage duplicate",
        Reply::Application { replayed: false, .. } => "application",
        Reply::Application { replayed: true, .. } => "application replayed",
        Reply::Hold { replayed: false, .. } => "hold",
        Reply::Hold { replayed: true, .. } => "hold replayed",
        Reply::Settled { .. } => "settled",
        Reply::UsageReversed { replayed: false, .. } => "usage reversed",
        Reply::UsageReversed { replayed: true, .. } => "usage reversed replayed",
        Reply::ApplicationReversed { replayed: false, .. } => "application reversed",
        Reply::ApplicationReversed { replayed: true, .. } => "application reversed replayed",
        Reply::Swept => "swept",
        Reply::Refused(no) => refusal(*no),
    }
}

fn refusal(no: No) -> &'static str {
    match no {
        No::BadExpiry => "bad expiry",
        No::BadAmount => "bad amount",
        No::GrantNotFound => "grant not found",
        No::EventNotFound => "event not found",
        No::ApplicationNotFound => "application not found",
        No::HoldNotFound => "hold not found",
        No::RequestIdReused => "request reused",
        No::EventIdReused => "event reused",
        No::InvoiceAlreadyApplied => "invoice reused",
        No::HoldIdReused => "hold reused",
        No::Insufficient { .. } => "insufficient",
        No::ReversalExceeds { .. } => "reversal exceeds",
        No::GrantNotActive => "grant not active",
        No::HoldNotOpen(HoldStatus::Settled) => "hold not open: settled",
        No::HoldNotOpen(HoldStatus::Released) => "hold not open: released",
        No::HoldNotOpen(HoldStatus::Expired) => "hold not open: expired",
        No::OutOfWindow => "out of window",
        No::HoldNotOpen(HoldStatus::Open) | No::Other => "never",
    }
}

fn entry(kind: Kind) -> &'static str {
    match kind {
        Kind::Granted => "GRANTED",
        Kind::Updated => "UPDATED",
        Kind::Consumed => "CONSUMED",
        Kind::Applied => "APPLIED",
        Kind::Held => "HELD",
        Kind::Released => "HOLD_RELEASED",
        Kind::Expired => "EXPIRED",
        Kind::Voided => "VOIDED",
        Kind::UsageReversed => "USAGE_REVERSED",
        Kind::ApplicationReversed => "APPLICATION_REVERSED",
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

fn ending(status: HoldStatus) -> &'static str {
    match status {
        HoldStatus::Open => "hold is open",
        HoldStatus::Settled => "hold is settled",
        HoldStatus::Released => "hold is released",
        HoldStatus::Expired => "hold is expired",
    }
}
