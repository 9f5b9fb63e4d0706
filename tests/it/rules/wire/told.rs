//! Answers in the model's words, as far as the wire tells them.

use std::collections::HashMap;

use creditd::pb;
use prost_types::Timestamp;
use tonic::{Code, Status as Error};

use super::super::convert::{CURRENCIES, METRICS};
use super::super::history::NOTES;
use super::super::words::{
    Application, Apply, Aside, Balance, Call, Category, Event, Hold, HoldStatus, Kind, Line,
    Micros, No, ONE, Part, Reply, Reversed, Scope, Status, Total, Usage, View,
};
use crate::harness::say;

/// How to understand answers: from which time, and about which grants.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    pub shift: Micros,
    pub ids: &'a HashMap<u32, String>,
}

pub(super) fn one_of(names: &[&'static str], name: &str) -> &'static str {
    names.iter().copied().find(|known| *known == name).expect("a name that the tests use")
}

/// A printed amount: units without trailing zeros, money with its currency's digits.
pub(super) fn amount(printed: &str, currency: &str) -> i128 {
    let (sign, text) = printed.strip_prefix('-').map_or((1, printed), |text| (-1, text));
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = match currency {
        "USD" => 2,
        "KWD" => 3,
        "JPY" => 0,
        _ => part.trim_end_matches('0').len(),
    };
    assert!(part.len() == digits && text.contains('.') == (digits > 0), "{printed} {currency}");
    let part = format!("{part:0<12}");
    sign * (whole.parse::<i128>().expect("a number") * ONE + part.parse::<i128>().expect("digits"))
}

fn units(printed: &str) -> i128 {
    amount(printed, "")
}

/// Ids are numbers to the tests; what is empty is nobody's.
fn number(id: &str) -> Option<u8> {
    (!id.is_empty()).then(|| id.parse().expect("an id that the tests made"))
}

fn text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn scope(currency: &str, metrics: &[String]) -> Scope {
    if !currency.is_empty() {
        Scope::Money(one_of(&CURRENCIES, currency))
    } else if metrics.is_empty() {
        Scope::Any
    } else {
        Scope::Metrics(metrics.iter().map(|name| one_of(&METRICS, name)).collect())
    }
}

fn status(status: pb::GrantStatus) -> Status {
    match status {
        pb::GrantStatus::Unspecified => panic!("never returned"),
        pb::GrantStatus::Pending => Status::Pending,
        pb::GrantStatus::Active => Status::Active,
        pb::GrantStatus::Exhausted => Status::Exhausted,
        pb::GrantStatus::Expired => Status::Expired,
        pb::GrantStatus::Voided => Status::Voided,
    }
}

fn hold_status(status: pb::HoldStatus) -> HoldStatus {
    match status {
        pb::HoldStatus::Unspecified => panic!("never returned"),
        pb::HoldStatus::Open => HoldStatus::Open,
        pb::HoldStatus::Settled => HoldStatus::Settled,
        pb::HoldStatus::Released => HoldStatus::Released,
        pb::HoldStatus::Expired => HoldStatus::Expired,
    }
}

fn kind(kind: pb::LedgerEntryType) -> Kind {
    use pb::LedgerEntryType as Type;
    match kind {
        Type::Unspecified => panic!("never returned"),
        Type::Granted => Kind::Granted,
        Type::Updated => Kind::Updated,
        Type::Consumed => Kind::Consumed,
        Type::Applied => Kind::Applied,
        Type::Held => Kind::Held,
        Type::HoldReleased => Kind::Released,
        Type::Expired => Kind::Expired,
        Type::Voided => Kind::Voided,
        Type::UsageReversed => Kind::UsageReversed,
        Type::ApplicationReversed => Kind::ApplicationReversed,
        Type::ExpirationReclaimed => Kind::Reclaimed,
    }
}

impl Told<'_> {
    fn at(self, at: Option<&Timestamp>) -> Option<Micros> {
        at.map(|at| say::instant(Some(at)).timestamp_micros() - self.shift)
    }

    fn when(self, at: Option<&Timestamp>) -> Micros {
        self.at(at).expect("a time")
    }

    fn grant(self, id: &str) -> u32 {
        let known = self.ids.iter().find(|(_, known)| *known == id);
        *known.expect("a grant that the test made").0
    }

    fn paid(self, allocations: &[pb::Allocation]) -> Vec<(u32, i128)> {
        allocations.iter().map(|a| (self.grant(&a.grant_id), units(&a.amount))).collect()
    }

    pub fn view(self, grant: &pb::Grant) -> View {
        let amount = |printed: &str| amount(printed, &grant.currency);
        View {
            grant: self.grant(&grant.id),
            sequence: 0,
            scope: scope(&grant.currency, &grant.metrics),
            amount: amount(&grant.amount),
            priority: grant.priority,
            category: match grant.category() {
                pb::GrantCategory::Unspecified => None,
                pb::GrantCategory::Promotional => Some(Category::Promotional),
                pb::GrantCategory::Purchased => Some(Category::Purchased),
                pb::GrantCategory::Loyalty => Some(Category::Loyalty),
                pb::GrantCategory::Service => Some(Category::Service),
            },
            effective: self.when(grant.effective_at.as_ref()),
            expires: self.at(grant.expires_at.as_ref()),
            description: grant.description.clone(),
            metadata: grant.metadata.values().cloned().collect(),
            remaining: amount(&grant.remaining),
            held: amount(&grant.held),
            consumed: amount(&grant.consumed),
            expired: amount(&grant.expired),
            voided: amount(&grant.voided),
            created: self.when(grant.created_at.as_ref()),
            updated: self.when(grant.updated_at.as_ref()),
            created_by: grant.created_by.clone(),
            voided_at: self.at(grant.voided_at.as_ref()).zip(text(&grant.void_reason)),
            status: status(grant.status()),
        }
    }

    pub fn event(self, event: &pb::UsageEvent) -> Event {
        let metadata: String = event.metadata.values().cloned().collect();
        Event {
            usage: Usage {
                event: number(&event.event_id).expect("an id"),
                metric: one_of(&METRICS, &event.metric),
                quantity: units(&event.quantity),
                at: None,
                reject: false,
                metadata: one_of(&NOTES, &metadata),
            },
            at: self.when(event.timestamp.as_ref()),
            covered: units(&event.covered),
            uncovered: units(&event.uncovered),
            reversed: units(&event.reversed),
            paid: self.paid(&event.allocations),
            lines: None,
            recorded: self.when(event.recorded_at.as_ref()),
            hold: number(&event.hold_id),
        }
    }

    pub fn application(self, application: &pb::CreditApplication) -> Application {
        let currency = one_of(&CURRENCIES, &application.currency);
        let amount = |printed: &str| amount(printed, currency);
        let line = |line: &pb::CreditApplicationLine| {
            assert_eq!(line.label, "Credit Applied");
            (self.grant(&line.grant_id), amount(&line.amount), line.description.clone())
        };
        Application {
            apply: Apply {
                invoice: number(&application.invoice_id).expect("an id"),
                currency,
                due: amount(&application.amount_due),
                at: None,
            },
            at: self.when(application.applied_at.as_ref()),
            applied: amount(&application.amount_applied),
            remaining: amount(&application.amount_remaining),
            reversed: amount(&application.reversed),
            paid: application.lines.iter().map(line).collect(),
            recorded: self.when(application.recorded_at.as_ref()),
        }
    }

    pub fn hold(self, hold: &pb::Hold) -> Hold {
        Hold {
            aside: Aside {
                hold: number(&hold.hold_id).expect("an id"),
                metric: one_of(&METRICS, &hold.metric),
                quantity: units(&hold.quantity),
                ttl: None,
                partial: false,
            },
            held: units(&hold.held),
            settled: units(&hold.settled),
            released: units(&hold.released),
            status: hold_status(hold.status()),
            deadline: self.when(hold.expires_at.as_ref()),
            slices: self.paid(&hold.allocations),
            created: self.when(hold.created_at.as_ref()),
            ended: self.at(hold.ended_at.as_ref()),
            event: number(&hold.event_id),
        }
    }

    pub fn usage_reversed(self, reversed: pb::ReverseUsageResponse) -> Reply {
        let did = Reversed {
            restored: units(&reversed.restored),
            forfeited: units(&reversed.forfeited),
            uncovered: units(&reversed.uncovered_reversed),
        };
        let event = self.event(&reversed.event.expect("an event"));
        Reply::UsageReversed { event, did, replayed: reversed.replayed }
    }

    pub fn application_reversed(self, reversed: pb::ReverseCreditApplicationResponse) -> Reply {
        let application = self.application(&reversed.application.expect("an application"));
        let currency = application.apply.currency;
        let did = Reversed {
            restored: amount(&reversed.restored, currency),
            forfeited: amount(&reversed.forfeited, currency),
            uncovered: 0,
        };
        Reply::ApplicationReversed { application, did, replayed: reversed.replayed }
    }

    pub fn line(self, entry: &pb::LedgerEntry) -> Line {
        let amount = |printed: &str| amount(printed, &entry.currency);
        let change = entry.change.unwrap_or_default();
        let ends =
            || (self.at(change.old_expires_at.as_ref()), self.at(change.new_expires_at.as_ref()));
        Line {
            sequence: entry.sequence,
            grant: self.grant(&entry.grant_id),
            kind: kind(entry.r#type()),
            amount: amount(&entry.amount),
            balance_after: amount(&entry.balance_after),
            held_amount: amount(&entry.held_amount),
            held_after: amount(&entry.held_after),
            event: number(&entry.event_id),
            invoice: number(&entry.invoice_id),
            hold: number(&entry.hold_id),
            reason: text(&entry.reason),
            priority: change.old_priority.zip(change.new_priority),
            expires: change.expires_at_changed.then(ends),
            actor: entry.actor.clone(),
            occurred: self.when(entry.occurred_at.as_ref()),
            recorded: self.when(entry.recorded_at.as_ref()),
        }
    }

    pub fn balance(self, balance: &pb::Balance) -> Balance {
        let total = |total: &pb::BalanceTotal| {
            let amount = |printed: &str| amount(printed, &total.currency);
            Total {
                scope: scope(&total.currency, &total.metrics),
                available: amount(&total.available),
                held: amount(&total.held),
                remaining: amount(&total.remaining),
            }
        };
        // A part does not tell its currency: money is read as units, its zeros cut.
        let any = |printed: &str| match printed.split_once('.') {
            Some(_) => units(printed.trim_end_matches('0').trim_end_matches('.')),
            None => units(printed),
        };
        let part = |part: &pb::GrantBalance| Part {
            grant: self.grant(&part.grant_id),
            status: status(part.status()),
            available: any(&part.available),
            held: any(&part.held),
            remaining: any(&part.remaining),
        };
        let upcoming = |upcoming: &pb::UpcomingExpiration| {
            let at = self.when(upcoming.expires_at.as_ref());
            (self.grant(&upcoming.grant_id), at, amount(&upcoming.amount, &upcoming.currency))
        };
        let mut totals: Vec<Total> = balance.totals.iter().map(total).collect();
        totals.sort();
        Balance {
            revision: balance.revision,
            as_of: self.when(balance.as_of.as_ref()),
            totals,
            parts: balance.grants.iter().map(part).collect(),
            upcoming: balance.upcoming_expirations.iter().map(upcoming).collect(),
        }
    }
}

/// Why a call was refused.
pub(super) fn no(error: &Error) -> No {
    let metadata = say::metadata(error);
    let figure = |name: &str| {
        let printed = &metadata[name];
        let cut = printed.trim_end_matches('0').trim_end_matches('.');
        units(if printed.contains('.') { cut } else { printed })
    };
    match (error.code(), say::reason(error).as_str()) {
        (Code::InvalidArgument, "INVALID_FIELD") => match say::bad_fields(error).as_slice() {
            [field] if field == "expires_at" => No::BadExpiry,
            [field] if field == "amount" => No::BadAmount,
            _ => No::Other,
        },
        (Code::NotFound, "GRANT_NOT_FOUND") => No::GrantNotFound,
        (Code::NotFound, "EVENT_NOT_FOUND") => No::EventNotFound,
        (Code::NotFound, "APPLICATION_NOT_FOUND") => No::ApplicationNotFound,
        (Code::NotFound, "HOLD_NOT_FOUND") => No::HoldNotFound,
        (Code::AlreadyExists, "REQUEST_ID_REUSED") => No::RequestIdReused,
        (Code::AlreadyExists, "EVENT_ID_REUSED") => No::EventIdReused,
        (Code::AlreadyExists, "INVOICE_ALREADY_APPLIED") => No::InvoiceAlreadyApplied,
        (Code::AlreadyExists, "HOLD_ID_REUSED") => No::HoldIdReused,
        (Code::FailedPrecondition, "INSUFFICIENT_CREDITS") => {
            No::Insufficient { requested: figure("requested"), available: figure("available") }
        }
        (Code::FailedPrecondition, "REVERSAL_EXCEEDS") => {
            No::ReversalExceeds { requested: figure("requested"), left: figure("left") }
        }
        (Code::FailedPrecondition, "GRANT_NOT_ACTIVE") => No::GrantNotActive,
        (Code::FailedPrecondition, "HOLD_NOT_OPEN") => {
            let status = format!("HOLD_STATUS_{}", metadata["status"]);
            let status = pb::HoldStatus::from_str_name(&status).expect("a status");
            No::HoldNotOpen(hold_status(status))
        }
        (Code::FailedPrecondition, "TIMESTAMP_OUT_OF_WINDOW") => No::OutOfWindow,
        _ => panic!("{error:?}"),
    }
}

/// The model knows more than the wire tells: what the domain keeps, and what callers sent.
pub(super) fn as_the_wire_tells(call: &Call, reply: Reply) -> Reply {
    // Voids, updates and releases do not say that they changed nothing.
    let says_so = matches!(call, Call::Create(_) | Call::Aside(_));
    match reply {
        Reply::Grant { view, replayed } => {
            Reply::Grant { view: view_on_the_wire(view), replayed: replayed && says_so }
        }
        Reply::Usage { event, duplicate } => {
            Reply::Usage { event: event_on_the_wire(event), duplicate }
        }
        Reply::Application { application, replayed } => {
            let application = application_on_the_wire(application);
            Reply::Application { application, replayed }
        }
        Reply::Hold { hold, replayed } => {
            Reply::Hold { hold: hold_on_the_wire(hold), replayed: replayed && says_so }
        }
        Reply::Settled { hold, event } => {
            Reply::Settled { hold: hold_on_the_wire(hold), event: event_on_the_wire(event) }
        }
        Reply::UsageReversed { event, did, replayed } => {
            Reply::UsageReversed { event: event_on_the_wire(event), did, replayed }
        }
        Reply::ApplicationReversed { application, did, replayed } => {
            let application = application_on_the_wire(application);
            Reply::ApplicationReversed { application, did, replayed }
        }
        Reply::Swept | Reply::Refused(_) => reply,
    }
}

pub(super) fn view_on_the_wire(view: View) -> View {
    View { sequence: 0, created_by: "anonymous".to_owned(), ..view }
}

pub(super) fn event_on_the_wire(mut event: Event) -> Event {
    (event.usage.at, event.usage.reject, event.lines) = (None, false, None);
    event
}

pub(super) fn application_on_the_wire(mut application: Application) -> Application {
    application.apply.at = None;
    application
}

pub(super) fn hold_on_the_wire(mut hold: Hold) -> Hold {
    (hold.aside.ttl, hold.aside.partial) = (None, false);
    hold
}
