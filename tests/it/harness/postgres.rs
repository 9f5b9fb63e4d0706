//! A PostgreSQL server of one test's own, which falls and rises.

use creditd::store::private::{Options, PrivateServer};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// A server of its own.
pub struct Postgres {
    folder: TempDir,
    server: Option<PrivateServer>,
    port: Option<u16>,
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
        let folder = tempfile::tempdir().expect("a folder");
        let mut postgres = Self { folder, server: None, port: None };
        postgres.rise().await;
        postgres.port = postgres.server.as_ref().map(PrivateServer::port);
        postgres
    }

    pub fn url(&self) -> &str {
        self.server.as_ref().expect("a server").url()
    }

    pub async fn rise(&mut self) {
        let options = Options {
            fetch: false,
            durable: true,
            port: self.port,
            ..Options::new(self.folder.path())
        };
        self.server = Some(PrivateServer::start(&options).await.expect("a server"));
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
