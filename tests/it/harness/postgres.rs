//! A PostgreSQL server of one test's own, which falls and rises.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::PathBuf;
use std::process::Command;

use creditd::store::private::{Options, PrivateServer};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// A server of its own.
pub struct Postgres {
    folder: TempDir,
    server: Option<PrivateServer>,
    port: Option<u16>,
    /// What it is told when it rises, besides the usual.
    pub settings: Vec<(String, String)>,
}

/// How a server goes down.
#[derive(Debug, Clone, Copy)]
pub enum Fall {
    /// Fast shutdown: sessions are ended, everything is on disk.
    Fast,
    /// SIGKILL: the next start recovers.
    Killed,
}

impl Postgres {
    pub async fn start() -> Self {
        let mut postgres = Self::fallen();
        postgres.rise().await;
        postgres
    }

    fn fallen() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder, server: None, port: None, settings: Vec::new() }
    }

    /// Another server with all that this one, which has fallen, left behind: a standby of it as soon
    /// as both have risen.
    pub fn standby(&self) -> Self {
        let mut standby = Self::fallen();
        let copy = Command::new("cp")
            .arg("-a")
            .arg(self.folder.path().join("."))
            .arg(standby.folder.path())
            .status();
        assert!(copy.expect("a copy").success());
        standby.file("data/standby.signal", "");
        let port = self.port.expect("a port");
        let primary =
            format!("host=127.0.0.1 port={port} user=postgres password={}", self.password());
        standby.settings = vec![("primary_conninfo".into(), primary)];
        standby
    }

    /// The superuser's URL.
    pub fn superuser(&self) -> String {
        let port = self.port.expect("a port");
        format!("postgres://postgres:{}@127.0.0.1:{port}/postgres", self.password())
    }

    fn password(&self) -> String {
        let file = self.cluster().join("superuser.password");
        fs::read_to_string(file).expect("a password").trim().to_owned()
    }

    /// The folder of the one cluster.
    fn cluster(&self) -> PathBuf {
        let mut found = fs::read_dir(self.folder.path()).expect("a folder").flatten();
        let is_cluster = |name: &str| name.starts_with("pg");
        let found = found.find(|entry| entry.file_name().to_str().is_some_and(is_cluster));
        found.expect("a cluster").path()
    }

    /// Writes a file among those of the cluster that only the server may read; where it is.
    pub fn file(&self, name: &str, content: &str) -> PathBuf {
        let cluster = self.cluster();
        let owner = fs::metadata(&cluster).expect("an owner");
        let path = cluster.join(name);
        fs::write(&path, content).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
        chown(&path, Some(owner.uid()), Some(owner.gid())).expect("a file given away");
        path
    }

    /// Puts rules on who may come how before all others.
    pub fn admit(&self, rules: &str) {
        let others = self.cluster().join("data/pg_hba.conf");
        let others = fs::read_to_string(others).expect("rules");
        self.file("data/pg_hba.conf", &format!("{rules}\n{others}"));
    }

    pub fn url(&self) -> &str {
        self.server.as_ref().expect("a server").url()
    }

    pub async fn rise(&mut self) {
        let options = Options {
            fetch: false,
            durable: true,
            port: self.port,
            settings: self.settings.clone(),
            ..Options::new(self.folder.path())
        };
        let server = PrivateServer::start(&options).await.expect("a server");
        self.port = Some(server.port());
        self.server = Some(server);
    }

    pub async fn fall(&mut self, how: Fall) {
        let server = self.server.take().expect("a server");
        if matches!(how, Fall::Killed) {
            kill(Pid::from_raw(server.pid()), Signal::SIGKILL).expect("a signal");
            server.exited().await;
        }
        server.stop().await;
    }
}
