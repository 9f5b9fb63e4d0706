//! What is worth meeting in what is told.

use super::super::history::Step;
use super::super::naive::Naive;
use super::super::view::pays_for;
use super::super::words::{
    About, Call, Kind, Micros, News, Purse, Scope, Status, Threshold, Tiding, View, Wishes,
};

/// One step of a history, and how the model stood before it and stands after.
pub(super) struct Seen<'a> {
    pub step: &'a Step,
    pub wishes: &'a Wishes,
    pub before: &'a Naive,
    pub after: &'a Naive,
    pub now: Micros,
}

impl Seen<'_> {
    /// What was told in this step.
    fn told(&self) -> Vec<&News> {
        self.after.news().skip(self.before.news().count()).collect()
    }

    pub(super) fn names(&self) -> Vec<&'static str> {
        let new = self.told();
        let mut names: Vec<&'static str> = new.iter().map(|news| news.tiding().name()).collect();
        let earlier: Vec<&News> = self.before.news().collect();
        for (place, news) in new.iter().enumerate() {
            let before: Vec<&News> = earlier.iter().chain(&new[..place]).copied().collect();
            names.extend(match &news.about {
                About::Expiring(period, view) => self.warned(news, *period, view, &before),
                About::Grant(tiding, view) => self.of_grant(news, *tiding, view, &before),
                About::Low(..) | About::Recovered(..) => {
                    Self::crossed(news, before.last().copied())
                }
                About::HoldExpired(_) => Vec::new(),
            });
        }
        let tells = |tiding: Tiding| new.iter().any(|news| news.tiding() == tiding);
        let both = tells(Tiding::Low) && tells(Tiding::Recovered);
        names.extend(both.then_some("low and recovered in one step"));
        names.extend(self.silent(&new));
        names
    }

    fn warned(
        &self,
        news: &News,
        period: Micros,
        view: &View,
        before: &[&News],
    ) -> Vec<&'static str> {
        let end = view.expires.expect("an end");
        let begins = end - period;
        let told = |with: &dyn Fn(Micros, Micros) -> bool| {
            before.iter().any(|other| match &other.about {
                About::Expiring(other_period, of) if of.grant == view.grant => {
                    with(*other_period, of.expires.expect("an end"))
                }
                _ => false,
            })
        };
        let at_once = |other: Micros| {
            before.iter().any(|news| {
                matches!(&news.about, About::Expiring(period, of)
                if of.grant == view.grant && *period != other)
                    && news.at == begins.max(self.now)
            })
        };
        let gives =
            matches!(self.step.said.call, Call::Create(_) | Call::Update(_) | Call::Reverse(_));
        let names = [
            (end <= self.now, "warned of an end that has come"),
            (news.at == view.created, "warned as it is made"),
            (view.status == Status::Pending, "warned before its start"),
            (view.remaining == view.held, "warned of what is held"),
            (told(&|other, of| other == period && of != end), "warned of another end"),
            (at_once(period), "two periods at once"),
            (
                matches!(self.step.said.call, Call::Reverse(_))
                    && news.at == self.now
                    && begins < self.now,
                "warned of what came back",
            ),
            (
                self.step.wishes.is_some() && begins < news.at && !gives,
                "warned as somebody asks for it",
            ),
        ];
        met(&names)
    }

    fn of_grant(
        &self,
        news: &News,
        tiding: Tiding,
        view: &View,
        before: &[&News],
    ) -> Vec<&'static str> {
        let again = before.iter().any(|other| {
            matches!(&other.about, About::Grant(kind, of)
                if *kind == tiding && of.grant == view.grant)
        });
        let names = [
            (tiding == Tiding::Expired && view.expired == 0, "expired while all is held"),
            (tiding == Tiding::Exhausted && again, "exhausted again"),
            (tiding == Tiding::Exhausted && view.ended(news.at), "exhausted by late usage"),
            (tiding == Tiding::Exhausted && news.at < view.effective, "exhausted before its start"),
            (
                tiding == Tiding::Exhausted && matches!(self.step.said.call, Call::Settle(_)),
                "exhausted by a settlement",
            ),
            (tiding == Tiding::Activated && news.at < self.now, "activated while nobody came by"),
            (tiding == Tiding::Voided && view.held > 0, "voided while held, as told"),
        ];
        met(&names)
    }

    /// A line that was crossed, behind what was told before.
    fn crossed(news: &News, behind: Option<&News>) -> Vec<&'static str> {
        let low = news.tiding() == Tiding::Low;
        let behind = behind.filter(|behind| behind.at == news.at).map(News::tiding);
        let names = [
            (low && behind == Some(Tiding::Expired), "low by an end"),
            (low && behind == Some(Tiding::HoldExpired), "low by a deadline"),
            (low && behind == Some(Tiding::Voided), "low by a void"),
            (low && behind == Some(Tiding::Low), "low twice at once"),
            (!low && behind == Some(Tiding::Activated), "recovered by a start"),
            (!low && behind == Some(Tiding::Created), "recovered by a grant"),
        ];
        met(&names)
    }

    /// What was not told.
    fn silent(&self, new: &[&News]) -> Vec<&'static str> {
        let lines = self.after.lines();
        let lines = &lines[self.before.lines().len()..];
        let (before, after) = (self.before.marks(self.now).low, self.after.marks(self.now).low);
        let recovered = new.iter().filter(|news| news.tiding() == Tiding::Recovered).count();
        let made = lines.iter().any(|line| line.kind == Kind::Granted);
        let names = [
            (self.wishes.endpoints.is_empty() && !lines.is_empty(), "nobody to be told"),
            (made && !self.wishes.want(Tiding::Created), "made, and nobody wants to know"),
            (self.moved_back(new), "moved back to an end that was warned of"),
            (before.len() > after.len() + recovered, "a line that is gone"),
            (after.iter().any(|line| self.hovers(*line)), "back above a line, and not recovered"),
        ];
        met(&names)
    }

    /// An end to which a grant was moved, which lies within a period that was told before.
    fn moved_back(&self, new: &[&News]) -> bool {
        let Call::Update(update) = &self.step.said.call else { return false };
        let lines = self.after.lines();
        let moved = lines[self.before.lines().len()..].iter().find_map(|line| line.expires);
        let Some((_, Some(end))) = moved else { return false };
        let warned = self.before.marks(self.now).warned;
        let due = warned.iter().any(|(grant, period, of)| {
            *grant == update.grant
                && *of == end
                && self.wishes.periods.contains(period)
                && end - period <= self.now
        });
        due && self.wishes.want(Tiding::Expiring)
            && !new.iter().any(|news| news.tiding() == Tiding::Expiring)
    }

    /// Whether a low balance stands between the amount of a line and where that recovers.
    fn hovers(&self, line: (Purse, i128)) -> bool {
        let pays = |scope: &Scope| match line.0 {
            Purse::Money(currency) => *scope == Scope::Money(currency),
            Purse::Metric(metric) => pays_for(scope, metric),
        };
        let known = |threshold: &&Threshold| threshold.line() == line;
        let totals = self.after.balance(self.now).totals;
        let level: i128 = totals.iter().filter(|t| pays(&t.scope)).map(|t| t.remaining).sum();
        let threshold = self.wishes.thresholds.iter().find(known);
        threshold.is_some_and(|threshold| (line.1..threshold.recover_at).contains(&level))
    }
}

fn met(names: &[(bool, &'static str)]) -> Vec<&'static str> {
    names.iter().filter_map(|(met, name)| met.then_some(*name)).collect()
}
