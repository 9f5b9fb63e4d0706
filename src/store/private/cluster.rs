//! One cluster: the folder of one major version, made by initdb.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::account::{Account, last_lines, run};
use super::error::Error;
use super::find::Server;
use super::home::{Home, make_dir, private_file};

/// initdb takes half a second; a loaded machine with a slow disk much more.
const INITDB_LIMIT: Duration = Duration::from_secs(120);

/// Where initdb works until it is done.
const UNFINISHED_PREFIX: &str = "data.new-";

/// How much of the server's log goes into an error.
const LOG_LINES: usize = 15;

/// Where a cluster is.
pub(super) struct Cluster {
    pub(super) dir: PathBuf,
    pub(super) major: u32,
}

impl Cluster {
    /// The cluster for this server, initialised if it is not there yet.
    pub(super) async fn open(
        home: &Home,
        server: &Server,
        account: &Account,
        durable: bool,
    ) -> Result<Self, Error> {
        let cluster = home.cluster(server.major);
        make_dir(&cluster.dir, 0o700)?;
        account.give(&cluster.dir)?;
        cluster.clear_unfinished()?;
        let data = cluster.data();
        if !data.try_exists().map_err(Error::file("look at", &data))? {
            cluster.initialise(server, account, durable).await?;
        }
        Ok(cluster)
    }

    /// PostgreSQL's own directory.
    pub(super) fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// The server's log.
    pub(super) fn log(&self) -> PathBuf {
        self.dir.join("postgres.log")
    }

    /// Where the superuser's password is kept.
    pub(super) fn superuser_password(&self) -> PathBuf {
        self.dir.join("superuser.password")
    }

    /// Where the service's password is kept.
    pub(super) fn role_password(&self) -> PathBuf {
        self.dir.join("creditd.password")
    }

    /// Runs initdb under another name and renames at the end, so that one which was interrupted is never taken for
    /// a cluster. A new name each time: the end of an interrupted one may still be at work in its own. The password
    /// is in place before the cluster is, so that a cluster never lacks it.
    async fn initialise(
        &self,
        server: &Server,
        account: &Account,
        durable: bool,
    ) -> Result<(), Error> {
        let attempt: u32 = rand::random();
        let unfinished = self.dir.join(format!("{UNFINISHED_PREFIX}{attempt:08x}"));
        let password = self.superuser_password();
        write_secret(&password, account)?;

        let mut command = account.command(&server.bin.join("initdb"), Signal::SIGKILL);
        command
            .current_dir(&self.dir)
            .args(["-U", "postgres", "-A", "scram-sha-256"])
            .args(["-E", "UTF8", "--locale=C"])
            .arg("--pwfile")
            .arg(&password)
            .arg("-D")
            .arg(&unfinished);
        if !durable {
            command.arg("--no-sync");
        }
        run(command, INITDB_LIMIT).await?;

        let data = self.data();
        fs::rename(&unfinished, &data).map_err(Error::file("rename", &unfinished))?;
        if durable {
            sync_dir(&self.dir)?;
        }
        Ok(())
    }

    /// Removes what interrupted initdbs left. One that is still ending may be in the way; then the next start does
    /// it.
    fn clear_unfinished(&self) -> Result<(), Error> {
        let entries = fs::read_dir(&self.dir).map_err(Error::file("read", &self.dir))?;
        for entry in entries {
            let entry = entry.map_err(Error::file("read", &self.dir))?;
            let name = entry.file_name();
            if !name.to_string_lossy().starts_with(UNFINISHED_PREFIX) {
                continue;
            }
            let dir = entry.path();
            tracing::info!(dir = %dir.display(), "an initdb was interrupted: beginning anew");
            if let Err(error) = fs::remove_dir_all(&dir) {
                tracing::debug!(dir = %dir.display(), %error, "not removed yet");
            }
        }
        Ok(())
    }

    /// A new log file; the last one is kept beside it, older ones go.
    pub(super) fn new_log(&self, account: &Account) -> Result<File, Error> {
        let log = self.log();
        match fs::rename(&log, self.dir.join("postgres.log.1")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::file("rename", &log)(error));
            }
            _ => {}
        }
        let file = private_file()
            .append(true)
            .create_new(true)
            .open(&log)
            .map_err(Error::file("create", &log))?;
        account.give(&log)?;
        Ok(file)
    }

    /// The end of the server's log, for an error.
    pub(super) fn log_tail(&self) -> String {
        match fs::read(self.log()) {
            Ok(text) => last_lines(&String::from_utf8_lossy(&text), LOG_LINES),
            Err(error) => format!("(unreadable: {error})"),
        }
    }
}

/// Writes a new random password, readable for the account alone.
pub(super) fn write_secret(path: &Path, account: &Account) -> Result<(), Error> {
    let (high, low): (u128, u64) = rand::random();
    let secret = format!("{high:032x}{low:016x}");
    let unfinished = path.with_extension("new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::file("remove", &unfinished)(error));
        }
        _ => {}
    }
    let mut file = private_file()
        .write(true)
        .create_new(true)
        .open(&unfinished)
        .map_err(Error::file("create", &unfinished))?;
    writeln!(file, "{secret}")
        .and_then(|()| file.sync_all())
        .map_err(Error::file("write", &unfinished))?;
    account.give(&unfinished)?;
    fs::rename(&unfinished, path).map_err(Error::file("rename", &unfinished))
}

/// The password in a file; none if there is no file.
pub(super) fn read_secret(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file("read", path)(error)),
    }
}

fn sync_dir(dir: &Path) -> Result<(), Error> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(Error::file("sync", dir))
}
