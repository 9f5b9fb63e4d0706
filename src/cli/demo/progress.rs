//! A bar in a terminal, a line every few seconds elsewhere. Both go to standard error.

use std::fmt;
use std::io::{IsTerminal as _, stderr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::summary::{grouped, rate};
use crate::cli::output::note;
use crate::limits;

const BAR: &str = "{msg:>20} {wide_bar} {human_pos}/{human_len}  {rate}/s  {eta} left";

/// How far one phase of the demo has come.
pub struct Progress {
    what: &'static str,
    total: u64,
    done: AtomicU64,
    began: Instant,
    spoke: Mutex<Instant>,
    away: AtomicBool,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Begins a phase of so many steps.
    pub fn new(what: &'static str, total: usize) -> Self {
        let total = u64::try_from(total).unwrap_or(u64::MAX);
        let bar = stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(BAR);
            ProgressBar::new(total)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).with_key(
                    "rate",
                    |state: &ProgressState, to: &mut dyn fmt::Write| {
                        let _ = write!(to, "{}", grouped(format!("{:.0}", state.per_sec())));
                    },
                ))
                .with_message(what)
        });
        let now = Instant::now();
        Self {
            what,
            total,
            done: AtomicU64::new(0),
            began: now,
            spoke: Mutex::new(now),
            away: AtomicBool::new(false),
            bar,
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
            Ok(mut spoke) if spoke.elapsed() >= limits::DEMO_PROGRESS_EVERY => {
                *spoke = Instant::now();
                true
            }
            _ => false,
        };
        if due {
            note(&line(self.what, done, self.total, self.began.elapsed()));
        }
    }

    /// Says that creditd is away, once for all calls that notice.
    pub fn away(&self, why: &str) {
        if self.away.swap(true, Ordering::Relaxed) {
            return;
        }
        let message = format!("creditd is away ({why}): trying again");
        match &self.bar {
            Some(bar) => bar.println(message),
            None => note(&message),
        }
    }

    /// The phase is over: the bar makes room for what follows.
    pub fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
            return;
        }
        let done = self.done.load(Ordering::Relaxed);
        note(&line(self.what, done, self.total, self.began.elapsed()));
    }
}

fn line(what: &str, done: u64, total: u64, took: Duration) -> String {
    let mut line = format!("{what}: {} of {}", grouped(done), grouped(total));
    let rate = rate(done, took);
    if rate > 0 {
        line += &format!(", {}/s", grouped(rate));
        if done < total {
            line += &format!(", {} s left", grouped((total - done).div_ceil(rate)));
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
        assert_eq!(
            line("events", 3_000, 56_370, took),
            "events: 3,000 of 56,370, 1,000/s, 54 s left"
        );
        assert_eq!(line("events", 6_000, 6_000, took), "events: 6,000 of 6,000, 2,000/s");
        assert_eq!(line("events", 0, 6_000, took), "events: 0 of 6,000");
    }
}
