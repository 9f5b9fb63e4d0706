//! Between the two vocabularies: the naive model's calls as the domain's commands, as the door
//! would make them, and what the domain answers in the naive model's words.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta};
use creditd::domain::amount::Amount;
use creditd::domain::balance::Balance;
use creditd::domain::command::{self, Action, Command, CreateGrant, Key, Outcome, RecordUsage};
use creditd::domain::currency::Currency;
use creditd::domain::entry::{Entry, EntryType};
use creditd::domain::grant::{self, Grant, Metadata, Priority};
use creditd::domain::ids::{Customer, EventId, GrantId, ImportId, Metric, RequestId};
use creditd::domain::import::ImportRow;
use creditd::domain::refusal::Refusal;
use creditd::domain::time::{self, Timestamp};
use creditd::domain::usage::{Uncovered, UsageEvent};
use uuid::Uuid;

use super::words::{self, Call, Kind, Line, Micros, No, Part, Reply, Said, Status, Total, View};

/// The currencies and metrics that histories use.
pub const CURRENCIES: [&str; 2] = ["USD", "JPY"];
pub const METRICS: [&str; 3] = ["api", "gpu", "mail"];

pub fn instant(at: Micros) -> Timestamp {
    DateTime::from_timestamp_micros(at).expect("within the calendar")
}

pub fn micros(at: Timestamp) -> Micros {
    at.timestamp_micros()
}

pub fn customer() -> Customer {
    Customer::parse("acme").expect("an id")
}

pub fn windows(windows: words::Windows) -> time::Windows {
    time::Windows {
        max_event_age: TimeDelta::microseconds(windows.max_event_age),
        late_usage: TimeDelta::microseconds(windows.late_usage),
    }
}

/// Turned around, so that ids do not sort as the grants were made.
pub fn grant_id(grant: u32) -> GrantId {
    GrantId(Uuid::from_u128(u128::from(grant.reverse_bits())))
}

fn grant_number(id: GrantId) -> u32 {
    u32::try_from(id.0.as_u128()).expect("an id that the tests made").reverse_bits()
}

pub fn metric(name: &str) -> Metric {
    Metric::parse(name).expect("a metric")
}

pub fn scope(scope: &words::Scope) -> grant::Scope {
    match scope {
        words::Scope::Any => grant::Scope::units(Vec::new()),
        words::Scope::Metrics(names) => {
            grant::Scope::units(names.iter().map(|name| metric(name)).collect())
        }
        words::Scope::Money(code) => {
            grant::Scope::Money(Currency::from_code(code).expect("a currency"))
        }
    }
}

fn scope_back(scope: &grant::Scope) -> words::Scope {
    let one_of = |names: &[&'static str], name: &str| {
        names.iter().copied().find(|known| *known == name).expect("a name that the tests use")
    };
    match scope {
        grant::Scope::Units(names) if names.is_empty() => words::Scope::Any,
        grant::Scope::Units(names) => words::Scope::Metrics(
            names.iter().map(|name| one_of(&METRICS, name.as_str())).collect(),
        ),
        grant::Scope::Money(currency) => words::Scope::Money(one_of(&CURRENCIES, currency.code())),
    }
}

