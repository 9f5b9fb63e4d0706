//! Why a client command failed, and how it is said: one line for the whole, one for each field.

use std::fmt;

use tonic::{Code, Status};
use tonic_types::{RpcStatusExt as _, StatusExt as _};

use super::ConnectError;

/// Why a client command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no creditd.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// creditd refused, or could not.
    #[error("{}", Spoken(.0))]
    Call(Box<Status>),
    /// What the command was given cannot be used: a file, an argument.
    #[error("{0}")]
    Input(String),
    /// What was to be written could not be.
    #[error("cannot write {what}: {error}")]
    Output {
        /// The file, or "to standard output".
        what: String,
        /// Why not.
        error: std::io::Error,
    },
    /// It ended before all was done, or not all of it could be done.
    #[error("{0}")]
    Unfinished(String),
    /// An answer that creditd does not give.
    #[error("{0}")]
    Unexpected(&'static str),
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Call(Box::new(status))
    }
}

/// The reason that creditd gives, such as `GRANT_NOT_FOUND`, if it was creditd that answered.
#[must_use]
pub fn reason(status: &Status) -> Option<String> {
    status.get_details_error_info().map(|info| info.reason)
}

/// Whether the same call may well succeed a little later: creditd says so, or the connection broke.
#[must_use]
pub fn is_passing(status: &Status) -> bool {
    // creditd's own answers name a reason; an error without one came from the connection.
    match reason(status).as_deref() {
        Some(reason) => matches!(reason, "UNAVAILABLE" | "OVERLOADED" | "CONCURRENT_UPDATE"),
        None => matches!(
            status.code(),
            Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled | Code::Aborted
        ),
    }
}

/// Every bad field, or what creditd says.
pub(super) fn why(status: &tonic_types::Status) -> String {
    let violations = status.get_details_bad_request().map(|bad| bad.field_violations);
    let faults: Vec<String> = violations
        .unwrap_or_default()
        .into_iter()
        .map(|violation| format!("{} {}", violation.field, violation.description))
        .collect();
    match status.get_details_error_info() {
        _ if !faults.is_empty() => faults.join("; "),
        Some(info) => format!("{} ({})", status.message, info.reason),
        None => status.message.clone(),
    }
}

/// A status as people read it.
struct Spoken<'a>(&'a Status);

impl fmt::Display for Spoken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(status) = self;
        let violations = status.get_details_bad_request().map(|bad| bad.field_violations);
        let violations = violations.unwrap_or_default();
        match reason(status) {
            Some(_) if !violations.is_empty() => write!(f, "the request was refused:")?,
            Some(reason) => write!(f, "{} ({reason})", status.message())?,
            None if status.code() == Code::Unavailable => {
                write!(f, "the connection to creditd broke: {}", status.message())?;
            }
            None => write!(f, "{}: {}", status.code(), status.message())?,
        }
        for violation in violations {
            write!(f, "\n  {} {}", violation.field, violation.description)?;
        }
        Ok(())
    }
}
