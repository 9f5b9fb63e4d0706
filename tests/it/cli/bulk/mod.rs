//! Import and export: files in, files out.

mod broken;
mod export;
mod figures;
mod files;
mod import;

use std::fs;
use std::path::PathBuf;

use creditd::pb;
use serde_json::Value;
use tempfile::TempDir;

use super::{Said, run};
use crate::harness::{Client, World};

/// A folder of one test's own.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The path as a command line takes it.
    fn at(&self, name: &str) -> String {
        self.path(name).to_str().expect("a path").to_owned()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), bytes).expect("a file");
        self.at(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a file")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().expect("text")).collect();
        names.sort();
        names
    }
}

/// The records of a CSV, the header first.
fn records(text: &str) -> Vec<Vec<String>> {
    let text = text.trim_start_matches('\u{feff}');
    let mut form = csv::ReaderBuilder::new();
    let mut reader = form.has_headers(false).flexible(true).from_reader(text.as_bytes());
    let records = reader.records().map(|record| record.expect("a record"));
    records.map(|record| record.iter().map(str::to_owned).collect()).collect()
}

/// The cells of one column.
fn column(records: &[Vec<String>], name: &str) -> Vec<String> {
    let column = records[0].iter().position(|column| column == name).expect("a column");
    records[1..].iter().map(|record| record[column].clone()).collect()
}

/// What an import's summary tells.
fn told(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{}{}", said.out, said.err))
}

/// How many were created, there before, rejected.
fn counts(told: &Value) -> (u64, u64, u64) {
    let count = |name: &str| told[name].as_u64().expect("a count");
    (count("created"), count("duplicates"), count("rejected"))
}

/// The grants of an import, by row.
async fn grants_of(client: &Client, import_id: &str) -> Vec<pb::Grant> {
    let mut grants = Vec::new();
    let mut request = pb::ListGrantsRequest {
        import_id: import_id.to_owned(),
        page_size: 1_000,
        ..Default::default()
    };
    loop {
        let page = client.try_list_grants(request.clone()).await.expect("a page");
        grants.extend(page.grants);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            grants.sort_by_key(|grant| grant.import_row);
            return grants;
        }
    }
}

/// Imports, and returns how it ended and what it tells.
async fn import(world: &World, line: &str) -> (Option<i32>, Value) {
    let said = run(world, &format!("import {line} --json")).await;
    (said.code, told(&said))
}
