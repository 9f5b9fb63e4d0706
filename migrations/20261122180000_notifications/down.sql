alter table customers drop column low;
-- Only ends are noted from here on.
update grants set due_at = expires_at
where due_at is not null and remaining > 0 and (expires_at is null or due_at < expires_at);
alter table grants drop column warned;
drop table deliveries, webhook_endpoints, notification_settings;
