-- What is known of customers besides their credits: a name, and the segments that campaigns are
-- made for. Written by whoever keeps customers; the engine never looks at it.
create table customer_profiles (
    -- UUIDv5 of external_id, as in customers.
    customer_id uuid not null,
    external_id text collate "C" not null,
    name text not null,
    -- A sorted set.
    segments text[] collate "C" not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint customer_profiles_pkey primary key (customer_id)
);
create index customer_profiles_by_external_id on customer_profiles (external_id);

-- The same segments the other way round: a campaign walks a segment in the order of this key.
create table segment_members (
    segment text collate "C" not null,
    external_id text collate "C" not null,
    customer_id uuid not null,
    constraint segment_members_pkey primary key (segment, external_id)
);

-- What a campaign is. Never changes.
create table campaigns (
    -- UUIDv5 of the campaign's id: short, whatever that is.
    campaign_key uuid not null,
    campaign_id text collate "C" not null,
    -- Fingerprint of the payload as sent.
    payload uuid not null,
    -- For whom: a segment, or the customers by name.
    segment text collate "C",
    named_customers text[] collate "C",
    -- The grant that each gets; what these columns mean, grants says.
    type text collate "C" not null,
    currency text collate "C",
    metrics text[] collate "C" not null,
    amount numeric(28, 12) not null,
    priority smallint not null,
    category text collate "C",
    effective_at timestamptz,
    expires_at timestamptz,
    description text not null,
    metadata jsonb,
    created_at timestamptz not null,
    created_by text not null,
    constraint campaigns_pkey primary key (campaign_key),
    constraint campaigns_for_segment_or_named check (num_nonnulls(segment, named_customers) = 1)
);
create index campaigns_by_created on campaigns (created_at, campaign_id);
revoke update, delete, truncate on campaigns from current_user;

-- One walk over a campaign's customers, as far as it has come.
create table campaign_runs (
    campaign_key uuid not null,
    run integer not null,
    started_at timestamptz not null,
    finished_at timestamptz,
    -- The last customer that it is done with; '' at the beginning.
    cursor text collate "C" not null,
    members bigint not null,
    processed bigint not null,
    created bigint not null,
    duplicates bigint not null,
    rejected bigint not null,
    -- The first of those rejected, and why.
    rejected_customers text[] collate "C" not null,
    rejections text[] collate "C" not null,
    -- Who is at work on the next customers, and until when nobody else is, by PostgreSQL's clock. It
    -- goes from one to the next with each thousand customers.
    worker uuid,
    leased_until timestamptz not null,
    constraint campaign_runs_pkey primary key (campaign_key, run),
    constraint campaign_runs_run_positive check (run > 0),
    constraint campaign_runs_figures_add_up check (processed = created + duplicates + rejected),
    constraint campaign_runs_figures_not_negative
        check (members >= 0 and created >= 0 and duplicates >= 0 and rejected >= 0),
    constraint campaign_runs_rejections_have_customers
        check (cardinality(rejected_customers) = cardinality(rejections))
) with (fillfactor = 70);
-- A campaign has one run under way at most, and these are where there is something to do.
create unique index campaign_runs_under_way on campaign_runs (campaign_key)
    where finished_at is null;
revoke delete, truncate on campaign_runs from current_user;

-- The keys of campaigns: a customer gets one grant of each.
create table campaign_grants (
    customer_id uuid not null,
    campaign_key uuid not null,
    -- The run that made it.
    run integer not null,
    -- Fingerprint of the grant's payload.
    payload uuid not null,
    effective_at timestamptz,
    grant_id uuid not null,
    recorded_at timestamptz not null,
    constraint campaign_grants_pkey primary key (customer_id, campaign_key)
);
revoke update, delete, truncate on campaign_grants from current_user;

-- Which campaign made a grant; null where none did.
alter table grants add column campaign_id text collate "C";
create index grants_by_campaign on grants (campaign_id, created_at, id)
    where campaign_id is not null;
