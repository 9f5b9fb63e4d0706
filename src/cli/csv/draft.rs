//! A file that appears whole or not at all: written beside its place, and moved there at the end.

use std::fs::{self, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use super::super::Error;
use crate::limits;

/// A file under way.
pub struct Draft {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
}

impl Draft {
    /// Begins a file that is to be there. Behind a link, it is the file that the link leads to.
    pub fn new(path: &Path) -> Result<Self, Error> {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        // As the file in whose place it comes, or as any other new file: what the umask takes away
        // is missing.
        let before = fs::metadata(&path).map(|there| there.permissions());
        let file = Builder::new()
            .prefix(".creditd-")
            .permissions(before.unwrap_or(Permissions::from_mode(0o666)))
            .tempfile_in(parent.unwrap_or(Path::new(".")))
            .map_err(|error| unwritten(&path, error))?;
        Ok(Self { path, file: BufWriter::new(file) })
    }

    /// Puts it where it is to be, in place of what was there.
    pub fn publish(self) -> Result<PathBuf, Error> {
        let (path, file) = self.written()?;
        file.persist(&path).map_err(|error| unwritten(&path, error.error))?;
        Ok(path)
    }

    /// Puts it where it is to be, or beside it under a number where something is there already.
    pub fn publish_beside(self) -> Result<PathBuf, Error> {
        let (path, mut file) = self.written()?;
        for number in 1..=limits::REJECTED_FILES_MAX {
            let free = if number == 1 { path.clone() } else { numbered(&path, number) };
            match file.persist_noclobber(&free) {
                Ok(_) => return Ok(free),
                Err(taken) if taken.error.kind() == io::ErrorKind::AlreadyExists => {
                    file = taken.file;
                }
                Err(error) => return Err(unwritten(&free, error.error)),
            }
        }
        Err(unwritten(&path, io::ErrorKind::AlreadyExists.into()))
    }

    fn written(self) -> Result<(PathBuf, NamedTempFile), Error> {
        let Self { path, file } = self;
        let file = file.into_inner().map_err(|error| unwritten(&path, error.into_error()))?;
        file.as_file().sync_all().map_err(|error| unwritten(&path, error))?;
        Ok((path, file))
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn unwritten(path: &Path, error: io::Error) -> Error {
    Error::Output { what: path.display().to_string(), error }
}

/// `grants-2.csv` for `grants.csv`.
fn numbered(path: &Path, number: u32) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}-{number}.{extension}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(path: &Path, text: &str) -> Draft {
        let mut draft = Draft::new(path).unwrap();
        draft.write_all(text.as_bytes()).unwrap();
        draft
    }

    #[test]
    fn appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        drop(draft(&path, "lost"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let begun = draft(&path, "kept");
        assert!(!path.exists());
        begun.publish().unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        draft(&path, "replaced").publish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "replaced");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn gives_way_to_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.rejected.csv");
        let names: Vec<_> = (0..3)
            .map(|number| draft(&path, &number.to_string()).publish_beside().unwrap())
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["a.rejected.csv", "a.rejected-2.csv", "a.rejected-3.csv"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "0");
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (link, file) = (folder.path().join("link"), folder.path().join("file"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        draft(&link, "new").publish().unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert!(link.is_symlink());
    }
}
