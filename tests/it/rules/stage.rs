//! For cases written by hand: says calls to the domain and to the naive model at once, which must
//! agree, and keeps the cases short.

use super::books::{Books, REPLICAS};
use super::convert::{instant, metric, scope};
use super::naive::Naive;
use super::words::{
    Call, Create, Kind, MINUTE, Micros, Notes, ONE, Reply, Said, Scope, Update, Usage, View, Void,
    Windows,
};
use creditd::domain::amount::Amount;
use creditd::domain::figures::Figures;
use creditd::domain::grant::{Grant, Priority};

/// Minute 0 of every case.
const START: Micros = 1_750_000_000_000_000;
/// The windows of the cases, in minutes.
pub const MAX_AGE: Micros = 100;
pub const LATE: Micros = 30;

/// Minutes after the start.
pub fn min(minutes: Micros) -> Micros {
    START + minutes * MINUTE
}

pub struct Stage {
    pub books: Books,
    naive: Naive,
}

impl Stage {
    pub fn new() -> Self {
        let windows = Windows { max_event_age: MAX_AGE * MINUTE, late_usage: LATE * MINUTE };
        Self { books: Books::new(windows), naive: Naive::new(windows) }
    }

    /// Says one call at an instant; the domain and the model must answer and book alike.
    pub fn say(&mut self, clock: Micros, call: Call) -> Reply {
        let said = Said { actor: "ops", call };
        let now = self.naive.pass(clock);
        let expected = self.naive.answer(&said, now);
        let mut replies = self.books.run(REPLICAS, clock, &[said]);
        let reply = replies.pop().expect("one reply");
        assert_eq!(reply, expected);
        assert_eq!(self.books.lines(), self.naive.lines());
        assert_eq!(self.books.balance(clock), self.naive.balance(clock));
        reply
    }

    /// The grant as a read at `clock` shows it.
    pub fn view(&self, grant: u32, clock: Micros) -> View {
        let views = self.books.views(clock);
        views.into_iter().find(|view| view.grant == grant).expect("a grant")
    }

    /// The ledger from a sequence on: grant, kind, whole credits.
    pub fn moves(&self, from: i64) -> Vec<(u32, Kind, i128)> {
        let lines = self.books.lines().into_iter().filter(|line| line.sequence >= from);
        lines.map(|line| (line.grant, line.kind, line.amount / ONE)).collect()
    }
}

/// A grant of so many credits, live from minute 0 until the given minute, open to any metric.
/// Its number is its request id, too.
pub fn credits(grant: u32, amount: i128, until: Option<Micros>) -> Create {
    Create {
        key: u8::try_from(grant).expect("a small number"),
        grant,
        scope: Scope::Any,
        amount: amount * ONE,
        priority: None,
        category: None,
        effective: Some(min(0)),
        expires: until.map(min),
        notes: Notes::default(),
    }
}

/// An event of so many credits' worth of "api".
pub fn used(event: u8, quantity: i128, at: Option<Micros>) -> Usage {
    let quantity = quantity * ONE;
    Usage { event, metric: "api", quantity, at: at.map(min), reject: false, metadata: "" }
}

pub fn create(create: Create) -> Call {
    Call::Create(create)
}

pub fn usage(usage: Usage) -> Call {
    Call::Usage(usage)
}

pub fn void(grant: u32) -> Call {
    Call::Void(Void { grant, reason: "fraud" })
}

pub fn update(grant: u32) -> Update {
    Update { grant, ..Update::default() }
}

/// Who paid how many whole credits, and how many nobody did.
pub fn paid(reply: Reply) -> (Vec<(u32, i128)>, i128) {
    let Reply::Usage { event, duplicate: false } = reply else { panic!("{reply:?}") };
    let shares = event.paid.iter().map(|(grant, amount)| (*grant, amount / ONE));
    (shares.collect(), event.uncovered / ONE)
}

/// A grant of the domain by itself, from a view of it.
pub fn grant(view: &View) -> Grant {
    let amount = Amount::from_units;
    Grant {
        id: super::convert::grant_id(view.grant),
        sequence: view.sequence,
        scope: scope(&view.scope),
        amount: amount(view.amount),
        priority: Priority::new(view.priority).expect("0 to 100"),
        category: view.category.map(super::convert::category),
        effective_at: instant(view.effective),
        expires_at: view.expires.map(instant),
        notes: std::sync::Arc::default(),
        figures: Figures {
            remaining: amount(view.remaining),
            held: amount(view.held),
            consumed: amount(view.consumed),
            expired: amount(view.expired),
            voided: amount(view.voided),
        },
        created_at: instant(view.created),
        updated_at: instant(view.updated),
        created_by: "ops".into(),
        import: None,
        voided: view.voided_at.as_ref().map(|(at, reason)| creditd::domain::grant::Voided {
            at: instant(*at),
            reason: reason.as_str().into(),
        }),
    }
}

/// An untouched grant's view, to vary.
pub fn untouched(create: &Create) -> View {
    let mut view = View::made(create, min(0), "ops");
    view.remaining = view.amount;
    view
}

/// Whether a scope pays for a metric, as the domain has it.
pub fn covers(of: &Scope, name: &str) -> bool {
    scope(of).covers(&metric(name))
}
