//! Where an export goes: a file or standard output, as CSV or as JSON.

use std::fs::{self, File};
use std::io::{self, BufWriter, Stdout, Write};
use std::path::Path;

use ::csv::{IntoInnerError, Writer};
use prost::Name;

use super::super::csv::{self, BYTE_ORDER_MARK, Draft, guard};
use super::super::{Error, json};

/// What exports are made of.
pub trait Exported: Name {
    /// What they are called.
    const WHAT: &str;
    /// The names of their columns.
    fn columns() -> Vec<&'static str>;
    /// The cells of one.
    fn cells(&self) -> Vec<String>;
    /// Whose it is.
    fn customer_id(&self) -> &str;
}

/// An export under way.
pub struct Sink {
    /// What is written to, for people.
    what: String,
    form: Form,
}

enum Form {
    Csv(Box<Writer<Out>>),
    Json(Out),
}

/// What is written to.
enum Out {
    Standard(BufWriter<Stdout>),
    /// A file that appears when it is complete.
    File(Draft),
    /// A pipe or a device, which cannot be replaced.
    Device(BufWriter<File>),
}

impl Sink {
    /// Begins an export; a CSV begins with its header.
    pub fn new<R: Exported>(path: Option<&Path>, json: bool) -> Result<Self, Error> {
        let what = path.map(|path| path.display().to_string());
        let what = what.unwrap_or_else(|| "to standard output".to_owned());
        let unwritten = |error| Error::Output { what: what.clone(), error };
        let mut out = Out::open(path)?;
        if json {
            return Ok(Self { form: Form::Json(out), what });
        }
        if matches!(out, Out::File(_)) {
            out.write_all(BYTE_ORDER_MARK).map_err(unwritten)?;
        }
        let mut writer = Box::new(Writer::from_writer(out));
        writer.write_record(R::columns()).map_err(csv::io_error).map_err(unwritten)?;
        Ok(Self { form: Form::Csv(writer), what })
    }

    /// Adds one.
    pub fn add<R: Exported>(&mut self, row: &R) -> Result<(), Error> {
        let written = match &mut self.form {
            Form::Csv(writer) => {
                let cells = row.cells();
                let cells = cells.iter().map(|cell| guard::put(cell).into_owned());
                writer.write_record(cells).map_err(csv::io_error)
            }
            Form::Json(out) => out.write_all(json::line(row)?.as_bytes()),
        };
        written.map_err(|error| Error::Output { what: self.what.clone(), error })
    }

    /// All are there.
    pub fn finish(self) -> Result<(), Error> {
        let Self { what, form } = self;
        let flushed = match form {
            Form::Csv(writer) => writer.into_inner().map_err(IntoInnerError::into_error),
            Form::Json(out) => Ok(out),
        };
        let flushed = flushed.and_then(|mut out| out.flush().map(|()| out));
        match flushed.map_err(|error| Error::Output { what, error })? {
            Out::File(draft) => draft.publish().map(drop),
            Out::Standard(_) | Out::Device(_) => Ok(()),
        }
    }
}

impl Out {
    fn open(path: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = path else { return Ok(Self::Standard(BufWriter::new(io::stdout()))) };
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            let file = File::options().write(true).open(path);
            let what = path.display().to_string();
            let file = file.map_err(|error| Error::Output { what, error })?;
            return Ok(Self::Device(BufWriter::new(file)));
        }
        Draft::new(path).map(Self::File)
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Standard(out) => out.write(bytes),
            Self::File(out) => out.write(bytes),
            Self::Device(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Standard(out) => out.flush(),
            Self::File(out) => out.flush(),
            Self::Device(out) => out.flush(),
        }
    }
}
