-- Keys by which callers prove who they are. What a caller sends is not in here: only its SHA-256.
create table api_keys (
    id uuid not null,
    -- The actor that ledger entries name. Several keys may say the same: one replaces the other.
    name text collate "C" not null,
    role text collate "C" not null,
    -- SHA-256 of the whole key as it is sent.
    digest bytea not null,
    created_at timestamptz not null,
    -- No longer taken from then on.
    expires_at timestamptz,
    revoked_at timestamptz,
    constraint api_keys_pkey primary key (id),
    constraint api_keys_role check (role in ('reader', 'meter', 'admin')),
    constraint api_keys_digest check (octet_length(digest) = 32)
);
-- Each replica reads all that are taken, again and again.
create index api_keys_taken on api_keys (id) where revoked_at is null;
