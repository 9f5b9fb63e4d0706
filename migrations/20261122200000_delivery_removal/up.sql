-- What was delivered goes long before what was not: without this each look for it walks past all that
-- waits for an endpoint that is disabled.
create index deliveries_delivered on deliveries (endpoint_id, created_at)
    where status = 'delivered';
