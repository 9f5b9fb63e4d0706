//! Requests as tests write them, and answers as they look at them.

use chrono::{DateTime, Utc};
use creditd::pb;
use prost_types::Timestamp;
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
