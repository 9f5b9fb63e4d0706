//! What pgbench runs: the tables, and a transaction or two for each call.

use crate::call::Call;
use crate::events::{AMOUNT, CURRENCY, DUE, GRANTS, Ids, METRIC, QUANTITY, SETTLED, Workload};

pub const TABLES: &str = "
create table usage (
    customer_id bigint not null,
    event_id text not null,
    metric text not null,
    quantity numeric(28, 12) not null,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null default now(),
    primary key (customer_id, event_id)
);
create table holds (
    customer_id bigint not null,
    hold_id text not null,
    metric text not null,
    quantity numeric(28, 12) not null,
    status text not null default 'open',
    settled numeric(28, 12),
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    ended_at timestamptz,
    primary key (customer_id, hold_id)
);
create table invoices (
    customer_id bigint not null,
    invoice_id text not null,
    currency text not null,
    amount_due numeric(28, 12) not null,
    applied numeric(28, 12) not null,
    applied_at timestamptz not null,
    recorded_at timestamptz not null default now(),
    primary key (customer_id, invoice_id)
);
create table grants (
    id bigint primary key,
    customer_id bigint not null,
    -- What it pays for: a metric, or what is due in a currency.
    pays_for text not null,
    amount numeric(28, 12) not null,
    remaining numeric(28, 12) not null check (remaining >= 0),
    held numeric(28, 12) not null default 0 check (held between 0 and remaining),
    priority int not null,
    expires_at timestamptz
);
create index on grants (customer_id);
create table ledger (
    customer_id bigint not null,
    id bigint generated always as identity,
    grant_id bigint not null,
    -- The event, hold or invoice.
    source_id text not null,
    amount numeric(28, 12) not null,
    balance_after numeric(28, 12) not null,
    -- Null where nothing is held or released.
    held_amount numeric(28, 12),
    held_after numeric(28, 12),
    recorded_at timestamptz not null default now(),
    primary key (customer_id, id)
);";

/// The grants of units of customers 0 to `last`, as creditd's customers have them.
pub fn units(last: u32) -> String {
    format!(
        "insert into grants select c * 10::bigint + p, c, '{METRIC}', {AMOUNT}, {AMOUNT}, 0, \
         p * 10, case when p = {GRANTS} then now() + interval '1 year' end \
         from generate_series(0, {last}) c, generate_series(1, {GRANTS}) p"
    )
}

/// Their grants of money.
pub fn money(last: u32) -> String {
    format!(
        "insert into grants select c * 10::bigint, c, '{CURRENCY}', {AMOUNT}, {AMOUNT}, 0, 50 \
         from generate_series(0, {last}) c"
    )
}

/// One call. `n` counts within a client; the ids of a client grow, unless they are to be random.
pub fn of(call: Call, workload: Workload, ids: Ids) -> String {
    let customer = match workload {
        Workload::Spread(customers) => format!("random(1, {customers})"),
        Workload::One => "0".to_owned(),
    };
    let id = match ids {
        Ids::Ordered => "\\set n :n + 1\n\\set id :first + :client_id * 10000000 + :n".to_owned(),
        Ids::Random => format!("\\set id random(1, {})", i64::MAX),
    };
    let transactions = match call {
        Call::RecordUsage => record_usage(),
        Call::HoldAndSettle => format!("{}{}", hold(), settle()),
        Call::ApplyCredits => apply_credits(),
    };
    format!("\\set customer {customer}\n{id}\n{transactions}")
}

/// The first grant in order with so much to spare.
fn pick(pays_for: &str, quantity: &str) -> String {
    format!(
        "select id as grant_id from grants where customer_id = :customer \
         and pays_for = '{pays_for}' and remaining - held >= {quantity} \
         and (expires_at is null or expires_at > now()) \
         order by priority, expires_at, id limit 1 for update \\gset"
    )
}

fn record_usage() -> String {
    format!(
        "begin;
insert into usage (customer_id, event_id, metric, quantity, occurred_at) \
values (:customer, :id, '{METRIC}', {QUANTITY}, now()) on conflict do nothing;
{}
update grants set remaining = remaining - {QUANTITY} where id = :grant_id returning remaining \\gset
insert into ledger (customer_id, grant_id, source_id, amount, balance_after) \
values (:customer, :grant_id, :id, -{QUANTITY}, :remaining);
commit;
",
        pick(METRIC, QUANTITY)
    )
}

fn hold() -> String {
    format!(
        "begin;
insert into holds (customer_id, hold_id, metric, quantity, expires_at) \
values (:customer, :id, '{METRIC}', {QUANTITY}, now() + interval '15 minutes') \
on conflict do nothing;
{}
update grants set held = held + {QUANTITY} where id = :grant_id returning remaining, held \\gset
insert into ledger (customer_id, grant_id, source_id, amount, balance_after, held_amount, \
held_after) values (:customer, :grant_id, :id, 0, :remaining, {QUANTITY}, :held);
commit;
",
        pick(METRIC, QUANTITY)
    )
}

/// The caller has kept which grant it was: one look-up less.
fn settle() -> String {
    format!(
        "begin;
select status from holds where customer_id = :customer and hold_id = :id and status = 'open' \
for update \\gset
insert into usage (customer_id, event_id, metric, quantity, occurred_at) \
values (:customer, :id, '{METRIC}', {SETTLED}, now()) on conflict do nothing;
update grants set held = held - {QUANTITY}, remaining = remaining - {SETTLED} \
where id = :grant_id returning remaining, held \\gset
insert into ledger (customer_id, grant_id, source_id, amount, balance_after, held_amount, \
held_after) values \
(:customer, :grant_id, :id, -{SETTLED}, :remaining, -{SETTLED}, :held + {QUANTITY} - {SETTLED}), \
(:customer, :grant_id, :id, 0, :remaining, {SETTLED} - {QUANTITY}, :held);
update holds set status = 'settled', settled = {SETTLED}, ended_at = now() \
where customer_id = :customer and hold_id = :id;
commit;
"
    )
}

fn apply_credits() -> String {
    format!(
        "begin;
insert into invoices (customer_id, invoice_id, currency, amount_due, applied, applied_at) \
values (:customer, :id, '{CURRENCY}', {DUE}, {DUE}, now()) on conflict do nothing;
{}
update grants set remaining = remaining - {DUE} where id = :grant_id returning remaining \\gset
insert into ledger (customer_id, grant_id, source_id, amount, balance_after) \
values (:customer, :grant_id, :id, -{DUE}, :remaining);
commit;
",
        pick(CURRENCY, DUE)
    )
}
