-- Usage added up by metric and hour, so that a summary need not look at every event. A row kept up
-- with every event would cost the hot path an update per event; so it is done for a thousand events
-- or more at once, when a customer has recorded that many.
create table usage_rollups (
    customer_id uuid not null,
    -- Its first instant; hours are those of UTC.
    hour timestamptz not null,
    metric text collate "C" not null,
    events bigint not null,
    -- Sums: wider than what one event may have. What was reversed is no longer uncovered.
    quantity numeric(38, 12) not null,
    uncovered numeric(38, 12) not null,
    reversed numeric(38, 12) not null,
    -- The first and the last among the events, so that a range that cuts the hour, but not these,
    -- can take the row as it is.
    first_timestamp timestamptz not null,
    last_timestamp timestamptz not null,
    constraint usage_rollups_pkey primary key (customer_id, hour, metric),
    constraint usage_rollups_events_positive check (events > 0),
    constraint usage_rollups_figures_in_range
        check (uncovered >= 0 and reversed >= 0 and uncovered + reversed <= quantity),
    constraint usage_rollups_events_in_order
        check (first_timestamp >= hour and last_timestamp >= first_timestamp)
);
revoke delete, truncate on usage_rollups from current_user;

alter table customers
    -- The rollups hold the events recorded before this instant, all of them and no others.
    add column rolled_until timestamptz,
    -- How many have been recorded since.
    add column unrolled bigint;
update customers c set
    rolled_until = c.recorded_at,
    unrolled = (
        select count(*) from usage_events u
        where u.customer_id = c.id and u.recorded_at >= c.recorded_at
    );
alter table customers
    alter column rolled_until set not null,
    alter column unrolled set not null;
insert into usage_rollups
select
    u.customer_id,
    date_trunc('hour', u.timestamp, 'UTC'),
    u.metric,
    count(*),
    sum(u.quantity),
    sum(u.uncovered - least(u.uncovered, u.reversed)),
    sum(u.reversed),
    min(u.timestamp),
    max(u.timestamp)
from usage_events u join customers c on c.id = u.customer_id
where u.recorded_at < c.rolled_until
group by 1, 2, 3;

-- What a range that cuts an hour needs of it is found by when it was recorded, which is soon after
-- it happened (with the timestamp at hand, because much that happened long ago may have been
-- recorded in that hour, too); and what was late, by an index of its own.
drop index usage_events_by_recorded;
create index usage_events_by_recorded on usage_events (customer_id, recorded_at, timestamp);
create index usage_events_late on usage_events (customer_id, timestamp)
    where recorded_at - timestamp > interval '1 hour';
