//! All rows of a database as text, to be compared with those of another.

use std::collections::HashMap;

use super::Database;

/// Every table, in an order that says nothing of ids. `customers.version` is left out: it counts
/// batches, to tell a cache whether it is current, and is no part of the books.
const TABLES: [(&str, &str); 16] = [
    ("customers", "SELECT to_jsonb(t) - 'version' FROM customers t ORDER BY external_id"),
    (
        "grants",
        "SELECT to_jsonb(t) FROM grants t JOIN customers c ON c.id = t.customer_id \
         ORDER BY c.external_id, t.sequence",
    ),
    ("usage_events", "SELECT to_jsonb(t) FROM usage_events t ORDER BY customer_id, event_id"),
    ("usage_rollups", "SELECT to_jsonb(t) FROM usage_rollups t ORDER BY customer_id, hour, metric"),
    ("ledger_entries", "SELECT to_jsonb(t) FROM ledger_entries t ORDER BY customer_id, sequence"),
    ("balance_points", "SELECT to_jsonb(t) FROM balance_points t ORDER BY customer_id, sequence"),
    ("import_rows", "SELECT to_jsonb(t) FROM import_rows t ORDER BY import_key, row"),
    ("holds", "SELECT to_jsonb(t) FROM holds t ORDER BY customer_id, hold_id"),
    (
        "credit_applications",
        "SELECT to_jsonb(t) FROM credit_applications t ORDER BY customer_id, invoice_id",
    ),
    // Their ids are new each time.
    (
        "deliveries",
        "SELECT to_jsonb(t) - 'id' - 'notification_id' - 'payload' || (payload::jsonb - 'id') \
         FROM deliveries t ORDER BY customer_id, endpoint_id, id",
    ),
    ("requests", "SELECT to_jsonb(t) FROM requests t ORDER BY customer_id, request_id"),
    ("customer_profiles", "SELECT to_jsonb(t) FROM customer_profiles t ORDER BY customer_id"),
    ("segment_members", "SELECT to_jsonb(t) FROM segment_members t ORDER BY segment, external_id"),
    ("campaigns", "SELECT to_jsonb(t) FROM campaigns t ORDER BY campaign_id"),
    (
        "campaign_runs",
        "SELECT to_jsonb(t) - 'leased_until' FROM campaign_runs t ORDER BY campaign_key, run",
    ),
    (
        "campaign_grants",
        "SELECT to_jsonb(t) FROM campaign_grants t ORDER BY customer_id, campaign_key",
    ),
];

/// All rows, a line each.
pub async fn rows(database: &Database) -> Vec<String> {
    let client = database.connect().await;
    let mut lines = Vec::new();
    for (table, query) in TABLES {
        let query = format!("SELECT q.row::text FROM ({query}) AS q(row)");
        for row in client.query(&query, &[]).await.expect("rows") {
            let row: String = row.get(0);
            lines.push(format!("{table}: {row}"));
        }
    }
    lines
}

/// All rows, with these names in place of ids.
pub async fn named_rows(database: &Database, names: &HashMap<String, String>) -> Vec<String> {
    let rows = rows(database).await;
    rows.iter().map(|row| named(row, names)).collect()
}

/// A text with names in place of ids, which stand in quotes in JSON as well as in `{:?}`.
pub fn named(text: &str, names: &HashMap<String, String>) -> String {
    let parts: Vec<&str> =
        text.split('"').map(|part| names.get(part).map_or(part, String::as_str)).collect();
    parts.join("\"")
}

/// Fails with the first lines that differ.
#[track_caller]
pub fn same(what: &str, left: &[String], right: &[String]) {
    let differing = left.iter().zip(right).filter(|(left, right)| left != right);
    let shown: Vec<String> =
        differing.take(3).map(|(left, right)| format!("  {left}\n  {right}")).collect();
    assert!(
        shown.is_empty() && left.len() == right.len(),
        "{what}: {} and {} lines, differing in\n{}",
        left.len(),
        right.len(),
        shown.join("\n\n")
    );
}
