//! A CSV file, record by record, in little memory whatever its size.

use std::path::Path;

use csv::{ByteRecord, Reader, ReaderBuilder, StringRecord};

use super::super::Error;
use super::STANDARD_INPUT;
use super::content::{Content, END, END_LINE};
use crate::limits;

/// A CSV file under way.
pub struct Table {
    name: String,
    reader: Reader<Content>,
    record: ByteRecord,
    header: StringRecord,
}

impl Table {
    /// Opens a file and reads its header.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let content = Content::open(path)?;
        let reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(content);
        let name = if path.as_os_str() == STANDARD_INPUT {
            "standard input".to_owned()
        } else {
            path.display().to_string()
        };
        let (record, header) = (ByteRecord::new(), StringRecord::new());
        let mut table = Self { name, reader, record, header };
        let Some((_, header)) = table.next()? else {
            return Err(Error::Input(format!("{} is empty: a header is required", table.name)));
        };
        table.header = header;
        Ok(table)
    }

    /// The names of its columns.
    pub fn header(&self) -> &StringRecord {
        &self.header
    }

    /// Whether it begins with a byte order mark.
    pub fn is_marked(&self) -> bool {
        self.reader.get_ref().is_marked
    }

    /// The next record, and the line where it begins, or that of empty lines before it.
    pub fn next(&mut self) -> Result<Option<(u64, StringRecord)>, Error> {
        self.reader.get_mut().record_begins();
        // A record ends with its carriage return: the line feed behind it is still to be counted.
        let behind = self.reader.get_ref().is_crlf && !self.header.is_empty();
        let line = self.reader.position().line() + u64::from(behind);
        let read = self.reader.read_byte_record(&mut self.record);
        if self.reader.get_ref().is_record_too_long() {
            let most = limits::CSV_RECORD_BYTES_MAX / 1_024;
            let what = format!("the record is longer than {most} KiB: is a quote never closed?");
            return Err(self.fault(line, &what));
        }
        let found = read.map_err(|error| {
            Error::Input(format!("cannot read {} beyond line {line}: {error}", self.name))
        })?;
        if self.record.len() == 1 && self.record.get(0) == Some(END.as_bytes()) {
            return Ok(None);
        }
        // A quoted field that goes on to the end has swallowed what stands there.
        if !found || self.record.as_slice().ends_with(END_LINE) {
            return Err(self.fault(line, "a quote in this record is never closed"));
        }
        let text = StringRecord::from_byte_record(self.record.clone());
        text.map(|text| Some((line, text))).map_err(|error| {
            let (field, valid) = (error.utf8_error().field(), error.utf8_error().valid_up_to());
            let lines = lines_before(&self.record, field, valid);
            self.fault(line + lines, "this is not UTF-8: save the file as \"CSV UTF-8\"")
        })
    }

    /// What is wrong, and where.
    pub fn fault(&self, line: u64, what: &str) -> Error {
        Error::Input(format!("{}, line {line}: {what}", self.name))
    }

    /// SHA-256 of the file, unpacked; all of it if it was read to the end.
    pub fn digest(self) -> String {
        self.reader.into_inner().digest()
    }
}

