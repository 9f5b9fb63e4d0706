//! What the domain answers, in the naive model's words.

use creditd::domain::amount::Amount;
use creditd::domain::application::CreditApplication;
use creditd::domain::balance::{self, Balance};
use creditd::domain::command::Outcome;
use creditd::domain::entry::{Entry, EntryType};
use creditd::domain::grant::{self, Grant, Metadata, Priority};
use creditd::domain::hold::{Ending, Hold};
use creditd::domain::ids::GrantId;
use creditd::domain::refusal::Refusal;
use creditd::domain::reversal::Reversal;
use creditd::domain::time::Timestamp;
use creditd::domain::usage::{Allocation, Uncovered, UsageEvent};

use super::super::history::NOTES;
use super::super::words::{
    self, HoldStatus, Kind, Line, Micros, No, ONE, Part, Reply, Reversed, Status, Total, View,
};
use super::{CURRENCIES, METRICS};

pub(super) fn grant_number(id: GrantId) -> u32 {
    u32::try_from(id.0.as_u128()).expect("an id that the tests made").reverse_bits()
}

fn scope_back(scope: &grant::Scope) -> words::Scope {
    match scope {
        grant::Scope::Units(names) if names.is_empty() => words::Scope::Any,
        grant::Scope::Units(names) => words::Scope::Metrics(
            names.iter().map(|name| one_of(&METRICS, name.as_str())).collect(),
        ),
        grant::Scope::Money(currency) => words::Scope::Money(one_of(&CURRENCIES, currency.code())),
    }
}

fn category_back(category: grant::Category) -> words::Category {
    match category {
        grant::Category::Promotional => words::Category::Promotional,
        grant::Category::Purchased => words::Category::Purchased,
        grant::Category::Loyalty => words::Category::Loyalty,
        grant::Category::Service => words::Category::Service,
    }
}

fn metadata_back(metadata: &Metadata) -> String {
    metadata.values().cloned().collect()
}

pub fn micros(at: Timestamp) -> Micros {
    at.timestamp_micros()
}

