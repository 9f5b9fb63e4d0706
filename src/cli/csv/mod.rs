//! CSV as creditd reads and writes it. RFC 4180, UTF-8; cells that a spreadsheet would take for a
//! formula are guarded.

pub mod columns;
mod content;
mod draft;
pub mod guard;
pub mod list;
mod table;

use std::io;

pub use self::content::{BYTE_ORDER_MARK, STANDARD_INPUT, is_stream};
pub use self::draft::Draft;
pub use self::table::Table;

/// Why nothing could be written, as the system says it.
pub fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// A piece of a text that fits into a message.
pub fn shown(text: &str) -> String {
    const CHARS: usize = 40;
    match text.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
