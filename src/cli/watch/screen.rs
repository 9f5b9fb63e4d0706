//! Where watched balances are shown: drawn in place in a terminal, a line for each elsewhere.

use std::collections::HashMap;
use std::io::Write as _;

use console::{Term, truncate_str};

use crate::cli::output::{Output, unwritten};
use crate::cli::table::Column::{Left, Right};
use crate::cli::table::{Column, Table, printable};
use crate::cli::words::kind;
use crate::cli::{Error, time};
use crate::pb::{Balance, BalanceTotal, WatchBalanceResponse};

const COLUMNS: &[Column] = &[
    Left("CUSTOMER"),
    Right("AVAILABLE"),
    Right("HELD"),
    Left("CREDITS"),
    Right("REVISION"),
    Left("AS OF"),
];

const NOTHING: &str = "nothing to spend";

/// Where balances are shown.
pub struct Screen {
    output: Output,
    terminal: Option<Terminal>,
}

/// A terminal, and what is drawn on it.
struct Terminal {
    term: Term,
    customers: Vec<String>,
    balances: HashMap<String, Balance>,
    drawn: usize,
}

impl Screen {
    /// For these customers, in this order.
    pub fn new(output: Output, customers: &[String]) -> Self {
        let term = Term::buffered_stdout();
        let drawn = !output.is_json() && term.is_term();
        let terminal = drawn.then(|| Terminal {
            term,
            customers: customers.to_vec(),
            balances: HashMap::new(),
            drawn: 0,
        });
        Self { output, terminal }
    }

    /// Shows a balance as it is now.
    pub fn show(&mut self, change: WatchBalanceResponse) -> Result<(), Error> {
        let Some(terminal) = &mut self.terminal else {
            return self.output.answer(&change, |change| Ok(line(balance(change)?)));
        };
        let balance = balance(&change)?.clone();
        terminal.balances.insert(balance.customer_id.clone(), balance);
        terminal.draw().map_err(unwritten)
    }

    /// Leaves what is drawn where it is: something else is said below.
    pub fn leave(&mut self) {
        if let Some(terminal) = &mut self.terminal {
            terminal.drawn = 0;
        }
    }
}

impl Terminal {
    /// Draws all balances over the last ones: as much of them as fits.
    fn draw(&mut self) -> std::io::Result<()> {
        let known = self.customers.iter().filter_map(|customer| self.balances.get(customer));
        let rows: Vec<Vec<String>> = known.flat_map(rows).collect();
        let lines = Table::new(COLUMNS).lines(&rows);
        let (height, width) = self.term.size();
        let fitting = usize::from(height).saturating_sub(2).max(1);
        self.term.clear_last_lines(self.drawn)?;
        self.drawn = 0;
        for line in lines.lines().take(fitting) {
            writeln!(self.term, "{}", truncate_str(line, width.into(), "…"))?;
            self.drawn += 1;
        }
        let hidden = lines.lines().count() - self.drawn;
        if hidden > 0 {
            writeln!(self.term, "… and {hidden} more: the terminal is too small")?;
            self.drawn += 1;
        }
        self.term.flush()
    }
}

fn balance(change: &WatchBalanceResponse) -> Result<&Balance, Error> {
    change.balance.as_ref().ok_or(Error::Unexpected("creditd answered no balance"))
}

/// A row for each total, and one for a customer who has none.
fn rows(balance: &Balance) -> Vec<Vec<String>> {
    let row = |available: &str, held: &str, credits: String| {
        vec![
            balance.customer_id.clone(),
            available.to_owned(),
            held.to_owned(),
            credits,
            balance.revision.to_string(),
            time::shown(balance.as_of.as_ref()).unwrap_or_default(),
        ]
    };
    if balance.totals.is_empty() {
        return vec![row("0", "0", NOTHING.to_owned())];
    }
    let totals = balance.totals.iter();
    totals
        .map(|total| row(&total.available, &total.held, kind(&total.currency, &total.metrics)))
        .collect()
}

/// A balance on a line.
fn line(balance: &Balance) -> String {
    let as_of = time::shown(balance.as_of.as_ref()).unwrap_or_default();
    let mut totals: Vec<String> = balance.totals.iter().map(words).collect();
    if totals.is_empty() {
        totals.push(NOTHING.to_owned());
    }
    let totals = totals.join("; ");
    let line = format!("{as_of}  {}  revision {}  {totals}", balance.customer_id, balance.revision);
    printable(&line) + "\n"
}

fn words(total: &BalanceTotal) -> String {
    let kind = kind(&total.currency, &total.metrics);
    if total.held.trim_matches(['0', '.']).is_empty() {
        return format!("{} {kind}", total.available);
    }
    format!("{} {kind} ({} held)", total.available, total.held)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_totals_and_what_is_held() {
        let total = BalanceTotal {
            currency: "USD".to_owned(),
            available: "5.00".to_owned(),
            held: "0.00".to_owned(),
            ..Default::default()
        };
        let units = BalanceTotal {
            metrics: vec!["tokens".to_owned()],
            available: "7".to_owned(),
            held: "20".to_owned(),
            ..Default::default()
        };
        let balance = Balance {
            customer_id: "acme".to_owned(),
            revision: 3,
            as_of: Some(prost_types::Timestamp::default()),
            totals: vec![total, units],
            ..Default::default()
        };
        let expected = "1970-01-01T00:00:00Z  acme  revision 3  5.00 USD; \
                        7 units for tokens (20 held)\n";
        assert_eq!(line(&balance), expected);
        let empty = Balance { totals: Vec::new(), ..balance };
        assert!(line(&empty).ends_with("revision 3  nothing to spend\n"));
    }
}
