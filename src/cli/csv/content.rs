//! The bytes of a CSV: opened, unpacked where they are gzip, and told from what is no CSV.

use std::fs::{self, File};
use std::io::{self, Cursor, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use super::super::Error;
use crate::limits;

/// What names standard input.
pub const STANDARD_INPUT: &str = "-";

/// What tells Excel that a file is UTF-8.
pub const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A record that follows the last one. Where it does not come out as a record of its own, a quote
/// was never closed.
pub const END: &str = "\u{3}creditd: end of file\u{3}";
/// The same as a line of its own, whatever stands before it.
pub const END_LINE: &[u8] = "\n\u{3}creditd: end of file\u{3}\n".as_bytes();

/// How much is looked at to tell what a file is.
const HEAD_BYTES: u64 = 1_024;
const GZIP: &[u8] = b"\x1f\x8b";
/// How files begin that people take for CSV.
const FOREIGN: [(&[u8], &str); 9] = [
    (b"PK\x03\x04", "a workbook or a zip archive: save it as \"CSV UTF-8\""),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook: save it as \"CSV UTF-8\""),
    (b"\xff\xfe", "UTF-16: save it as \"CSV UTF-8\""),
    (b"\xfe\xff", "UTF-16: save it as \"CSV UTF-8\""),
    (b"%PDF", "a PDF: creditd reads CSV"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd: creditd reads CSV, plain or gzip"),
    (b"\xfd7zXZ", "compressed with xz: creditd reads CSV, plain or gzip"),
    (b"BZh", "compressed with bzip2: creditd reads CSV, plain or gzip"),
    (GZIP, "gzip within gzip: unpack it once"),
];

/// Whether it is a pipe or the like, which can be read only once.
pub fn is_stream(path: &Path) -> bool {
    let found = || fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir());
    path.as_os_str() == STANDARD_INPUT || found()
}

/// The unpacked bytes, with [`END`] behind them. Counts what it gives, and takes its digest.
pub struct Content {
    inner: Box<dyn Read + Send>,
    digest: Sha256,
    end: &'static [u8],
    /// Bytes that may still be read before a record is too long.
    left: usize,
    /// Whether it begins with a byte order mark.
    pub is_marked: bool,
    /// Whether its lines end in a carriage return and a line feed.
    pub is_crlf: bool,
}

impl Content {
    pub fn open(path: &Path) -> Result<Self, Error> {
        let unreadable = |error| Error::Input(format!("cannot read {}: {error}", path.display()));
        let packed: Box<dyn Read + Send> = if path.as_os_str() == STANDARD_INPUT {
            Box::new(io::stdin())
        } else {
            let file = File::open(path).map_err(unreadable)?;
            if file.metadata().map_err(unreadable)?.is_dir() {
                return Err(Error::Input(format!("{} is a directory", path.display())));
            }
            Box::new(file)
        };
        let (mut head, mut inner) = peek(packed).map_err(unreadable)?;
        if head.starts_with(GZIP) {
            (head, inner) = peek(Box::new(MultiGzDecoder::new(inner))).map_err(unreadable)?;
        }
        if let Some(what) = foreign(&head) {
            return Err(Error::Input(format!("{} is not CSV but {what}", path.display())));
        }
        let left = limits::CSV_RECORD_BYTES_MAX;
        let is_marked = head.starts_with(BYTE_ORDER_MARK);
        let mut digest = Sha256::new();
        if is_marked {
            // Part of the file, but not of its first cell.
            let mut mark = [0; BYTE_ORDER_MARK.len()];
            inner.read_exact(&mut mark).map_err(unreadable)?;
            digest.update(mark);
        }
        let line = head.iter().position(|byte| *byte == b'\n');
        let is_crlf = line.is_some_and(|end| head[..end].ends_with(b"\r"));
        Ok(Self { inner, digest, end: END_LINE, left, is_marked, is_crlf })
    }

    /// A record begins, with new room.
    pub fn record_begins(&mut self) {
        self.left = limits::CSV_RECORD_BYTES_MAX;
    }

    /// Whether the record under way has used up its room.
    pub fn is_record_too_long(&self) -> bool {
        self.left == 0
    }

    /// SHA-256 of what was read, in hex.
    pub fn digest(self) -> String {
        let mut hex = String::new();
        for byte in self.digest.finalize() {
            hex += &format!("{byte:02x}");
        }
        hex
    }
}

impl Read for Content {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other("the record is too long"));
        }
        let count = self.inner.read(into)?;
        if count == 0 {
            return self.end.read(into);
        }
        self.left = self.left.saturating_sub(count);
        self.digest.update(&into[..count]);
        Ok(count)
    }
}

/// The first bytes, and all of them.
fn peek(mut from: Box<dyn Read + Send>) -> io::Result<(Vec<u8>, Box<dyn Read + Send>)> {
    let mut head = Vec::new();
    from.by_ref().take(HEAD_BYTES).read_to_end(&mut head)?;
    let whole = Cursor::new(head.clone()).chain(from);
    Ok((head, Box::new(whole)))
}

/// What a file is that is no CSV, as far as its first bytes tell.
fn foreign(head: &[u8]) -> Option<&'static str> {
    let known = FOREIGN.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, what)| *what);
    known.or_else(|| head.contains(&0).then_some("binary, or UTF-16: creditd reads UTF-8 text"))
}
