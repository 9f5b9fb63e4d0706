//! Between the two vocabularies: the naive model's calls as the domain's commands, as the door
//! would make them, and what the domain answers in the naive model's words.

mod news;
mod told;

use chrono::{DateTime, TimeDelta};
use creditd::domain::amount::Amount;
use creditd::domain::command::{self, Action, Command, CreateGrant, Key, RecordUsage};
use creditd::domain::currency::Currency;
use creditd::domain::grant::{self, Metadata, Priority};
use creditd::domain::ids::{
    Customer, EventId, GrantId, HoldId, ImportId, InvoiceId, Metric, RequestId,
};
use creditd::domain::import::ImportRow;
use creditd::domain::time::{self, Timestamp};
use creditd::domain::usage::Uncovered;
use uuid::Uuid;

pub use self::news::{interests, marks, news};
pub use self::told::{application, balance, event, hold, line, micros, reply, status, view};
use super::words::{self, Call, Micros, Of, Said};

/// The currencies and metrics that histories use.
pub const CURRENCIES: [&str; 3] = ["USD", "JPY", "KWD"];
pub const METRICS: [&str; 3] = ["api", "gpu", "mail"];

pub fn instant(at: Micros) -> Timestamp {
    DateTime::from_timestamp_micros(at).expect("within the calendar")
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

pub fn category(category: words::Category) -> grant::Category {
    match category {
        words::Category::Promotional => grant::Category::Promotional,
        words::Category::Purchased => grant::Category::Purchased,
        words::Category::Loyalty => grant::Category::Loyalty,
        words::Category::Service => grant::Category::Service,
    }
}

fn priority(given: i32) -> Priority {
    Priority::new(given).expect("0 to 100")
}

fn metadata(value: &str) -> Metadata {
    let pair = (!value.is_empty()).then(|| ("note".to_owned(), value.to_owned()));
    pair.into_iter().collect()
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
            event_id: event_id(usage.event),
            metric: metric(usage.metric),
            quantity: Amount::from_units(usage.quantity),
            timestamp: usage.at.map(instant),
            policy: if usage.reject { Uncovered::Reject } else { Uncovered::AllowOverage },
            metadata: metadata(usage.metadata),
        })),
        Call::Apply(apply) => Action::ApplyCredits(Box::new(command::ApplyCredits {
            invoice_id: invoice_id(apply.invoice),
            currency: Currency::from_code(apply.currency).expect("a currency"),
            amount_due: Amount::from_units(apply.due),
            applied_at: apply.at.map(instant),
        })),
        Call::Aside(aside) => Action::CreateHold(Box::new(command::CreateHold {
            hold_id: hold_id(aside.hold),
            metric: metric(aside.metric),
            quantity: Amount::from_units(aside.quantity),
            ttl: TimeDelta::microseconds(aside.ttl.unwrap_or(15 * words::MINUTE)),
            allow_partial: aside.partial,
        })),
        Call::Extend(extend) => Action::ExtendHold(Box::new(command::ExtendHold {
            hold_id: hold_id(extend.hold),
            ttl: TimeDelta::microseconds(extend.ttl),
        })),
        Call::Settle(settle) => Action::SettleHold(Box::new(command::SettleHold {
            hold_id: hold_id(settle.hold),
            event_id: event_id(settle.event),
            quantity: Amount::from_units(settle.quantity),
            timestamp: settle.at.map(instant),
        })),
        Call::Release(hold) => Action::ReleaseHold(hold_id(*hold)),
        Call::Reverse(reverse) => reversal(reverse),
        Call::Sweep => Action::BookDue,
    }
}

fn reversal(reverse: &words::Reverse) -> Action {
    let request_id = request_id(reverse.key);
    let amount = reverse.amount.map(Amount::from_units);
    let reason = reverse.reason.into();
    match reverse.of {
        Of::Event(event) => Action::ReverseUsage(Box::new(command::ReverseUsage {
            request_id,
            event_id: event_id(event),
            quantity: amount,
            reason,
        })),
        Of::Invoice(invoice) => Action::ReverseApplication(Box::new(command::ReverseApplication {
            request_id,
            invoice_id: invoice_id(invoice),
            amount,
            reason,
        })),
    }
}

fn request_id(number: u8) -> RequestId {
    RequestId::parse(&number.to_string()).expect("an id")
}

fn event_id(number: u8) -> EventId {
    EventId::parse(&number.to_string()).expect("an id")
}

fn invoice_id(number: u8) -> InvoiceId {
    InvoiceId::parse(&number.to_string()).expect("an id")
}

fn hold_id(number: u8) -> HoldId {
    HoldId::parse(&number.to_string()).expect("an id")
}

/// The model knows keys as numbers; every other one stands for a row of an import.
fn key(number: u8) -> Key {
    if number.is_multiple_of(2) {
        return Key::Request(request_id(number));
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
