-- Where anything was held, applied or reversed, this refuses and changes nothing: it cannot be told in
-- older words.
do $$ begin
    if exists (select from holds) or exists (select from credit_applications)
        or exists (select from requests where grant_id is null)
    then
        raise exception 'there are holds, credit applications or reversals'
            using errcode = 'integrity_constraint_violation';
    end if;
end $$;
alter table requests
    drop constraint requests_figures_fit,
    drop constraint requests_made_one_thing,
    drop column uncovered_reversed,
    drop column forfeited,
    drop column restored,
    drop column invoice_id,
    drop column event_id,
    alter column grant_id set not null;
drop index ledger_entries_by_reversed_event;
drop index ledger_entries_by_hold;
drop index ledger_entries_by_invoice;
alter table ledger_entries
    drop constraint ledger_entries_type_known,
    add constraint ledger_entries_type_known check (
        type in ('granted', 'updated', 'consumed', 'expired', 'voided', 'expiration_reclaimed')
    ),
    drop column hold_id,
    drop column invoice_id;
alter table usage_events drop column hold_id;
drop table credit_applications;
drop table holds;
