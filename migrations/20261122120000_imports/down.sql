drop table import_rows;
drop index grants_by_import;
alter table grants
    drop constraint grants_import_has_row,
    drop column import_id,
    drop column import_row;
