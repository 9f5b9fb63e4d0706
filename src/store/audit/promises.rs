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
                format('%s, %s of it given back', coalesce(r.reversed, 0), \
                       coalesce(e.given, 0)), \
                format('%s, %s of it given back', u.reversed, \
                       u.reversed - least(u.uncovered, u.reversed)) \
         FROM usage_events u \
         LEFT JOIN (SELECT customer_id, event_id, sum(amount) AS given FROM ledger_entries \
             WHERE type = 'usage_reversed' GROUP BY customer_id, event_id) e \
           ON e.customer_id = u.customer_id AND e.event_id = u.event_id \
         LEFT JOIN (SELECT customer_id, event_id, \
               sum(restored + forfeited + uncovered_reversed) AS reversed FROM requests \
             WHERE event_id IS NOT NULL GROUP BY customer_id, event_id) r \
           ON r.customer_id = u.customer_id AND r.event_id = u.event_id \
         WHERE coalesce(r.reversed, 0) <> u.reversed \
            OR coalesce(e.given, 0) <> u.reversed - least(u.uncovered, u.reversed)",
    ),
    (
        "what is applied to an invoice is the sum of its entries",
        "SELECT coalesce(a.customer_id, e.customer_id), \
                'invoice ' || coalesce(a.invoice_id, e.invoice_id), \
                format('%s by %s to %s, %s reversed', coalesce(e.applied, 0), e.first, e.last, \
                       coalesce(e.reversed, 0)), \
                format('%s by %s to %s, %s reversed', a.applied, a.first_sequence, \
                       a.last_sequence, a.reversed) \
         FROM credit_applications a FULL JOIN (SELECT customer_id, invoice_id, \
             -sum(amount) FILTER (WHERE type = 'applied') AS applied, \
             coalesce(sum(amount) FILTER (WHERE type = 'application_reversed'), 0) AS reversed, \
             min(sequence) FILTER (WHERE type IN ('applied', 'expiration_reclaimed')) AS first, \
             max(sequence) FILTER (WHERE type IN ('applied', 'expiration_reclaimed')) AS last \
             FROM ledger_entries WHERE invoice_id IS NOT NULL \
             GROUP BY customer_id, invoice_id) e \
           ON e.customer_id = a.customer_id AND e.invoice_id = a.invoice_id \
         LEFT JOIN (SELECT customer_id, invoice_id, sum(restored + forfeited) AS reversed \
             FROM requests WHERE invoice_id IS NOT NULL GROUP BY customer_id, invoice_id) r \
           ON r.customer_id = a.customer_id AND r.invoice_id = a.invoice_id \
         WHERE coalesce(e.applied, 0) IS DISTINCT FROM a.applied \
            OR coalesce(e.reversed, 0) IS DISTINCT FROM a.reversed \
            OR coalesce(r.reversed, 0) IS DISTINCT FROM a.reversed \
            OR e.first IS DISTINCT FROM a.first_sequence \
            OR e.last IS DISTINCT FROM a.last_sequence",
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
        "what is held of a grant is what open holds have set aside",
        "SELECT g.customer_id, 'grant ' || g.id, coalesce(h.held, 0)::text, g.held::text \
         FROM grants g LEFT JOIN (SELECT h.customer_id, s.grant_id, sum(s.amount) AS held \
             FROM holds h CROSS JOIN LATERAL unnest(h.grant_ids, h.amounts) \
               AS s(grant_id, amount) \
             WHERE h.status = 'open' GROUP BY h.customer_id, s.grant_id) h \
           ON h.customer_id = g.customer_id AND h.grant_id = g.id \
         WHERE g.held <> coalesce(h.held, 0)",
    ),
    (
        "a hold's figures are the sums of its entries",
        "SELECT coalesce(h.customer_id, e.customer_id), 'hold ' || coalesce(h.hold_id, e.hold_id), \
                format('%s set aside, %s left, %s settled', e.aside, e.left, e.settled), \
                format('%s set aside, %s left, %s settled', h.aside, h.left, h.settled) \
         FROM (SELECT h.customer_id, h.hold_id, h.settled, s.aside, \
               CASE WHEN h.status = 'open' THEN s.aside ELSE 0 END AS left FROM holds h \
             CROSS JOIN LATERAL (SELECT sum(amount) AS aside FROM unnest(h.amounts) AS x(amount)) \
               s) h \
         FULL JOIN (SELECT customer_id, hold_id, \
             sum(held_amount) FILTER (WHERE type = 'held') AS aside, sum(held_amount) AS left, \
             coalesce(-sum(held_amount) FILTER (WHERE type = 'consumed'), 0) AS settled \
             FROM ledger_entries WHERE hold_id IS NOT NULL GROUP BY customer_id, hold_id) e \
           ON e.customer_id = h.customer_id AND e.hold_id = h.hold_id \
         WHERE (h.aside, h.left, h.settled) IS DISTINCT FROM (e.aside, e.left, e.settled)",
    ),
    (
        "a settled hold and its event name each other",
        "SELECT coalesce(h.customer_id, u.customer_id), \
                'hold ' || coalesce(h.hold_id, u.hold_id), h.event_id, u.event_id \
         FROM (SELECT * FROM holds WHERE event_id IS NOT NULL) h \
         FULL JOIN (SELECT * FROM usage_events WHERE hold_id IS NOT NULL) u \
           ON u.customer_id = h.customer_id AND u.hold_id = h.hold_id \
         WHERE h.event_id IS DISTINCT FROM u.event_id",
    ),
];