/// The tests' own word for a text that came back.
pub(super) fn one_of(names: &[&'static str], name: &str) -> &'static str {
    names.iter().copied().find(|known| *known == name).expect("a name that the tests use")
}

/// Ids are numbers to the tests.
fn number(id: &str) -> u8 {
    id.parse().expect("an id that the tests made")
}

fn slice(slice: &Allocation) -> (u32, i128) {
    (grant_number(slice.grant_id), slice.amount.units())
}

pub fn view(grant: &Grant, now: Timestamp) -> View {
    View {
        grant: grant_number(grant.id),
        sequence: grant.sequence,
        scope: scope_back(&grant.scope),
        amount: grant.amount.units(),
        priority: i32::from(grant.priority.get()),
        category: grant.category.map(category_back),
        effective: micros(grant.effective_at),
        expires: grant.expires_at.map(micros),
        description: grant.notes.description.clone(),
        metadata: metadata_back(&grant.notes.metadata),
        remaining: grant.figures.remaining.units(),
        held: grant.figures.held.units(),
        consumed: grant.figures.consumed.units(),
        expired: grant.figures.expired.units(),
        voided: grant.figures.voided.units(),
        created: micros(grant.created_at),
        updated: micros(grant.updated_at),
        created_by: grant.created_by.to_string(),
        voided_at: grant.voided.as_ref().map(|void| (micros(void.at), void.reason.to_string())),
        status: status(grant.status(now)),
    }
}

pub fn status(status: grant::Status) -> Status {
    match status {
        grant::Status::Pending => Status::Pending,
        grant::Status::Active => Status::Active,
        grant::Status::Exhausted => Status::Exhausted,
        grant::Status::Expired => Status::Expired,
        grant::Status::Voided => Status::Voided,
    }
}

pub fn line(entry: &Entry) -> Line {
    let change = entry.change.unwrap_or_default();
    let level = |priority: Priority| i32::from(priority.get());
    Line {
        sequence: entry.sequence,
        grant: grant_number(entry.grant_id),
        kind: match entry.kind {
            EntryType::Granted => Kind::Granted,
            EntryType::Updated => Kind::Updated,
            EntryType::Consumed => Kind::Consumed,
            EntryType::Applied => Kind::Applied,
            EntryType::Held => Kind::Held,
            EntryType::HoldReleased => Kind::Released,
            EntryType::UsageReversed => Kind::UsageReversed,
            EntryType::ApplicationReversed => Kind::ApplicationReversed,
            EntryType::Expired => Kind::Expired,
            EntryType::Voided => Kind::Voided,
            EntryType::ExpirationReclaimed => Kind::Reclaimed,
        },
        amount: entry.amount.units(),
        balance_after: entry.balance_after.units(),
        held_amount: entry.held_amount.units(),
        held_after: entry.held_after.units(),
        event: entry.event_id.as_ref().map(|id| number(id.as_str())),
        invoice: entry.invoice_id.as_ref().map(|id| number(id.as_str())),
        hold: entry.hold_id.as_ref().map(|id| number(id.as_str())),
        reason: entry.reason.as_ref().map(ToString::to_string),
        priority: change.priority.map(|(old, new)| (level(old), level(new))),
        expires: change.expires_at.map(|(old, new)| (old.map(micros), new.map(micros))),
        actor: entry.actor.to_string(),
        occurred: micros(entry.occurred_at),
        recorded: micros(entry.recorded_at),
    }
}

pub fn event(event: &UsageEvent) -> words::Event {
    words::Event {
        usage: words::Usage {
            event: number(event.event_id.as_str()),
            metric: one_of(&METRICS, event.metric.as_str()),
            quantity: event.quantity.units(),
            at: event.timestamp_given.then(|| micros(event.timestamp)),
            reject: event.policy == Uncovered::Reject,
            metadata: one_of(&NOTES, &metadata_back(&event.metadata)),
        },
        at: micros(event.timestamp),
        covered: event.covered().expect("sound figures").units(),
        uncovered: event.left_uncovered().expect("sound figures").units(),
        reversed: event.reversed.units(),
        paid: event.allocations().expect("sound figures").iter().map(slice).collect(),
        lines: event.entries,
        recorded: micros(event.recorded_at),
        hold: event.hold_id.as_ref().map(|id| number(id.as_str())),
    }
}

pub fn application(application: &CreditApplication) -> words::Application {
    let lines = application.lines().expect("sound figures");
    let line = |(paid, description): &(Allocation, &str)| {
        let (grant, amount) = slice(paid);
        (grant, amount, (*description).to_owned())
    };
    words::Application {
        apply: words::Apply {
            invoice: number(application.invoice_id.as_str()),
            currency: one_of(&CURRENCIES, application.currency.code()),
            due: application.amount_due.units(),
            at: application.applied_at_given.then(|| micros(application.applied_at)),
        },
        at: micros(application.applied_at),
        applied: application.applied().expect("sound figures").units(),
        remaining: application.remaining().expect("sound figures").units(),
        reversed: application.reversed.units(),
        paid: lines.iter().map(line).collect(),
        recorded: micros(application.recorded_at),
    }
}

pub fn hold(hold: &Hold) -> words::Hold {
    let sound = |amount: Result<Amount, _>| amount.expect("sound figures").units();
    words::Hold {
        aside: words::Aside {
            hold: number(hold.hold_id.as_str()),
            metric: one_of(&METRICS, hold.metric.as_str()),
            quantity: hold.quantity.units(),
            ttl: hold.ttl.num_microseconds(),
            partial: hold.allow_partial,
        },
        held: sound(hold.held()),
        settled: hold.settled().units(),
        released: sound(hold.released()),
        status: hold.end.as_ref().map_or(HoldStatus::Open, |(_, ending)| ended(ending)),
        deadline: micros(hold.expires_at),
        slices: hold.slices.iter().map(slice).collect(),
        created: micros(hold.created_at),
        ended: hold.end.as_ref().map(|(at, _)| micros(*at)),
        event: match &hold.end {
            Some((_, Ending::Settled { event_id, .. })) => Some(number(event_id.as_str())),
            _ => None,
        },
    }
}

fn ended(ending: &Ending) -> HoldStatus {
    match ending {
        Ending::Settled { .. } => HoldStatus::Settled,
        Ending::Released => HoldStatus::Released,
        Ending::Expired => HoldStatus::Expired,
    }
}

fn reversed(reversal: Reversal) -> Reversed {
    Reversed {
        restored: reversal.restored.units(),
        forfeited: reversal.forfeited.units(),
        uncovered: reversal.uncovered.units(),
    }
}

pub fn reply(reply: Result<Outcome, Refusal>, now: Timestamp) -> Reply {
    let outcome = match reply {
        Ok(outcome) => outcome,
        Err(refusal) => return Reply::Refused(no(&refusal)),
    };
    match outcome {
        Outcome::Grant { grant, replayed, .. } => {
            Reply::Grant { view: view(&grant, now), replayed }
        }
        Outcome::Usage { event: recorded, duplicate } => {
            Reply::Usage { event: event(&recorded), duplicate }
        }
        Outcome::Application { application: made, replayed } => {
            Reply::Application { application: application(&made), replayed }
        }
        Outcome::Hold { hold: made, replayed } => Reply::Hold { hold: hold(&made), replayed },
        Outcome::Settled { hold: made, event: recorded } => {
            Reply::Settled { hold: hold(&made), event: event(&recorded) }
        }
        Outcome::UsageReversed { event: recorded, reversal, replayed } => {
            let (event, did) = (event(&recorded), reversed(reversal));
            Reply::UsageReversed { event, did, replayed }
        }
        Outcome::ApplicationReversed { application: made, reversal, replayed } => {
            let (application, did) = (application(&made), reversed(reversal));
            Reply::ApplicationReversed { application, did, replayed }
        }
        Outcome::Booked(_) => Reply::Swept,
    }
}

fn no(refusal: &Refusal) -> No {
    match refusal {
        Refusal::InvalidField { field: "expires_at", .. } => No::BadExpiry,
        Refusal::InvalidField { field: "amount", .. } => No::BadAmount,
        Refusal::GrantNotFound => No::GrantNotFound,
        Refusal::EventNotFound(_) => No::EventNotFound,
        Refusal::ApplicationNotFound(_) => No::ApplicationNotFound,
        Refusal::HoldNotFound(_) => No::HoldNotFound,
        Refusal::RequestIdReused | Refusal::ImportRowReused => No::RequestIdReused,
        Refusal::EventIdReused => No::EventIdReused,
        Refusal::InvoiceAlreadyApplied => No::InvoiceAlreadyApplied,
        Refusal::HoldIdReused => No::HoldIdReused,
        Refusal::InsufficientCredits { requested, available } => {
            No::Insufficient { requested: requested.units(), available: available.units() }
        }
        Refusal::ReversalExceeds { requested, left } => {
            No::ReversalExceeds { requested: read(requested), left: read(left) }
        }
        Refusal::GrantNotActive => No::GrantNotActive,
        Refusal::HoldNotOpen(ending) => No::HoldNotOpen(ended(ending)),
        Refusal::TimestampOutOfWindow => No::OutOfWindow,
        _ => No::Other,
    }
}

/// A printed amount.
fn read(printed: &str) -> i128 {
    let (whole, part) = printed.split_once('.').unwrap_or((printed, ""));
    let part = format!("{part:0<12}");
    whole.parse::<i128>().expect("a number") * ONE + part.parse::<i128>().expect("decimals")
}

pub(super) fn total(total: &balance::Total) -> Total {
    Total {
        scope: scope_back(&total.scope),
        available: total.available.units(),
        held: total.held.units(),
        remaining: total.remaining.units(),
    }
}

pub fn balance(balance: &Balance) -> words::Balance {
    let mut totals: Vec<Total> = balance.totals.iter().map(total).collect();
    totals.sort();
    let part = |part: &balance::GrantBalance| Part {
        grant: grant_number(part.grant_id),
        status: status(part.status),
        available: part.available.units(),
        held: part.held.units(),
        remaining: part.remaining.units(),
    };
    let upcoming = balance.upcoming_expirations.iter().map(|upcoming| {
        (grant_number(upcoming.grant_id), micros(upcoming.expires_at), upcoming.amount.units())
    });
    words::Balance {
        revision: balance.revision,
        as_of: micros(balance.as_of),
        totals,
        parts: balance.grants.iter().map(part).collect(),
        upcoming: upcoming.collect(),
    }
}
