//! The two servers under measurement: a PostgreSQL of our own, and the release creditd on it.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use creditd::store::private::{Options, PrivateServer};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::{Client, Config, NoTls};
use tonic::transport::{Channel, Endpoint};

use crate::Result;

const CREDITD: &str = env!("CARGO_BIN_EXE_creditd");
/// How long creditd gets to start, and to stop.
const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// Lines of creditd's log that an error shows.
const LINES_SHOWN: usize = 20;

/// PostgreSQL with stock durability, on a data directory that goes when it does.
pub struct Postgres {
    server: PrivateServer,
    config: Config,
    superuser: Config,
    // After the server: it must have stopped before its files go.
    _dir: TempDir,
}

impl Postgres {
    /// Starts one below `parent`, which should lie on a real disk: commits wait for it.
    pub async fn start(parent: &str) -> Result<Self> {
        fs::create_dir_all(parent)?;
        let dir = tempfile::Builder::new().prefix("speed-").tempdir_in(parent)?;
        let server = PrivateServer::start(&Options::new(dir.path())).await?;
        let config: Config = server.url().parse()?;
        let secret = server.log().with_file_name("superuser.password");
        let password = fs::read_to_string(&secret)
            .map_err(|error| format!("{}: {error}", secret.display()))?;
        let mut superuser = config.clone();
        superuser.user("postgres").password(password.trim()).dbname("postgres");
        Ok(Self { server, config, superuser, _dir: dir })
    }

    pub fn pid(&self) -> Result<u32> {
        Ok(u32::try_from(self.server.pid())?)
    }

    pub fn major(&self) -> u32 {
        self.server.major()
    }

    /// creditd's own database.
    pub fn url(&self) -> &str {
        self.server.url()
    }

    /// How to reach creditd's own database.
    pub fn own(&self) -> &Config {
        &self.config
    }

    /// How to reach another database of creditd's role.
    pub fn config(&self, database: &str) -> Config {
        let mut config = self.config.clone();
        config.dbname(database);
        config
    }

    /// Makes a database for a reference.
    pub async fn create(&self, database: &str) -> Result<String> {
        let client = connect(&self.config).await?;
        client.batch_execute(&format!("create database {database}")).await?;
        let (start, _) = self.url().rsplit_once('/').ok_or("a URL without a database")?;
        Ok(format!("{start}/{database}"))
    }

    /// Every measurement begins right after a checkpoint: whoever is measured, the pages he
    /// touches first are written to the log in full.
    pub async fn checkpoint(&self) -> Result<()> {
        Ok(connect(&self.superuser).await?.batch_execute("checkpoint").await?)
    }

    /// The folder of the programs that it runs, where pgbench is too.
    pub fn bin(&self) -> Result<PathBuf> {
        let program = fs::read_link(format!("/proc/{}/exe", self.server.pid()))?;
        Ok(program.parent().ok_or("postgres in no folder")?.to_owned())
    }

    pub async fn stop(self) {
        self.server.stop().await;
    }
}

/// One connection, driven in the background.
pub async fn connect(config: &Config) -> Result<Client> {
    let (client, connection) = config.connect(NoTls).await?;
    // It ends with the client; what goes wrong meanwhile, the client's own calls report.
    tokio::spawn(connection);
    Ok(client)
}

/// A creditd process.
pub struct Creditd {
    child: Child,
    pid: u32,
    pub address: SocketAddr,
    log: Log,
    readers: Vec<JoinHandle<()>>,
}

/// What the lanes did in all, as logged at the end.
#[derive(Debug, Clone, Copy, Default)]
pub struct Totals {
    pub batches: u64,
    pub commands: u64,
    pub statements: u64,
    pub retries: u64,
}

