drop index ledger_entries_by_expiry_change;
drop index ledger_entries_by_priority_change;
drop table balance_points;
