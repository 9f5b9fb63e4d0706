//! A bar in a terminal, a line every few seconds elsewhere. Both go to standard error.

use std::fmt;
use std::io::{IsTerminal as _, stderr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::figures::{grouped, rate};
use super::output::note;
use crate::limits;

const BAR: &str = "{msg:>20} {wide_bar} {of}  {rate}/s  {eta} left";
const NO_BAR: &str = "{msg:>20} {spinner} {of}  {rate}/s  {elapsed}";

/// How much there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    /// So much.
    Known(u64),
    /// Judging by what is done, about so much.
    About(u64),
    /// Nobody knows.
    Unknown,
}

impl Total {
    /// A number of things.
    pub fn known(number: usize) -> Self {
        Self::Known(u64::try_from(number).unwrap_or(u64::MAX))
    }

    fn number(self) -> Option<u64> {
        match self {
            Self::Known(number) | Self::About(number) => Some(number),
            Self::Unknown => None,
        }
    }

    fn of(self, done: u64) -> String {
        match self {
            Self::Known(total) => format!("{} of {}", grouped(done), grouped(total)),
            Self::About(total) => format!("{} of about {}", grouped(done), grouped(total)),
            Self::Unknown => grouped(done),
        }
    }
}

/// How far one phase of a command has come.
pub struct Progress {
    what: &'static str,
    total: Mutex<Total>,
    done: AtomicU64,
    began: Instant,
    spoke: Mutex<Instant>,
    away: AtomicBool,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Begins a phase of so many steps.
    pub fn new(what: &'static str, total: Total) -> Self {
        let bar = stderr().is_terminal().then(|| ProgressBar::no_length().with_message(what));
        let now = Instant::now();
        let progress = Self {
            what,
            total: Mutex::new(total),
            done: AtomicU64::new(0),
            began: now,
            spoke: Mutex::new(now),
            away: AtomicBool::new(false),
            bar,
        };
        progress.expect(total);
        progress
    }

    /// So much there is to do, as is known now.
    pub fn expect(&self, total: Total) {
        if let Ok(mut known) = self.total.lock() {
            *known = total;
        }
        let Some(bar) = &self.bar else { return };
        bar.set_style(style(total));
        match total.number() {
            Some(number) => bar.set_length(number),
            None => bar.unset_length(),
        }
    }

    /// So many steps more are done.
    pub fn add(&self, steps: u64) {
        self.away.store(false, Ordering::Relaxed);
        let done = self.done.fetch_add(steps, Ordering::Relaxed) + steps;
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            return;
        }
        let due = match self.spoke.lock() {
            Ok(mut spoke) if spoke.elapsed() >= limits::PROGRESS_EVERY => {
                *spoke = Instant::now();
                true
            }
            _ => false,
        };
        if due {
            note(&line(self.what, done, self.total(), self.began.elapsed()));
        }
    }

    /// Says that creditd is away, once for all calls that notice.
    pub fn away(&self, why: &str) {
        if !self.away.swap(true, Ordering::Relaxed) {
            self.say(&format!("creditd is away ({why}): trying again"));
        }
    }

    /// Says something on a line of its own.
    pub fn say(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.println(message),
            None => note(message),
        }
    }

    /// The phase is over: the bar makes room for what follows.
    pub fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
            return;
        }
        let done = self.done.load(Ordering::Relaxed);
        let total = match self.total() {
            Total::Known(total) => Total::Known(total),
            Total::About(_) | Total::Unknown => Total::Unknown,
        };
        note(&line(self.what, done, total, self.began.elapsed()));
    }

    fn total(&self) -> Total {
        self.total.lock().map_or(Total::Unknown, |total| *total)
    }
}

/// A command that fails half-way leaves no bar behind.
impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(total: Total) -> ProgressStyle {
    let template = if total == Total::Unknown { NO_BAR } else { BAR };
    let style = ProgressStyle::with_template(template);
    let per_second = |state: &ProgressState, to: &mut dyn fmt::Write| {
        let _ = write!(to, "{}", grouped(format!("{:.0}", state.per_sec())));
    };
    let of = move |state: &ProgressState, to: &mut dyn fmt::Write| {
        let _ = write!(to, "{}", total.of(state.pos()));
    };
    style
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rate", per_second)
        .with_key("of", of)
}

fn line(what: &str, done: u64, total: Total, took: Duration) -> String {
    let mut line = format!("{what}: {}", total.of(done));
    let rate = rate(done, took);
    if rate > 0 {
        line += &format!(", {}/s", grouped(rate));
        if let Some(left) = total.number().map(|total| total.saturating_sub(done))
            && left > 0
        {
            line += &format!(", {} s left", grouped(left.div_ceil(rate)));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_how_far_how_fast_and_how_long() {
        let took = Duration::from_secs(3);
        for (done, total, expected) in [
            (3_000, Total::known(56_370), "events: 3,000 of 56,370, 1,000/s, 54 s left"),
            (6_000, Total::known(6_000), "events: 6,000 of 6,000, 2,000/s"),
            (0, Total::known(6_000), "events: 0 of 6,000"),
            (6_000, Total::About(8_000), "events: 6,000 of about 8,000, 2,000/s, 1 s left"),
            (6_000, Total::Unknown, "events: 6,000, 2,000/s"),
        ] {
            assert_eq!(line("events", done, total, took), expected);
        }
    }
}
