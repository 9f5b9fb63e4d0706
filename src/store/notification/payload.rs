//! The body of a webhook: `credits.v1.Notification` as JSON, with the names of the proto. (What
//! builds proto messages is above the store; a test reads these bodies as such messages.)

use chrono::SecondsFormat;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::rows::scope_metrics;
use super::interests::threshold_json;
use crate::domain::amount::{Amount, AmountError};
use crate::domain::balance::Total;
use crate::domain::grant::{Category, Grant, Scope, Status};
use crate::domain::hold::Hold;
use crate::domain::ids::Customer;
use crate::domain::notification::{EventType, Notification, Subject};
use crate::domain::time::Timestamp;
use crate::domain::usage::Allocation;

/// The body that tells a customer's notification.
pub(in super::super) fn body(
    id: Uuid,
    customer: &Customer,
    notification: &Notification,
) -> Result<String, AmountError> {
    let at = notification.at;
    let mut data = object(json!({
        "customer_id": &*customer.external_id,
        "sequence": notification.sequence,
        "balance": {
            "customer_id": &*customer.external_id,
            "revision": notification.sequence,
            "as_of": time(at),
            "totals": notification.totals.iter().map(total).collect::<Vec<_>>(),
        },
    }));
    match &notification.subject {
        Subject::Grant(_, of) => data.insert("grant".into(), grant(customer, of, at)),
        Subject::Expiring(period, of) => {
            data.insert("expiry_warning".into(), format!("{}s", period.seconds()).into());
            data.insert("grant".into(), grant(customer, of, at))
        }
        Subject::HoldExpired(of) => data.insert("hold".into(), hold(customer, of)?),
        Subject::Low(threshold, left) | Subject::Recovered(threshold, left) => {
            data.insert("threshold_remaining".into(), threshold.print(*left).into());
            data.insert("threshold".into(), threshold_json(threshold))
        }
    };
    Ok(envelope(id, notification.event_type(), at, data))
}

/// The body of a test.
pub(in super::super) fn test_body(id: Uuid, at: Timestamp) -> String {
    envelope(id, EventType::NotificationTest, at, Map::new())
}

fn envelope(id: Uuid, kind: EventType, at: Timestamp, data: Map<String, Value>) -> String {
    let id = format!("msg_{}", id.as_hyphenated());
    json!({ "id": id, "type": kind.name(), "timestamp": time(at), "data": data }).to_string()
}

fn grant(customer: &Customer, grant: &Grant, at: Timestamp) -> Value {
    let print = |amount| grant.scope.print(amount);
    let mut shown = object(json!({
        "id": grant.id.to_string(),
        "customer_id": &*customer.external_id,
        "amount": print(grant.amount),
        "priority": grant.priority.get(),
        "status": status(grant.status(at)),
        "effective_at": time(grant.effective_at),
        "description": grant.notes.description,
        "metadata": grant.notes.metadata,
        "remaining": print(grant.figures.remaining),
        "held": print(grant.figures.held),
        "consumed": print(grant.figures.consumed),
        "expired": print(grant.figures.expired),
        "voided": print(grant.figures.voided),
        "created_at": time(grant.created_at),
        "updated_at": time(grant.updated_at),
        "created_by": &*grant.created_by,
    }));
    shown.extend(scope(&grant.scope));
    let category = grant.category.map(|category| ("category", category_name(category).into()));
    let expires_at = grant.expires_at.map(|at| ("expires_at", time(at).into()));
    shown.extend(category.into_iter().chain(expires_at).map(named));
    if let Some(voided) = &grant.voided {
        shown.insert("voided_at".into(), time(voided.at).into());
        shown.insert("void_reason".into(), (*voided.reason).into());
    }
    if let Some(import) = &grant.import {
        shown.insert("import_id".into(), import.import_id.as_str().into());
        shown.insert("import_row".into(), import.row.into());
    }
    if let Some(campaign) = &grant.campaign {
        shown.insert("campaign_id".into(), campaign.as_str().into());
    }
    Value::Object(shown)
}

/// A hold that has expired.
fn hold(customer: &Customer, hold: &Hold) -> Result<Value, AmountError> {
    let slice = |slice: &Allocation| json!({ "grant_id": slice.grant_id.to_string(), "amount": slice.amount.to_string() });
    let mut shown = object(json!({
        "customer_id": &*customer.external_id,
        "hold_id": hold.hold_id.as_str(),
        "metric": hold.metric.as_str(),
        "quantity": hold.quantity.to_string(),
        "held": hold.held()?.to_string(),
        "settled": hold.settled().to_string(),
        "released": hold.released()?.to_string(),
        "status": "HOLD_STATUS_EXPIRED",
        "expires_at": time(hold.expires_at),
        "allocations": hold.slices.iter().map(slice).collect::<Vec<_>>(),
        "created_at": time(hold.created_at),
    }));
    shown.extend(hold.end.as_ref().map(|(at, _)| named(("ended_at", time(*at).into()))));
    Ok(Value::Object(shown))
}

fn total(total: &Total) -> Value {
    let print = |amount: Amount| total.scope.print(amount);
    let mut shown = object(json!({
        "available": print(total.available),
        "held": print(total.held),
        "remaining": print(total.remaining),
    }));
    shown.extend(scope(&total.scope));
    Value::Object(shown)
}

/// The fields `type`, `currency` and `metrics`.
fn scope(scope: &Scope) -> impl Iterator<Item = (String, Value)> {
    let fields = match scope {
        Scope::Money(currency) => {
            [("type", "GRANT_TYPE_MONETARY".into()), ("currency", currency.code().into())]
        }
        Scope::Units(_) => {
            [("type", "GRANT_TYPE_UNITS".into()), ("metrics", scope_metrics(scope).into())]
        }
    };
    fields.into_iter().map(named)
}

fn named((name, value): (&str, Value)) -> (String, Value) {
    (name.to_owned(), value)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn time(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Pending => "GRANT_STATUS_PENDING",
        Status::Active => "GRANT_STATUS_ACTIVE",
        Status::Exhausted => "GRANT_STATUS_EXHAUSTED",
        Status::Expired => "GRANT_STATUS_EXPIRED",
        Status::Voided => "GRANT_STATUS_VOIDED",
    }
}

fn category_name(category: Category) -> &'static str {
    match category {
        Category::Promotional => "GRANT_CATEGORY_PROMOTIONAL",
        Category::Purchased => "GRANT_CATEGORY_PURCHASED",
        Category::Loyalty => "GRANT_CATEGORY_LOYALTY",
        Category::Service => "GRANT_CATEGORY_SERVICE",
    }
}
