//! PostgreSQL's own `postmaster.pid`: who serves a data directory, where, and how far it is.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::error::Error;
use super::home::private_file;

/// How long a server whose creditd has died may take to end. It was told to; a long checkpoint shows as "stopping".
const PREDECESSOR_LIMIT: Duration = Duration::from_secs(5);
const STOPPING_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);

/// What `postmaster.pid` says: the pid on line 1, the port on line 4, the status on line 8.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PidFile {
    pub(super) pid: i32,
    pub(super) port: u16,
    status: String,
}

impl PidFile {
    /// It accepts connections.
    pub(super) fn is_ready(&self) -> bool {
        self.status == "ready"
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.status == "stopping"
    }

    /// None while PostgreSQL is still writing it.
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().map(str::trim);
        let pid = lines.next()?.parse().ok()?;
        let port = lines.nth(2)?.parse().ok()?;
        let status = lines.nth(3).unwrap_or_default().to_owned();
        Some(PidFile { pid, port, status })
    }
}

fn path(data: &Path) -> PathBuf {
    data.join("postmaster.pid")
}

/// What the file says, whether or not the process lives.
pub(super) fn read(data: &Path) -> Result<Option<PidFile>, Error> {
    let path = path(data);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(PidFile::parse(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file("read", &path)(error)),
    }
}

/// What the file says, if the process that it names serves this directory.
pub(super) fn live(data: &Path) -> Result<Option<PidFile>, Error> {
    let found = read(data)?;
    Ok(found.filter(|found| serves(found.pid, data)))
}

/// Whether a process is the server of this directory, and not a stranger that came by its number: PostgreSQL works
/// in its data directory, as its owner.
fn serves(pid: i32, data: &Path) -> bool {
    let process = PathBuf::from(format!("/proc/{pid}"));
    let owner = |path: &Path| fs::metadata(path).map(|found| found.uid()).ok();
    let cwd = fs::read_link(process.join("cwd")).ok();
    cwd.is_some() && cwd == data.canonicalize().ok() && owner(&process) == owner(data)
}

/// Makes sure that no server is left on a directory whose lock we hold: one whose creditd was killed is on its way
/// out and gets the time for it.
pub(super) async fn wait_for_predecessor(data: &Path) -> Result<(), Error> {
    let begun = Instant::now();
    while let Some(found) = live(data)? {
        let limit = if found.is_stopping() { STOPPING_LIMIT } else { PREDECESSOR_LIMIT };
        if begun.elapsed() > limit {
            return Err(Error::InUse {
                dir: data.to_owned(),
                holder: format!("process {} (a PostgreSQL server)", found.pid),
            });
        }
        tokio::time::sleep(POLL).await;
    }
    disown(data)
}

/// PostgreSQL deals with the file of a dead process, but not with a number that has come to a living stranger of
/// the same user, as after every restart of a container. So write our own number there: it takes its parent's for
/// stale, and unlike with the file gone it still makes sure that the old one's memory is no longer in use.
fn disown(data: &Path) -> Result<(), Error> {
    let path = path(data);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::file("read", &path)(error)),
    };
    let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
    private_file()
        .write(true)
        .truncate(true)
        .open(&path)
        .and_then(|mut file| write!(file, "{}\n{rest}", std::process::id()))
        .map_err(Error::file("write", &path))
}

#[cfg(test)]
mod tests {
    use super::PidFile;

    #[test]
    fn what_postgres_writes() {
        let text = "3662\n/d/pg15/data\n1748900000\n40013\n\n127.0.0.1\n  5247 0\nready   \n";
        let parsed = PidFile::parse(text).unwrap();
        assert_eq!((parsed.pid, parsed.port), (3662, 40013));
        assert!(parsed.is_ready() && !parsed.is_stopping());
        assert_eq!(PidFile::parse("3662\n/d/pg"), None);
        assert_eq!(PidFile::parse(""), None);
    }
}
