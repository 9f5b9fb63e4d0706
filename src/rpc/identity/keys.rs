//! The keys that are taken, as of a moment ago.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::domain::identity::{Caller, KeyDigest, KeyId, KeyText};
use crate::limits;
use crate::store::{self, Store, TakenKey};

/// The keys that are taken. Every replica has its own, and reads them every few seconds.
pub struct KeyRing {
    store: Store,
    taken: RwLock<Keys>,
    /// When they were read last; whoever holds it reads them.
    read_at: Mutex<Instant>,
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
    /// The keys of this store.
    ///
    /// # Errors
    /// As the database says.
    pub async fn open(store: Store) -> store::Result<Self> {
        let keys = store.taken_keys().await?;
        let taken = renewed(&HashMap::new(), keys);
        let read_at = Mutex::new(Instant::now());
        Ok(Self { store, taken: RwLock::new(Arc::new(taken)), read_at })
    }

    /// Reads them again and again, until `closing`. While the database is away those that were taken
    /// stay taken: nothing that needs one could be done without it.
    pub async fn follow(self: Arc<Self>, closing: CancellationToken) {
        let mut every = interval(limits::API_KEYS_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = closing.cancelled() => return,
                _ = every.tick() => drop(self.read_again(Duration::ZERO).await),
            }
        }
    }

    /// Whether a key opens, and whose it is; None where it opens nothing.
    pub(super) async fn find(&self, key: &KeyText) -> store::Result<Option<Arc<Taken>>> {
        let mut known = self.known(key.id);
        if known.is_none() {
            // It may have been made a moment ago.
            self.read_again(limits::API_KEYS_AGAIN_AFTER).await?;
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

    /// Reads them, unless that was done less than so long ago.
    async fn read_again(&self, again_after: Duration) -> store::Result<()> {
        let mut read_at = self.read_at.lock().await;
        if read_at.elapsed() < again_after {
            return Ok(());
        }
        let before = self.taken();
        let taken = renewed(&before, self.store.taken_keys().await?);
        for (_, gone) in before.iter().filter(|(id, _)| !taken.contains_key(id)) {
            gone.revoked.cancel();
        }
        *self.taken.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(taken);
        *read_at = Instant::now();
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
