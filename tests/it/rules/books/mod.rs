//! The domain as the engine drives it (src/engine/lane.rs), over maps that stand for the
//! database: what is open is loaded, what commands name is looked up, and only the columns that
//! the store writes are written back, so that a change the account fails to mark gets lost here
//! as it would there.

mod reads;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use creditd::domain::account::{Account, KeyRecord, Made, Standing};
use creditd::domain::amount::Amount;
use creditd::domain::application::CreditApplication;
use creditd::domain::command::{Action, Command, Key, Outcome};
use creditd::domain::entry::{Entry, EntryType};
use creditd::domain::grant::Grant;
use creditd::domain::hold::Hold;
use creditd::domain::ids::GrantId;
use creditd::domain::notification::{Interests, Notification, Threshold};
use creditd::domain::order::by_consumption;
use creditd::domain::refusal::Refusal;
use creditd::domain::time::{Timestamp, Windows};
use creditd::domain::usage::{Allocation, UsageEvent};

use super::convert;
use super::words::{self, Micros, Reply, Said, Wishes};

/// A grant's row: the grant, the flag that the open ones are loaded by, and the instant by which the
/// sweeper finds it.
#[derive(Debug, Clone)]
struct Row {
    grant: Grant,
    open: bool,
    due_at: Option<Timestamp>,
}

/// Lanes of two replicas, each with the account it kept from its last batch.
pub const REPLICAS: usize = 2;

#[derive(Debug)]
pub struct Books {
    windows: Windows,
    standing: Option<Standing>,
    grants: BTreeMap<GrantId, Row>,
    holds: BTreeMap<String, Hold>,
    /// Without what they took, which the ledger tells.
    events: BTreeMap<String, UsageEvent>,
    applications: BTreeMap<String, CreditApplication>,
    keys: HashMap<Key, KeyRecord>,
    ledger: Vec<Entry>,
    outbox: Vec<Notification>,
    low: Vec<Threshold>,
    interests: Arc<Interests>,
    cached: [Option<Account>; REPLICAS],
}

impl Books {
    pub fn new(windows: words::Windows) -> Self {
        Self {
            windows: convert::windows(windows),
            standing: None,
            grants: BTreeMap::new(),
            holds: BTreeMap::new(),
            events: BTreeMap::new(),
            applications: BTreeMap::new(),
            keys: HashMap::new(),
            ledger: Vec::new(),
            outbox: Vec::new(),
            low: Vec::new(),
            interests: Arc::default(),
            cached: [None, None],
        }
    }

    /// Says who is to be told of what, from the next batch on.
    pub fn wish(&mut self, wishes: &Wishes) {
        self.interests = Arc::new(convert::interests(wishes));
    }

    /// Runs one batch at `clock` on one of the replicas; any other number starts without a cache.
    pub fn run(&mut self, replica: usize, clock: Micros, batch: &[Said]) -> Vec<Reply> {
        let commands: Vec<Command> = batch.iter().map(convert::command).collect();
        let cached = self.cached.get_mut(replica).and_then(Option::take);
        let mut account = self.load(cached);
        for command in &commands {
            self.name(&mut account, command);
        }
        account.heed(Arc::clone(&self.interests));
        account.begin(convert::instant(clock)).expect("sound figures");
        let answers: Vec<Result<Outcome, Refusal>> =
            commands.iter().map(|command| account.apply(command)).collect();
        account.seal();
        let now = account.now();
        if account.is_dirty() {
            self.save(&account);
        }
        account.committed();
        if account.is_known() {
            self.check_kept(&account);
            if let Some(place) = self.cached.get_mut(replica) {
                *place = Some(account);
            }
        }
        answers.into_iter().map(|answer| convert::reply(answer, now)).collect()
    }

    /// As store/batch/load.rs puts an account together.
    fn load(&self, cached: Option<Account>) -> Account {
        let Some(standing) = self.standing else {
            return Account::unknown(convert::customer(), self.windows);
        };
        match cached {
            Some(mut account) if account.standing().version == standing.version => {
                account.resume(standing);
                account
            }
            _ => {
                let holds = self.holds.values().filter(|hold| hold.end.is_none()).cloned();
                let (customer, grants) = (convert::customer(), self.open_grants());
                let mut account =
                    Account::known(customer, self.windows, standing, grants, holds.collect());
                account.remember_low(self.low.clone());
                account.remember_due(&self.due_at());
                account
            }
        }
    }

