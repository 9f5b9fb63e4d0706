//! The data directory: made reachable for the account that PostgreSQL runs as, and locked against a second creditd.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

use super::account::Account;
use super::cluster::Cluster;
use super::error::Error;

const LOCK_FILE: &str = "creditd.lock";
const CLUSTER_PREFIX: &str = "pg";

/// A data directory that this process holds.
pub(super) struct Home {
    pub(super) dir: PathBuf,
    _lock: Flock<File>,
}

impl Home {
    /// Creates the directory if need be and takes its lock.
    pub(super) fn open(dir: &Path, account: &Account) -> Result<Self, Error> {
        let dir = prepare(dir, account)?;
        let lock = lock(&dir)?;
        Ok(Home { dir, _lock: lock })
    }

    /// The major versions of the clusters it holds, oldest first.
    pub(super) fn majors(&self) -> Result<Vec<u32>, Error> {
        let mut majors: Vec<u32> =
            clusters(&self.dir)?.iter().map(|cluster| cluster.major).collect();
        majors.sort_unstable();
        Ok(majors)
    }

    /// Where the cluster of this major version is or will be.
    pub(super) fn cluster(&self, major: u32) -> Cluster {
        Cluster { dir: self.dir.join(format!("{CLUSTER_PREFIX}{major}")), major }
    }
}

/// The finished clusters in a data directory; none if there is no such directory.
pub(super) fn clusters(dir: &Path) -> Result<Vec<Cluster>, Error> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::file("read", dir)(error)),
    };
    let mut clusters = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::file("read", dir))?;
        let name = entry.file_name();
        let major = name
            .to_str()
            .and_then(|name| name.strip_prefix(CLUSTER_PREFIX))
            .and_then(|major| major.parse().ok());
        let Some(major) = major else { continue };
        let cluster = Cluster { dir: dir.join(&name), major };
        let data = cluster.data();
        if data.try_exists().map_err(Error::file("look at", &data))? {
            clusters.push(cluster);
        }
    }
    Ok(clusters)
}

/// Creates `dir` with its parents where missing, and makes sure that the account can enter it. Returns its
/// canonical path.
fn prepare(dir: &Path, account: &Account) -> Result<PathBuf, Error> {
    let dir = &std::path::absolute(dir).map_err(Error::file("use", dir))?;
    let existing = dir.ancestors().find(|way| way.exists()).unwrap_or(Path::new("/"));
    let canonical = existing.canonicalize().map_err(Error::file("look at", existing))?;
    if let Some(blocked) = account.blocked_at(&canonical)? {
        // An empty folder that only root may enter (such as mktemp makes) was made for this: take it.
        let ours = existing == dir && blocked == canonical && is_empty(&canonical)?;
        if !ours {
            return Err(Error::Unreachable {
                dir: dir.clone(),
                blocked,
                user: account.name.clone(),
            });
        }
        account.give(&canonical)?;
    }
    if existing != dir {
        if let Some(parent) = dir.parent() {
            make_dirs(parent)?;
        }
        if make_dir(dir, 0o700)? {
            account.give(dir)?;
        }
    }
    dir.canonicalize().map_err(Error::file("look at", dir))
}

fn is_empty(dir: &Path) -> Result<bool, Error> {
    let mut entries = fs::read_dir(dir).map_err(Error::file("read", dir))?;
    Ok(entries.next().is_none())
}

/// Creates a folder and its parents where missing, open to everyone whatever the umask.
pub(super) fn make_dirs(dir: &Path) -> Result<(), Error> {
    if dir.exists() {
        return Ok(());
    }
    if let Some(parent) = dir.parent() {
        make_dirs(parent)?;
    }
    make_dir(dir, 0o755).map(|_| ())
}

/// Creates a folder with exactly this mode; false if it was there already.
pub(super) fn make_dir(dir: &Path, mode: u32) -> Result<bool, Error> {
    match DirBuilder::new().mode(mode).create(dir) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(Error::file("create", dir)(error)),
    }
    fs::set_permissions(dir, Permissions::from_mode(mode))
        .map_err(Error::file("set the mode of", dir))?;
    Ok(true)
}

/// How every file of ours is opened: private, and never through a link that the server's account put there.
pub(super) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600).custom_flags(OFlag::O_NOFOLLOW.bits());
    options
}

fn lock(dir: &Path) -> Result<Flock<File>, Error> {
    let path = dir.join(LOCK_FILE);
    let file = private_file()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(Error::file("open", &path))?;
    let mut lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => lock,
        Err((mut file, Errno::EWOULDBLOCK)) => {
            let mut pid = String::new();
            file.read_to_string(&mut pid).map_err(Error::file("read", &path))?;
            let holder = match pid.trim() {
                "" => "another process".to_owned(), // it has the lock, but not yet written its number
                pid => format!("process {pid}"),
            };
            return Err(Error::InUse { dir: dir.to_owned(), holder });
        }
        Err((_, errno)) => return Err(Error::file("lock", &path)(errno.into())),
    };
    let pid = std::process::id().to_string();
    lock.set_len(0)
        .and_then(|()| lock.write_all(pid.as_bytes()))
        .map_err(Error::file("write", &path))?;
    Ok(lock)
}
