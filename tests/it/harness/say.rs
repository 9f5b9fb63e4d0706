//! Requests as tests write them, and answers as they look at them.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use creditd::pb;
use creditd::pb::import_grants_request::Message;
use prost::Message as _;
use prost_types::{Duration, FieldMask, Timestamp};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

pub fn time(at: DateTime<Utc>) -> Timestamp {
    let nanos = i32::try_from(at.timestamp_subsec_nanos()).expect("nanos");
    Timestamp { seconds: at.timestamp(), nanos }
}

pub fn instant(at: Option<&Timestamp>) -> DateTime<Utc> {
    let at = at.expect("a time");
    let nanos = u32::try_from(at.nanos).expect("nanos");
    DateTime::from_timestamp(at.seconds, nanos).expect("a time")
}

/// A unit grant open to any metric, for ever, under a request id of its own.
pub fn units(customer: &str, amount: &str) -> pb::CreateGrantRequest {
    pb::CreateGrantRequest {
        request_id: uuid::Uuid::now_v7().to_string(),
        customer_id: customer.to_owned(),
        r#type: pb::GrantType::Units.into(),
        amount: amount.to_owned(),
        ..Default::default()
    }
}

/// A monetary grant, for ever, under a request id of its own.
pub fn money(customer: &str, amount: &str, currency: &str) -> pb::CreateGrantRequest {
    pb::CreateGrantRequest {
        r#type: pb::GrantType::Monetary.into(),
        currency: currency.to_owned(),
        ..units(customer, amount)
    }
}

/// A row of an import: a unit grant open to any metric, for ever.
pub fn row(customer: &str, amount: &str) -> pb::CreateGrantRequest {
    pb::CreateGrantRequest { request_id: String::new(), ..units(customer, amount) }
}

/// The message that an import begins with.
pub fn header(import_id: &str, dry_run: bool) -> pb::ImportGrantsRequest {
    let header = pb::ImportHeader { import_id: import_id.to_owned(), dry_run };
    pb::ImportGrantsRequest { message: Some(Message::Header(header)) }
}

/// Rows of an import, numbered from the first one on.
pub fn batch(first_row: i64, rows: Vec<pb::CreateGrantRequest>) -> pb::ImportGrantsRequest {
    let batch = pb::ImportBatch { first_row, rows };
    pb::ImportGrantsRequest { message: Some(Message::Batch(batch)) }
}

/// Usage now, overage allowed.
pub fn usage(customer: &str, event: &str, metric: &str, quantity: &str) -> pb::RecordUsageRequest {
    pb::RecordUsageRequest {
        customer_id: customer.to_owned(),
        event_id: event.to_owned(),
        metric: metric.to_owned(),
        quantity: quantity.to_owned(),
        ..Default::default()
    }
}

/// Credits applied now to an invoice.
pub fn apply(customer: &str, invoice: &str, currency: &str, due: &str) -> pb::ApplyCreditsRequest {
    pb::ApplyCreditsRequest {
        customer_id: customer.to_owned(),
        invoice_id: invoice.to_owned(),
        currency: currency.to_owned(),
        amount_due: due.to_owned(),
        ..Default::default()
    }
}

/// Credits set aside for 15 minutes, all or nothing.
pub fn hold(customer: &str, hold: &str, metric: &str, quantity: &str) -> pb::CreateHoldRequest {
    pb::CreateHoldRequest {
        customer_id: customer.to_owned(),
        hold_id: hold.to_owned(),
        metric: metric.to_owned(),
        quantity: quantity.to_owned(),
        ..Default::default()
    }
}

/// A hold settled now, by an event of the hold's own id.
pub fn settle(customer: &str, hold: &str, quantity: &str) -> pb::SettleHoldRequest {
    pb::SettleHoldRequest {
        customer_id: customer.to_owned(),
        hold_id: hold.to_owned(),
        quantity: quantity.to_owned(),
        ..Default::default()
    }
}

/// A hold's deadline moved to so long after now.
pub fn extend(customer: &str, hold: &str, ttl: TimeDelta) -> pb::ExtendHoldRequest {
    pb::ExtendHoldRequest {
        customer_id: customer.to_owned(),
        hold_id: hold.to_owned(),
        ttl: duration(ttl),
    }
}

/// Usage given back, under a request id of its own; where the quantity is empty all that is left.
pub fn reverse_usage(customer: &str, event: &str, quantity: &str) -> pb::ReverseUsageRequest {
    pb::ReverseUsageRequest {
        request_id: uuid::Uuid::now_v7().to_string(),
        customer_id: customer.to_owned(),
        event_id: event.to_owned(),
        quantity: quantity.to_owned(),
        reason: "a mistake".to_owned(),
    }
}

