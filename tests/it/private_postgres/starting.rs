//! Starting and stopping.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::time::Instant;

use super::{LATER_START_LIMIT, LIMIT, cluster, connect, folder, options, processes_in};
use creditd::store::private::{Error, Options, PrivateServer};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgid, getpgrp};
use tokio_postgres::NoTls;

#[tokio::test]
async fn a_stopped_server_starts_again_fast_with_its_data() {
    let dir = folder();
    let options = Options { durable: true, ..options(dir.path()) };
    let begun = Instant::now();
    let server = PrivateServer::start(&options).await.unwrap();
    let first = begun.elapsed();
    let port = server.port();
    let client = connect(server.url()).await;
    client.batch_execute("create table kept as select 42 as answer").await.unwrap();
    drop(client);
    let begun = Instant::now();
    server.stop().await;
    let stop = begun.elapsed();
    assert_eq!(processes_in(dir.path()), Vec::<i32>::new(), "a stopped server is gone");

    let begun = Instant::now();
    let again = Options { port: Some(port), ..options };
    let server = PrivateServer::start(&again).await.unwrap();
    let later = begun.elapsed();
    assert_eq!(server.port(), port, "a fixed port can be used again at once");
    let client = connect(server.url()).await;
    let row = client.query_one("select answer from kept", &[]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 42);
    server.stop().await;
    assert!(later < LATER_START_LIMIT, "a later start took {later:?}");
    writeln!(std::io::stderr(), "first {first:?}, stop {stop:?}, later {later:?}").unwrap();
}

#[tokio::test]
async fn the_service_has_a_role_of_its_own_and_stock_durability() {
    let dir = folder();
    let options = Options {
        durable: true,
        settings: vec![("max_connections".into(), "33".into())],
        ..options(dir.path())
    };
    let server = PrivateServer::start(&options).await.unwrap();
    let client = connect(server.url()).await;
    let row = client
        .query_one(
            "select rolsuper, rolcreatedb, current_database()::text, current_setting('server_encoding'),
                    (select string_agg(name || '=' || setting, ' ' order by name) from pg_settings where name in
                     ('fsync', 'synchronous_commit', 'full_page_writes', 'listen_addresses', 'max_connections'))
             from pg_roles where rolname = current_user",
            &[],
        )
        .await
        .unwrap();
    assert!(!row.get::<_, bool>(0), "REVOKE must bind the service");
    assert!(row.get::<_, bool>(1));
    assert_eq!(row.get::<_, String>(2), "creditd");
    assert_eq!(row.get::<_, String>(3), "UTF8");
    assert_eq!(
        row.get::<_, String>(4),
        "fsync=on full_page_writes=on listen_addresses=127.0.0.1 max_connections=33 \
         synchronous_commit=on"
    );
    let pid_file = cluster(dir.path()).unwrap().join("data/postmaster.pid");
    let socket_folder = fs::read_to_string(pid_file).unwrap().lines().nth(4).unwrap().to_owned();
    assert_eq!(socket_folder, "", "no socket that other users could reach");
    let without_password = format!("postgres://postgres@127.0.0.1:{}/postgres", server.port());
    assert!(tokio_postgres::connect(&without_password, NoTls).await.is_err());
    server.stop().await;
}

#[tokio::test]
async fn secrets_are_private_and_unprinted() {
    let dir = folder();
    let server = PrivateServer::start(&options(dir.path())).await.unwrap();
    let cluster = cluster(dir.path()).unwrap();
    for name in ["creditd.password", "superuser.password", "postgres.log"] {
        let found = fs::metadata(cluster.join(name)).unwrap();
        assert_eq!(found.mode() & 0o777, 0o600, "{name}");
    }
    assert_eq!(fs::metadata(&cluster).unwrap().mode() & 0o777, 0o700);
    let password = fs::read_to_string(cluster.join("creditd.password")).unwrap();
    assert!(server.url().contains(password.trim()));
    assert!(!format!("{server:?}").contains(password.trim()));
    server.stop().await;
}

#[tokio::test]
async fn dropping_a_server_stops_it() {
    let dir = folder();
    let server = PrivateServer::start(&options(dir.path())).await.unwrap();
    assert!(!processes_in(dir.path()).is_empty());
    drop(server);
    assert_eq!(processes_in(dir.path()), Vec::<i32>::new());
}

#[tokio::test]
async fn ctrl_c_in_a_terminal_does_not_reach_the_server() {
    let dir = folder();
    let server = PrivateServer::start(&options(dir.path())).await.unwrap();
    let group = getpgid(Some(Pid::from_raw(server.pid()))).unwrap();
    assert_ne!(group, getpgrp());
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_dies_is_noticed() {
    let dir = folder();
    let server = PrivateServer::start(&options(dir.path())).await.unwrap();
    kill(Pid::from_raw(server.pid()), Signal::SIGQUIT).unwrap();
    tokio::time::timeout(LIMIT, server.exited()).await.unwrap();
    server.stop().await; // nothing left to do, and no error
}

#[tokio::test]
async fn a_start_that_fails_shows_the_log() {
    let dir = folder();
    let mut options = options(dir.path());
    options.settings = vec![("shared_buffers".into(), "nonsense".into())];
    let error = PrivateServer::start(&options).await.unwrap_err();
    assert!(matches!(error, Error::Exited { .. }), "{error}");
    assert!(error.to_string().contains("nonsense"), "{error}");

    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    options.settings.clear();
    options.port = Some(other.local_addr().unwrap().port());
    let error = PrivateServer::start(&options).await.unwrap_err();
    assert!(error.to_string().contains("Address already in use"), "{error}");
}
