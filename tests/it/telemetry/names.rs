//! The dashboard and the documentation speak of metrics that there are, and of all of them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::names;
use crate::harness::World;

const DASHBOARD: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/helm/creditd/dashboards/creditd.json");
const OPERATIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/OPERATIONS.md");

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The words of a text that name metrics, those of a histogram's parts by the histogram's name.
fn metrics_in(text: &str, known: &BTreeSet<String>) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let named = words.filter(|word| word.starts_with("creditd_") || word.starts_with("process_"));
    let whole = |word: &str| {
        let mut parts =
            ["_bucket", "_count", "_sum"].iter().filter_map(|part| word.strip_suffix(part));
        parts.find(|whole| known.contains(*whole)).unwrap_or(word).to_owned()
    };
    named.map(whole).collect()
}

/// Every string under a key "expr" or "query", wherever it is.
fn expressions(dashboard: &Value, found: &mut Vec<String>) {
    match dashboard {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if key == "expr" => found.push(text.clone()),
                    _ => expressions(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| expressions(item, found)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dashboard_and_table_are_true() {
    World::run(async |world| {
        // What a label makes is there once something was counted under it.
        world.advance(chrono::TimeDelta::seconds(1)).await;
        super::metrics::watch_and_leave(world).await;
        let known = names(&world.server.metrics());
        let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).expect("JSON");
        let mut found = Vec::new();
        expressions(&dashboard, &mut found);
        assert!(found.len() > 10, "a dashboard shows something");
        for expression in &found {
            let named = metrics_in(expression, &known);
            assert!(!named.is_empty(), "no metric in {expression}");
            let unknown: Vec<_> = named.difference(&known).collect();
            assert!(unknown.is_empty(), "{unknown:?} in {expression}");
        }
        let operations = read(OPERATIONS);
        let rows = operations.lines().filter(|line| line.starts_with("| `"));
        let rows = rows.filter_map(|row| row.split('`').nth(1));
        let rows: BTreeSet<String> =
            rows.filter(|name| metrics_in(name, &known).len() == 1).map(str::to_owned).collect();
        assert_eq!(rows, known, "docs/OPERATIONS.md has a row for every metric, and no other");
    })
    .await;
}
