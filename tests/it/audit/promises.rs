//! What breaks the rules about invoices, holds and reversals.

/// A rule about invoices, holds and reversals, and what breaks it and no other.
pub(super) const TAMPERINGS: &[(&str, &str)] = &[
    (
        "a used request id names what it made or reversed",
        "INSERT INTO requests SELECT id, 'r', id, NULL, id, recorded_at FROM customers LIMIT 1",
    ),
    (
        "a used request id names what it made or reversed",
        "INSERT INTO requests SELECT id, 'r', id, NULL, NULL, recorded_at, 'none', NULL, 0, 0, 0 \
         FROM customers LIMIT 1",
    ),
    (
        "what is reversed of an event is what entries and requests say",
        "UPDATE usage_events SET reversed = reversed - 1 WHERE event_id = 's1'",
    ),
    (
        "what is reversed of an event is what entries and requests say",
        "DELETE FROM requests WHERE event_id = 's1'",
    ),
    (
        "what is reversed of an event is what entries and requests say",
        "UPDATE requests SET restored = restored + 1, forfeited = forfeited - 1 \
         WHERE event_id = 's1' AND forfeited > 0",
    ),
    (
        "what is reversed of an event is what entries and requests say",
        "UPDATE requests SET restored = restored + 1, uncovered_reversed = uncovered_reversed - 1 \
         WHERE event_id = 's1' AND uncovered_reversed > 0",
    ),
    (
        "what is reversed of an event is what entries and requests say",
        "UPDATE ledger_entries SET event_id = NULL WHERE event_id = 's1' AND type = 'expired'",
    ),
    (
        "what is applied to an invoice is the sum of its entries",
        "UPDATE credit_applications SET applied = applied - 1 WHERE invoice_id = 'i1'",
    ),
    (
        "what is applied to an invoice is the sum of its entries",
        "UPDATE credit_applications SET last_sequence = last_sequence + 1 WHERE invoice_id = 'i1'",
    ),
    (
        "what is applied to an invoice is the sum of its entries",
        "DELETE FROM credit_applications WHERE invoice_id = 'i2'",
    ),
    (
        "what is applied to an invoice is the sum of its entries",
        "UPDATE ledger_entries SET invoice_id = NULL WHERE invoice_id = 'i2'",
    ),
    (
        "what is reversed of an invoice is what entries and requests say",
        "UPDATE credit_applications SET reversed = reversed + 1 WHERE invoice_id = 'i1'",
    ),
    (
        "what is reversed of an invoice is what entries and requests say",
        "DELETE FROM requests WHERE invoice_id = 'i1'",
    ),
    (
        "what is reversed of an invoice is what entries and requests say",
        "UPDATE requests SET restored = restored + 1, forfeited = forfeited - 1 \
         WHERE invoice_id = 'i1'",
    ),
    (
        "what is reversed of an invoice is what entries and requests say",
        "UPDATE requests SET uncovered_reversed = 1 WHERE invoice_id = 'i1'",
    ),
    (
        "credits go back to the grants they came from, last taken first",
        "UPDATE ledger_entries SET event_id = CASE event_id WHEN 'a' THEN 'b' ELSE 'a' END \
         WHERE type = 'usage_reversed' AND event_id IN ('a', 'b')",
    ),
    (
        "what is given back and lost is lost at once",
        "UPDATE ledger_entries SET hold_id = 'back' \
         WHERE hold_id = 'two' AND type IN ('expired', 'voided')",
    ),
    (
        "nothing is free of a grant that has ended",
        "UPDATE grants SET expires_at = effective_at + interval '1 second', \
         due_at = effective_at + interval '1 second' WHERE amount = 100 AND remaining > 0",
    ),
    (
        "a grant pays for invoices in its currency",
        "UPDATE credit_applications SET currency = 'EUR' WHERE invoice_id = 'i1'",
    ),
    (
        "a hold's slices are the sums of its entries",
        "UPDATE holds SET amounts = ARRAY[amounts[2], amounts[1]] WHERE hold_id = 'two'",
    ),
    (
        "a hold's slices are the sums of its entries",
        "UPDATE holds SET grant_ids = ARRAY[(SELECT id FROM grants g \
           WHERE g.customer_id = holds.customer_id AND amount = 50)] WHERE hold_id = 'used'",
    ),
    (
        "a hold's slices are the sums of its entries",
        "UPDATE ledger_entries SET hold_id = 'back' \
         WHERE hold_id = 'used' AND type = 'hold_released'",
    ),
    (
        "a hold's slices are the sums of its entries",
        "UPDATE holds SET status = 'released', ended_at = created_at WHERE hold_id = 'open'",
    ),
    (
        "what a hold paid is what its event took of it",
        "UPDATE holds SET settled = settled + 1 WHERE hold_id = 'used'",
    ),
    (
        "what a hold paid is what its event took of it",
        "UPDATE holds SET settled = 1 WHERE hold_id = 'lapsed'",
    ),
    (
        "a hold sets aside what was asked for",
        "UPDATE holds SET quantity = quantity + 1 WHERE hold_id = 'open'",
    ),
    (
        "a hold sets aside what was asked for",
        "UPDATE holds SET quantity = quantity - 11 WHERE hold_id = 'part'",
    ),
    (
        "a hold sets aside of grants that could pay for its metric",
        "UPDATE holds SET metric = 'others' WHERE hold_id = 'open'",
    ),
    (
        "a hold ends when its entries say, and at its deadline if nobody ends it",
        "UPDATE holds SET created_at = created_at - interval '1 second' WHERE hold_id = 'open'",
    ),
    (
        "a hold ends when its entries say, and at its deadline if nobody ends it",
        "UPDATE holds SET ended_at = ended_at + interval '1 second' \
         WHERE hold_id IN ('used', 'back')",
    ),
    (
        "a hold ends when its entries say, and at its deadline if nobody ends it",
        "UPDATE holds SET ended_at = ended_at + interval '1 second' WHERE hold_id = 'lapsed'",
    ),
    (
        "a hold ends when its entries say, and at its deadline if nobody ends it",
        "UPDATE holds SET expires_at = expires_at + interval '1 second', \
         ended_at = ended_at + interval '1 second' WHERE hold_id = 'lapsed'",
    ),
    (
        "a hold ends when its entries say, and at its deadline if nobody ends it",
        "UPDATE ledger_entries SET occurred_at = occurred_at + interval '1 second' \
         WHERE hold_id = 'late' AND type = 'hold_released'",
    ),
    (
        "a hold ends when its entries say, and at its deadline if nobody ends it",
        "UPDATE ledger_entries SET occurred_at = occurred_at + interval '1 second' \
         WHERE hold_id = 'late' AND type = 'expired'",
    ),
    (
        "a hold ends when its entries say, and at its deadline if nobody ends it",
        "UPDATE ledger_entries SET actor = 'anonymous' WHERE hold_id = 'lapsed'",
    ),
    (
        "a hold is open until its deadline at most",
        "UPDATE holds SET expires_at = created_at + interval '1 second' WHERE hold_id = 'open'",
    ),
    (
        "a settled hold and its event name each other",
        "UPDATE usage_events SET hold_id = NULL WHERE event_id = 'missed'",
    ),
    (
        "a settled hold and its event name each other",
        "UPDATE holds SET event_id = 'plain' WHERE hold_id = 'used'",
    ),
    (
        "a settled hold and its event name each other",
        "UPDATE usage_events SET metric = 'minutes' WHERE event_id = 'missed'",
    ),
    (
        "what an event took names the hold that it settled, and no other",
        "UPDATE ledger_entries SET hold_id = 'used' WHERE event_id = 'plain'",
    ),
];
