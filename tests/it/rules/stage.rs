//! For cases written by hand: says calls to the domain and to the naive model at once, which must
//! agree, and keeps the cases short.

use super::books::{Books, REPLICAS};
use super::convert::{instant, metric, scope};
use super::naive::Naive;
use super::words::{
    Application, Apply, Aside, Call, Create, Event, Extend, Hold, Kind, MINUTE, Micros, News,
    Notes, ONE, Of, Reply, Reverse, Reversed, Said, Scope, Settle, Update, Usage, View, Void,
    Windows, Wishes,
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
    /// How much of the news was asked for.
    heard: usize,
}

impl Stage {
    pub fn new() -> Self {
        let windows = Windows { max_event_age: MAX_AGE * MINUTE, late_usage: LATE * MINUTE };
        Self { books: Books::new(windows), naive: Naive::new(windows), heard: 0 }
    }

    /// Says who is to be told of what, from now on.
    pub fn wish(&mut self, wishes: &Wishes) {
        self.books.wish(wishes);
        self.naive.wish(wishes);
    }

    /// What was told since it was asked for last.
    pub fn news(&mut self) -> Vec<News> {
        let news = self.books.news().split_off(self.heard);
        self.heard += news.len();
        news
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
        assert!(self.books.news().iter().eq(self.naive.news()), "{:#?}", self.books.news());
        assert_eq!(self.books.marks(now), self.naive.marks(now));
        assert_eq!(self.books.balance(clock), self.naive.balance(clock));
        assert_eq!(self.books.views(clock), self.naive.views(now));
        assert_eq!(self.books.holds(clock), self.naive.holds());
        assert_eq!(self.books.events(), self.naive.events());
        assert_eq!(self.books.applications(), self.naive.applications());
        reply
    }

    /// Sets so many credits aside for "api", until the given minute.
    pub fn hold(&mut self, clock: Micros, hold: u8, quantity: i128, until: Micros) -> Hold {
        let aside = aside(hold, quantity, until - clock);
        held(self.say(min(clock), Call::Aside(aside)))
    }

    /// Settles a hold with so many credits, by an event that is called like it.
    pub fn settle(&mut self, clock: Micros, hold: u8, quantity: i128) -> (Hold, Event) {
        let reply = self.say(min(clock), settle(hold, quantity));
        let Reply::Settled { hold, event } = reply else { panic!("{reply:?}") };
        (hold, event)
    }

    /// Reverses so many credits, or all that is left.
    pub fn reverse(&mut self, clock: Micros, key: u8, of: Of, amount: Option<i128>) -> Reversed {
        let amount = amount.map(|amount| amount * ONE);
        did(self.say(min(clock), reverse(key, of, amount)))
    }

    /// A hold as a read at `clock` shows it.
    pub fn held(&self, hold: u8, clock: Micros) -> Hold {
        let holds = self.books.holds(clock);
        holds.into_iter().find(|known| known.aside.hold == hold).expect("a hold")
    }

    /// An event as a read shows it.
    pub fn event(&self, event: u8) -> Event {
        let events = self.books.events();
        events.into_iter().find(|known| known.usage.event == event).expect("an event")
    }

    /// An application as a read shows it.
    pub fn application(&self, invoice: u8) -> Application {
        let all = self.books.applications();
        all.into_iter().find(|known| known.apply.invoice == invoice).expect("an application")
    }

    /// Remaining, held, consumed, expired, voided: whole credits of a grant.
    pub fn figures(&self, grant: u32, clock: Micros) -> [i128; 5] {
        let view = self.view(grant, clock);
        let View { remaining, held, consumed, expired, voided, .. } = view;
        [remaining, held, consumed, expired, voided].map(|units| units / ONE)
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

/// A monetary grant of so many units of the currency, live from minute 0.
pub fn money(grant: u32, amount: i128, currency: &'static str, until: Option<Micros>) -> Create {
    Create { scope: Scope::Money(currency), ..credits(grant, amount, until) }
}

/// So many credits set aside for "api", for so many minutes, all or nothing.
pub fn aside(hold: u8, quantity: i128, minutes: Micros) -> Aside {
    let ttl = Some(minutes * MINUTE);
    Aside { hold, metric: "api", quantity: quantity * ONE, ttl, partial: false }
}

pub fn settle(hold: u8, quantity: i128) -> Call {
    Call::Settle(Settle { hold, event: hold, quantity: quantity * ONE, at: None })
}

pub fn extend(hold: u8, minutes: Micros) -> Call {
    Call::Extend(Extend { hold, ttl: minutes * MINUTE })
}

/// So many US dollars due.
pub fn apply(invoice: u8, due: i128) -> Call {
    Call::Apply(Apply { invoice, currency: "USD", due: due * ONE, at: None })
}

/// Under an even key: odd ones are rows of imports.
pub fn reverse(key: u8, of: Of, amount: Option<i128>) -> Call {
    Call::Reverse(Reverse { key, of, amount, reason: "mistake" })
}

pub fn held(reply: Reply) -> Hold {
    let Reply::Hold { hold, replayed: false } = reply else { panic!("{reply:?}") };
    hold
}

/// What a reversal did, which must be new.
pub fn did(reply: Reply) -> Reversed {
    match reply {
        Reply::UsageReversed { did, replayed: false, .. }
        | Reply::ApplicationReversed { did, replayed: false, .. } => did,
        other => panic!("{other:?}"),
    }
}

/// Slices in whole credits.
pub fn whole(slices: &[(u32, i128)]) -> Vec<(u32, i128)> {
    slices.iter().map(|(grant, amount)| (*grant, amount / ONE)).collect()
}

/// So many whole credits restored, forfeited and never paid.
pub fn reversed(restored: i128, forfeited: i128, uncovered: i128) -> Reversed {
    let [restored, forfeited, uncovered] = [restored, forfeited, uncovered].map(|n| n * ONE);
    Reversed { restored, forfeited, uncovered }
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
        campaign: None,
        voided: view.voided_at.as_ref().map(|(at, reason)| creditd::domain::grant::Voided {
            at: instant(*at),
            reason: reason.as_str().into(),
        }),
        warned: Vec::new(),
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
