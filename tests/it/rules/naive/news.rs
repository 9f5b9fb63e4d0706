//! What is told: of what calls do and of what time brings, by looking at how things stand after
//! each.

use super::super::view::pays_for;
use super::super::words::{
    About, Kind, Line, Marks, Micros, News, Purse, Scope, Status, Threshold, Tiding, View, Wishes,
};
use super::{Fact, Naive};

impl Naive {
    /// Says who is to be told of what, from now on.
    pub fn wish(&mut self, wishes: &Wishes) {
        self.wishes = wishes.clone();
    }

    /// All that was told.
    pub fn news(&self) -> impl Iterator<Item = &News> {
        self.facts.iter().filter_map(|fact| match fact {
            Fact::Told(news) => Some(news),
            _ => None,
        })
    }

    /// What is remembered, so that it is not told again; without ends that have passed, to which
    /// nothing can be moved any more.
    pub fn marks(&self, now: Micros) -> Marks {
        let mut warned: Vec<_> = self.news().filter_map(warning).collect();
        warned.retain(|(.., end)| *end > now);
        warned.sort_unstable();
        let mut low: Vec<_> = self.low.iter().map(Threshold::line).collect();
        low.sort_unstable();
        Marks { warned, low }
    }

    /// Periods of a grant that nobody was warned of, and when they begin; the longest first.
    pub(super) fn warnings_of(&self, view: &View) -> Vec<(Micros, Micros)> {
        let stands = view.remaining > 0 && view.voided_at.is_none();
        let Some(end) = view.expires.filter(|_| stands && self.wishes.want(Tiding::Expiring))
        else {
            return Vec::new();
        };
        let mut periods = self.wishes.periods.clone();
        let given = |period: Micros| (view.grant, period, end);
        periods
            .retain(|period| !self.news().filter_map(warning).any(|told| told == given(*period)));
        periods.into_iter().map(|period| (period, end - period)).collect()
    }

    pub(super) fn warn(&mut self, grant: u32, period: Micros, at: Micros) {
        if let Ok(view) = self.view(grant, at) {
            self.tell(About::Expiring(period, view), at);
        }
    }

    pub(super) fn tell_of_grant(&mut self, tiding: Tiding, grant: u32, at: Micros) {
        if let Ok(view) = self.view(grant, at) {
            self.tell(About::Grant(tiding, view), at);
        }
    }

    pub(super) fn tell_of_hold(&mut self, hold: u8, at: Micros) {
        if let Some(hold) = self.hold(hold) {
            self.tell(About::HoldExpired(hold), at);
        }
    }

    fn tell(&mut self, about: About, at: Micros) {
        let balance = self.balance_now(at);
        let news = News { at, sequence: balance.revision, about, totals: balance.totals };
        if self.wishes.want(news.tiding()) {
            self.facts.push(Fact::Told(news));
        }
    }

    /// Tells what a call did, which is all facts from this one on.
    pub(super) fn notice(&mut self, known: usize, now: Micros) {
        let new = self.facts[known..].to_vec();
        let lines = || new.iter().filter_map(line);
        for line in lines() {
            match line.kind {
                Kind::Granted => self.tell_of_grant(Tiding::Created, line.grant, now),
                // What comes back later is voided as well, but nobody's doing.
                Kind::Voided if line.event.or(line.invoice).or(line.hold).is_none() => {
                    self.tell_of_grant(Tiding::Voided, line.grant, now);
                }
                _ => {}
            }
        }
        // How it was when all was spent: what a settlement releases comes after that.
        let spends = |fact: &Fact| {
            line(fact).is_some_and(|line| matches!(line.kind, Kind::Consumed | Kind::Applied))
        };
        if let Some(last) = new.iter().rposition(spends) {
            let mut then = self.clone();
            then.facts.truncate(known + last + 1);
            // A settlement may take a grant's last twice: what it held, and what late usage reclaims.
            let mut emptied: Vec<u32> = Vec::new();
            for line in lines().filter(|line| {
                matches!(line.kind, Kind::Consumed | Kind::Applied) && line.balance_after == 0
            }) {
                emptied.retain(|grant| *grant != line.grant);
                emptied.push(line.grant);
            }
            for grant in emptied {
                let exhausted = |view: &View| view.status == Status::Exhausted;
                if then.view(grant, now).is_ok_and(|view| exhausted(&view)) {
                    then.tell_of_grant(Tiding::Exhausted, grant, now);
                }
            }
            self.facts.extend(then.facts.drain(known + last + 1..));
        }
        for view in self.views(now) {
            for (period, begins) in self.warnings_of(&view) {
                if begins <= now && !view.ended(now) {
                    self.warn(view.grant, period, now);
                }
            }
        }
    }

    /// The thresholds that somebody hears of.
    fn thresholds(&self) -> Vec<Threshold> {
        if self.looks_at_lines() { self.wishes.thresholds.clone() } else { Vec::new() }
    }

    fn looks_at_lines(&self) -> bool {
        self.wishes.want(Tiding::Low) || self.wishes.want(Tiding::Recovered)
    }

    /// What remains, as each threshold counts it.
    pub(super) fn levels(&self, at: Micros) -> Vec<i128> {
        let thresholds = self.thresholds();
        if thresholds.is_empty() {
            return Vec::new();
        }
        let totals = self.balance_now(at).totals;
        let pays = |of: Purse, scope: &Scope| match of {
            Purse::Money(currency) => *scope == Scope::Money(currency),
            Purse::Metric(metric) => pays_for(scope, metric),
        };
        let level = |threshold: &Threshold| {
            let counted = totals.iter().filter(|total| pays(threshold.of, &total.scope));
            counted.map(|total| total.remaining).sum()
        };
        thresholds.iter().map(level).collect()
    }

    /// Tells which lines were crossed since the levels were these; what they are now.
    pub(super) fn cross(&mut self, before: &[i128], at: Micros) -> Vec<i128> {
        let levels = self.levels(at);
        if !self.looks_at_lines() {
            return levels;
        }
        // A line that is gone is not remembered.
        let lines: Vec<_> = self.thresholds().iter().map(Threshold::line).collect();
        self.low.retain(|low| lines.contains(&low.line()));
        for ((threshold, before), level) in self.thresholds().iter().zip(before).zip(&levels) {
            let same = |low: &Threshold| low.line() == threshold.line();
            if self.low.iter().any(same) {
                if *level >= threshold.recover_at {
                    self.low.retain(|low| !same(low));
                    self.tell(About::Recovered(*threshold, *level), at);
                }
            } else if *before >= threshold.amount && *level < threshold.amount {
                self.low.push(*threshold);
                self.tell(About::Low(*threshold, *level), at);
            }
        }
        levels
    }
}

fn line(fact: &Fact) -> Option<&Line> {
    match fact {
        Fact::Moved(line) => Some(line),
        _ => None,
    }
}

/// The grant, the period and the end of a warning.
fn warning(news: &News) -> Option<(u32, Micros, Micros)> {
    match &news.about {
        About::Expiring(period, view) => Some((view.grant, *period, view.expires?)),
        _ => None,
    }
}
