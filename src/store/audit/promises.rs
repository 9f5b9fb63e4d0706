//! What holds of invoices, holds and reversals.

/// Each rule, and a query that finds what breaks it: customer, subject, expected, found.
pub(super) const PROMISES: &[(&str, &str)] = &[
    (
        "a used request id names what it made or reversed",
        "SELECT r.customer_id, 'request ' || r.request_id, \
                'a grant, an event or an application', NULL FROM requests r \
         LEFT JOIN grants g ON g.customer_id = r.customer_id AND g.id = r.grant_id \
         LEFT JOIN usage_events u ON u.customer_id = r.customer_id AND u.event_id = r.event_id \
         LEFT JOIN credit_applications a \
           ON a.customer_id = r.customer_id AND a.invoice_id = r.invoice_id \
         WHERE coalesce(g.id::text, u.event_id, a.invoice_id) IS NULL",
    ),
    (
        "what is reversed of an event is what entries and requests say",
        "SELECT u.customer_id, 'event ' || u.event_id, \
                format('%s uncovered, %s given back, %s of it lost', \
                       least(u.uncovered, u.reversed), coalesce(e.given, 0), \
                       coalesce(e.lost, 0)), \
                format('%s uncovered, %s given back, %s of it lost; %s of the event', \
                       coalesce(r.uncovered, 0), coalesce(r.given, 0), coalesce(r.lost, 0), \
                       u.reversed) \
         FROM usage_events u \
         LEFT JOIN (SELECT customer_id, event_id, \
               sum(amount) FILTER (WHERE type = 'usage_reversed') AS given, \
               -sum(amount) FILTER (WHERE type IN ('expired', 'voided')) AS lost \
             FROM ledger_entries WHERE event_id IS NOT NULL GROUP BY customer_id, event_id) e \
           ON e.customer_id = u.customer_id AND e.event_id = u.event_id \
         LEFT JOIN (SELECT customer_id, event_id, sum(uncovered_reversed) AS uncovered, \
               sum(restored + forfeited) AS given, sum(forfeited) AS lost FROM requests \
             WHERE event_id IS NOT NULL GROUP BY customer_id, event_id) r \
           ON r.customer_id = u.customer_id AND r.event_id = u.event_id \
         WHERE coalesce(r.uncovered, 0) <> least(u.uncovered, u.reversed) \
            OR coalesce(r.uncovered, 0) + coalesce(r.given, 0) <> u.reversed \
            OR coalesce(r.given, 0) <> coalesce(e.given, 0) \
            OR coalesce(r.lost, 0) <> coalesce(e.lost, 0)",
    ),
    (
        "what is applied to an invoice is the sum of its entries",
        "SELECT coalesce(a.customer_id, e.customer_id), \
                'invoice ' || coalesce(a.invoice_id, e.invoice_id), \
                format('%s by %s to %s', coalesce(e.applied, 0), e.first, e.last), \
                format('%s by %s to %s', a.applied, a.first_sequence, a.last_sequence) \
         FROM credit_applications a FULL JOIN (SELECT customer_id, invoice_id, \
             -sum(amount) FILTER (WHERE type = 'applied') AS applied, \
             min(sequence) FILTER (WHERE type IN ('applied', 'expiration_reclaimed')) AS first, \
             max(sequence) FILTER (WHERE type IN ('applied', 'expiration_reclaimed')) AS last \
             FROM ledger_entries WHERE invoice_id IS NOT NULL \
             GROUP BY customer_id, invoice_id) e \
           ON e.customer_id = a.customer_id AND e.invoice_id = a.invoice_id \
         WHERE coalesce(e.applied, 0) IS DISTINCT FROM a.applied \
            OR e.first IS DISTINCT FROM a.first_sequence \
            OR e.last IS DISTINCT FROM a.last_sequence",
    ),
    (
        "what is reversed of an invoice is what entries and requests say",
        "SELECT a.customer_id, 'invoice ' || a.invoice_id, \
                format('%s given back, %s of it lost', coalesce(e.given, 0), \
                       coalesce(e.lost, 0)), \
                format('%s given back, %s of it lost; %s of the invoice', \
                       coalesce(r.given, 0), coalesce(r.lost, 0), a.reversed) \
         FROM credit_applications a \
         LEFT JOIN (SELECT customer_id, invoice_id, \
               sum(amount) FILTER (WHERE type = 'application_reversed') AS given, \
               -sum(amount) FILTER (WHERE type IN ('expired', 'voided')) AS lost \
             FROM ledger_entries WHERE invoice_id IS NOT NULL \
             GROUP BY customer_id, invoice_id) e \
           ON e.customer_id = a.customer_id AND e.invoice_id = a.invoice_id \
         LEFT JOIN (SELECT customer_id, invoice_id, sum(restored + forfeited) AS given, \
               sum(forfeited) AS lost, sum(uncovered_reversed) AS uncovered FROM requests \
             WHERE invoice_id IS NOT NULL GROUP BY customer_id, invoice_id) r \
           ON r.customer_id = a.customer_id AND r.invoice_id = a.invoice_id \
         WHERE coalesce(r.given, 0) <> a.reversed OR coalesce(e.given, 0) <> a.reversed \
            OR coalesce(r.lost, 0) <> coalesce(e.lost, 0) OR r.uncovered <> 0",
    ),
    (
        "credits go back to the grants they came from, last taken first",
        "SELECT coalesce(t.customer_id, b.customer_id), \
                concat(coalesce(t.cause, b.cause), ', grant ', coalesce(t.grant_id, b.grant_id)), \
                coalesce(t.back, 0)::text, coalesce(b.back, 0)::text \
         FROM (SELECT customer_id, cause, grant_id, \
               sum(least(taken, greatest(given - later, 0))) AS back \
             FROM (SELECT e.customer_id, r.cause, e.grant_id, -e.amount AS taken, r.given, \
                 coalesce(sum(-e.amount) OVER (PARTITION BY e.customer_id, r.cause \
                   ORDER BY e.sequence DESC \
                   ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS later \
               FROM ledger_entries e JOIN (SELECT customer_id, \
                   coalesce('event ' || event_id, 'invoice ' || invoice_id) AS cause, \
                   sum(amount) AS given FROM ledger_entries \
                 WHERE type IN ('usage_reversed', 'application_reversed') GROUP BY 1, 2) r \
               ON r.customer_id = e.customer_id \
                 AND r.cause = coalesce('event ' || e.event_id, 'invoice ' || e.invoice_id) \
               WHERE e.type IN ('consumed', 'applied')) taken \
             GROUP BY 1, 2, 3) t \
         FULL JOIN (SELECT customer_id, \
               coalesce('event ' || event_id, 'invoice ' || invoice_id) AS cause, grant_id, \
               sum(amount) AS back FROM ledger_entries \
             WHERE type IN ('usage_reversed', 'application_reversed') GROUP BY 1, 2, 3) b \
           ON b.customer_id = t.customer_id AND b.cause = t.cause AND b.grant_id = t.grant_id \
         WHERE coalesce(t.back, 0) <> coalesce(b.back, 0)",
    ),
    (
        "what is given back and lost is lost at once",
        "SELECT l.customer_id, 'entry ' || l.sequence, (-l.amount)::text, \
                (b.amount - b.held_amount)::text \
         FROM ledger_entries l LEFT JOIN ledger_entries b ON b.customer_id = l.customer_id \
           AND b.sequence = l.sequence - 1 AND b.grant_id = l.grant_id \
           AND b.type IN ('hold_released', 'usage_reversed', 'application_reversed') \
           AND (b.event_id, b.invoice_id, b.hold_id) \
             IS NOT DISTINCT FROM (l.event_id, l.invoice_id, l.hold_id) \
         WHERE l.type IN ('expired', 'voided') \
           AND num_nonnulls(l.event_id, l.invoice_id, l.hold_id) > 0 \
           AND b.amount - b.held_amount IS DISTINCT FROM -l.amount",
    ),
    (
        "nothing is free of a grant that has ended",
        "SELECT g.customer_id, 'grant ' || g.id, '0', (g.remaining - g.held)::text \
         FROM grants g JOIN customers c ON c.id = g.customer_id \
         WHERE g.remaining <> g.held \
           AND (g.voided_at IS NOT NULL OR g.expires_at <= c.recorded_at)",
    ),
    (
        "a grant pays for invoices in its currency",
        "SELECT e.customer_id, 'entry ' || e.sequence, a.currency, g.currency \
         FROM ledger_entries e JOIN credit_applications a \
           ON a.customer_id = e.customer_id AND a.invoice_id = e.invoice_id \
         JOIN grants g ON g.customer_id = e.customer_id AND g.id = e.grant_id \
         WHERE g.currency IS DISTINCT FROM a.currency",
    ),
    (
        "a hold's slices are the sums of its entries",
        "SELECT coalesce(h.customer_id, e.customer_id), \
                concat('hold ', coalesce(h.hold_id, e.hold_id), ', grant ', \
                       coalesce(h.grant_id, e.grant_id)), \
                format('%s set aside, %s left', e.aside, e.left), \
                format('%s set aside, %s left', h.aside, h.left) \
         FROM (SELECT h.customer_id, h.hold_id, s.grant_id, s.amount AS aside, \
               CASE WHEN h.status = 'open' THEN s.amount ELSE 0 END AS left FROM holds h \
             CROSS JOIN LATERAL unnest(h.grant_ids, h.amounts) AS s(grant_id, amount)) h \
         FULL JOIN (SELECT customer_id, hold_id, grant_id, \
             sum(held_amount) FILTER (WHERE type = 'held') AS aside, sum(held_amount) AS left \
             FROM ledger_entries WHERE held_amount <> 0 \
             GROUP BY customer_id, hold_id, grant_id) e \
           ON e.customer_id = h.customer_id AND e.hold_id = h.hold_id \
           AND e.grant_id = h.grant_id \
         WHERE (h.aside, h.left) IS DISTINCT FROM (e.aside, e.left)",
    ),
    (
        "what a hold paid is what its event took of it",
        "SELECT h.customer_id, 'hold ' || h.hold_id, coalesce(e.settled, 0)::text, \
                h.settled::text \
         FROM holds h LEFT JOIN (SELECT customer_id, hold_id, -sum(held_amount) AS settled \
             FROM ledger_entries WHERE type = 'consumed' AND hold_id IS NOT NULL \
             GROUP BY customer_id, hold_id) e \
           ON e.customer_id = h.customer_id AND e.hold_id = h.hold_id \
         WHERE h.settled <> coalesce(e.settled, 0)",
    ),
    (
        "a hold sets aside what was asked for",
        "SELECT h.customer_id, 'hold ' || h.hold_id, h.quantity::text, s.aside::text \
         FROM holds h CROSS JOIN LATERAL (SELECT sum(amount) AS aside \
             FROM unnest(h.amounts) AS x(amount)) s \
         WHERE s.aside > h.quantity OR (s.aside < h.quantity AND NOT h.allow_partial)",
    ),
    (
        "a hold sets aside of grants that could pay for its metric",
        "SELECT h.customer_id, concat('hold ', h.hold_id, ', grant ', g.id), \
                array_to_string(g.metrics, ', '), h.metric \
         FROM holds h JOIN grants g ON g.customer_id = h.customer_id AND g.id = ANY (h.grant_ids) \
         WHERE g.type <> 'units' \
            OR (cardinality(g.metrics) > 0 AND NOT h.metric = ANY (g.metrics))",
    ),
    (
        "a hold ends when its entries say, and at its deadline if nobody ends it",
        "SELECT h.customer_id, 'hold ' || h.hold_id, \
                format('made %s, deadline %s', e.made, h.expires_at), \
                format('made %s, %s %s', h.created_at, h.status, h.ended_at) \
         FROM holds h JOIN (SELECT customer_id, hold_id, \
               min(recorded_at) FILTER (WHERE type = 'held') AS made, \
               array_agg(DISTINCT recorded_at) FILTER (WHERE actor <> 'creditd' \
                 AND type IN ('consumed', 'hold_released')) AS ended, \
               array_agg(DISTINCT recorded_at) FILTER (WHERE actor = 'creditd') || \
               array_agg(DISTINCT occurred_at) FILTER (WHERE actor = 'creditd') AS lapsed \
             FROM ledger_entries WHERE hold_id IS NOT NULL GROUP BY customer_id, hold_id) e \
           ON e.customer_id = h.customer_id AND e.hold_id = h.hold_id \
         WHERE h.created_at <> e.made \
            OR h.ended_at <> ANY (e.ended) OR h.expires_at <> ANY (e.lapsed) \
            OR (h.status = 'expired' AND (h.ended_at <> h.expires_at OR e.lapsed IS NULL))",
    ),
    (
        "a hold is open until its deadline at most",
        "SELECT h.customer_id, 'hold ' || h.hold_id, 'the end at ' || h.expires_at, 'open' \
         FROM holds h JOIN customers c ON c.id = h.customer_id \
         WHERE h.status = 'open' AND h.expires_at <= c.recorded_at",
    ),
    (
        "a settled hold and its event name each other",
        "SELECT coalesce(h.customer_id, u.customer_id), \
                'hold ' || coalesce(h.hold_id, u.hold_id), \
                concat_ws(' ', h.metric, h.event_id), concat_ws(' ', u.metric, u.event_id) \
         FROM (SELECT * FROM holds WHERE event_id IS NOT NULL) h \
         FULL JOIN (SELECT * FROM usage_events WHERE hold_id IS NOT NULL) u \
           ON u.customer_id = h.customer_id AND u.hold_id = h.hold_id \
         WHERE (h.event_id, h.metric) IS DISTINCT FROM (u.event_id, u.metric)",
    ),
    (
        "what an event took names the hold that it settled, and no other",
        "SELECT e.customer_id, 'entry ' || e.sequence, u.hold_id, e.hold_id \
         FROM ledger_entries e \
         JOIN usage_events u ON u.customer_id = e.customer_id AND u.event_id = e.event_id \
         WHERE e.type IN ('consumed', 'expiration_reclaimed') \
           AND e.hold_id IS DISTINCT FROM u.hold_id",
    ),
];
