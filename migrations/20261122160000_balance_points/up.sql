-- Past balances.

-- What every grant of a customer had left right after some of the ledger's entries. A past balance
-- reads the last of them before its instant and the entries since, whatever the history is. A
-- ledger from before this table has none until it grows: it is read from its beginning.
create table balance_points (
    customer_id uuid not null,
    -- The entry's, both.
    sequence bigint not null,
    recorded_at timestamptz not null,
    -- Of every grant that had something left.
    grant_ids uuid[] not null,
    remaining numeric(28, 12)[] not null,
    held numeric(28, 12)[] not null,
    -- Sequence and time run together, so that one index finds a point by either.
    constraint balance_points_pkey primary key (customer_id, recorded_at, sequence),
    constraint balance_points_sequence_positive check (sequence > 0),
    constraint balance_points_figures_fit check (
        cardinality(grant_ids) = cardinality(remaining)
        and cardinality(grant_ids) = cardinality(held)
    )
);
revoke update, delete, truncate on balance_points from current_user;

-- The first change of a grant's rule after an instant tells what it was before. Updates are rare.
create index ledger_entries_by_priority_change on ledger_entries (customer_id, grant_id, sequence)
    where change ? 'priority';
create index ledger_entries_by_expiry_change on ledger_entries (customer_id, grant_id, sequence)
    where change ? 'expires_at';