/// Lines that end in a record before a byte of one of its fields.
fn lines_before(record: &ByteRecord, field: usize, byte: usize) -> u64 {
    let whole = record.iter().take(field);
    let part = record.get(field).and_then(|field| field.get(..byte));
    let bytes = whole.chain(part).flatten();
    bytes.fold(0, |lines, byte| lines + u64::from(*byte == b'\n'))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use tempfile::NamedTempFile;

    use super::*;

    type Records = Vec<(u64, Vec<String>)>;

    fn read(bytes: &[u8]) -> Result<(Records, String), String> {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let all = || {
            let mut table = Table::open(file.path())?;
            let cells = |record: &StringRecord| record.iter().map(str::to_owned).collect();
            let mut records = vec![(1, cells(table.header()))];
            while let Some((line, record)) = table.next()? {
                records.push((line, cells(&record)));
            }
            Ok((records, table.digest()))
        };
        let read: Result<_, Error> = all();
        read.map_err(|error| error.to_string().replace(file.path().to_str().unwrap(), "FILE"))
    }

    fn records(bytes: &[u8]) -> Records {
        read(bytes).unwrap().0
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    }

    #[test]
    fn lines_end_in_any_way_and_quotes_hold_anything() {
        let cells = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        for end in ["\n", "\r\n"] {
            let text = ["\u{feff}a,b", "1,\"x\n\"\"y\"\", z\"", "", "2,", "3,\"\""].join(end);
            let expected = vec![
                (1, cells(["a", "b"])),
                (2, cells(["1", "x\n\"y\", z"])),
                (4, cells(["2", ""])),
                (6, cells(["3", ""])),
            ];
            for text in [text.clone(), format!("{text}{end}"), format!("{text}{end}{end}")] {
                assert_eq!(records(text.as_bytes()), expected, "{text:?}");
                assert_eq!(records(&gzip(text.as_bytes())), expected, "{text:?}");
            }
        }
    }

    #[test]
    fn the_digest_is_that_of_the_unpacked_file() {
        let text = b"\xef\xbb\xbfa,b\n1,2\n";
        let digest = "4baf8d035fbc583379d998ac9ed3d18276d308ee43cf945ee88d0c54cca33992";
        assert_eq!(read(text).unwrap().1, digest);
        assert_eq!(read(&gzip(text)).unwrap().1, digest);
    }

    #[test]
    fn what_is_no_csv_is_told_in_one_line() {
        let long = format!("a,b\n1,\"{}", "x\n".repeat(limits::CSV_RECORD_BYTES_MAX));
        let cut = gzip(&b"a,b\n1,2\n".repeat(1_000));
        for (bytes, said) in [
            (&b""[..], "FILE is empty: a header is required"),
            (b"\n\r\n", "FILE is empty: a header is required"),
            (b"\xef\xbb\xbf", "FILE is empty: a header is required"),
            (b"PK\x03\x04...", "FILE is not CSV but a workbook or a zip archive"),
            (b"\xff\xfea\0,\0", "FILE is not CSV but UTF-16"),
            (b"a\0,\0b\0", "FILE is not CSV but binary, or UTF-16"),
            (b"%PDF-1.7", "FILE is not CSV but a PDF"),
            (&gzip(&gzip(b"a,b")), "FILE is not CSV but gzip within gzip"),
            (&cut[..cut.len() / 2], "cannot read FILE"),
            (b"a,b\n1,2\n3,\xff\n", "FILE, line 3: this is not UTF-8"),
            (b"a,b\n1,2\n\"3\n\n\",\"4\n\xff\"\n", "FILE, line 6: this is not UTF-8"),
            (b"a,b\n1,2\n3,\"4\n5,6\n", "FILE, line 3: a quote in this record is never closed"),
            (long.as_bytes(), "FILE, line 2: the record is longer than 1024 KiB: is a quote never"),
        ] {
            let error = read(bytes).unwrap_err();
            assert!(error.starts_with(said), "{error}: expected {said}");
            assert!(!error.contains('\n'), "{error}");
        }
        let error = |path: &str| Table::open(Path::new(path)).err().unwrap().to_string();
        assert_eq!(error("/"), "/ is a directory");
        assert!(error("/no/such").starts_with("cannot read /no/such: No such file"));
    }

    proptest! {
        #[test]
        fn reading_undoes_writing(
            rows in prop::collection::vec(
                prop::collection::vec("[\",\r\n\u{feff}' a=]{0,4}|\\PC{0,8}", 3), 1..8),
        ) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).unwrap();
            }
            let text = writer.into_inner().unwrap();
            // A file's first character may be a byte order mark, which is no part of its text.
            prop_assume!(!text.starts_with("\u{feff}".as_bytes()));
            let read: Vec<_> = records(&text).into_iter().map(|(_, cells)| cells).collect();
            prop_assert_eq!(read, rows);
        }
    }
}
