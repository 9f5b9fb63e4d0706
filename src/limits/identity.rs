//! Who may call.

use std::time::Duration;

/// Letters in the name of an API key: it is on every ledger entry.
pub const KEY_NAME_CHARS_MAX: usize = 100;
/// API keys that are taken at once. Each replica has them in memory, and reads them every few seconds.
pub const API_KEYS_MAX: usize = 1_000;
/// How often a replica reads which API keys are taken: a key that was revoked opens no longer.
pub const API_KEYS_EVERY: Duration = Duration::from_secs(2);
/// Pause between two such readings, where keys that are not known ask for them: a new one works at
/// once, and those who make keys up do not busy the database.
pub const API_KEYS_PAUSE: Duration = Duration::from_millis(200);
/// Longest lifetime of an API key: longer ones are meant for ever.
pub const API_KEY_LIFETIME_MAX: Duration = Duration::from_secs(10 * 366 * 86_400);
