-- Notifications: what is told, to whom, and what became of it.

-- One row: what is sent, and what follows from it and from the endpoints for those who write.
create table notification_settings (
    one boolean not null default true,
    -- Counts the changes of this row: tells a lane whether what it knows is current.
    version bigint not null,
    -- In seconds, longest first.
    expiry_warnings bigint[] not null,
    -- [{"currency" or "metric", "amount", "recover_at"}]
    balance_thresholds jsonb not null,
    updated_at timestamptz,
    -- Which enabled endpoint is told of what, and the warnings and thresholds that somebody hears
    -- of: what a batch needs to know, worked out with each change of this row or an endpoint.
    interests jsonb not null,
    -- Where the renewal of due instants stands that a new warning period asks for: customers with
    -- a greater key are still to come. Null where none is under way.
    renewed_up_to uuid,
    constraint notification_settings_pkey primary key (one),
    constraint notification_settings_one check (one)
);
insert into notification_settings values
    (true, 0, '{2592000, 259200}', '[]', null, '{"endpoints": [], "warnings": [], "thresholds": []}', null);
revoke delete, truncate on notification_settings from current_user;

create table webhook_endpoints (
    id uuid not null,
    url text not null,
    -- Empty = everything.
    event_types text[] collate "C" not null,
    description text not null,
    secret text not null,
    -- Those before it, which still sign: [{"secret", "until"}], newest first.
    old_secrets jsonb not null,
    -- The caller's key, where one was given, and the fingerprint of what was sent with it.
    request_id text collate "C",
    payload uuid not null,
    -- Since when every attempt has failed.
    failing_since timestamptz,
    disabled_at timestamptz,
    disabled_reason text,
    deleted_at timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint webhook_endpoints_pkey primary key (id),
    constraint webhook_endpoints_request_unique unique (request_id),
    constraint webhook_endpoints_reason_fits check (disabled_reason is null or disabled_at is not null)
);
revoke delete, truncate on webhook_endpoints from current_user;

-- The outbox: a row for each notification and endpoint, written with the change that causes it.
create table deliveries (
    id uuid not null,
    endpoint_id uuid not null,
    -- The same for all endpoints.
    notification_id uuid not null,
    event_type text collate "C" not null,
    -- Null in a test.
    customer_id uuid,
    -- The body, byte by byte as it is signed and sent.
    payload text not null,
    status text collate "C" not null,
    attempts integer not null,
    response_status smallint,
    error text,
    created_at timestamptz not null,
    attempted_at timestamptz,
    -- On creditd's clock, which may be a test clock.
    next_attempt_at timestamptz,
    -- A failure after this parks it.
    give_up_at timestamptz not null,
    -- On PostgreSQL's own clock: a replica that dies with an attempt in hand does not move a test
    -- clock.
    claimed_until timestamptz,
    constraint deliveries_pkey primary key (id),
    constraint deliveries_status_known check (status in ('pending', 'delivered', 'parked')),
    constraint deliveries_attempts_not_negative check (attempts >= 0),
    constraint deliveries_next_fits_status
        check ((status = 'pending') = (next_attempt_at is not null))
) with (fillfactor = 80);
create index deliveries_pending on deliveries (endpoint_id, next_attempt_at)
    where status = 'pending';
create index deliveries_by_endpoint on deliveries (endpoint_id, created_at, id);
create index deliveries_by_customer on deliveries (customer_id, created_at, id)
    where customer_id is not null;
-- Those that somebody has to look after, for all endpoints: few among many.
create index deliveries_parked on deliveries (created_at, id) where status = 'parked';
revoke truncate on deliveries from current_user;

alter table grants
    -- Which warnings of its end were sent: [[period in seconds, expires_at in microseconds]].
    add column warned jsonb;
-- The start of a pending grant is an instant at which time changes it, too.
update grants set due_at = least(due_at, effective_at)
where effective_at > now() and remaining > 0 and voided_at is null;

alter table customers
    -- The thresholds below which the balance has been told to be: as in balance_thresholds.
    add column low jsonb;
