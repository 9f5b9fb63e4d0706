//! The domain as the engine drives it (src/engine/lane.rs), over maps that stand for the
//! database: what is open is loaded, what commands name is looked up, and only the columns that
//! the store writes are written back, so that a change the account fails to mark gets lost here
//! as it would there.

use std::collections::{BTreeMap, HashMap};

use creditd::domain::account::{Account, KeyRecord, Standing};
use creditd::domain::amount::Amount;
use creditd::domain::as_of::Since;
use creditd::domain::balance::{Balance, PayingFor};
use creditd::domain::command::{Action, Command, Key, Outcome};
use creditd::domain::entry::Entry;
use creditd::domain::grant::Grant;
use creditd::domain::ids::GrantId;
use creditd::domain::order::by_consumption;
use creditd::domain::refusal::Refusal;
use creditd::domain::time::{Timestamp, Windows};
use creditd::domain::usage::UsageEvent;

use super::convert;
use super::words::{self, Line, Micros, Reply, Said, View};

/// A grant's row: the grant, and the flag that the open ones are loaded by.
#[derive(Debug, Clone)]
struct Row {
    grant: Grant,
    open: bool,
}

/// Lanes of two replicas, each with the account it kept from its last batch.
pub const REPLICAS: usize = 2;

#[derive(Debug)]
pub struct Books {
    windows: Windows,
    standing: Option<Standing>,
    grants: BTreeMap<GrantId, Row>,
    events: BTreeMap<String, UsageEvent>,
    keys: HashMap<Key, KeyRecord>,
    ledger: Vec<Entry>,
    cached: [Option<Account>; REPLICAS],
}

impl Books {
    pub fn new(windows: words::Windows) -> Self {
        Self {
            windows: convert::windows(windows),
            standing: None,
            grants: BTreeMap::new(),
            events: BTreeMap::new(),
            keys: HashMap::new(),
            ledger: Vec::new(),
            cached: [None, None],
        }
    }

