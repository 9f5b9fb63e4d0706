//! What a command says: its answer on standard output, as a table or as JSON; notes to the person
//! who typed it on standard error.

use std::io::{Write as _, stderr, stdout};

use prost::Name;
use tonic::Status;
use uuid::Uuid;

use super::table::{Column, Table};
use super::{Error, json};
use crate::limits;

/// How answers are printed.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct Output {
    /// Print JSON instead of tables: what the wire says, one object a line.
    #[arg(long)]
    json: bool,
}

/// What lists are made of.
pub trait Listed: Name {
    /// What they are called.
    const WHAT: &str;
    /// The titles of a table.
    const COLUMNS: &[Column];

    /// One of them in a table.
    fn row(&self) -> Vec<String>;
}

/// A page of a list, and the token of the next one.
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: String,
}

impl Output {
    /// Whether it is to be JSON.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Prints an answer: as JSON, or in these words.
    pub fn answer<M: Name>(
        self,
        answer: &M,
        words: impl FnOnce(&M) -> Result<String, Error>,
    ) -> Result<(), Error> {
        let text = if self.json { json::line(answer)? } else { words(answer)? };
        write(&text)
    }

    /// Walks the pages of a list and prints each as it comes, up to a limit; 0 is none.
    pub async fn list<T: Listed>(
        self,
        limit: u32,
        mut ask: impl AsyncFnMut(i32, String) -> Result<Page<T>, Status>,
    ) -> Result<(), Error> {
        let mut table = Table::new(T::COLUMNS);
        let mut left = (limit > 0).then_some(limit);
        let mut token = String::new();
        let mut any = false;
        loop {
            let size = left.map_or(limits::PAGE_SIZE_MAX, |left| left.min(limits::PAGE_SIZE_MAX));
            let page = ask(size.cast_signed(), token).await?;
            any |= !page.items.is_empty();
            self.page(&page.items, &mut table)?;
            left = left.map(|left| left.saturating_sub(count(&page.items)));
            token = page.next;
            if token.is_empty() || left == Some(0) {
                break;
            }
        }
        if !any {
            note(&format!("no {}", T::WHAT));
        }
        if !token.is_empty() {
            note(&format!("there are more {}: --limit 0 lists all", T::WHAT));
        }
        Ok(())
    }

    fn page<T: Listed>(self, items: &[T], table: &mut Table) -> Result<(), Error> {
        if self.json {
            let lines: Result<String, Error> = items.iter().map(json::line).collect();
            return write(&lines?);
        }
        let rows: Vec<Vec<String>> = items.iter().map(Listed::row).collect();
        write(&table.lines(&rows))
    }
}

fn count<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).unwrap_or(u32::MAX)
}

/// Writes to standard output, at once.
pub fn write(text: &str) -> Result<(), Error> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(unwritten)
}

/// Standard output took no more.
pub fn unwritten(error: std::io::Error) -> Error {
    Error::Output { what: "to standard output".to_owned(), error }
}

/// Says a line on standard error; nobody reading it is no reason to stop.
pub fn note(line: &str) {
    let _ = writeln!(stderr(), "{line}");
}

/// A new key for a call, said before the call is made: its answer may be lost.
pub fn fresh_key(of: &str) -> String {
    let key = Uuid::now_v7().to_string();
    note(&format!("{of} id {key}: to repeat this call safely, give it as --{of}-id"));
    key
}
