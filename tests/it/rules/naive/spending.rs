//! Spending: usage and invoices.

use super::super::view::pays_for;
use super::super::words::{Apply, Kind, Micros, No, Reply, Scope, Usage, View};
use super::{Fact, Naive, Why, agree};

impl Naive {
    pub(super) fn usage(&mut self, usage: &Usage, by: &str, now: Micros) -> Result<Reply, No> {
        if let Some(event) = self.event(usage.event) {
            let before = &event.usage;
            // Whoever settles a hold has no say in policy and metadata.
            let same_rest = usage.reject == before.reject && usage.metadata == before.metadata;
            let same = usage.metric == before.metric
                && usage.quantity == before.quantity
                && agree(usage.at, before.at)
                && (same_rest || event.hold.is_some());
            return if same {
                Ok(Reply::Usage { event, duplicate: true })
            } else {
                Err(No::EventIdReused)
            };
        }
        let at = usage.at.unwrap_or(now);
        self.in_window(at, now)?;
        let shares = self.shares_of_usage(usage.metric, usage.quantity, at, now);
        let available = sum(&shares);
        if usage.reject && available < usage.quantity {
            return Err(No::Insufficient { requested: usage.quantity, available });
        }
        let event = Some(usage.event);
        let why = Why { event, occurred: at, ..Why::called(by, now) };
        self.spend(&shares, Kind::Consumed, &why);
        self.facts.push(Fact::Used { usage: usage.clone(), hold: None, at, now });
        let event = self.event(usage.event).ok_or(No::Other)?;
        Ok(Reply::Usage { event, duplicate: false })
    }

    pub(super) fn apply(&mut self, apply: &Apply, by: &str, now: Micros) -> Result<Reply, No> {
        if let Some(application) = self.application(apply.invoice) {
            let before = &application.apply;
            let same = apply.currency == before.currency
                && apply.due == before.due
                && agree(apply.at, before.at);
            return if same {
                Ok(Reply::Application { application, replayed: true })
            } else {
                Err(No::InvoiceAlreadyApplied)
            };
        }
        let at = apply.at.unwrap_or(now);
        self.in_window(at, now)?;
        let pays = |scope: &Scope| *scope == Scope::Money(apply.currency);
        let shares = self.shares(pays, apply.due, at, now);
        let invoice = Some(apply.invoice);
        let why = Why { invoice, occurred: at, ..Why::called(by, now) };
        self.spend(&shares, Kind::Applied, &why);
        self.facts.push(Fact::Applied { apply: apply.clone(), at, now });
        let application = self.application(apply.invoice).ok_or(No::Other)?;
        Ok(Reply::Application { application, replayed: false })
    }

    pub(super) fn shares_of_usage(
        &self,
        metric: &str,
        quantity: i128,
        at: Micros,
        now: Micros,
    ) -> Vec<(View, i128)> {
        self.shares(|scope| pays_for(scope, metric), quantity, at, now)
    }

    /// Who pays how much, in the order of consumption.
    fn shares(
        &self,
        pays: impl Fn(&Scope) -> bool,
        quantity: i128,
        at: Micros,
        now: Micros,
    ) -> Vec<(View, i128)> {
        let mut views = self.views(now);
        views.retain(|view| pays(&view.scope));
        views.retain(|view| view.voided_at.is_none() && view.effective <= at && !view.ended(at));
        views.sort_by_key(View::turn);
        let mut wanted = quantity;
        let mut shares = Vec::new();
        for view in views {
            let has = match view.expires {
                Some(end) if end <= now && now - end < self.windows.late_usage => view.expired,
                Some(end) if end <= now => 0,
                _ => view.remaining - view.held,
            };
            let take = has.min(wanted);
            if take > 0 {
                wanted -= take;
                shares.push((view, take));
            }
        }
        shares
    }

    pub(super) fn spend(&mut self, shares: &[(View, i128)], kind: Kind, why: &Why<'_>) {
        for (view, take) in shares {
            if view.ended(why.recorded) {
                self.moved(view.grant, Kind::Reclaimed, *take, 0, why);
            }
            self.moved(view.grant, kind, -take, 0, why);
        }
    }
}

pub(super) fn sum(shares: &[(View, i128)]) -> i128 {
    shares.iter().map(|(_, take)| take).sum()
}
