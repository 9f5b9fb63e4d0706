//! What an import came to, and how it is told.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::figures::{grouped, rate, seconds};
use crate::limits;

/// The answers to rows, added up.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Grants that were created.
    pub created: u64,
    /// Rows whose grant was there before.
    pub duplicates: u64,
    /// Those of them that were sent twice because a connection broke.
    pub resent: u64,
    /// Rows that were rejected.
    pub rejected: u64,
    /// Those of them that differ from what the import created under their number.
    pub differing: u64,
    /// Why rows were rejected: how many, and the first.
    reasons: BTreeMap<String, (u64, i64)>,
}

/// What an import came to. Its `Display` is what the command prints.
#[derive(Debug)]
pub struct Summary {
    /// The file.
    pub file: PathBuf,
    /// The import.
    pub import_id: String,
    /// Whether the caller named it.
    pub is_named: bool,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// The rows.
    pub tally: Tally,
    /// How long it took.
    pub took: Duration,
    /// Where the rejected rows are.
    pub rejected_file: Option<PathBuf>,
    /// Why it ended before all rows were answered.
    pub stopped: Option<String>,
}

impl Tally {
    /// Rows answered.
    pub fn rows(&self) -> u64 {
        self.created + self.duplicates + self.rejected
    }

    /// Counts a rejected row.
    pub fn reject(&mut self, row: i64, why: &str) {
        self.rejected += 1;
        if let Some((rows, _)) = self.reasons.get_mut(why) {
            *rows += 1;
        } else if self.reasons.len() < limits::IMPORT_REASONS_MAX {
            self.reasons.insert(why.to_owned(), (1, row));
        }
    }

    /// Reasons, the most frequent first.
    fn reasons(&self) -> Vec<(&str, u64, i64)> {
        let reasons = self.reasons.iter().map(|(why, (rows, first))| (why.as_str(), *rows, *first));
        let mut reasons: Vec<_> = reasons.collect();
        reasons.sort_by_key(|(_, rows, first)| (Reverse(*rows), *first));
        reasons.truncate(limits::IMPORT_REASONS_SPELT);
        reasons
    }
}

impl Summary {
    /// The same as one JSON object.
    pub fn json(&self) -> Value {
        let Self { tally, .. } = self;
        let reasons = tally.reasons().into_iter();
        let reasons = reasons
            .map(|(why, rows, first)| json!({"error": why, "rows": rows, "first_row": first}));
        json!({
            "file": self.file.display().to_string(),
            "import_id": self.import_id,
            "dry_run": self.dry_run,
            "complete": self.stopped.is_none(),
            "stopped": self.stopped,
            "rows": tally.rows(),
            "created": tally.created,
            "duplicates": tally.duplicates,
            "duplicates_sent_twice": tally.resent,
            "rejected": tally.rejected,
            "rejected_as_different": tally.differing,
            "rejected_file": self.rejected_file.as_ref().map(|path| path.display().to_string()),
            "reasons": reasons.collect::<Value>(),
            "milliseconds": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            "rows_per_second": rate(tally.rows(), self.took),
        })
    }

    /// What is left to do, if anything is.
    pub fn fault(&self) -> Option<String> {
        let Self { tally, .. } = self;
        match &self.stopped {
            Some(why) => Some(format!("not all rows were imported: {why}")),
            None if tally.rejected > 0 => {
                let (rejected, rows) = (grouped(tally.rejected), grouped(tally.rows()));
                Some(format!("{rejected} of {rows} rows were rejected"))
            }
            None => None,
        }
    }

