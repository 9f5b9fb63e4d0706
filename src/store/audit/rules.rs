//! What holds of grants, usage and the ledger.

/// Each rule, and a query that finds what breaks it: customer, subject, expected, found.
pub(super) const RULES: &[(&str, &str)] = &[
    (
        "revision is the last sequence, and sequences have no gap",
        "SELECT coalesce(c.id, e.customer_id), 'revision', \
                format('%s entries, last %s', coalesce(e.entries, 0), coalesce(e.last, 0)), \
                c.revision::text \
         FROM customers c FULL JOIN (SELECT customer_id, count(*) AS entries, \
             max(sequence) AS last FROM ledger_entries GROUP BY customer_id) e \
           ON e.customer_id = c.id \
         WHERE c.revision IS DISTINCT FROM coalesce(e.last, 0) \
            OR coalesce(e.entries, 0) <> coalesce(e.last, 0)",
    ),
    (
        "sequence and recorded_at run together",
        "SELECT customer_id, 'entry ' || sequence, 'at or after ' || previous, recorded_at::text \
         FROM (SELECT customer_id, sequence, recorded_at, lag(recorded_at) OVER \
               (PARTITION BY customer_id ORDER BY sequence) AS previous FROM ledger_entries) e \
         WHERE recorded_at < previous",
    ),
    (
        "a customer's recorded_at is its last one",
        "SELECT c.id, 'recorded_at', greatest(e.last, u.last, a.last, r.last)::text, c.recorded_at::text \
         FROM customers c \
         LEFT JOIN (SELECT customer_id, max(recorded_at) AS last FROM ledger_entries \
                    GROUP BY customer_id) e ON e.customer_id = c.id \
         LEFT JOIN (SELECT customer_id, max(recorded_at) AS last FROM usage_events \
                    GROUP BY customer_id) u ON u.customer_id = c.id \
         LEFT JOIN (SELECT customer_id, max(recorded_at) AS last FROM credit_applications \
                    GROUP BY customer_id) a ON a.customer_id = c.id \
         LEFT JOIN (SELECT customer_id, max(recorded_at) AS last FROM requests \
                    GROUP BY customer_id) r ON r.customer_id = c.id \
         WHERE c.recorded_at < greatest(e.last, u.last, a.last, r.last) \
            OR (e.last IS NULL AND u.last IS NULL AND a.last IS NULL)",
    ),
    (
        "balances run: each entry's after is the sum so far",
        "SELECT customer_id, 'entry ' || sequence, format('%s held %s', balance, holding), \
                format('%s held %s', balance_after, held_after) \
         FROM (SELECT *, sum(amount) OVER w AS balance, sum(held_amount) OVER w AS holding \
               FROM ledger_entries WINDOW w AS (PARTITION BY customer_id, grant_id \
               ORDER BY sequence)) e \
         WHERE balance <> balance_after OR holding <> held_after",
    ),
    (
        "a grant's figures are the sums of its entries",
        "SELECT coalesce(g.customer_id, e.customer_id), \
                'grant ' || coalesce(g.id, e.grant_id), \
                concat_ws(' ', e.remaining, e.held, e.consumed, e.expired, e.voided), \
                concat_ws(' ', g.remaining, g.held, g.consumed, g.expired, g.voided) \
         FROM grants g FULL JOIN (SELECT customer_id, grant_id, sum(amount) AS remaining, \
             sum(held_amount) AS held, \
             coalesce(-sum(amount) FILTER (WHERE type IN ('consumed', 'applied', \
                      'usage_reversed', 'application_reversed')), 0) AS consumed, \
             coalesce(-sum(amount) FILTER (WHERE type IN ('expired', 'expiration_reclaimed')), \
                      0) AS expired, \
             coalesce(-sum(amount) FILTER (WHERE type = 'voided'), 0) AS voided \
             FROM ledger_entries GROUP BY customer_id, grant_id) e \
           ON e.customer_id = g.customer_id AND e.grant_id = g.id \
         WHERE (g.remaining, g.held, g.consumed, g.expired, g.voided) \
           IS DISTINCT FROM (e.remaining, e.held, e.consumed, e.expired, e.voided)",
    ),
    (
        "a grant begins with one entry of its amount",
        "SELECT g.customer_id, 'grant ' || g.id, format('%s at %s', g.amount, g.sequence), \
                string_agg(format('%s at %s', e.amount, e.sequence), ', ') \
         FROM grants g LEFT JOIN ledger_entries e ON e.customer_id = g.customer_id \
           AND e.grant_id = g.id AND e.type = 'granted' \
         GROUP BY g.customer_id, g.id, g.amount, g.sequence, g.created_at \
         HAVING count(e.sequence) <> 1 OR min(e.amount) <> g.amount \
           OR min(e.sequence) <> g.sequence OR min(e.recorded_at) <> g.created_at",
    ),
    (
        "amounts point the way of their type",
        "SELECT customer_id, 'entry ' || sequence, type, amount::text FROM ledger_entries \
         WHERE NOT CASE WHEN type IN ('granted', 'expiration_reclaimed', 'usage_reversed', \
               'application_reversed') THEN amount > 0 \
           WHEN type IN ('updated', 'held', 'hold_released') THEN amount = 0 \
           WHEN type = 'voided' THEN amount <= 0 ELSE amount < 0 END \
           OR NOT CASE type WHEN 'held' THEN held_amount > 0 \
           WHEN 'hold_released' THEN held_amount < 0 \
           WHEN 'consumed' THEN held_amount IN (0, amount) ELSE held_amount = 0 END",
    ),
    (
        "what is reclaimed is taken by the same event or invoice at once",
        "SELECT r.customer_id, 'entry ' || r.sequence, (-r.amount)::text, c.amount::text \
         FROM ledger_entries r LEFT JOIN ledger_entries c ON c.customer_id = r.customer_id \
           AND c.sequence = r.sequence + 1 AND c.grant_id = r.grant_id \
           AND c.type IN ('consumed', 'applied') \
           AND (c.event_id, c.invoice_id) IS NOT DISTINCT FROM (r.event_id, r.invoice_id) \
         WHERE r.type = 'expiration_reclaimed' AND c.amount IS DISTINCT FROM -r.amount",
    ),
    (
        "a grant's rules are those of its last update",
        "SELECT g.customer_id, 'grant ' || g.id, \
                concat_ws(' ', u.priority, u.expires_at), concat_ws(' ', g.priority, \
                (extract(epoch FROM g.expires_at) * 1000000)::bigint) \
         FROM grants g \
         CROSS JOIN LATERAL (SELECT \
           (SELECT (change->'priority'->>1)::int FROM ledger_entries e \
            WHERE e.customer_id = g.customer_id AND e.grant_id = g.id \
              AND e.type = 'updated' AND change ? 'priority' \
            ORDER BY sequence DESC LIMIT 1) AS priority, \
           (SELECT change->'expires_at' FROM ledger_entries e \
            WHERE e.customer_id = g.customer_id AND e.grant_id = g.id \
              AND e.type = 'updated' AND change ? 'expires_at' \
            ORDER BY sequence DESC LIMIT 1) AS expires_at) u \
         WHERE EXISTS (SELECT 1 FROM ledger_entries x WHERE x.customer_id = g.customer_id \
             AND x.grant_id = g.id AND x.type = 'updated') \
           AND (u.priority <> g.priority OR (u.expires_at IS NOT NULL \
           AND (u.expires_at->>1)::bigint IS DISTINCT FROM \
             (extract(epoch FROM g.expires_at) * 1000000)::bigint))",
    ),
    (
        "a grant is voided if and only if an entry says so",
        "SELECT g.customer_id, 'grant ' || g.id, min(e.recorded_at)::text, g.voided_at::text \
         FROM grants g LEFT JOIN ledger_entries e ON e.customer_id = g.customer_id \
           AND e.grant_id = g.id AND e.type = 'voided' \
         GROUP BY g.customer_id, g.id, g.voided_at \
         HAVING min(e.recorded_at) IS DISTINCT FROM g.voided_at",
    ),
    (
        "a usage event's covered part is the sum of its entries",
        "SELECT coalesce(u.customer_id, e.customer_id), \
                'event ' || coalesce(u.event_id, e.event_id), \
                format('%s by %s to %s', coalesce(e.consumed, 0), e.first, e.last), \
                format('%s by %s to %s', u.quantity - u.uncovered, u.first_sequence, \
                       u.last_sequence) \
         FROM usage_events u FULL JOIN (SELECT customer_id, event_id, \
             -sum(amount) FILTER (WHERE type = 'consumed') AS consumed, \
             min(sequence) AS first, max(sequence) AS last FROM ledger_entries \
             WHERE type IN ('consumed', 'expiration_reclaimed') AND event_id IS NOT NULL \
             GROUP BY customer_id, event_id) e \
           ON e.customer_id = u.customer_id AND e.event_id = u.event_id \
         WHERE coalesce(e.consumed, 0) IS DISTINCT FROM u.quantity - u.uncovered \
            OR e.last IS DISTINCT FROM u.last_sequence \
            OR e.first IS DISTINCT FROM u.first_sequence",
    ),
    (
        "rollups are the sums of the events recorded before they end",
        "SELECT coalesce(r.customer_id, e.customer_id), \
                format('%s at %s', coalesce(r.metric, e.metric), coalesce(r.hour, e.hour)), \
                concat_ws(' ', e.events, e.quantity, e.uncovered, e.reversed, e.first, e.last), \
                concat_ws(' ', r.events, r.quantity, r.uncovered, r.reversed, \
                          r.first_timestamp, r.last_timestamp) \
         FROM usage_rollups r FULL JOIN (SELECT u.customer_id, u.metric, \
             date_trunc('hour', u.timestamp, 'UTC') AS hour, count(*) AS events, \
             sum(u.quantity) AS quantity, sum(greatest(u.uncovered - u.reversed, 0)) AS uncovered, \
             sum(u.reversed) AS reversed, min(u.timestamp) AS first, max(u.timestamp) AS last \
             FROM usage_events u JOIN customers c ON c.id = u.customer_id \
             WHERE u.recorded_at < c.rolled_until GROUP BY 1, 2, 3) e \
           ON e.customer_id = r.customer_id AND e.metric = r.metric AND e.hour = r.hour \
         WHERE (r.events, r.quantity, r.uncovered, r.reversed, r.first_timestamp, \
                r.last_timestamp) \
           IS DISTINCT FROM (e.events, e.quantity, e.uncovered, e.reversed, e.first, e.last)",
    ),
    (
        // It may fall due before, for a warning.
        "a grant with something left falls due by its start and by its end",
        "SELECT g.customer_id, 'grant ' || g.id, turn.at::text, due_at::text \
         FROM grants g JOIN customers c ON c.id = g.customer_id CROSS JOIN LATERAL (SELECT \
           least(expires_at, CASE WHEN effective_at > c.recorded_at THEN effective_at END)) turn(at) \
         WHERE remaining > held AND voided_at IS NULL \
         AND turn.at < coalesce(due_at, 'infinity')",
    ),
    (
        // Each from the one before it and the entries between, so that no history is read twice.
        "a point of the balance is what the ledger comes to",
        "SELECT p.customer_id, 'point ' || p.sequence, format('%s, %s', e.recorded_at, l.told), \
                format('%s, %s', p.recorded_at, k.told) \
         FROM (SELECT *, lag(q) OVER (PARTITION BY customer_id ORDER BY sequence) AS last \
               FROM balance_points q) p \
         LEFT JOIN ledger_entries e ON e.customer_id = p.customer_id AND e.sequence = p.sequence \
         CROSS JOIN LATERAL (SELECT string_agg( \
             format('%s %s held %s', grant_id, remaining, held), ', ' ORDER BY grant_id) AS told \
           FROM unnest(p.grant_ids, p.remaining, p.held) AS u(grant_id, remaining, held)) k \
         CROSS JOIN LATERAL (SELECT string_agg( \
             format('%s %s held %s', grant_id, remaining, held), ', ' ORDER BY grant_id) AS told \
           FROM (SELECT DISTINCT ON (grant_id) grant_id, remaining, held \
             FROM (SELECT (p.last).sequence, u.* FROM unnest( \
                 (p.last).grant_ids, (p.last).remaining, (p.last).held) u \
               UNION ALL SELECT sequence, grant_id, balance_after, held_after FROM ledger_entries \
               WHERE customer_id = p.customer_id AND sequence <= p.sequence \
               AND sequence > coalesce((p.last).sequence, 0)) m(sequence, grant_id, remaining, held) \
             ORDER BY grant_id, sequence DESC) w WHERE remaining > 0) l \
         WHERE (e.recorded_at, l.told) IS DISTINCT FROM (p.recorded_at, k.told)",
    ),
    (
        "a grant pays for the metrics that it names",
        "SELECT e.customer_id, 'entry ' || e.sequence, array_to_string(g.metrics, ', '), u.metric \
         FROM ledger_entries e \
         JOIN usage_events u ON u.customer_id = e.customer_id AND u.event_id = e.event_id \
         JOIN grants g ON g.customer_id = e.customer_id AND g.id = e.grant_id \
         WHERE e.type = 'consumed' AND (g.type <> 'units' \
           OR (cardinality(g.metrics) > 0 AND NOT u.metric = ANY (g.metrics)))",
    ),
    (
        "a grant pays for nothing before its start",
        "SELECT e.customer_id, 'entry ' || e.sequence, g.effective_at::text, e.occurred_at::text \
         FROM ledger_entries e JOIN grants g ON g.customer_id = e.customer_id AND g.id = e.grant_id \
         WHERE (e.type IN ('applied', 'held') OR (e.type = 'consumed' AND e.held_amount = 0)) \
           AND e.occurred_at < g.effective_at",
    ),
    (
        "a grant's request id is kept",
        "SELECT g.customer_id, 'grant ' || g.id, 'a request', NULL FROM grants g \
         WHERE num_nonnulls(g.import_id, g.campaign_id) = 0 \
           AND NOT EXISTS (SELECT 1 FROM requests r \
           WHERE r.customer_id = g.customer_id AND r.grant_id = g.id)",
    ),
    (
        "an imported grant's row is kept",
        "SELECT g.customer_id, 'grant ' || g.id, 'row ' || g.import_row, 'row ' || r.row \
         FROM grants g LEFT JOIN import_rows r \
           ON r.grant_id = g.id AND r.customer_id = g.customer_id \
         WHERE g.import_id IS NOT NULL AND r.row IS DISTINCT FROM g.import_row",
    ),
    (
        "the rows of an import are kept together",
        "SELECT min(g.customer_id::text)::uuid, 'import ' || g.import_id, 'one key', \
           count(DISTINCT r.import_key)::text \
         FROM import_rows r JOIN grants g ON g.customer_id = r.customer_id AND g.id = r.grant_id \
         GROUP BY g.import_id HAVING count(DISTINCT r.import_key) > 1",
    ),
    (
        "a row of an import names a grant that it made",
        "SELECT r.customer_id, 'row ' || r.row, 'a grant', g.id::text FROM import_rows r \
         LEFT JOIN grants g ON g.customer_id = r.customer_id AND g.id = r.grant_id \
         WHERE g.import_id IS NULL",
    ),
];