    fn open_grants(&self) -> Vec<Grant> {
        self.grants.values().filter(|row| row.open).map(|row| row.grant.clone()).collect()
    }

    fn due_at(&self) -> HashMap<GrantId, Timestamp> {
        let open = self.grants.iter().filter(|(_, row)| row.open);
        open.filter_map(|(id, row)| Some((*id, row.due_at?))).collect()
    }

    /// Gives the account what the database knows of the keys in a command.
    fn name(&self, account: &mut Account, command: &Command) {
        match &command.action {
            Action::CreateGrant(create) => self.name_key(account, &create.key),
            Action::UpdateGrant(update) => self.name_grant(account, update.grant_id),
            Action::VoidGrant(void) => self.name_grant(account, void.grant_id),
            Action::RecordUsage(usage) => self.name_event(account, usage.event_id.as_str()),
            Action::ApplyCredits(apply) => {
                self.name_application(account, apply.invoice_id.as_str());
            }
            Action::CreateHold(create) => self.name_hold(account, create.hold_id.as_str()),
            Action::ExtendHold(extend) => self.name_hold(account, extend.hold_id.as_str()),
            Action::ReleaseHold(hold_id) => self.name_hold(account, hold_id.as_str()),
            Action::SettleHold(settle) => {
                self.name_hold(account, settle.hold_id.as_str());
                self.name_event(account, settle.event_id.as_str());
            }
            Action::ReverseUsage(reverse) => {
                self.name_key(account, &Key::Request(reverse.request_id.clone()));
                self.name_event(account, reverse.event_id.as_str());
                let event = self.event(reverse.event_id.as_str());
                let taken = event.into_iter().flat_map(|event| event.taken);
                taken.for_each(|taken| self.name_grant(account, taken.grant_id));
            }
            Action::ReverseApplication(reverse) => {
                self.name_key(account, &Key::Request(reverse.request_id.clone()));
                self.name_application(account, reverse.invoice_id.as_str());
                let application = self.application(reverse.invoice_id.as_str());
                let taken = application.into_iter().flat_map(|application| application.taken);
                taken.for_each(|(taken, _)| self.name_grant(account, taken.grant_id));
            }
            Action::BookDue => {}
        }
    }

    fn name_key(&self, account: &mut Account, key: &Key) {
        if let Some(record) = self.keys.get(key) {
            account.remember_key(record.clone());
            if let Made::Grant(id) = record.made {
                self.name_grant(account, id);
            }
        }
    }

    fn name_grant(&self, account: &mut Account, id: GrantId) {
        if let Some(row) = self.grants.get(&id) {
            account.name_grant(row.grant.clone());
        }
    }

    fn name_event(&self, account: &mut Account, id: &str) {
        if let Some(event) = self.event(id) {
            account.remember_event(event);
        }
    }

    fn name_application(&self, account: &mut Account, id: &str) {
        if let Some(application) = self.application(id) {
            account.remember_application(application);
        }
    }

    fn name_hold(&self, account: &mut Account, id: &str) {
        if let Some(hold) = self.holds.get(id) {
            account.name_hold(hold.clone());
        }
    }

    fn event(&self, id: &str) -> Option<UsageEvent> {
        let mut event = self.events.get(id)?.clone();
        event.taken = self.taken(event.entries, EntryType::Consumed);
        Some(event)
    }

    fn application(&self, id: &str) -> Option<CreditApplication> {
        let mut application = self.applications.get(id)?.clone();
        let taken = self.taken(application.entries, EntryType::Applied).into_iter();
        let described = taken.map(|taken| {
            let notes = &self.grants[&taken.grant_id].grant.notes;
            (taken, notes.description.clone())
        });
        application.taken = described.collect();
        Some(application)
    }

    /// What these entries took, one after another.
    fn taken(&self, entries: Option<(i64, i64)>, kind: EntryType) -> Vec<Allocation> {
        let Some((first, last)) = entries else { return Vec::new() };
        let within = |entry: &&Entry| (first..=last).contains(&entry.sequence);
        let took = self.ledger.iter().filter(within).filter(|entry| entry.kind == kind);
        let slice = |entry: &Entry| Allocation {
            grant_id: entry.grant_id,
            amount: Amount::from_units(-entry.amount.units()),
        };
        took.map(slice).collect()
    }