impl Creditd {
    /// Starts it and waits until it can serve. `more` are flags of `serve` to try out.
    pub async fn start(url: &str, more: &[String]) -> Result<Self> {
        let mut child = Command::new(CREDITD)
            .args(["serve", "--listen", "127.0.0.1:0", "--migrate", "--database-url", url])
            .args(more)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{CREDITD}: {error}"))?;
        let pid = child.id().ok_or("creditd ended at once")?;
        let (log, mut lines) = Log::new();
        let readers = vec![
            log.follow(child.stdout.take().ok_or("no stdout")?),
            log.follow(child.stderr.take().ok_or("no stderr")?),
        ];
        let ready = async {
            loop {
                if let Some(address) = log.find(ready_on) {
                    return Ok(address);
                }
                tokio::select! {
                    _ = lines.changed() => {}
                    status = child.wait() => return Err(format!("creditd ended: {status:?}")),
                }
            }
        };
        let address = match timeout(START_LIMIT, ready).await {
            Ok(Ok(address)) => address,
            Ok(Err(why)) => return Err(format!("{why}\n{}", log.end()).into()),
            Err(_) => return Err(format!("creditd is not ready\n{}", log.end()).into()),
        };
        Ok(Self { child, pid, address, log, readers })
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Connections to it. One carries some 200 calls at a time, so a load of many takes several.
    pub async fn channels(&self, count: usize) -> Result<Vec<Channel>> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address))?;
        let mut channels = Vec::with_capacity(count);
        for _ in 0..count {
            channels.push(endpoint.connect().await?);
        }
        Ok(channels)
    }

    /// Asks it to stop, waits, and reads what its lanes did.
    pub async fn stop(mut self) -> Result<Option<Totals>> {
        kill(Pid::from_raw(i32::try_from(self.pid)?), Signal::SIGTERM)?;
        let status = timeout(STOP_LIMIT, self.child.wait())
            .await
            .map_err(|_| format!("creditd does not stop\n{}", self.log.end()))??;
        for reader in self.readers {
            reader.await?;
        }
        if !status.success() {
            return Err(format!("creditd ended with {status}\n{}", self.log.end()).into());
        }
        Ok(self.log.find(totals))
    }

    /// Adds the end of its log to an error.
    pub fn explain<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| {
            // A database's error says what it is in its source alone.
            let why = error.source().map(|source| format!(": {source}")).unwrap_or_default();
            format!("{error}{why}\ncreditd's log ends:\n{}", self.log.end()).into()
        })
    }
}

/// Checks the books of a database; none where this creditd cannot.
pub async fn audit(url: &str) -> Result<Option<bool>> {
    let run = Command::new(CREDITD).args(["audit", "--database-url", url]).output().await?;
    if run.status.success() {
        return Ok(Some(true));
    }
    let said = String::from_utf8_lossy(&run.stderr);
    eprintln!("{}{said}", String::from_utf8_lossy(&run.stdout));
    Ok(if said.contains("unrecognized subcommand") { None } else { Some(false) })
}

/// What creditd has said.
#[derive(Clone)]
struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    grown: watch::Sender<()>,
}

impl Log {
    fn new() -> (Self, watch::Receiver<()>) {
        let (grown, seen) = watch::channel(());
        (Self { lines: Arc::default(), grown }, seen)
    }

    fn follow(&self, from: impl AsyncRead + Unpin + Send + 'static) -> JoinHandle<()> {
        let log = self.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(from).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                log.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                log.grown.send_replace(());
            }
        })
    }

    fn find<T>(&self, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().find_map(|line| read(line))
    }

    fn end(&self) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n")
    }
}

fn ready_on(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("ready on ")?;
    let end = rest.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(rest.len());
    rest[..end].parse().ok()
}

fn totals(line: &str) -> Option<Totals> {
    let (_, rest) = line.split_once("engine totals")?;
    let count = |name: &str| {
        let found = rest.split_whitespace().find_map(|word| word.strip_prefix(name))?;
        found.strip_prefix('=')?.parse().ok()
    };
    Some(Totals {
        batches: count("batches")?,
        commands: count("commands")?,
        statements: count("statements")?,
        retries: count("retries")?,
    })
}
