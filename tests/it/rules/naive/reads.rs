//! What the facts come to, told anew every time.

use std::collections::BTreeSet;

use super::super::words::{
    Application, Balance, Event, Hold, HoldStatus, Kind, Line, Micros, No, Of, Part, Scope, Status,
    Total, View,
};
use super::{Fact, Naive};

impl Naive {
    pub(super) fn view(&self, grant: u32, now: Micros) -> Result<View, No> {
        self.views(now).into_iter().find(|view| view.grant == grant).ok_or(No::GrantNotFound)
    }

    /// Every grant there ever was, told from the facts.
    pub fn views(&self, now: Micros) -> Vec<View> {
        let mut views: Vec<View> = Vec::new();
        for fact in &self.facts {
            let grant = match fact {
                Fact::Made { create, now, by } => {
                    views.push(View::made(create, *now, by));
                    continue;
                }
                Fact::Moved(line) => line.grant,
                Fact::Noted { grant, .. } => *grant,
                _ => continue,
            };
            for view in views.iter_mut().filter(|view| view.grant == grant) {
                view.hear(fact);
                view.updated = view.updated.max(fact.recorded());
            }
        }
        for view in &mut views {
            view.status = view.standing(now);
        }
        views
    }

    /// The balance as any reader gets it at `clock`; reading books nothing.
    pub fn balance(&self, clock: Micros) -> Balance {
        let mut then = self.clone();
        let now = then.pass(clock);
        then.balance_now(now)
    }

    /// The balance as the facts have it, with nothing booked.
    pub(super) fn balance_now(&self, now: Micros) -> Balance {
        let mut views = self.views(now);
        let stands = |view: &View| matches!(view.status, Status::Active | Status::Pending);
        views.retain(|view| stands(view) || view.held > 0);
        views.sort_by_key(View::turn);
        let counts = |view: &&View| view.status == Status::Active || view.held > 0;
        let counted: Vec<&View> = views.iter().filter(counts).collect();
        let scopes: BTreeSet<&Scope> = counted.iter().map(|view| &view.scope).collect();
        let available = |view: &View| match view.status {
            Status::Active => view.remaining - view.held,
            _ => 0,
        };
        let total = |scope: &Scope| {
            let of = || counted.iter().filter(|view| view.scope == *scope);
            let available = of().map(|view| available(view)).sum();
            let held = of().map(|view| view.held).sum();
            Total { scope: scope.clone(), available, held, remaining: available + held }
        };
        let part = |view: &View| Part {
            grant: view.grant,
            status: view.status,
            available: available(view),
            held: view.held,
            remaining: view.remaining,
        };
        let mut upcoming: Vec<(u32, Micros, i128)> = views
            .iter()
            .filter(|view| stands(view) && view.remaining > view.held)
            .filter_map(|view| {
                view.expires.map(|end| (view.grant, end, view.remaining - view.held))
            })
            .collect();
        upcoming.sort_by_key(|(_, end, _)| *end);
        Balance {
            revision: self.revision(),
            as_of: now,
            totals: scopes.into_iter().map(total).collect(),
            parts: views.iter().map(part).collect(),
            upcoming,
        }
    }

    /// Every hold there ever was, by id.
    pub fn holds(&self) -> Vec<Hold> {
        let asked = self.facts.iter().filter_map(|fact| match fact {
            Fact::SetAside { aside, .. } => Some(aside.hold),
            _ => None,
        });
        let ids: BTreeSet<u8> = asked.collect();
        ids.into_iter().filter_map(|id| self.hold(id)).collect()
    }

    pub(super) fn hold(&self, id: u8) -> Option<Hold> {
        let mut hold: Option<Hold> = None;
        for fact in &self.facts {
            match (fact, &mut hold) {
                (Fact::SetAside { aside, now }, _) if aside.hold == id => {
                    hold = Some(Hold {
                        aside: aside.clone(),
                        held: 0,
                        settled: 0,
                        released: 0,
                        status: HoldStatus::Open,
                        deadline: now + aside.ttl?,
                        slices: Vec::new(),
                        created: *now,
                        ended: None,
                        event: None,
                    });
                }
                (Fact::Extended { hold: of, deadline, .. }, Some(hold)) if *of == id => {
                    hold.deadline = *deadline;
                }
                (Fact::Ended { hold: of, how, event, now }, Some(hold)) if *of == id => {
                    (hold.status, hold.event, hold.ended) = (*how, *event, Some(*now));
                }
                _ => {}
            }
        }
        let mut hold = hold?;
        for line in self.ledger().filter(|line| line.hold == Some(id)) {
            hold.held += line.held_amount;
            match line.kind {
                Kind::Held => hold.slices.push((line.grant, line.held_amount)),
                Kind::Consumed => hold.settled -= line.held_amount,
                Kind::Released => hold.released -= line.held_amount,
                _ => {}
            }
        }
        Some(hold)
    }

