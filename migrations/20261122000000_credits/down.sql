drop table requests;
drop table ledger_entries;
drop table usage_events;
drop table grants;
drop table customers;
