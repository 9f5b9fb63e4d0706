//! What a lane keeps between batches.

use std::num::NonZeroUsize;

use lru::LruCache;
use uuid::Uuid;

use crate::domain::account::Account;

/// Accounts, least recently used out first, bounded by their grants.
pub(super) struct Cache {
    accounts: LruCache<Uuid, Box<Account>>,
    weight: usize,
    room: usize,
}

impl Cache {
    pub(super) fn new(room: usize) -> Self {
        let most = NonZeroUsize::new(room).unwrap_or(NonZeroUsize::MIN);
        Self { accounts: LruCache::new(most), weight: 0, room }
    }

    pub(super) fn take(&mut self, key: Uuid) -> Option<Box<Account>> {
        let account = self.accounts.pop(&key)?;
        self.weight -= account.weight();
        Some(account)
    }

    pub(super) fn put(&mut self, key: Uuid, account: Box<Account>) {
        self.weight += account.weight();
        if let Some((_, replaced)) = self.accounts.push(key, account) {
            self.weight -= replaced.weight();
        }
        while self.weight > self.room
            && let Some((_, oldest)) = self.accounts.pop_lru()
        {
            self.weight -= oldest.weight();
        }
    }
}
