//! Who runs PostgreSQL: it refuses root, and a user id without a passwd entry.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::{Uid, User};

use super::error::Error;
use super::process::tie_to_parent;

/// Accounts to run PostgreSQL as when creditd is root, best first.
const STAND_INS: [&str; 2] = ["postgres", "nobody"];

/// The last lines of a program's output that go into an error.
const OUTPUT_LINES: usize = 15;

/// The account that initdb and postgres run as.
pub(super) struct Account {
    pub(super) name: String,
    uid: u32,
    gid: u32,
    /// We are root and become this account.
    switch: bool,
}

impl Account {
    /// This process's own user, or a stand-in for root.
    pub(super) fn of_server() -> Result<Self, Error> {
        let own = Uid::effective();
        let (user, switch) = if own.is_root() {
            let stand_in = STAND_INS.iter().find_map(|name| User::from_name(name).ok().flatten());
            (stand_in.ok_or(Error::NoAccount)?, true)
        } else {
            let user = User::from_uid(own).ok().flatten();
            (user.ok_or(Error::NamelessUser { uid: own.as_raw() })?, false)
        };
        Ok(Account { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw(), switch })
    }

    /// Gives a file or folder that we made to the account. Does not follow a link: the account owns the folder, so
    /// it could have put one there.
    pub(super) fn give(&self, path: &Path) -> Result<(), Error> {
        if !self.switch {
            return Ok(());
        }
        lchown(path, Some(self.uid), Some(self.gid))
            .map_err(Error::file("change the owner of", path))
    }

    /// The topmost folder on the way to and including `dir` that the account may not enter. `dir` is canonical.
    pub(super) fn blocked_at(&self, dir: &Path) -> Result<Option<PathBuf>, Error> {
        if !self.switch {
            return Ok(None); // what we may not do ourselves, the system tells us when we try
        }
        let mut ways: Vec<&Path> = dir.ancestors().collect();
        ways.reverse();
        for way in ways {
            let found = fs::metadata(way).map_err(Error::file("look at", way))?;
            // Root's supplementary groups are dropped with the user id, so these three are all there is.
            let bit = if found.uid() == self.uid {
                0o100
            } else if found.gid() == self.gid {
                0o010
            } else {
                0o001
            };
            if found.permissions().mode() & bit == 0 {
                return Ok(Some(way.to_owned()));
            }
        }
        Ok(None)
    }

    /// A command that runs as the account, with nothing of our environment (which holds secrets, and `PG…`
    /// variables that would change what PostgreSQL does), and that ends with us.
    pub(super) fn command(&self, program: &Path, signal: Signal) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("LC_ALL", "C").env("TZ", "UTC");
        for kept in ["PATH", "LD_LIBRARY_PATH"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        command.stdin(Stdio::null());
        if self.switch {
            command.uid(self.uid).gid(self.gid);
        }
        tie_to_parent(&mut command, signal);
        command
    }
}

/// Runs a program to its end and returns what it wrote to stdout; kills it after `limit` or when the future is
/// dropped.
pub(super) async fn run(command: Command, limit: Duration) -> Result<String, Error> {
    let program = PathBuf::from(command.get_program());
    let failed = |why: String| Error::Program { program: program.clone(), why };
    let mut command = tokio::process::Command::from(command);
    command.kill_on_drop(true);
    let Ok(ended) = tokio::time::timeout(limit, command.output()).await else {
        return Err(failed(format!("not finished after {} s", limit.as_secs())));
    };
    let output = ended.map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = last_lines(&String::from_utf8_lossy(&output.stderr), OUTPUT_LINES);
    Err(failed(format!("{}\n{said}", output.status)))
}

/// The last `count` lines of a text.
pub(super) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let skipped = lines.len().saturating_sub(count);
    lines[skipped..].join("\n")
}

/// creditd's own folder below the system's (for root) or the user's base folder.
pub(super) fn own_dir(for_root: &str, variable: &str, below_home: &str) -> PathBuf {
    let uid = Uid::effective();
    if uid.is_root() {
        return Path::new(for_root).join("creditd");
    }
    let absolute =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home =
        || absolute("HOME").or_else(|| User::from_uid(uid).ok().flatten().map(|user| user.dir));
    absolute(variable)
        .or_else(|| home().map(|home| home.join(below_home)))
        .unwrap_or_else(|| PathBuf::from(for_root))
        .join("creditd")
}

#[cfg(test)]
mod tests {
    use super::last_lines;

    #[test]
    fn the_last_lines_of_a_text() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("a\n", 5), "a");
        assert_eq!(last_lines("", 5), "");
    }
}