pub fn category(category: words::Category) -> grant::Category {
    match category {
        words::Category::Promotional => grant::Category::Promotional,
        words::Category::Purchased => grant::Category::Purchased,
        words::Category::Loyalty => grant::Category::Loyalty,
        words::Category::Service => grant::Category::Service,
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

fn priority(given: i32) -> Priority {
    Priority::new(given).expect("0 to 100")
}

fn metadata(value: &str) -> Metadata {
    let pair = (!value.is_empty()).then(|| ("note".to_owned(), value.to_owned()));
    pair.into_iter().collect()
}

fn metadata_back(metadata: &Metadata) -> String {
    metadata.values().cloned().collect()
}

pub fn command(said: &Said) -> Command {
    Command { customer: customer(), actor: said.actor.into(), action: action(&said.call) }
}

fn action(call: &Call) -> Action {
    match call {
        Call::Create(create) => Action::CreateGrant(Box::new(create_grant(create))),
        Call::Update(update) => Action::UpdateGrant(Box::new(command::UpdateGrant {
            grant_id: grant_id(update.grant),
            description: update.description.map(str::to_owned),
            metadata: update.metadata.map(metadata),
            priority: update.priority.map(|new| new.map(priority)),
            expires_at: update.expires.map(|new| new.map(instant)),
        })),
        Call::Void(void) => Action::VoidGrant(Box::new(command::VoidGrant {
            grant_id: grant_id(void.grant),
            reason: void.reason.into(),
        })),
        Call::Usage(usage) => Action::RecordUsage(Box::new(RecordUsage {
            event_id: EventId::parse(&usage.event.to_string()).expect("an id"),
            metric: metric(usage.metric),
            quantity: Amount::from_units(usage.quantity),
            timestamp: usage.at.map(instant),
            policy: if usage.reject { Uncovered::Reject } else { Uncovered::AllowOverage },
            metadata: metadata(usage.metadata),
        })),
        Call::Sweep => Action::BookDue,
    }
}

/// The model knows keys as numbers; every other one stands for a row of an import.
fn key(number: u8) -> Key {
    if number.is_multiple_of(2) {
        return Key::Request(RequestId::parse(&number.to_string()).expect("an id"));
    }
    let import_id = ImportId::parse("file").expect("an id");
    Key::Import(ImportRow { import_id, row: i64::from(number) })
}

fn create_grant(create: &words::Create) -> CreateGrant {
    let kind = create.category.map(category);
    CreateGrant {
        key: key(create.key),
        grant_id: grant_id(create.grant),
        scope: scope(&create.scope),
        amount: Amount::from_units(create.amount),
        priority: create.priority.map_or_else(|| Priority::of_category(kind), priority),
        category: kind,
        effective_at: create.effective.map(instant),
        expires_at: create.expires.map(instant),
        notes: grant::Notes {
            description: create.notes.description.to_owned(),
            metadata: metadata(create.notes.metadata),
        },
    }
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

fn event_number(id: &EventId) -> u8 {
    id.as_str().parse().expect("an id that the tests made")
}

pub fn line(entry: &Entry) -> Line {
    let change = entry.change.unwrap_or_default();
    let number = |priority: Priority| i32::from(priority.get());
    Line {
        sequence: entry.sequence,
        grant: grant_number(entry.grant_id),
        kind: match entry.kind {
            EntryType::Granted => Kind::Granted,
            EntryType::Updated => Kind::Updated,
            EntryType::Consumed => Kind::Consumed,
            EntryType::Expired => Kind::Expired,
            EntryType::Voided => Kind::Voided,
            EntryType::ExpirationReclaimed => Kind::Reclaimed,
        },
        amount: entry.amount.units(),
        balance_after: entry.balance_after.units(),
        held_amount: entry.held_amount.units(),
        held_after: entry.held_after.units(),
        event: entry.event_id.as_ref().map(event_number),
        reason: entry.reason.as_ref().map(ToString::to_string),
        priority: change.priority.map(|(old, new)| (number(old), number(new))),
        expires: change.expires_at.map(|(old, new)| (old.map(micros), new.map(micros))),
        actor: entry.actor.to_string(),
        occurred: micros(entry.occurred_at),
        recorded: micros(entry.recorded_at),
    }
}

/// The call that made the event is not part of what the domain keeps, so that it is told apart.
fn event(event: &UsageEvent) -> words::Event {
    let known = |names: &[&'static str], name: &str| {
        names.iter().copied().find(|known| *known == name).expect("a name that the tests use")
    };
    let paid = |share: &creditd::domain::usage::Allocation| {
        (grant_number(share.grant_id), share.amount.units())
    };
    words::Event {
        usage: words::Usage {
            event: event_number(&event.event_id),
            metric: known(&METRICS, event.metric.as_str()),
            quantity: event.quantity.units(),
            at: event.timestamp_given.then(|| micros(event.timestamp)),
            reject: event.policy == Uncovered::Reject,
            metadata: known(&super::history::NOTES, &metadata_back(&event.metadata)),
        },
        at: micros(event.timestamp),
        uncovered: event.uncovered.units(),
        reversed: event.reversed.units(),
        paid: event.allocations.iter().map(paid).collect(),
        lines: event.entries,
        recorded: micros(event.recorded_at),
    }
}

pub fn reply(reply: Result<Outcome, Refusal>, now: Timestamp) -> Reply {
    match reply {
        Ok(Outcome::Grant { grant, replayed, .. }) => {
            Reply::Grant { view: view(&grant, now), replayed }
        }
        Ok(Outcome::Usage { event: recorded, duplicate }) => {
            Reply::Usage { event: event(&Arc::unwrap_or_clone(recorded)), duplicate }
        }
        Ok(Outcome::Booked) => Reply::Swept,
        Err(refusal) => Reply::Refused(no(&refusal)),
    }
}

fn no(refusal: &Refusal) -> No {
    match refusal {
        Refusal::InvalidField { field: "expires_at", .. } => No::BadExpiry,
        Refusal::GrantNotFound => No::GrantNotFound,
        Refusal::RequestIdReused | Refusal::ImportRowReused => No::RequestIdReused,
        Refusal::EventIdReused => No::EventIdReused,
        Refusal::InsufficientCredits { requested, available } => {
            No::Insufficient { requested: requested.units(), available: available.units() }
        }
        Refusal::GrantNotActive => No::GrantNotActive,
        Refusal::TimestampOutOfWindow => No::OutOfWindow,
        _ => No::Other,
    }
}

pub fn balance(balance: &Balance) -> words::Balance {
    let mut totals: Vec<Total> = balance
        .totals
        .iter()
        .map(|total| Total {
            scope: scope_back(&total.scope),
            available: total.available.units(),
            held: total.held.units(),
            remaining: total.remaining.units(),
        })
        .collect();
    totals.sort();
    let part = |part: &creditd::domain::balance::GrantBalance| Part {
        grant: grant_number(part.grant_id),
        status: status(part.status),
        available: part.available.units(),
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
