//! One fresh database per test, cloned from a template that is migrated once.

use creditd::limits;
use creditd::store::Address;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use super::wait::until;

/// The variable that `creditd with-postgres` sets.
const VARIABLE: &str = "CREDITD_TEST_DATABASE_URL";
/// Advisory lock under which the template is made: tests are many processes.
const LOCK: i64 = 0x7465_6d70_6c61_7465;

/// Every table that creditd writes.
pub const TABLES: [&str; 18] = [
    "customers",
    "grants",
    "usage_events",
    "usage_rollups",
    "ledger_entries",
    "balance_points",
    "requests",
    "import_rows",
    "holds",
    "credit_applications",
    "webhook_endpoints",
    "deliveries",
    "customer_profiles",
    "segment_members",
    "campaigns",
    "campaign_runs",
    "campaign_grants",
    "api_keys",
];

/// A database that belongs to one test.
pub struct Database {
    pub url: String,
    name: String,
    admin: String,
}

/// A row or a table that is locked.
pub struct Locked(Client);

impl Locked {
    pub async fn release(self) {
        self.0.batch_execute("ROLLBACK").await.expect("a release");
    }
}

/// A plain connection.
pub async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

impl Database {
    /// On the server that all tests share.
    pub async fn create() -> Self {
        let admin = std::env::var(VARIABLE).unwrap_or_else(|_| {
            panic!("{VARIABLE} is not set: run `make test`, or `creditd with-postgres -- COMMAND`")
        });
        Self::create_on(&admin).await
    }

    /// One in which nothing is, on the server that all tests share.
    pub async fn empty() -> Self {
        let admin = std::env::var(VARIABLE).expect("the server that all tests share");
        Self::copy(&admin, "template0").await
    }

    /// On this server.
    pub async fn create_on(admin: &str) -> Self {
        let template = template(&connect(admin).await, admin).await;
        Self::copy(admin, &template).await
    }

    async fn copy(admin: &str, template: &str) -> Self {
        let client = connect(admin).await;
        let name = format!("test_{}", Uuid::now_v7().simple());
        let create = format!("CREATE DATABASE {name} TEMPLATE {template}");
        client.batch_execute(&create).await.expect("a database");
        Self { url: with_name(admin, &name), name, admin: admin.to_owned() }
    }

    /// A plain connection to it.
    pub async fn connect(&self) -> Client {
        connect(&self.url).await
    }

    /// How many rows each table has, to see that nothing was written.
    pub async fn counts(&self) -> Vec<(String, i64)> {
        let client = self.connect().await;
        let mut counts = Vec::new();
        for table in TABLES {
            let query = format!("SELECT count(*) FROM {table}");
            let row = client.query_one(&query, &[]).await.expect("a count");
            counts.push((table.to_owned(), row.get(0)));
        }
        counts
    }

    /// Makes it count as many events as are rolled up at the latest: the next one of each customer
    /// who has recorded something before now rolls that up.
    pub async fn roll_up_next(&self) {
        let client = self.connect().await;
        let many = 2 * limits::ROLLUP_EVENTS;
        let counted = client.execute("UPDATE customers SET unrolled = $1", &[&many]).await;
        assert!(counted.expect("a count") > 0, "no customers");
    }

    /// Locks a customer's row, as another replica's batch would, until released or dropped.
    pub async fn lock(&self, customer: &str) -> Locked {
        let client = self.connect().await;
        client.batch_execute("BEGIN").await.expect("a transaction");
        let lock = "SELECT 1 FROM customers WHERE external_id = $1 FOR UPDATE";
        client.query_one(lock, &[&customer]).await.expect("a lock");
        Locked(client)
    }

    /// Keeps everybody from a table, readers too, until released or dropped.
    pub async fn lock_table(&self, table: &str) -> Locked {
        let client = self.connect().await;
        let lock = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
        client.batch_execute(&lock).await.expect("a lock");
        Locked(client)
    }

    /// Waits until so many sessions of this database wait for a lock.
    pub async fn until_waiting(&self, sessions: usize) {
        let client = self.connect().await;
        let query = "SELECT count(*) FROM pg_stat_activity \
                     WHERE datname = current_database() AND wait_event_type = 'Lock'";
        until("sessions wait for a lock", async || {
            let row = client.query_one(query, &[]).await.expect("a count");
            usize::try_from(row.get::<_, i64>(0)) == Ok(sessions)
        })
        .await;
    }

    pub async fn drop(self) {
        let client = connect(&self.admin).await;
        let drop = format!("DROP DATABASE {}", self.name);
        // Force is refused while autovacuum, which is nobody's, is at work; a plain drop asks it to
        // leave, but not the test's own connections.
        until("the database is gone", async || {
            client.batch_execute(&format!("{drop} WITH (FORCE)")).await.is_ok()
                || client.batch_execute(&drop).await.is_ok()
        })
        .await;
    }
}

/// The migrated template, made by whichever test comes first. Named after the migrations, so that
/// a server that outlives a change of them does not serve an old one.
async fn template(client: &Client, admin: &str) -> String {
    let migrations = include_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"));
    let name =
        format!("template_{}", Uuid::new_v5(&Uuid::NAMESPACE_OID, migrations.as_bytes()).simple());
    client.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await.expect("a lock");
    let known = "SELECT 1 FROM pg_database WHERE datname = $1 AND datistemplate";
    if client.query(known, &[&name]).await.expect("databases").is_empty() {
        client.batch_execute(&format!("DROP DATABASE IF EXISTS {name}")).await.expect("a drop");
        client.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("a template");
        let address = Address::parse(&with_name(admin, &name)).expect("a URL");
        address.migrate().await.expect("migrations");
        let mark = format!("ALTER DATABASE {name} IS_TEMPLATE true");
        client.batch_execute(&mark).await.expect("a mark");
    }
    client.execute("SELECT pg_advisory_unlock($1)", &[&LOCK]).await.expect("an unlock");
    name
}

fn include_dir(path: &str) -> String {
    let mut files: Vec<_> = std::fs::read_dir(path)
        .expect("migrations")
        .map(|entry| entry.expect("a folder").path().join("up.sql"))
        .collect();
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).expect("a migration")).collect()
}

/// The same server, another database.
fn with_name(url: &str, name: &str) -> String {
    let (server, _) = url.rsplit_once('/').expect("a URL with a database");
    format!("{server}/{name}")
}
