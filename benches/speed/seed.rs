//! Rows that are written by SQL, as creditd would have written them: what would take it too long, or
//! lie in the past.

use creditd::domain::ids::Customer;
use serde_json::{Value, json};
use tokio_postgres::{Client, GenericClient};
use uuid::Uuid;

use crate::Result;

/// What signs, where somebody does.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Grants of each customer that has some due: from as many campaigns, one a day.
pub const GRANTS_EACH: u32 = 10;

const CUSTOMERS: &str = "insert into customers \
    (id, external_id, revision, version, recorded_at, rolled_until, unrolled) \
    select key::uuid, name, $3, 1, at, at, 0 \
    from unnest($1::text[], $2::text[]) as named(key, name), \
    (select now() - interval '20 days') as past(at)";

/// Grants of one campaign after the other. They all end together, as with a quarter.
fn grants() -> String {
    let id = ordered_id("at", "number", "number || 'th of ' || sequence");
    format!(
        "insert into grants (customer_id, id, sequence, type, metrics, amount, priority, category, \
         effective_at, expires_at, description, metadata, remaining, held, consumed, expired, \
         voided, created_at, updated_at, created_by, open, due_at) \
         select customer, {id}, sequence, 'units', array['api_calls'], 2500, 10, 'promotional', at, \
         ends, 'Welcome credits of the spring campaign', \
         jsonb_build_object('contract', 'C-' || lpad(number::text, 7, '0')), 2500, 0, 0, 0, 0, at, \
         at, 'anonymous', true, ends \
         from (select c.id as customer, number, sequence, now() + interval '1 second' as ends, \
           c.recorded_at - ({GRANTS_EACH} - sequence) * interval '1 day' as at \
           from (select *, row_number() over (order by id) as number from customers) c \
           cross join generate_series(1, {GRANTS_EACH}) as made(sequence)) as made \
         order by sequence, customer"
    )
}

const ENTRIES: &str = "insert into ledger_entries (customer_id, sequence, grant_id, type, amount, \
    balance_after, held_amount, held_after, actor, occurred_at, recorded_at) \
    select customer_id, sequence, id, 'granted', amount, amount, 0, 0, created_by, created_at, \
    created_at from grants order by created_at, id";

const REQUESTS: &str = "insert into requests \
    (customer_id, request_id, payload, grant_id, recorded_at) \
    select customer_id, 'grant-' || sequence, md5(id::text)::uuid, id, created_at \
    from grants order by created_at, id";

/// Makes so many customers in empty tables, whose grants all expire a moment from now.
pub async fn due_grants(client: &mut Client, customers: u32) -> Result<()> {
    let names: Vec<String> = (1..=customers).map(|number| format!("due-{number:07}")).collect();
    let keys = names.iter().map(|name| Customer::stored(name).key.to_string());
    let keys: Vec<String> = keys.collect();
    let transaction = client.transaction().await?;
    transaction.execute(CUSTOMERS, &[&keys, &names, &i64::from(GRANTS_EACH)]).await?;
    for statement in [&*grants(), ENTRIES, REQUESTS] {
        transaction.batch_execute(statement).await?;
    }
    transaction.commit().await?;
    Ok(client.batch_execute("vacuum analyze").await?)
}

/// SQL of a UUIDv7: of an instant, so many milliseconds after it, and with noise from a text. Ids
/// that grow with time are what creditd makes, and indexes on them fill in order.
fn ordered_id(at: &str, after: &str, noise: &str) -> String {
    format!(
        "(lpad(to_hex((extract(epoch from {at}) * 1000)::bigint + {after}), 12, '0') || '7' || \
         left(md5({noise}), 3) || '8' || right(md5({noise}), 15))::uuid"
    )
}

/// Makes an endpoint that is subscribed to everything, and returns its id.
pub async fn endpoint(client: &impl GenericClient, url: &str) -> Result<String> {
    let id = Uuid::now_v7().to_string();
    let insert = "insert into webhook_endpoints \
        (id, url, event_types, description, secret, old_secrets, payload, created_at, updated_at) \
        values ($1::text::uuid, $2, '{}', '', $3, '[]', $1::text::uuid, now(), now())";
    client.execute(insert, &[&id, &url, &SECRET]).await?;
    Ok(id)
}

/// Says who is to be told of what, as a change of the settings or of an endpoint does.
pub async fn interests(client: &Client, interests: &Value) -> Result<()> {
    let update =
        "update notification_settings set version = version + 1, interests = $1::text::jsonb";
    client.execute(update, &[&interests.to_string()]).await?;
    Ok(())
}

/// Makes endpoints at this URL, and so many deliveries that are due to them in turn, all at once.
pub async fn deliveries(
    client: &mut Client,
    url: &str,
    endpoints: usize,
    count: u32,
) -> Result<()> {
    let transaction = client.transaction().await?;
    let mut ids = Vec::new();
    for _ in 0..endpoints {
        ids.push(endpoint(&transaction, url).await?);
    }
    let id = ordered_id("now()", "number", "number || '. of ' || $1::text[]::text");
    let insert = format!(
        "insert into deliveries (id, endpoint_id, notification_id, event_type, customer_id, \
         payload, status, attempts, created_at, next_attempt_at, give_up_at) \
         select id, ($1::text[])[1 + number % cardinality($1)]::uuid, id, 'grant.created', \
         gen_random_uuid(), replace($2, '{{id}}', id::text), 'pending', 0, now(), now(), \
         now() + interval '3 days' \
         from (select number, {id} as id from generate_series(1, $3::bigint) as made(number)) as made"
    );
    transaction.execute(&insert, &[&ids, &body().to_string(), &i64::from(count)]).await?;
    transaction.batch_execute("analyze deliveries").await?;
    Ok(transaction.commit().await?)
}

/// What is told of a new grant.
fn body() -> Value {
    let at = "2026-01-01T09:32:24.428169Z";
    let total = json!({
        "available": "2500", "held": "0", "remaining": "2500",
        "type": "GRANT_TYPE_UNITS", "metrics": ["api_calls"],
    });
    let grant = json!({
        "id": "01a20299-7f1f-7458-bfdd-c168da17abed", "customer_id": "customer-000001",
        "amount": "2500", "priority": 10, "status": "GRANT_STATUS_ACTIVE", "effective_at": at,
        "description": "Welcome credits of the spring campaign",
        "metadata": { "contract": "C-0000001" },
        "remaining": "2500", "held": "0", "consumed": "0", "expired": "0", "voided": "0",
        "created_at": at, "updated_at": at, "created_by": "anonymous",
        "type": "GRANT_TYPE_UNITS", "metrics": ["api_calls"],
        "category": "GRANT_CATEGORY_PROMOTIONAL", "expires_at": "2027-01-01T00:00:00Z",
    });
    let balance = json!({
        "customer_id": "customer-000001", "revision": 1, "as_of": at, "totals": [total],
    });
    json!({
        "id": "msg_{id}", "type": "grant.created", "timestamp": at,
        "data": {
            "customer_id": "customer-000001", "sequence": 1, "balance": balance, "grant": grant,
        },
    })
}
