//! Servers and owners that die.

use std::fs;
use std::os::unix::fs::{MetadataExt, lchown};
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::{
    LIMIT, cluster, connect, folder, names_in_cluster, options, owner, processes_in, until,
    wait_until_up,
};
use creditd::store::private::PrivateServer;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use tempfile::TempDir;

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
