//! The rows as reads show them.

use std::sync::Arc;

use creditd::domain::account::{Account, Remainder, Rolled, Standing};
use creditd::domain::amount::Amount;
use creditd::domain::as_of::Since;
use creditd::domain::balance::{Balance, PayingFor};
use creditd::domain::entry::{Entry, EntryType, RuleChange};
use creditd::domain::hold::DueRelease;
use creditd::domain::ids::GrantId;
use creditd::domain::time::Timestamp;

use super::super::convert;
use super::super::words::{self, Line, Marks, Micros, News, View};
use super::{Books, Row};

impl Books {
    /// Every grant there ever was, as a read at `clock` shows it.
    pub fn views(&self, clock: Micros) -> Vec<View> {
        let now = self.read(clock).now();
        let at = |row: &Row| {
            let grant = row.grant.clone().at(now, self.due_release(row.grant.id, now));
            convert::view(&grant.expect("sound figures"), now)
        };
        let mut views: Vec<View> = self.grants.values().map(at).collect();
        views.sort_by_key(|view| view.sequence);
        views
    }

    /// What holds give back to a grant at deadlines that nobody has booked, as store/grants.rs
    /// adds it up.
    fn due_release(&self, grant: GrantId, by: Timestamp) -> Option<DueRelease> {
        let due = self.holds.values().filter(|hold| hold.is_due(by));
        let slices = due.flat_map(|hold| hold.slices.iter().zip(std::iter::repeat(hold)));
        let due: Vec<_> = slices.filter(|(slice, _)| slice.grant_id == grant).collect();
        let amount = Amount::sum(due.iter().map(|(slice, _)| slice.amount));
        let last = due.iter().map(|(_, hold)| hold.expires_at).max()?;
        Some(DueRelease { amount: amount.expect("within range"), last })
    }

    /// Every hold, as a read at `clock` shows it.
    pub fn holds(&self, clock: Micros) -> Vec<words::Hold> {
        let now = self.read(clock).now();
        let holds = self.holds.values().map(|hold| convert::hold(&hold.clone().at(now)));
        by_id(holds, |hold| hold.aside.hold)
    }

    /// Every usage event.
    pub fn events(&self) -> Vec<words::Event> {
        let events = self.events.keys().filter_map(|id| self.event(id));
        by_id(events.map(|event| convert::event(&event)), |event| event.usage.event)
    }

    /// What was applied to every invoice.
    pub fn applications(&self) -> Vec<words::Application> {
        let all = self.applications.keys().filter_map(|id| self.application(id));
        by_id(all.map(|one| convert::application(&one)), |one| one.apply.invoice)
    }

    /// Every grant as a report of a past instant shows it at `now`.
    pub fn as_of(&self, at: Micros, now: Micros) -> Vec<View> {
        let (at, now) = (convert::instant(at), convert::instant(now));
        let made = self.grants.values().filter(|row| row.grant.created_at <= at);
        let then = made.map(|row| {
            let (id, grant) = (row.grant.id, row.grant.clone());
            let due = [at, now].map(|by| self.due_release(id, by));
            let grant = grant.as_of(at, now, &self.since(id, at), due);
            convert::view(&grant.expect("sound figures"), at)
        });
        let mut views: Vec<View> = then.collect();
        views.sort_by_key(|view| view.sequence);
        views
    }

    /// What a grant's ledger recorded after an instant, as store/export/since.rs adds it up.
    fn since(&self, grant: GrantId, at: Timestamp) -> Since {
        let later = |entry: &&Entry| entry.grant_id == grant && entry.recorded_at > at;
        let mut since = Since::default();
        for entry in self.ledger.iter().filter(later) {
            since.changes.extend(entry.change);
            let figure = match entry.kind {
                EntryType::Consumed
                | EntryType::Applied
                | EntryType::UsageReversed
                | EntryType::ApplicationReversed => Some(&mut since.consumed),
                EntryType::Expired | EntryType::ExpirationReclaimed => Some(&mut since.expired),
                EntryType::Voided => Some(&mut since.voided),
                _ => None,
            };
            if let Some(figure) = figure {
                *figure = figure.minus(entry.amount).expect("within range");
            }
            since.held = since.held.plus(entry.held_amount).expect("within range");
        }
        since
    }

    /// The balance of a past instant, as store/past.rs puts it together.
    pub fn past_balance(&self, at: Micros) -> words::Balance {
        let at = convert::instant(at);
        let (before, since): (Vec<&Entry>, Vec<&Entry>) =
            self.ledger.iter().partition(|entry| entry.recorded_at <= at);
        let then = |row: &Row| {
            let last = before.iter().rev().find(|entry| entry.grant_id == row.grant.id)?;
            let left = Remainder {
                grant_id: row.grant.id,
                remaining: last.balance_after,
                held: last.held_after,
            };
            let of_it = since.iter().filter(|entry| entry.grant_id == row.grant.id);
            let changes: Vec<RuleChange> = of_it.filter_map(|entry| entry.change).collect();
            let later = RuleChange {
                priority: changes.iter().find_map(|change| change.priority),
                expires_at: changes.iter().find_map(|change| change.expires_at),
            };
            let then = row.grant.clone().with_left(at, &left, &later).expect("sound figures");
            left.remaining.is_positive().then_some(then)
        };
        let grants = self.grants.values().filter_map(then).collect();
        let revision = before.last().map_or(0, |entry| entry.sequence);
        let rolled = Rolled { until: at, unrolled: 0 };
        let standing = Standing { revision, version: 0, recorded_at: at, rolled };
        let due = self.holds.values().filter(|hold| hold.is_due(at)).cloned().collect();
        let mut account = Account::known(convert::customer(), self.windows, standing, grants, due);
        account.begin(at).expect("sound figures");
        convert::balance(&Balance::of(&account, &PayingFor::Anything).expect("sound figures"))
    }

    pub fn lines(&self) -> Vec<Line> {
        self.ledger.iter().map(convert::line).collect()
    }

    /// All that was told.
    pub fn news(&self) -> Vec<News> {
        self.outbox.iter().map(convert::news).collect()
    }

    /// What is remembered of it, but for ends that have passed.
    pub fn marks(&self, now: Micros) -> Marks {
        let mut marks = convert::marks(self.grants.values().map(|row| &row.grant), &self.low);
        marks.warned.retain(|(.., end)| *end > now);
        marks
    }

    /// When the sweeper will find something.
    pub fn due_next(&self) -> Option<Micros> {
        let holds = self.holds.values().filter(|hold| hold.end.is_none());
        let grants = self.grants.values().filter_map(|row| row.due_at);
        holds.map(|hold| hold.expires_at).chain(grants).map(convert::micros).min()
    }

    /// Whether time brings nothing before the instant at which the sweeper will find something.
    pub fn are_quiet_until_due(&self) -> bool {
        let Some(due) = self.due_next() else { return true };
        let mut account = self.load(None);
        account.heed(Arc::clone(&self.interests));
        account.begin(convert::instant(due - 1)).expect("sound figures");
        !account.is_dirty()
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
}

/// As numbers sort, not as texts do.
fn by_id<T>(all: impl Iterator<Item = T>, id: impl Fn(&T) -> u8) -> Vec<T> {
    let mut all: Vec<T> = all.collect();
    all.sort_by_key(id);
    all
}