    /// Runs one batch at `clock` on one of the replicas; any other number starts without a cache.
    pub fn run(&mut self, replica: usize, clock: Micros, batch: &[Said]) -> Vec<Reply> {
        let commands: Vec<Command> = batch.iter().map(convert::command).collect();
        let cached = self.cached.get_mut(replica).and_then(Option::take);
        let mut account = self.load(cached);
        for command in &commands {
            self.name(&mut account, command);
        }
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
            _ => Account::known(convert::customer(), self.windows, standing, self.open_grants()),
        }
    }

    fn open_grants(&self) -> Vec<Grant> {
        self.grants.values().filter(|row| row.open).map(|row| row.grant.clone()).collect()
    }

    /// Gives the account what the database knows of the keys in a command.
    fn name(&self, account: &mut Account, command: &Command) {
        let named = match &command.action {
            Action::CreateGrant(create) => {
                let record = self.keys.get(&create.key);
                record.map(|record| {
                    account.remember_key(record.clone());
                    record.grant_id
                })
            }
            Action::UpdateGrant(update) => Some(update.grant_id),
            Action::VoidGrant(void) => Some(void.grant_id),
            Action::RecordUsage(usage) => {
                if let Some(event) = self.events.get(usage.event_id.as_str()) {
                    account.remember_event(event.clone());
                }
                None
            }
            Action::BookDue => None,
        };
        if let Some(row) = named.and_then(|id| self.grants.get(&id)) {
            account.name_grant(row.grant.clone());
        }
    }

    /// As store/batch/save writes: inserts, terms, figures, each with its own columns.
    fn save(&mut self, account: &Account) {
        let (now, windows) = (account.now(), self.windows);
        for grant in account.new_grants() {
            let row = Row { grant: grant.clone(), open: grant.is_open(now, &windows) };
            assert!(self.grants.insert(grant.id, row).is_none(), "a grant made twice");
        }
        for grant in account.grants_with_new_terms() {
            let row = self.grants.get_mut(&grant.id).expect("a row");
            row.grant.priority = grant.priority;
            row.grant.expires_at = grant.expires_at;
            row.grant.notes = grant.notes.clone();
            row.grant.voided.clone_from(&grant.voided);
        }
        for grant in account.grants_with_new_terms().chain(account.grants_with_new_figures()) {
            let row = self.grants.get_mut(&grant.id).expect("a row");
            row.grant.figures = grant.figures;
            row.grant.updated_at = grant.updated_at;
            row.open = grant.is_open(now, &windows);
        }
        for grant in account.grants() {
            assert_eq!(self.grants[&grant.id].grant, *grant, "a change that was not marked");
            let figures = grant.figures;
            let parts = [figures.remaining, figures.consumed, figures.expired, figures.voided];
            assert_eq!(Amount::sum(parts), Ok(grant.amount), "the figures do not add up");
        }
        for event in &account.changes().events {
            let key = event.event_id.to_string();
            let before = self.events.insert(key, UsageEvent::clone(event));
            assert!(before.is_none(), "an event recorded twice");
        }
        for record in &account.changes().keys {
            let before = self.keys.insert(record.key.clone(), record.clone());
            assert!(before.is_none(), "a key used twice");
        }
        self.ledger.extend(account.changes().entries.iter().cloned());
        self.standing = Some(account.standing());
    }

    /// What a lane keeps is what a load would find, in the order of consumption.
    fn check_kept(&self, account: &Account) {
        let mut open = self.open_grants();
        open.sort_by(by_consumption);
        let kept: Vec<Grant> = account.grants().cloned().collect();
        assert_eq!(kept, open, "the cache and the database differ");
    }

    /// Every grant there ever was, as a read at `clock` shows it.
    pub fn views(&self, clock: Micros) -> Vec<View> {
        let now = self.read(clock).now();
        let at = |row: &Row| row.grant.clone().at(now).expect("sound figures");
        let mut views: Vec<View> =
            self.grants.values().map(|row| convert::view(&at(row), now)).collect();
        views.sort_by_key(|view| view.sequence);
        views
    }

    /// Every grant as a report of a past instant shows it at `now`.
    pub fn as_of(&self, at: Micros, now: Micros) -> Vec<View> {
        let (at, now) = (convert::instant(at), convert::instant(now));
        let made = self.grants.values().filter(|row| row.grant.created_at <= at);
        let mut views: Vec<View> = made
            .map(|row| {
                let grant = row.grant.clone().as_of(at, now, &self.since(row.grant.id, at));
                convert::view(&grant.expect("sound figures"), at)
            })
            .collect();
        views.sort_by_key(|view| view.sequence);
        views
    }

    /// What a grant's ledger recorded after an instant, as store/export/since.rs adds it up.
    fn since(&self, grant: GrantId, at: Timestamp) -> Since {
        let later = |entry: &&Entry| entry.grant_id == grant && entry.recorded_at > at;
        let mut since = Since::default();
        for entry in self.ledger.iter().filter(later) {
            since.changes.extend(entry.change);
            match since.moved.iter_mut().find(|(kind, _)| *kind == entry.kind) {
                Some((_, sum)) => *sum = sum.plus(entry.amount).expect("within range"),
                None => since.moved.push((entry.kind, entry.amount)),
            }
        }
        since
    }

    pub fn lines(&self) -> Vec<Line> {
        self.ledger.iter().map(convert::line).collect()
    }

    /// The account as store/account.rs reads it: nothing is written.
    pub fn read(&self, clock: Micros) -> Account {
        let mut account = self.load(None);
        account.begin(convert::instant(clock)).expect("sound figures");
        account
    }

    pub fn balance(&self, clock: Micros) -> words::Balance {
        self.balance_for(clock, &PayingFor::Anything)
    }

    pub fn balance_for(&self, clock: Micros, what: &PayingFor) -> words::Balance {
        convert::balance(&Balance::of(&self.read(clock), what).expect("sound figures"))
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
