drop index usage_events_late;
drop index usage_events_by_recorded;
create index usage_events_by_recorded on usage_events (customer_id, recorded_at);
alter table customers
    drop column unrolled,
    drop column rolled_until;
drop table usage_rollups;
