-- Which row of which import made a grant; null where a single call did.
alter table grants
    add column import_id text collate "C",
    add column import_row bigint,
    add constraint grants_import_has_row check ((import_id is null) = (import_row is null));
-- An import's grants in the order of lists. Rows come one after another, so it fills in order.
create index grants_by_import on grants (import_id, created_at, id) where import_id is not null;

-- The keys of imports. Unlike all other keys a row of an import is unique among all customers: the
-- same row with another customer is another payload of the same key. So this table leads with the
-- import (a distributed PostgreSQL would shard it by that).
create table import_rows (
    -- UUIDv5 of the import's id: half the size of the file's SHA-256 that it mostly is.
    import_key uuid not null,
    row bigint not null,
    customer_id uuid not null,
    -- Fingerprint of the payload as sent.
    payload uuid not null,
    effective_at timestamptz,
    grant_id uuid not null,
    recorded_at timestamptz not null,
    constraint import_rows_pkey primary key (import_key, row),
    constraint import_rows_row_positive check (row > 0)
);
revoke update, delete, truncate on import_rows from current_user;
