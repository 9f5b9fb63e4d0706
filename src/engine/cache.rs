//! What a lane keeps between batches.

use std::num::NonZeroUsize;

use lru::LruCache;
use uuid::Uuid;

use crate::domain::account::Account;

/// Accounts, least recently used out first, bounded by their grants.
pub(super) struct Cache {
    accounts: LruCache<Uuid, Weighed>,
    weight: usize,
    room: usize,
}

/// An account and its weight, which is dear to find out: it looks at every grant.
struct Weighed {
    account: Box<Account>,
    weight: usize,
}

impl Cache {
    pub(super) fn new(room: usize) -> Self {
        let most = NonZeroUsize::new(room).unwrap_or(NonZeroUsize::MIN);
        Self { accounts: LruCache::new(most), weight: 0, room }
    }

    pub(super) fn take(&mut self, key: Uuid) -> Option<Box<Account>> {
        let taken = self.accounts.pop(&key)?;
        self.weight -= taken.weight;
        Some(taken.account)
    }

    pub(super) fn put(&mut self, key: Uuid, account: Box<Account>) {
        let weight = account.weight();
        self.weight += weight;
        if let Some((_, replaced)) = self.accounts.push(key, Weighed { account, weight }) {
            self.weight -= replaced.weight;
        }
        while self.weight > self.room
            && let Some((_, oldest)) = self.accounts.pop_lru()
        {
            self.weight -= oldest.weight;
        }
    }
}
