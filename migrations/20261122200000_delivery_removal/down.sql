drop index deliveries_delivered;