    /// Every usage event, by id.
    pub fn events(&self) -> Vec<Event> {
        let used = self.facts.iter().filter_map(|fact| match fact {
            Fact::Used { usage, .. } => Some(usage.event),
            _ => None,
        });
        let ids: BTreeSet<u8> = used.collect();
        ids.into_iter().filter_map(|id| self.event(id)).collect()
    }

    pub(super) fn event(&self, id: u8) -> Option<Event> {
        let (usage, hold, at, recorded) = self.facts.iter().find_map(|fact| match fact {
            Fact::Used { usage, hold, at, now } if usage.event == id => {
                Some((usage.clone(), *hold, *at, *now))
            }
            _ => None,
        })?;
        let paid = self.paid(|line| line.event == Some(id));
        let covered = paid.iter().map(|(_, amount)| amount).sum();
        let reversed = self.reversed(Of::Event(id));
        let drew = |line: &&Line| matches!(line.kind, Kind::Consumed | Kind::Reclaimed);
        let mut drew = self.ledger().filter(|line| line.event == Some(id)).filter(drew);
        let first = drew.next().map(|line| line.sequence);
        let last = drew.next_back().map(|line| line.sequence).or(first);
        Some(Event {
            uncovered: usage.quantity - covered - reversed,
            usage,
            at,
            covered,
            reversed,
            paid,
            lines: first.zip(last),
            recorded,
            hold,
        })
    }

    /// What was applied to every invoice, by id.
    pub fn applications(&self) -> Vec<Application> {
        let applied = self.facts.iter().filter_map(|fact| match fact {
            Fact::Applied { apply, .. } => Some(apply.invoice),
            _ => None,
        });
        let ids: BTreeSet<u8> = applied.collect();
        ids.into_iter().filter_map(|id| self.application(id)).collect()
    }

    pub(super) fn application(&self, id: u8) -> Option<Application> {
        let (apply, at, recorded) = self.facts.iter().find_map(|fact| match fact {
            Fact::Applied { apply, at, now } if apply.invoice == id => {
                Some((apply.clone(), *at, *now))
            }
            _ => None,
        })?;
        let paid = self.paid(|line| line.invoice == Some(id));
        let applied: i128 = paid.iter().map(|(_, amount)| amount).sum();
        let named = |(grant, amount)| {
            let view = self.view(grant, recorded).ok()?;
            Some((grant, amount, view.description))
        };
        Some(Application {
            remaining: apply.due - applied,
            apply,
            at,
            applied,
            reversed: self.reversed(Of::Invoice(id)),
            paid: paid.into_iter().filter_map(named).collect(),
            recorded,
        })
    }

    /// What each grant pays by these lines, given back or not, in the order of its first payment.
    fn paid(&self, by: impl Fn(&Line) -> bool) -> Vec<(u32, i128)> {
        let mut paid: Vec<(u32, i128)> = Vec::new();
        for line in self.ledger().filter(|line| by(line)) {
            match line.kind {
                Kind::Consumed
                | Kind::Applied
                | Kind::UsageReversed
                | Kind::ApplicationReversed => {}
                _ => continue,
            }
            match paid.iter_mut().find(|(grant, _)| *grant == line.grant) {
                Some((_, amount)) => *amount -= line.amount,
                None => paid.push((line.grant, -line.amount)),
            }
        }
        paid.retain(|(_, amount)| *amount != 0);
        paid
    }

    /// What was reversed until now.
    fn reversed(&self, what: Of) -> i128 {
        let amounts = self.facts.iter().map(|fact| match fact {
            Fact::Reversed { reverse, amount, .. } if reverse.of == what => *amount,
            _ => 0,
        });
        amounts.sum()
    }
}
