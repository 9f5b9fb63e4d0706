//! What breaks the rules about grants, usage and the ledger.

/// A rule about grants, usage and the ledger, and what breaks it and no other.
pub(super) const TAMPERINGS: &[(&str, &str)] = &[
    (
        "rollups are the sums of the events recorded before they end",
        "UPDATE usage_rollups SET quantity = quantity + 1",
    ),
    (
        "rollups are the sums of the events recorded before they end",
        "UPDATE usage_rollups SET last_timestamp = last_timestamp + interval '1 second'",
    ),
    ("rollups are the sums of the events recorded before they end", "DELETE FROM usage_rollups"),
    (
        "rollups are the sums of the events recorded before they end",
        "UPDATE customers SET rolled_until = '2030-01-01Z' WHERE external_id = 'acme'",
    ),
    (
        "a point of the balance is what the ledger comes to",
        "INSERT INTO balance_points SELECT customer_id, sequence, recorded_at, '{}', '{}', '{}' \
         FROM ledger_entries WHERE sequence = 1",
    ),
    (
        "a point of the balance is what the ledger comes to",
        "INSERT INTO balance_points SELECT customer_id, sequence, recorded_at, \
         ARRAY[grant_id, grant_id], ARRAY[balance_after, 1], '{0, 0}' \
         FROM ledger_entries WHERE sequence = 1",
    ),
    (
        "a point of the balance is what the ledger comes to",
        "INSERT INTO balance_points SELECT customer_id, sequence, recorded_at, \
         ARRAY[grant_id], ARRAY[balance_after], '{1}' FROM ledger_entries WHERE sequence = 1",
    ),
    (
        "a point of the balance is what the ledger comes to",
        "INSERT INTO balance_points SELECT customer_id, sequence, '2020-01-01Z', \
         ARRAY[grant_id], ARRAY[balance_after], '{0}' FROM ledger_entries WHERE sequence = 1",
    ),
    (
        "revision is the last sequence, and sequences have no gap",
        "UPDATE customers SET revision = revision + 1 WHERE external_id = 'acme'",
    ),
    (
        "sequence and recorded_at run together",
        "UPDATE ledger_entries SET recorded_at = '2020-01-01Z' \
         WHERE event_id = 'e2' AND type = 'consumed'",
    ),
    (
        "a customer's recorded_at is its last one",
        "UPDATE customers SET recorded_at = recorded_at - interval '1 microsecond' \
         WHERE external_id = 'acme'",
    ),
    (
        "a customer's recorded_at is its last one",
        "INSERT INTO customers VALUES (gen_random_uuid(), 'nobody', 0, 0, now(), now(), 0)",
    ),
    (
        "balances run: each entry's after is the sum so far",
        "UPDATE ledger_entries SET balance_after = balance_after + 1 WHERE type = 'expired'",
    ),
    (
        "balances run: each entry's after is the sum so far",
        "UPDATE ledger_entries SET held_after = 1 WHERE type = 'granted' AND sequence = 1",
    ),
    (
        "a grant's figures are the sums of its entries",
        "UPDATE grants SET remaining = remaining - 1, consumed = consumed + 1 WHERE remaining = 100",
    ),
    (
        "a grant's figures are the sums of its entries",
        "UPDATE grants SET expired = expired - 1, voided = voided + 1 WHERE expired > 0",
    ),
    (
        "a grant begins with one entry of its amount",
        "UPDATE grants SET created_at = created_at + interval '1 second' WHERE remaining = 100",
    ),
    (
        "amounts point the way of their type",
        "UPDATE ledger_entries SET type = 'expired' WHERE type = 'updated'",
    ),
    (
        "a grant pays for the metrics that it names",
        "UPDATE grants SET metrics = '{others}' WHERE type = 'units' AND amount = 10",
    ),
    ("a grant's request id is kept", "DELETE FROM requests WHERE grant_id IS NOT NULL"),
    ("an imported grant's row is kept", "DELETE FROM import_rows WHERE row = 2"),
    ("an imported grant's row is kept", "UPDATE import_rows SET row = 7 WHERE row = 2"),
    (
        "the rows of an import are kept together",
        "UPDATE import_rows SET import_key = gen_random_uuid() WHERE row = 2",
    ),
    (
        "a row of an import names a grant that it made",
        "INSERT INTO import_rows SELECT import_key, 9, customer_id, payload, NULL, \
         gen_random_uuid(), now() FROM import_rows WHERE row = 2",
    ),
    (
        "what is reclaimed is taken by the same event or invoice at once",
        "WITH moved AS (UPDATE usage_events SET first_sequence = last_sequence \
         WHERE event_id = 'e2' RETURNING 1) \
         UPDATE ledger_entries SET event_id = NULL WHERE type = 'expiration_reclaimed'",
    ),
    (
        "a grant's rules are those of its last update",
        "UPDATE grants SET priority = 99 WHERE priority = 7",
    ),
    (
        "a grant's rules are those of its last update",
        "UPDATE grants SET expires_at = expires_at + interval '1 day', \
         due_at = due_at + interval '1 day' WHERE priority = 7",
    ),
    (
        "a grant is voided if and only if an entry says so",
        "UPDATE grants SET voided_at = NULL, void_reason = NULL WHERE voided_at IS NOT NULL",
    ),
    (
        "a grant is voided if and only if an entry says so",
        "UPDATE grants SET voided_at = now(), void_reason = 'so' WHERE priority = 7",
    ),
    (
        "a usage event's covered part is the sum of its entries",
        "UPDATE usage_events SET quantity = quantity + 1 WHERE event_id = 'e1' \
         AND uncovered = 0",
    ),
    (
        "a usage event's covered part is the sum of its entries",
        "DELETE FROM usage_events WHERE event_id = 'e1' \
         AND uncovered = 0",
    ),
    (
        "a usage event's covered part is the sum of its entries",
        "UPDATE usage_events SET last_sequence = last_sequence + 1 WHERE event_id = 'e1' \
         AND uncovered = 0",
    ),
    (
        "a grant with something left falls due by its start and by its end",
        "UPDATE grants SET due_at = due_at + interval '1 day' WHERE remaining > 0",
    ),
    (
        "a grant with something left falls due by its start and by its end",
        "UPDATE grants SET due_at = NULL WHERE remaining > 0",
    ),
    (
        "a grant pays for nothing before its start",
        "UPDATE grants SET effective_at = effective_at + interval '1 microsecond' \
         WHERE description = 'left alone'",
    ),
];
