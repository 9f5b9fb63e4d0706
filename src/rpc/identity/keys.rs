//! The keys that are taken, as of a moment ago.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::domain::identity::{Caller, KeyDigest, KeyId, KeyText};
use crate::limits;
use crate::store::{self, Store, TakenKey};

/// The keys that are taken. Every replica has its own, and reads them every few seconds.
pub struct KeyRing {
    store: Store,
    taken: RwLock<Keys>,
    /// Wakes who reads them.
    wanted: Notify,
    /// The last reading.
    read: watch::Sender<Reading>,
}

#[derive(Clone, Copy)]
struct Reading {
    begun: Instant,
    succeeded: bool,
    /// Whether none follows it.
    last: bool,
}

type Keys = Arc<HashMap<KeyId, Arc<Taken>>>;

/// A key that opens.
pub(super) struct Taken {
    digest: KeyDigest,
    /// Whose it is.
    pub(super) caller: Caller,
    /// Cancelled when it opens no longer.
    pub(super) revoked: CancellationToken,
}

impl KeyRing {
    /// The keys of this store, none of which has been read.
    #[must_use]
    pub fn new(store: Store) -> Self {
        let read =
            watch::Sender::new(Reading { begun: Instant::now(), succeeded: true, last: false });
        Self { store, taken: RwLock::default(), wanted: Notify::new(), read }
    }

    /// Whether there is no key that opens.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.taken().is_empty()
    }

    /// Reads them again and again, and when somebody wants it, until `closing`. While the database is
    /// away those that were taken stay taken: nothing that needs one could be done without it.
    pub async fn follow(self: Arc<Self>, closing: CancellationToken) {
        let reading = async {
            loop {
                drop(timeout(limits::API_KEYS_EVERY, self.wanted.notified()).await);
                let begun = Instant::now();
                let read = self.read().await;
                let reading = Reading { begun, succeeded: read.is_ok(), last: false };
                let before = self.read.send_replace(reading);
                if let Err(error) = read
                    && before.succeeded
                {
                    tracing::warn!(%error, "the keys cannot be read: those known before are taken");
                }
                sleep(limits::API_KEYS_PAUSE).await;
            }
        };
        closing.run_until_cancelled(reading).await;
        // Whoever waits for another hears that there is none.
        let last = Reading { begun: Instant::now(), succeeded: false, last: true };
        self.read.send_replace(last);
    }

    /// Whether a key opens, and whose it is; None where it opens nothing. For one that is not known the
    /// keys are read: it may have been made a moment ago.
    ///
    /// # Errors
    /// [`store::Error::Away`] where they cannot be read.
    pub(super) async fn find(&self, key: &KeyText) -> store::Result<Option<Arc<Taken>>> {
        let mut known = self.known(key.id);
        if known.is_none() {
            self.read_from_now_on().await?;
            known = self.known(key.id);
        }
        Ok(known.filter(|taken| taken.digest.is(&key.digest())))
    }

    fn known(&self, id: KeyId) -> Option<Arc<Taken>> {
        self.taken().get(&id).cloned()
    }

    fn taken(&self) -> Keys {
        Arc::clone(&self.taken.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for a reading that begins from now on: one, for all who wait.
    async fn read_from_now_on(&self) -> store::Result<()> {
        let now = Instant::now();
        let mut readings = self.read.subscribe();
        self.wanted.notify_one();
        let reading = readings.wait_for(|reading| reading.last || reading.begun >= now).await;
        match reading {
            Ok(reading) if reading.succeeded => Ok(()),
            _ => Err(store::Error::Away("the keys cannot be read".into())),
        }
    }

    /// Reads them once.
    ///
    /// # Errors
    /// As the database says; those known before are kept.
    pub async fn read(&self) -> store::Result<()> {
        let before = self.taken();
        let taken = renewed(&before, self.store.taken_keys().await?);
        for (_, gone) in before.iter().filter(|(id, _)| !taken.contains_key(id)) {
            gone.revoked.cancel();
        }
        *self.taken.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(taken);
        Ok(())
    }
}

/// The keys that were read; of those known before, what is known. A key never changes.
fn renewed(before: &HashMap<KeyId, Arc<Taken>>, keys: Vec<TakenKey>) -> HashMap<KeyId, Arc<Taken>> {
    let taken = |key: TakenKey| {
        let known = before.get(&key.id).cloned();
        let new = || {
            let caller = Caller { actor: key.name.as_str().into(), role: key.role };
            Arc::new(Taken { digest: key.digest, caller, revoked: CancellationToken::new() })
        };
        (key.id, known.unwrap_or_else(new))
    };
    keys.into_iter().map(taken).collect()
}
