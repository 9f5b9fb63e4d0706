//! What the accounts of a batch have changed, table by table, in the order of writing.

use super::super::super::changes;
use super::super::Accounts;
use super::Of;
use super::promises::Reversed;
use super::records::Used;
use crate::domain::account::{Account, Point};
use crate::domain::application::CreditApplication;
use crate::domain::command::Key;
use crate::domain::entry::Entry;
use crate::domain::grant::Grant;
use crate::domain::hold::Hold;
use crate::domain::ids::{CampaignId, EventId, InvoiceId, RequestId};
use crate::domain::import::ImportRow;
use crate::domain::notification::Notification;
use crate::domain::usage::UsageEvent;

#[derive(Default)]
pub(super) struct Rows<'a> {
    pub new: Vec<&'a Account>,
    pub known: Vec<&'a Account>,
    pub made: Vec<Of<'a, Grant>>,
    pub terms: Vec<Of<'a, Grant>>,
    pub figures: Vec<Of<'a, Grant>>,
    pub events: Vec<Of<'a, UsageEvent>>,
    pub entries: Vec<Of<'a, Entry>>,
    pub points: Vec<Of<'a, Point>>,
    pub new_holds: Vec<Of<'a, Hold>>,
    pub changed_holds: Vec<Of<'a, Hold>>,
    pub applications: Vec<Of<'a, CreditApplication>>,
    pub reversed_events: Vec<Reversed<'a, EventId>>,
    pub reversed_applications: Vec<Reversed<'a, InvoiceId>>,
    pub requests: Vec<Used<'a, RequestId>>,
    pub imported: Vec<Used<'a, ImportRow>>,
    pub low: Vec<&'a Account>,
    pub notifications: Vec<Of<'a, Notification>>,
    pub campaigns: Vec<Used<'a, CampaignId>>,
    /// What tells those who watch.
    pub payloads: Vec<String>,
}

impl<'a> Rows<'a> {
    pub(super) fn of(accounts: &'a Accounts) -> Self {
        let all = accounts.values().map(|account| &**account);
        let mut dirty: Vec<&Account> = all.filter(|account| account.is_dirty()).collect();
        dirty.sort_unstable_by_key(|account| account.customer().key);
        let changed = dirty.iter().filter(|account| account.has_news());
        let payloads = changes::payloads(changed.map(|account| account.customer().key));
        let mut rows = Self { payloads, ..Self::default() };
        for account in dirty {
            rows.add(account);
        }
        // In the order of the index: neighbours land on the same page.
        rows.events
            .sort_unstable_by(|a, b| (a.key, &a.row.event_id).cmp(&(b.key, &b.row.event_id)));
        // Two batches may meet in these rows without having met in a customer's lock: in one order.
        rows.imported.sort_by_cached_key(|(row, _)| (row.import_id.key(), row.row));
        rows
    }

    fn add(&mut self, account: &'a Account) {
        let key = account.customer().key;
        let changes = account.changes();
        if account.is_known() { &mut self.known } else { &mut self.new }.push(account);
        self.made.extend(of(account, account.new_grants()));
        self.terms.extend(of(account, account.grants_with_new_terms()));
        self.figures.extend(of(account, account.grants_with_new_terms()));
        self.figures.extend(of(account, account.grants_with_new_figures()));
        self.events.extend(of(account, changes.events.iter().map(|event| &**event)));
        self.entries.extend(of(account, changes.entries.iter()));
        self.points.extend(of(account, changes.points.iter()));
        self.new_holds.extend(of(account, account.new_holds()));
        self.changed_holds.extend(of(account, account.changed_holds()));
        self.applications.extend(of(account, changes.applications.iter().map(|made| &**made)));
        let reversed = changes.reversed_events.iter();
        self.reversed_events.extend(reversed.map(|(id, by)| (key, id, *by)));
        let reversed = changes.reversed_applications.iter();
        self.reversed_applications.extend(reversed.map(|(id, by)| (key, id, *by)));
        self.low.extend(changes.low.then_some(account));
        self.notifications.extend(of(account, changes.notifications.iter()));
        for row in &changes.keys {
            let of = Of { key, account, row };
            match &row.key {
                Key::Request(id) => self.requests.push((id, of)),
                Key::Import(row) => self.imported.push((row, of)),
                Key::Campaign(id) => self.campaigns.push((id, of)),
            }
        }
    }
}

fn of<'a, T: 'a>(
    account: &'a Account,
    rows: impl Iterator<Item = &'a T> + 'a,
) -> impl Iterator<Item = Of<'a, T>> + 'a {
    let key = account.customer().key;
    rows.map(move |row| Of { key, account, row })
}