/// Applied credits given back, under a request id of their own; where the amount is empty all
/// that is left.
pub fn reverse_application(
    customer: &str,
    invoice: &str,
    amount: &str,
) -> pb::ReverseCreditApplicationRequest {
    pb::ReverseCreditApplicationRequest {
        request_id: uuid::Uuid::now_v7().to_string(),
        customer_id: customer.to_owned(),
        invoice_id: invoice.to_owned(),
        amount: amount.to_owned(),
        reason: "a refund".to_owned(),
    }
}

/// The published reason of an error.
pub fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    assert_eq!(info.domain, "creditd");
    info.reason.clone()
}

/// The fields that an INVALID_ARGUMENT names.
pub fn bad_fields(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    assert_eq!(reason(status), "INVALID_FIELD");
    let details = status.get_error_details();
    let bad = details.bad_request().expect("a BadRequest");
    bad.field_violations.iter().map(|violation| violation.field.clone()).collect()
}

/// Checks code and reason of what must be refused.
#[track_caller]
pub fn refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, why: &str) -> Status {
    let status = answer.expect_err("this must be refused");
    assert_eq!((status.code(), reason(&status).as_str()), (code, why), "{status:?}");
    status
}

/// So long.
pub fn duration(delta: TimeDelta) -> Option<Duration> {
    let nanos = delta.subsec_nanos();
    Some(Duration { seconds: delta.num_seconds(), nanos })
}

/// So long after the beginning of the test clock.
pub fn after(delta: TimeDelta) -> Option<Timestamp> {
    Some(time(super::t0() + delta))
}

/// So many hours after the beginning of the test clock.
pub fn hour(hours: i64) -> Option<Timestamp> {
    after(TimeDelta::hours(hours))
}

/// Pairs.
pub fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Names.
pub fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A change of the fields that the mask names.
pub fn update(grant_id: &str, paths: &[&str]) -> pb::UpdateGrantRequest {
    pb::UpdateGrantRequest {
        grant_id: grant_id.to_owned(),
        update_mask: Some(FieldMask { paths: names(paths) }),
        ..Default::default()
    }
}

/// What usage now would do.
pub fn preview(customer: &str, metric: &str, quantity: &str) -> pb::PreviewUsageRequest {
    pb::PreviewUsageRequest {
        customer_id: customer.to_owned(),
        metric: metric.to_owned(),
        quantity: quantity.to_owned(),
        timestamp: None,
    }
}

/// A grant's figures, in the order in which the contract names them.
pub fn figures(grant: &pb::Grant) -> String {
    let pb::Grant { amount, remaining, held, consumed, expired, voided, .. } = grant;
    format!(
        "{amount}: {remaining} remaining, {held} held, {consumed} consumed, {expired} expired, \
         {voided} voided"
    )
}

/// What paid for an event: (grant, amount), in order.
pub fn paid(allocations: &[pb::Allocation]) -> Vec<(&str, &str)> {
    allocations.iter().map(|a| (a.grant_id.as_str(), a.amount.as_str())).collect()
}

/// A ledger, a line per entry: sequence, type, amount, balance after.
pub fn lines(entries: &[pb::LedgerEntry]) -> Vec<String> {
    let line = |entry: &pb::LedgerEntry| {
        let kind = entry.r#type().as_str_name();
        let kind = kind.strip_prefix("LEDGER_ENTRY_TYPE_").expect("a type");
        format!("{} {kind} {} -> {}", entry.sequence, entry.amount, entry.balance_after)
    };
    entries.iter().map(line).collect()
}

/// The metadata of an error's ErrorInfo.
pub fn metadata(status: &Status) -> HashMap<String, String> {
    let details = status.get_error_details();
    details.error_info().expect("an ErrorInfo").metadata.clone()
}

/// The resource that a NOT_FOUND names: its type and its name.
pub fn resource(status: &Status) -> (String, String) {
    let details = status.get_error_details();
    let resource = details.resource_info().expect("a ResourceInfo");
    (resource.resource_type.clone(), resource.resource_name.clone())
}

/// An error inside a message, as the status that a call of its own would have ended with.
pub fn status(inside: &tonic_types::Status) -> Status {
    let details = inside.encode_to_vec();
    Status::with_details(Code::from_i32(inside.code), inside.message.clone(), details.into())
}
