-- Every large table leads with the customer's key, and so does each of its unique indexes: an
-- existing distributed PostgreSQL can shard by customer, with all joins and locks local. That is
-- also why there are no triggers. There are no foreign keys either: they would cost a look-up per
-- row on the hot path, and the one write path and `creditd audit` keep what they would keep.
-- Ids are COLLATE "C": compared byte by byte, which is what equality needs and what is fastest.

create table customers (
    -- UUIDv5 of external_id, so unique as that is.
    id uuid not null,
    external_id text collate "C" not null,
    -- The last sequence of the customer's ledger.
    revision bigint not null,
    -- Counts the batches that changed a row in grants: tells a cache whether it is current.
    version bigint not null,
    -- The last instant at which something was recorded; time never runs backwards for a customer.
    recorded_at timestamptz not null,
    constraint customers_pkey primary key (id),
    constraint customers_revision_not_negative check (revision >= 0)
) with (fillfactor = 70);

create table grants (
    customer_id uuid not null,
    id uuid not null,
    -- Sequence of its GRANTED entry: the order of recording.
    sequence bigint not null,
    type text collate "C" not null,
    currency text collate "C",
    -- A sorted set; empty = open to any metric.
    metrics text[] collate "C" not null,
    amount numeric(28, 12) not null,
    priority smallint not null,
    category text collate "C",
    effective_at timestamptz not null,
    expires_at timestamptz,
    description text not null,
    metadata jsonb,
    remaining numeric(28, 12) not null,
    held numeric(28, 12) not null,
    consumed numeric(28, 12) not null,
    expired numeric(28, 12) not null,
    voided numeric(28, 12) not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    created_by text not null,
    voided_at timestamptz,
    void_reason text,
    -- Whether a decision may still draw on it: something remains, or something expired so lately
    -- that a late event may reclaim it. Changes rarely, so that updates of figures stay HOT.
    open boolean not null,
    -- The next instant at which time alone changes this row; null where there is none.
    due_at timestamptz,
    constraint grants_pkey primary key (customer_id, id),
    constraint grants_type_known check (type in ('monetary', 'units')),
    constraint grants_category_known
        check (category in ('promotional', 'purchased', 'loyalty', 'service')),
    constraint grants_scope_fits_type check (
        (type = 'monetary' and currency is not null and cardinality(metrics) = 0)
        or (type = 'units' and currency is null)
    ),
    constraint grants_priority_in_range check (priority between 0 and 100),
    constraint grants_amount_in_range check (amount > 0 and amount <= 1000000000000000),
    constraint grants_figures_add_up check (amount = remaining + consumed + expired + voided),
    constraint grants_figures_not_negative
        check (held >= 0 and held <= remaining and consumed >= 0 and expired >= 0 and voided >= 0),
    constraint grants_expires_after_effective check (expires_at > effective_at),
    constraint grants_void_has_reason check ((voided_at is null) = (void_reason is null)),
    constraint grants_open_where_remaining check (open or remaining = 0)
) with (
    fillfactor = 70,
    -- Figures change with every event, notes hardly ever: long notes are kept out of line.
    toast_tuple_target = 256
);
create index grants_open on grants (customer_id) where open;
create index grants_due on grants (due_at, customer_id) where due_at is not null;
-- Callers name a grant by its id alone. Ids grow with time, so this index fills in order.
create index grants_by_id on grants (id);
create index grants_by_created on grants (created_at, id);
create index grants_by_customer on grants (customer_id, created_at, id);

create table usage_events (
    customer_id uuid not null,
    event_id text collate "C" not null,
    metric text collate "C" not null,
    quantity numeric(28, 12) not null,
    -- As recorded; net figures follow from it and from reversed.
    uncovered numeric(28, 12) not null,
    reversed numeric(28, 12) not null,
    timestamp timestamptz not null,
    recorded_at timestamptz not null,
    -- The ledger entries it made: from, to. Null where no grant paid.
    first_sequence bigint,
    last_sequence bigint,
    -- As sent, to tell a repetition from another payload.
    timestamp_given boolean not null,
    reject boolean not null,
    metadata jsonb,
    constraint usage_events_pkey primary key (customer_id, event_id),
    constraint usage_events_figures_in_range check (
        quantity >= 0 and quantity <= 1000000000000000
        and uncovered >= 0 and uncovered <= quantity
        and reversed >= 0 and reversed <= quantity
    ),
    constraint usage_events_covered_has_entries check (
        (first_sequence is not null and last_sequence >= first_sequence)
        = (uncovered < quantity)
    )
);
create index usage_events_by_recorded on usage_events (customer_id, recorded_at);

create table ledger_entries (
    customer_id uuid not null,
    sequence bigint not null,
    grant_id uuid not null,
    type text collate "C" not null,
    amount numeric(28, 12) not null,
    balance_after numeric(28, 12) not null,
    held_amount numeric(28, 12) not null,
    held_after numeric(28, 12) not null,
    event_id text collate "C",
    reason text,
    -- Old and new of what an update changed.
    change jsonb,
    actor text not null,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null,
    constraint ledger_entries_pkey primary key (customer_id, sequence),
    constraint ledger_entries_sequence_positive check (sequence > 0),
    constraint ledger_entries_type_known check (
        type in ('granted', 'updated', 'consumed', 'expired', 'voided', 'expiration_reclaimed')
    ),
    constraint ledger_entries_after_not_negative
        check (balance_after >= 0 and held_after >= 0 and held_after <= balance_after)
);

create table requests (
    customer_id uuid not null,
    request_id text collate "C" not null,
    -- Fingerprint of the payload as sent.
    payload uuid not null,
    effective_at timestamptz,
    grant_id uuid not null,
    recorded_at timestamptz not null,
    constraint requests_pkey primary key (customer_id, request_id)
);

-- The ledger is append-only, and so are the keys: not even the tables' owner may change a line
-- (a superuser may; run creditd as another role).
revoke update, delete, truncate on ledger_entries, requests from current_user;
revoke delete, truncate on usage_events, grants, customers from current_user;