    /// As store/batch/save writes: inserts, terms, figures, each with its own columns.
    fn save(&mut self, account: &Account) {
        let (now, windows) = (account.now(), self.windows);
        for grant in account.new_grants() {
            let (open, due_at) = (grant.is_open(now, &windows), account.due_at(grant));
            let row = Row { grant: grant.clone(), open, due_at };
            assert!(self.grants.insert(grant.id, row).is_none(), "a grant made twice");
        }
        for grant in account.grants_with_new_terms() {
            let row = self.grants.get_mut(&grant.id).expect("a row");
            row.grant.priority = grant.priority;
            row.grant.expires_at = grant.expires_at;
            row.grant.notes = grant.notes.clone();
            row.grant.voided.clone_from(&grant.voided);
            row.grant.warned.clone_from(&grant.warned);
        }
        for grant in account.grants_with_new_terms().chain(account.grants_with_new_figures()) {
            let row = self.grants.get_mut(&grant.id).expect("a row");
            row.grant.figures = grant.figures;
            row.grant.updated_at = grant.updated_at;
            row.due_at = account.due_at(grant);
            row.open = grant.is_open(now, &windows);
        }
        for grant in account.grants() {
            assert_eq!(self.grants[&grant.id].grant, *grant, "a change that was not marked");
            let figures = grant.figures;
            let parts = [figures.remaining, figures.consumed, figures.expired, figures.voided];
            assert_eq!(Amount::sum(parts), Ok(grant.amount), "the figures do not add up");
            figures.free().expect("no more held than remains");
        }
        self.save_holds(account);
        self.save_records(account);
        self.ledger.extend(account.changes().entries.iter().cloned());
        self.outbox.extend(account.changes().notifications.iter().cloned());
        if account.changes().low {
            self.low = account.low().to_vec();
        }
        assert_eq!(self.low, account.low(), "a mark that nobody writes");
        self.standing = Some(account.standing());
    }

    fn save_holds(&mut self, account: &Account) {
        for hold in account.new_holds() {
            let before = self.holds.insert(hold.hold_id.to_string(), hold.clone());
            assert!(before.is_none(), "a hold made twice");
        }
        for hold in account.changed_holds() {
            let row = self.holds.get_mut(hold.hold_id.as_str()).expect("a row");
            row.expires_at = hold.expires_at;
            row.end.clone_from(&hold.end);
            assert_eq!(row, hold, "a change that nobody writes");
        }
    }

    fn save_records(&mut self, account: &Account) {
        let changes = account.changes();
        for event in &changes.events {
            let row = UsageEvent { taken: Vec::new(), ..UsageEvent::clone(event) };
            let before = self.events.insert(event.event_id.to_string(), row);
            assert!(before.is_none(), "an event recorded twice");
        }
        for application in &changes.applications {
            let id = application.invoice_id.to_string();
            let row =
                CreditApplication { taken: Vec::new(), ..CreditApplication::clone(application) };
            assert!(self.applications.insert(id, row).is_none(), "an invoice applied twice");
        }
        for (id, reversed) in &changes.reversed_events {
            self.events.get_mut(id.as_str()).expect("a row").reversed = *reversed;
        }
        for (id, reversed) in &changes.reversed_applications {
            self.applications.get_mut(id.as_str()).expect("a row").reversed = *reversed;
        }
        for record in &account.changes().keys {
            let before = self.keys.insert(record.key.clone(), record.clone());
            assert!(before.is_none(), "a key used twice");
        }
    }

    /// What a lane keeps is what a load would find, in the order of consumption.
    fn check_kept(&self, account: &Account) {
        let mut open = self.open_grants();
        open.sort_by(by_consumption);
        let kept: Vec<Grant> = account.grants().cloned().collect();
        assert_eq!(kept, open, "the cache and the database differ");
    }

    /// The last instant at which something was recorded.
    pub fn last_recorded(&self) -> Option<Timestamp> {
        self.standing.map(|standing| standing.recorded_at)
    }

    /// Whether the customer has been taken in.
    pub fn knows_customer(&self) -> bool {
        self.standing.is_some()
    }
}
