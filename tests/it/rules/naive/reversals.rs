//! Reversals of usage and of credit applications.

use super::super::words::{Kind, Micros, No, ONE, Of, Reply, Reverse, Reversed};
use super::{Fact, Naive, Why};

impl Naive {
    pub(super) fn reverse(
        &mut self,
        reverse: &Reverse,
        by: &str,
        now: Micros,
    ) -> Result<Reply, No> {
        if let Some(fact) = self.keyed(reverse.key) {
            return match fact {
                Fact::Reversed { reverse: before, did, .. } if before == reverse => {
                    self.reversed_told(reverse.of, *did, true)
                }
                _ => Err(No::RequestIdReused),
            };
        }
        let left = self.left_of(reverse.of)?;
        if let (Some(amount), Of::Invoice(invoice)) = (reverse.amount, reverse.of) {
            let application = self.application(invoice).ok_or(No::Other)?;
            if amount % smallest(application.apply.currency) != 0 {
                return Err(No::BadAmount);
            }
        }
        let requested = reverse.amount.unwrap_or(left);
        if requested > left {
            return Err(No::ReversalExceeds { requested, left });
        }
        let did = self.give_back(reverse, requested, by, now)?;
        self.facts.push(Fact::Reversed { reverse: reverse.clone(), amount: requested, did, now });
        self.reversed_told(reverse.of, did, false)
    }

    /// The grant or the reversal that a request id made. (Odd keys are rows of imports.)
    pub(super) fn keyed(&self, key: u8) -> Option<&Fact> {
        self.facts.iter().find(|fact| match fact {
            Fact::Made { create, .. } => create.key == key,
            Fact::Reversed { reverse, .. } => reverse.key == key,
            _ => false,
        })
    }

    fn left_of(&self, of: Of) -> Result<i128, No> {
        match of {
            Of::Event(event) => {
                let event = self.event(event).ok_or(No::EventNotFound)?;
                Ok(event.usage.quantity - event.reversed)
            }
            Of::Invoice(invoice) => {
                let application = self.application(invoice).ok_or(No::ApplicationNotFound)?;
                Ok(application.applied)
            }
        }
    }

    /// What was uncovered goes first; then what was taken, the last first.
    fn give_back(
        &mut self,
        reverse: &Reverse,
        amount: i128,
        by: &str,
        now: Micros,
    ) -> Result<Reversed, No> {
        let why = Why { reason: Some(reverse.reason), ..Why::called(by, now) };
        let (kind, why, uncovered) = match reverse.of {
            Of::Event(event) => {
                let uncovered = self.event(event).ok_or(No::Other)?.uncovered;
                (Kind::UsageReversed, Why { event: Some(event), ..why }, uncovered)
            }
            Of::Invoice(invoice) => {
                (Kind::ApplicationReversed, Why { invoice: Some(invoice), ..why }, 0)
            }
        };
        let mut did = Reversed { uncovered: uncovered.min(amount), ..Reversed::default() };
        let mut rest = amount - did.uncovered;
        for (grant, left) in self.still_taken(reverse.of).into_iter().rev() {
            let back = left.min(rest);
            rest -= back;
            if back == 0 {
                continue;
            }
            let view = self.view(grant, now)?;
            self.moved(grant, kind, back, 0, &why);
            if self.lose(&view, back, view.ended(now), &why) {
                did.forfeited += back;
            } else {
                did.restored += back;
            }
        }
        Ok(did)
    }

    /// What was taken, piece by piece, without what was given back, the last piece first.
    fn still_taken(&self, of: Of) -> Vec<(u32, i128)> {
        let of_it = |event: Option<u8>, invoice: Option<u8>| match of {
            Of::Event(id) => event == Some(id),
            Of::Invoice(id) => invoice == Some(id),
        };
        let mut pieces: Vec<(u32, i128)> = Vec::new();
        let mut back = 0;
        for line in self.ledger().filter(|line| of_it(line.event, line.invoice)) {
            match line.kind {
                Kind::Consumed | Kind::Applied => pieces.push((line.grant, -line.amount)),
                Kind::UsageReversed | Kind::ApplicationReversed => back += line.amount,
                _ => {}
            }
        }
        for (_, piece) in pieces.iter_mut().rev() {
            let gone = back.min(*piece);
            *piece -= gone;
            back -= gone;
        }
        pieces
    }

    fn reversed_told(&self, of: Of, did: Reversed, replayed: bool) -> Result<Reply, No> {
        Ok(match of {
            Of::Event(event) => {
                let event = self.event(event).ok_or(No::EventNotFound)?;
                Reply::UsageReversed { event, did, replayed }
            }
            Of::Invoice(invoice) => {
                let application = self.application(invoice).ok_or(No::ApplicationNotFound)?;
                Reply::ApplicationReversed { application, did, replayed }
            }
        })
    }
}

/// The smallest coin of a currency.
pub fn smallest(currency: &str) -> i128 {
    match currency {
        "USD" => ONE / 100,
        "KWD" => ONE / 1_000,
        "JPY" => ONE,
        other => panic!("the model does not know {other}"),
    }
}
