//! A lane's connection: what the engine holds of the database, without knowing its driver.

use diesel::connection::InstrumentationEvent;
use diesel_async::{AsyncConnection as _, AsyncPgConnection, SimpleAsyncConnection as _};

use super::Store;
use super::error::Result;

/// A connection of its own, on which one [`Batch`](super::batch::Batch) runs at a time.
pub struct Connection(pub(super) AsyncPgConnection);

impl Store {
    /// Connects; `on_statement` is called for every statement that is sent from then on.
    ///
    /// # Errors
    /// [`Error::Away`](super::Error::Away).
    pub async fn connect(&self, on_statement: impl Fn() + Send + 'static) -> Result<Connection> {
        let mut conn = self.address.connect().await?;
        conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if matches!(event, InstrumentationEvent::StartQuery { .. }) {
                on_statement();
            }
        });
        Ok(Connection(conn))
    }
}

impl Connection {
    /// Leaves no transaction open behind a failed batch.
    ///
    /// # Errors
    /// As the database says; the connection is then of no more use.
    pub async fn rollback(&mut self) -> Result<()> {
        Ok(self.0.batch_execute("ROLLBACK").await?)
    }
}
