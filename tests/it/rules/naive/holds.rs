//! Holds.

use super::super::words::{
    Aside, Extend, Hold, HoldStatus, Kind, MINUTE, Micros, No, Reply, Settle, Usage, View,
};
use super::spending::sum;
use super::{Fact, Naive, Why, agree};

impl Naive {
    pub(super) fn set_aside(&mut self, aside: &Aside, by: &str, now: Micros) -> Result<Reply, No> {
        let aside = Aside { ttl: Some(aside.ttl.unwrap_or(15 * MINUTE)), ..aside.clone() };
        if let Some(hold) = self.hold(aside.hold) {
            return if hold.aside == aside {
                Ok(Reply::Hold { hold, replayed: true })
            } else {
                Err(No::HoldIdReused)
            };
        }
        // A late event may draw on what has expired; a hold is of now.
        let shares = self.shares_of_usage(aside.metric, aside.quantity, now, now);
        let available = sum(&shares);
        if available == 0 || (available < aside.quantity && !aside.partial) {
            return Err(No::Insufficient { requested: aside.quantity, available });
        }
        let id = aside.hold;
        let why = Why { hold: Some(id), ..Why::called(by, now) };
        for (view, take) in &shares {
            self.moved(view.grant, Kind::Held, 0, *take, &why);
        }
        self.facts.push(Fact::SetAside { aside, now });
        self.hold_told(id, false)
    }

    pub(super) fn extend(&mut self, extend: &Extend, now: Micros) -> Result<Reply, No> {
        let hold = self.hold(extend.hold).ok_or(No::HoldNotFound)?;
        if hold.status != HoldStatus::Open {
            return Err(No::HoldNotOpen(hold.status));
        }
        let deadline = now + extend.ttl;
        self.facts.push(Fact::Extended { hold: extend.hold, deadline, now });
        self.hold_told(extend.hold, false)
    }

    pub(super) fn release(&mut self, id: u8, by: &str, now: Micros) -> Result<Reply, No> {
        let hold = self.hold(id).ok_or(No::HoldNotFound)?;
        match hold.status {
            HoldStatus::Settled => return Err(No::HoldNotOpen(HoldStatus::Settled)),
            HoldStatus::Released | HoldStatus::Expired => return self.hold_told(id, true),
            HoldStatus::Open => {}
        }
        self.let_go_now(&self.held_by(id, now), id, by, now);
        self.facts.push(Fact::Ended { hold: id, how: HoldStatus::Released, event: None, now });
        self.hold_told(id, false)
    }

    pub(super) fn settle(&mut self, settle: &Settle, by: &str, now: Micros) -> Result<Reply, No> {
        let id = settle.hold;
        let hold = self.hold(id).ok_or(No::HoldNotFound)?;
        if let Some(event) = self.event(settle.event) {
            let same = event.hold == Some(id)
                && event.usage.quantity == settle.quantity
                && agree(event.usage.at, settle.at);
            return if same { Ok(Reply::Settled { hold, event }) } else { Err(No::EventIdReused) };
        }
        if matches!(hold.status, HoldStatus::Settled | HoldStatus::Released) {
            return Err(No::HoldNotOpen(hold.status));
        }
        let at = settle.at.unwrap_or(now);
        self.in_window(at, now)?;
        let event = Some(settle.event);
        let why = Why { event, hold: Some(id), occurred: at, ..Why::called(by, now) };
        let mut rest = settle.quantity;
        for (view, held) in self.held_by(id, now) {
            let take = held.min(rest);
            rest -= take;
            if take > 0 {
                self.moved(view.grant, Kind::Consumed, -take, -take, &why);
            }
        }
        let shares = self.shares_of_usage(hold.aside.metric, rest, at, now);
        self.spend(&shares, Kind::Consumed, &why);
        self.let_go_now(&self.held_by(id, now), id, by, now);
        let usage = Usage {
            event: settle.event,
            metric: hold.aside.metric,
            quantity: settle.quantity,
            at: settle.at,
            reject: false,
            metadata: "",
        };
        self.facts.push(Fact::Used { usage, hold: Some(id), at, now });
        self.facts.push(Fact::Ended { hold: id, how: HoldStatus::Settled, event, now });
        let hold = self.hold(id).ok_or(No::Other)?;
        let event = self.event(settle.event).ok_or(No::Other)?;
        Ok(Reply::Settled { hold, event })
    }

    fn hold_told(&self, id: u8, replayed: bool) -> Result<Reply, No> {
        let hold: Hold = self.hold(id).ok_or(No::Other)?;
        Ok(Reply::Hold { hold, replayed })
    }

    /// What of each grant a hold still has set aside, in the order of consumption.
    pub(super) fn held_by(&self, hold: u8, now: Micros) -> Vec<(View, i128)> {
        let mut views = self.views(now);
        views.sort_by_key(View::turn);
        let held = |view: View| {
            let lines = self.ledger().filter(|line| line.hold == Some(hold));
            let lines = lines.filter(|line| line.grant == view.grant);
            let held: i128 = lines.map(|line| line.held_amount).sum();
            (held > 0).then_some((view, held))
        };
        views.into_iter().filter_map(held).collect()
    }

    fn let_go_now(&mut self, held: &[(View, i128)], hold: u8, by: &str, now: Micros) {
        for (view, amount) in held {
            let why = Why { hold: Some(hold), ..Why::called(by, now) };
            self.moved(view.grant, Kind::Released, 0, -amount, &why);
            self.lose(view, *amount, view.ended(now), &why);
        }
    }

    /// A hold's deadline. What ends at this very instant ends next, with all that is free.
    pub(super) fn let_go(&mut self, held: &[(View, i128)], hold: u8, why: &Why<'_>) {
        let why = Why { hold: Some(hold), ..why.clone() };
        for (view, amount) in held {
            self.moved(view.grant, Kind::Released, 0, -amount, &why);
            let ended = view.expires.is_some_and(|end| end < why.recorded);
            self.lose(view, *amount, ended, &why);
        }
    }
}
