//! The service's own role and database. The role is no superuser: the append-only ledger rests on REVOKE, which
//! does not bind one.

use std::path::Path;
use std::time::Duration;

use tokio_postgres::{Client, Config, NoTls};

use super::account::Account;
use super::cluster::{Cluster, read_secret, write_secret};
use super::error::Error;

const ROLE: &str = "creditd";
const DATABASE: &str = "creditd";
const SUPERUSER: &str = "postgres";

/// The server itself reads the password, from beside its data directory: in a statement of ours it would end up in
/// the debug log of tokio-postgres.
const CREATE_ROLE: &str = "do $$ begin
    if not exists (select from pg_roles where rolname = 'creditd') then
        create role creditd;
    end if;
    execute format('alter role creditd login createdb nosuperuser password %L',
                   trim(trailing e'\\n' from pg_read_file('../creditd.password')));
end $$";

/// For connecting, and for all the statements of one connection.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// The URL of the service's database, created with its role where missing.
pub(super) async fn ensure(
    cluster: &Cluster,
    account: &Account,
    port: u16,
) -> Result<String, Error> {
    if let Ok(url) = url_if_accepted(cluster, port).await {
        return Ok(url); // the usual case: one connection and done
    }
    let path = cluster.role_password();
    if read_secret(&path)?.is_none() {
        write_secret(&path, account)?;
    }
    let superuser = secret(&cluster.superuser_password())?;
    within_limit(async {
        let admin = connect(port, SUPERUSER, &superuser, SUPERUSER).await?;
        create(&admin).await
    })
    .await?;
    url_if_accepted(cluster, port).await
}

/// The URL of the service's database, if the server lets us in.
pub(super) async fn url_if_accepted(cluster: &Cluster, port: u16) -> Result<String, Error> {
    let password = secret(&cluster.role_password())?;
    within_limit(async {
        connect(port, ROLE, &password, DATABASE).await?;
        Ok(())
    })
    .await?;
    Ok(format!("postgres://{ROLE}:{password}@127.0.0.1:{port}/{DATABASE}"))
}

fn secret(path: &Path) -> Result<String, Error> {
    read_secret(path)?.ok_or_else(|| Error::file("read", path)(std::io::ErrorKind::NotFound.into()))
}

async fn within_limit(
    work: impl Future<Output = Result<(), tokio_postgres::Error>>,
) -> Result<(), Error> {
    let done = tokio::time::timeout(ANSWER_LIMIT, work).await;
    Ok(done.map_err(|_| Error::Silent(ANSWER_LIMIT))??)
}

async fn connect(
    port: u16,
    user: &str,
    password: &str,
    database: &str,
) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = Config::new()
        .host("127.0.0.1")
        .port(port)
        .user(user)
        .password(password)
        .dbname(database)
        .connect(NoTls)
        .await?;
    // It ends with the client; what goes wrong meanwhile, the client's own calls report.
    tokio::spawn(async move { connection.await.ok() });
    Ok(client)
}

/// Idempotent.
async fn create(admin: &Client) -> Result<(), tokio_postgres::Error> {
    admin.batch_execute(CREATE_ROLE).await?;
    let database =
        admin.query_opt("select 1 from pg_database where datname = $1", &[&DATABASE]).await?;
    if database.is_none() {
        admin.batch_execute(&format!("create database {DATABASE} owner {ROLE}")).await?;
    }
    Ok(())
}
