//! The search for PostgreSQL's programs.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::account::{Account, run};
use super::error::Error;
use super::{Options, default_cache_dir, fetch};

/// The oldest version that the migrations are tested on.
pub(super) const OLDEST_MAJOR: u32 = 15;

/// Where Debian keeps one folder per major version, off the PATH.
const DEBIAN_ROOT: &str = "/usr/lib/postgresql";

const VERSION_LIMIT: Duration = Duration::from_secs(10);

/// A folder with PostgreSQL's programs.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) bin: PathBuf,
    pub(super) major: u32,
}

/// `PG_BIN`, else the first of PATH, Debian's folders (newest first) and the download that fits the clusters that
/// are there: a newer server would not read them, and beside them would begin an empty ledger.
pub(super) async fn find(
    options: &Options,
    account: &Account,
    kept: &[u32],
) -> Result<Server, Error> {
    if let Some(bin) = &options.pg_bin {
        return named(bin, account, kept).await;
    }
    let fits = |major: u32| kept.is_empty() || kept.contains(&major);
    let mut passed_over = Vec::new();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let cache = default_cache_dir();
    let mut folders = candidates(&path, Path::new(DEBIAN_ROOT));
    folders.extend(fetch::cached(&cache));
    for bin in folders {
        match probe(&bin, account).await {
            Ok(server) if fits(server.major) => return Ok(server),
            Ok(server) => passed_over.push(server.major),
            Err(why) => tracing::debug!(bin = %bin.display(), why, "not a PostgreSQL to use"),
        }
    }
    if !passed_over.is_empty() && !fits(fetch::MAJOR) {
        return Err(Error::OtherMajor {
            dir: options.data_dir.clone(),
            kept: list(kept),
            found: list(&passed_over),
        });
    }
    if !options.fetch {
        let why = "downloading one is switched off".to_owned();
        return Err(Error::NoServer { why });
    }
    let no_server = |why: String| Error::NoServer { why };
    let bin = fetch::fetch(&cache).await.map_err(|error| no_server(error.to_string()))?;
    probe(&bin, account)
        .await
        .map_err(|why| no_server(format!("the downloaded one does not work: {why}")))
}

/// The one that the user named: used, or refused with the reason.
async fn named(bin: &Path, account: &Account, kept: &[u32]) -> Result<Server, Error> {
    let unsuitable = |why: String| Error::Unsuitable { bin: bin.to_owned(), why };
    let folder = resolve(bin).map_err(unsuitable)?;
    let server = probe(&folder, account).await.map_err(unsuitable)?;
    if !kept.is_empty() && !kept.contains(&server.major) {
        tracing::warn!(
            major = server.major,
            kept = list(kept),
            "PG_BIN names another version than the data here: this one has its own data"
        );
    }
    Ok(server)
}

fn list(majors: &[u32]) -> String {
    let texts: Vec<String> = majors.iter().map(u32::to_string).collect();
    texts.join(", ")
}

/// The folders worth a look, in order, each once.
fn candidates(path: &OsStr, debian_root: &Path) -> Vec<PathBuf> {
    let on_path = std::env::split_paths(path).filter(|folder| folder.is_absolute());
    let mut debian: Vec<(u32, PathBuf)> = fs::read_dir(debian_root)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let major = entry.file_name().to_str()?.parse().ok()?;
            Some((major, entry.path().join("bin")))
        })
        .collect();
    debian.sort_by_key(|(major, _)| std::cmp::Reverse(*major));

    let mut found = Vec::new();
    for folder in on_path.chain(debian.into_iter().map(|(_, bin)| bin)) {
        if let Ok(folder) = resolve(&folder)
            && !found.contains(&folder)
        {
            found.push(folder);
        }
    }
    found
}

/// The real folder behind one that holds `postgres` and `initdb`, perhaps as links. Debian's wrappers and scripts
/// do not count: they may start another version, and a script would stand between us and the server.
fn resolve(folder: &Path) -> Result<PathBuf, String> {
    let mut homes = Vec::new();
    for name in ["postgres", "initdb"] {
        let real = folder.join(name).canonicalize().map_err(|error| format!("{name}: {error}"))?;
        if real.file_name() != Some(OsStr::new(name)) || is_script(&real) {
            return Err(format!("{name} is a wrapper"));
        }
        homes.extend(real.parent().map(Path::to_owned));
    }
    match homes.as_slice() {
        [one, other] if one == other => Ok(one.clone()),
        _ => Err("postgres and initdb are not of one installation".to_owned()),
    }
}

fn is_script(file: &Path) -> bool {
    let mut start = [0; 2];
    let read = File::open(file).and_then(|mut file| file.read_exact(&mut start));
    read.is_err() || start == *b"#!"
}

/// Asks for the version, as the account that will run it, so that a folder which it cannot reach is noticed here.
async fn probe(bin: &Path, account: &Account) -> Result<Server, String> {
    let mut command = account.command(&bin.join("postgres"), Signal::SIGKILL);
    command.arg("--version").current_dir("/");
    let said = run(command, VERSION_LIMIT).await.map_err(|error| error.to_string())?;
    let major = major_of(&said).ok_or_else(|| format!("no version in {said:?}"))?;
    if major < OLDEST_MAJOR {
        return Err(format!("it is PostgreSQL {major}, but {OLDEST_MAJOR} or later is needed"));
    }
    Ok(Server { bin: bin.to_owned(), major })
}

/// 15 from `postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)`.
fn major_of(version: &str) -> Option<u32> {
    let number = version.split("(PostgreSQL)").nth(1)?.trim_start();
    let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn install(folder: &Path, content: &str) {
        fs::create_dir_all(folder).unwrap();
        for name in ["postgres", "initdb"] {
            fs::write(folder.join(name), content).unwrap();
        }
    }

    #[test]
    fn versions_of_every_build() {
        let debian = "postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)\n";
        assert_eq!(major_of(debian), Some(15));
        assert_eq!(major_of("postgres (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(major_of("postgres (PostgreSQL) 18"), Some(18));
        assert_eq!(major_of("mysqld 8"), None);
    }

    #[test]
    fn links_lead_to_the_real_folder_and_wrappers_to_nothing() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let (debian, links) = (root.join("debian"), root.join("links"));
        for major in ["9", "17", "15"] {
            install(&debian.join(major).join("bin"), "\u{7f}ELF");
        }
        let scripts = root.join("scripts");
        install(&scripts, "#!/bin/sh\n");
        let wrapped = root.join("wrapped");
        fs::create_dir_all(&wrapped).unwrap();
        fs::write(wrapped.join("pg_wrapper"), "\u{7f}ELF").unwrap();
        fs::create_dir_all(&links).unwrap();
        for name in ["postgres", "initdb"] {
            symlink(debian.join("15/bin").join(name), links.join(name)).unwrap();
            symlink(wrapped.join("pg_wrapper"), wrapped.join(name)).unwrap();
        }
        let client_only = root.join("client");
        fs::create_dir_all(&client_only).unwrap();

        let path = std::env::join_paths([&scripts, &wrapped, &client_only, &links]).unwrap();
        let found = candidates(&path, &debian);
        let expected: Vec<PathBuf> =
            ["15", "17", "9"].iter().map(|major| debian.join(major).join("bin")).collect();
        assert_eq!(found, expected);
    }
}
