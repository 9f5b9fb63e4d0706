//! Hearing of changes: every batch that changes a balance, on whichever replica, notifies.

use diesel_async::{AsyncPgConnection, SimpleAsyncConnection as _};
use futures_util::StreamExt as _;
use tokio::time::timeout;

use super::Store;
use super::changes::{self, KeyPrefix, channel};
use super::error::{Error, Result};
use crate::limits;

/// A connection that hears of changes.
pub struct Listener(AsyncPgConnection);

impl Store {
    /// Connects and listens. Whatever is committed once this has returned is heard.
    ///
    /// # Errors
    /// As the database says.
    pub async fn listen(&self) -> Result<Listener> {
        let mut listener = Listener(self.address.connect().await?);
        listener.listen().await?;
        Ok(listener)
    }
}

impl Listener {
    /// Waits for the next notification, and for no longer than the connection lives.
    ///
    /// # Errors
    /// As the database says; what changed from then on is not heard.
    pub async fn changed(&mut self) -> Result<Vec<KeyPrefix>> {
        loop {
            let heard = {
                let mut heard = std::pin::pin!(self.0.notifications_stream());
                timeout(limits::LISTEN_PING_EVERY, heard.next()).await
            };
            match heard {
                Ok(Some(notification)) => return changes::read(&notification?.payload),
                Ok(None) => return Err(Error::Away("the connection ended".into())),
                // A peer that is gone says nothing, just as one that has nothing to say.
                Err(_) => self.listen().await?,
            }
        }
    }

    /// Asks for notifications; to ask again changes nothing, and is a sign of life.
    async fn listen(&mut self) -> Result<()> {
        let listen = concat!("LISTEN ", channel!());
        let answer = timeout(limits::CONNECT_TIMEOUT, self.0.batch_execute(listen)).await;
        Ok(answer.map_err(|_| Error::Away("it does not answer".into()))??)
    }
}
