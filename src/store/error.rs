//! What can go wrong below the engine, sorted by what is to be done about it.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use super::tls;
use crate::domain::amount::AmountError;

/// A failure of the store. Its text is for the log; it never reaches a client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database is away, or refused the connection: connect again.
    #[error("the database is away: {0}")]
    Away(String),
    /// Another transaction won a race: run it again.
    #[error("lost a race: {0}")]
    Conflict(String),
    /// Another transaction was the first to insert what this one meant to: run it again, it is
    /// there now.
    #[error("another was first: {0}")]
    Overtaken(String),
    /// A constraint said no: a bug, or figures that are not sound.
    #[error("constraint {constraint}: {message}")]
    Constraint {
        /// The constraint's name.
        constraint: String,
        /// What the database said.
        message: String,
    },
    /// Something the database says that has no class of its own: a broken connection looks like
    /// this, and so does a faulty statement. Connect again, and see whether it stays.
    #[error("the database said: {0}")]
    Other(String),
    /// It cannot be used as it is, or as it was asked for: waiting does not mend that.
    #[error("the database cannot be used: {0}")]
    Unusable(String),
    /// A row that does not read as what it should be.
    #[error("a row does not read: {0}")]
    Corrupt(String),
}

/// What the store answers.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A row that does not read as what it should be.
    #[must_use]
    pub fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt(what.into())
    }

    /// What cannot be used, for who set it up.
    #[must_use]
    pub fn unusable(why: impl Into<String>) -> Self {
        Self::Unusable(why.into())
    }

    /// Whether the connection may be broken and must be made anew.
    #[must_use]
    pub fn breaks_connection(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Other(_))
    }
}

impl From<DieselError> for Error {
    fn from(error: DieselError) -> Self {
        let DieselError::DatabaseError(kind, information) = &error else {
            return match error {
                DieselError::DeserializationError(error) => Self::Corrupt(error.to_string()),
                error => Self::Other(error.to_string()),
            };
        };
        let message = information.message().to_owned();
        match kind {
            DatabaseErrorKind::SerializationFailure => Self::Conflict(message),
            // Two batches met a customer, or a row of an import, that neither knew: the second one
            // knows it now.
            DatabaseErrorKind::UniqueViolation
                if matches!(
                    information.constraint_name(),
                    Some("customers_pkey" | "import_rows_pkey")
                ) =>
            {
                Self::Overtaken(message)
            }
            DatabaseErrorKind::UniqueViolation
            | DatabaseErrorKind::ForeignKeyViolation
            | DatabaseErrorKind::NotNullViolation
            | DatabaseErrorKind::CheckViolation
            | DatabaseErrorKind::RestrictViolation
            | DatabaseErrorKind::ExclusionViolation => Self::Constraint {
                constraint: information.constraint_name().unwrap_or_default().to_owned(),
                message,
            },
            DatabaseErrorKind::UnableToSendCommand
            | DatabaseErrorKind::ClosedConnection
            | DatabaseErrorKind::ReadOnlyTransaction => Self::Away(message),
            // diesel-async passes no SQLSTATE on, so these are told by PostgreSQL's English text;
            // in another language they are Other, and tried again all the same.
            _ if is_conflict(&message) => Self::Conflict(message),
            // It is told to go: by its administrator, or as the server stops.
            _ if message.starts_with("terminating connection") => Self::Away(message),
            // Nothing that creditd asks takes so long of a healthy database.
            _ if message.starts_with("canceling statement due to statement timeout") => {
                Self::Away(message)
            }
            _ => Self::Other(message),
        }
    }
}

fn is_conflict(message: &str) -> bool {
    message.starts_with("deadlock detected")
        || message.starts_with("canceling statement due to lock timeout")
}

impl From<diesel::ConnectionError> for Error {
    fn from(error: diesel::ConnectionError) -> Self {
        Self::Away(error.to_string())
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        use tokio_postgres::error::SqlState;
        let text = match error.as_db_error() {
            Some(said) => said.message().to_owned(),
            None => match std::error::Error::source(&error) {
                Some(cause) => format!("{error}: {cause}"),
                None => error.to_string(),
            },
        };
        let refused = [
            SqlState::INVALID_PASSWORD,
            SqlState::INVALID_CATALOG_NAME,
            SqlState::INSUFFICIENT_PRIVILEGE,
        ];
        // What waiting does not mend is not waited for at the start.
        if error.code().is_some_and(|code| refused.contains(code)) || tls::is_refused(&error) {
            Self::Other(text)
        } else {
            Self::Away(text)
        }
    }
}

impl From<diesel_async::pooled_connection::deadpool::PoolError> for Error {
    fn from(error: diesel_async::pooled_connection::deadpool::PoolError) -> Self {
        Self::Away(error.to_string())
    }
}

impl From<AmountError> for Error {
    fn from(error: AmountError) -> Self {
        Self::Corrupt(error.to_string())
    }
}
