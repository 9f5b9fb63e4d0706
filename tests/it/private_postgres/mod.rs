//! The private PostgreSQL server, on real directories and real processes.

mod dying;
mod others;
mod starting;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use creditd::store::private::{Options, PrivateServer};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

const LIMIT: Duration = Duration::from_secs(60);
/// A later start takes 0.05 s; this allows for a machine busy with other tests.
const LATER_START_LIMIT: Duration = Duration::from_secs(3);
/// Names the data directory for the helper process; see `helper_that_owns_a_server`.
const HELPER_DIR: &str = "CREDITD_TEST_OWNER_DIR";

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
#[allow(clippy::disallowed_methods, reason = "the one place where a test polls")]
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
        .args([&helper, "--exact", "--nocapture"])
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

/// Not a test: the other tests start it as a process that they can kill.
#[tokio::test]
async fn helper_that_owns_a_server() {
    let Some(dir) = std::env::var_os(HELPER_DIR).map(PathBuf::from) else { return };
    let server = PrivateServer::start(&options(&dir)).await.unwrap();
    writeln!(std::io::stdout(), "SERVER {} {}", server.pid(), server.port()).unwrap();
    let mut nothing = String::new();
    std::io::stdin().read_to_string(&mut nothing).unwrap();
    server.stop().await;
}
