-- Invoices, holds and reversals.

-- Credits set aside before the work is done.
create table holds (
    customer_id uuid not null,
    hold_id text collate "C" not null,
    metric text collate "C" not null,
    -- As sent, to tell a repetition from another payload.
    quantity numeric(28, 12) not null,
    ttl_micros bigint not null,
    allow_partial boolean not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    -- What was set aside of which grant.
    grant_ids uuid[] not null,
    amounts numeric(28, 12)[] not null,
    status text collate "C" not null,
    -- What of it paid for the event that settled it; the rest was given back.
    settled numeric(28, 12) not null,
    event_id text collate "C",
    ended_at timestamptz,
    constraint holds_pkey primary key (customer_id, hold_id),
    constraint holds_status_known check (status in ('open', 'settled', 'released', 'expired')),
    constraint holds_quantity_in_range check (quantity > 0 and quantity <= 1000000000000000),
    constraint holds_ttl_positive check (ttl_micros > 0),
    constraint holds_slices_fit check (
        cardinality(grant_ids) > 0 and cardinality(grant_ids) = cardinality(amounts)
    ),
    constraint holds_settled_in_range check (settled >= 0 and settled <= quantity),
    constraint holds_end_fits_status check ((status = 'open') = (ended_at is null)),
    constraint holds_event_fits_status check ((status = 'settled') = (event_id is not null))
) with (fillfactor = 70);
create index holds_open on holds (customer_id, expires_at) where status = 'open';
-- Another predicate than that of holds_open, for the same rows: or a look-up of one customer's holds,
-- planned while the table is empty, may take this index and walk everybody's.
create index holds_due on holds (expires_at, customer_id) where ended_at is null;

-- Credits applied to invoices.
create table credit_applications (
    customer_id uuid not null,
    invoice_id text collate "C" not null,
    currency text collate "C" not null,
    amount_due numeric(28, 12) not null,
    -- As recorded; net figures follow from it and from reversed.
    applied numeric(28, 12) not null,
    reversed numeric(28, 12) not null,
    applied_at timestamptz not null,
    applied_at_given boolean not null,
    recorded_at timestamptz not null,
    -- The ledger entries it made: from, to. Null where no grant paid.
    first_sequence bigint,
    last_sequence bigint,
    constraint credit_applications_pkey primary key (customer_id, invoice_id),
    constraint credit_applications_figures_in_range check (
        amount_due <= 1000000000000000 and applied >= 0 and applied <= amount_due
        and reversed >= 0 and reversed <= applied
    ),
    constraint credit_applications_applied_has_entries check (
        (first_sequence is not null and last_sequence >= first_sequence) = (applied > 0)
    )
);
revoke delete, truncate on holds, credit_applications from current_user;

alter table usage_events
    -- The hold that it settled.
    add column hold_id text collate "C";

alter table ledger_entries
    add column invoice_id text collate "C",
    add column hold_id text collate "C",
    drop constraint ledger_entries_type_known,
    add constraint ledger_entries_type_known check (
        type in (
            'granted', 'updated', 'consumed', 'applied', 'held', 'hold_released', 'expired',
            'voided', 'usage_reversed', 'application_reversed', 'expiration_reclaimed'
        )
    );
-- The story of an invoice or a hold; and of an event, but for what it took, which is found by its
-- range of sequences: most entries are that, and none of them should cost another index entry.
create index ledger_entries_by_invoice on ledger_entries (customer_id, invoice_id, sequence)
    where invoice_id is not null;
create index ledger_entries_by_hold on ledger_entries (customer_id, hold_id, sequence)
    where hold_id is not null;
create index ledger_entries_by_reversed_event on ledger_entries (customer_id, event_id, sequence)
    where event_id is not null and type not in ('consumed', 'expiration_reclaimed');

-- A request id made a grant, or reversed an event or an application: exactly one of the three.
alter table requests
    alter column grant_id drop not null,
    add column event_id text collate "C",
    add column invoice_id text collate "C",
    -- What a reversal did.
    add column restored numeric(28, 12),
    add column forfeited numeric(28, 12),
    add column uncovered_reversed numeric(28, 12),
    add constraint requests_made_one_thing
        check (num_nonnulls(grant_id, event_id, invoice_id) = 1),
    add constraint requests_figures_fit check (
        (restored is not null and restored >= 0) = (grant_id is null)
        and (forfeited is not null and forfeited >= 0) = (grant_id is null)
        and (uncovered_reversed is not null and uncovered_reversed >= 0) = (grant_id is null)
    );