    fn rejected(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tally, .. } = self;
        let reasons = tally.reasons();
        for (why, rows, first) in &reasons {
            writeln!(f, "    {:>7}  {why} (row {first} first)", grouped(rows))?;
        }
        match tally.rejected - reasons.iter().map(|(_, rows, _)| rows).sum::<u64>() {
            0 => {}
            others => writeln!(f, "    {:>7}  for other reasons", grouped(others))?,
        }
        if tally.differing > 0 {
            writeln!(
                f,
                "\n{} rows differ from what this import created earlier under their row numbers: \
                 the file\nchanged. What was created stays as it is; new or changed rows belong \
                 in a file of their own.",
                grouped(tally.differing)
            )?;
        }
        Ok(())
    }

    fn next(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = shell(&self.file.display().to_string());
        let id = shell(&self.import_id);
        if let Some(rejected) = &self.rejected_file {
            let rejected = shell(&rejected.display().to_string());
            writeln!(f, "\nThe rejected rows are in {rejected}. Mend them there, and then:")?;
            writeln!(f, "  creditd import {rejected}")?;
        }
        if self.dry_run {
            writeln!(f, "\nNothing was written. To create the grants:")?;
            let named = if self.is_named { format!(" --import-id {id}") } else { String::new() };
            writeln!(f, "  creditd import {file}{named}")?;
        } else if self.tally.created + self.tally.duplicates > 0 {
            writeln!(f, "\nTo take back what is left of all grants of this import:")?;
            writeln!(f, "  creditd void --import-id {id} --reason 'why'")?;
        }
        Ok(())
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tally, .. } = self;
        let what = if self.dry_run { "Dry run of import" } else { "Import" };
        writeln!(f, "{what} {}", self.import_id)?;
        write!(f, "{}: {} rows", self.file.display(), grouped(tally.rows()))?;
        match tally.rows() {
            0 => writeln!(f, ", so that there is nothing to do")?,
            rows => {
                let rate = grouped(rate(rows, self.took));
                writeln!(f, " in {}, {rate} rows/s", seconds(self.took))?;
            }
        }
        let would = if self.dry_run { " would be" } else { "" };
        writeln!(f, "\n  {} grants{would} created", grouped(tally.created))?;
        writeln!(f, "  {} created before", grouped(tally.duplicates))?;
        if tally.resent > 0 {
            writeln!(
                f,
                "    {:>7}  sent twice, because the connection broke: most likely by this run",
                grouped(tally.resent)
            )?;
        }
        writeln!(f, "  {} rejected", grouped(tally.rejected))?;
        self.rejected(f)?;
        self.next(f)
    }
}

/// An argument as a shell takes it.
fn shell(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:@%+,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> Summary {
        let mut tally = Tally { created: 9_990, duplicates: 5, resent: 2, ..Tally::default() };
        for (row, why) in [(17, "amount is bad"), (3, "type is bad"), (18, "amount is bad")] {
            tally.reject(row, why);
        }
        Summary {
            file: "my grants.csv".into(),
            import_id: "i1".to_owned(),
            is_named: true,
            dry_run: false,
            tally,
            took: Duration::from_millis(2_000),
            rejected_file: Some("my grants.csv.rejected.csv".into()),
            stopped: None,
        }
    }

    #[test]
    fn a_summary_says_what_was_done_and_what_is_to_do() {
        assert_eq!(
            summary().to_string(),
            "Import i1\n\
             my grants.csv: 9,998 rows in 2.0 s, 4,999 rows/s\n\
             \n  9,990 grants created\n  5 created before\n    \
             \x20     2  sent twice, because the connection broke: most likely by this run\n  \
             3 rejected\n    \
             \x20     2  amount is bad (row 17 first)\n    \
             \x20     1  type is bad (row 3 first)\n\
             \nThe rejected rows are in 'my grants.csv.rejected.csv'. Mend them there, and then:\n  \
             creditd import 'my grants.csv.rejected.csv'\n\
             \nTo take back what is left of all grants of this import:\n  \
             creditd void --import-id i1 --reason 'why'\n"
        );
        assert_eq!(summary().fault().unwrap(), "3 of 9,998 rows were rejected");
    }

    #[test]
    fn a_dry_run_says_how_to_do_it() {
        let text = Summary { dry_run: true, rejected_file: None, ..summary() }.to_string();
        assert!(text.starts_with("Dry run of import i1\n"), "{text}");
        assert!(text.contains("  9,990 grants would be created\n"), "{text}");
        let end = "Nothing was written. To create the grants:\n  \
                   creditd import 'my grants.csv' --import-id i1\n";
        assert!(text.ends_with(end), "{text}");
    }

    #[test]
    fn reasons_are_bounded() {
        let mut tally = Tally::default();
        for row in 0..5_000 {
            tally.reject(row, &format!("row {row}"));
        }
        assert_eq!((tally.rejected, tally.reasons.len()), (5_000, limits::IMPORT_REASONS_MAX));
        let text = Summary { tally, ..summary() }.to_string();
        assert!(text.contains("4,995  for other reasons"), "{text}");
    }

    #[test]
    fn the_same_is_told_as_json() {
        let told = summary().json();
        assert_eq!((&told["created"], &told["complete"]), (&json!(9_990), &json!(true)));
        assert_eq!(
            told["reasons"][0],
            json!({"error": "amount is bad", "rows": 2, "first_row": 17})
        );
    }

    #[test]
    fn arguments_are_quoted_where_a_shell_needs_it() {
        for (text, quoted) in [("a-1.csv", "a-1.csv"), ("", "''"), ("it's", "'it'\\''s'")] {
            assert_eq!(shell(text), quoted);
        }
    }
}
