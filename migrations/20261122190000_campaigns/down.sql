drop index grants_by_campaign;
alter table grants drop column campaign_id;
drop table campaign_grants;
drop table campaign_runs;
drop table campaigns;
drop table segment_members;
drop table customer_profiles;
