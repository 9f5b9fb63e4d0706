//! The file of rejected rows: the same columns, and before them the row's number, why, and the
//! import, so that it can be mended and imported as it is.

use std::io::Write as _;
use std::iter::repeat;
use std::path::{Path, PathBuf};

use csv::{Writer, WriterBuilder};

use super::super::Error;
use super::super::csv::columns::{self, Column};
use super::super::csv::{BYTE_ORDER_MARK, Draft, guard, io_error, is_stream};
use super::rows::{Row, Rows};

/// Where the file is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Here, in place of what was there.
    Named(PathBuf),
    /// Here, or beside it where something is there already.
    Beside(PathBuf),
    /// Nowhere.
    Nowhere,
}

/// The rows that were rejected so far.
pub struct Rejects {
    place: Place,
    import_id: String,
    header: Vec<String>,
    /// Which cells of a row are kept; those beyond the header are, too.
    kept: Vec<bool>,
    /// Whether the file begins with a byte order mark: as the one that the rows come from.
    marked: bool,
    /// The file, from the first of them on.
    file: Option<Writer<Draft>>,
}

impl Place {
    /// Where the rejected rows of this file go.
    pub fn of(file: &Path, rejected: Option<PathBuf>, dry_run: bool) -> Self {
        match rejected {
            Some(path) => Self::Named(path),
            None if dry_run => Self::Nowhere,
            None if !is_stream(file) => {
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                // What is rejected again is not rejected.csv.rejected.csv, but rejected-2.csv.
                let name = name.rsplit_once(".rejected").map_or(&*name, |(first, _)| first);
                Self::Beside(file.with_file_name(format!("{name}.rejected.csv")))
            }
            None => Self::Beside("rejected.csv".into()),
        }
    }
}

impl Rejects {
    /// None yet.
    pub fn new(place: Place, rows: &Rows, import_id: &str) -> Self {
        let own = [Column::Row, Column::Error, Column::ImportId];
        let kept: Vec<bool> = rows.columns().iter().map(|column| !own.contains(column)).collect();
        let names = [columns::ROW, columns::ERROR, columns::IMPORT_ID].into_iter();
        let others = rows.table().header().iter().zip(&kept).filter(|(_, kept)| **kept);
        let header = names.chain(others.map(|(name, _)| name)).map(str::to_owned).collect();
        let marked = rows.table().is_marked();
        Self { place, import_id: import_id.to_owned(), header, kept, marked, file: None }
    }

    /// Adds a row. Rows are added in their order, as an import wants them.
    pub fn add(&mut self, row: &Row, why: &str) -> Result<(), Error> {
        let (Place::Named(path) | Place::Beside(path)) = &self.place else { return Ok(()) };
        let unwritten = |error| Error::Output { what: path.display().to_string(), error };
        if self.file.is_none() {
            let mut draft = Draft::new(path)?;
            if self.marked {
                draft.write_all(BYTE_ORDER_MARK).map_err(unwritten)?;
            }
            let mut file = WriterBuilder::new().flexible(true).from_writer(draft);
            file.write_record(&self.header).map_err(io_error).map_err(unwritten)?;
            self.file = Some(file);
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let number = row.number.to_string();
        let own = [number.as_str(), why, &self.import_id];
        let kept = self.kept.iter().copied().chain(repeat(true));
        let cells = row.cells.iter().zip(kept).filter(|(_, kept)| *kept);
        let cells = own.into_iter().chain(cells.map(|(cell, _)| guard::strip(cell)));
        let cells = cells.map(|cell| guard::put(cell).into_owned());
        file.write_record(cells).map_err(io_error).map_err(unwritten)
    }

    /// Puts the file where it is to be, if any row was rejected.
    pub fn publish(self) -> Result<Option<PathBuf>, Error> {
        let Some(file) = self.file else { return Ok(None) };
        let draft = file.into_inner().map_err(|error| Error::Output {
            what: "the rejected rows".to_owned(),
            error: error.into_error(),
        })?;
        match self.place {
            Place::Beside(_) => draft.publish_beside().map(Some),
            Place::Named(_) | Place::Nowhere => draft.publish().map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use csv::StringRecord;

    use super::*;

    #[test]
    fn rejected_rows_can_be_mended_and_imported_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let (file, place) = (folder.path().join("a.csv"), folder.path().join("b.csv"));
        fs::write(&file, "\u{feff}amount,error,metadata.x,row,customer_id,type\n").unwrap();
        let rows = Rows::open(&file, None).unwrap();
        let mut rejects = Rejects::new(Place::Named(place.clone()), &rows, "=i");
        for (number, cells) in [
            (3, &["'-1", "old", "=1+1", "3", "it's \"a\"\n", "units"][..]),
            (5, &["1", "", "", "5"]),
            (9, &["1", "", "", "9", "a", "units", "@more"]),
        ] {
            rejects.add(&Row { number, cells: StringRecord::from(cells) }, "why, then").unwrap();
        }
        let written = rejects.publish().unwrap().unwrap();
        assert_eq!(
            fs::read_to_string(&written).unwrap(),
            "\u{feff}row,error,import_id,amount,metadata.x,customer_id,type\n\
             3,\"why, then\",'=i,-1,'=1+1,\"it's \"\"a\"\"\n\",units\n\
             5,\"why, then\",'=i,1,\n\
             9,\"why, then\",'=i,1,,a,units,'@more\n"
        );
        let again = Rows::open(&written, None).unwrap().survey().unwrap();
        assert_eq!((again.rows, again.import_id.as_deref()), (3, Some("=i")));
    }

    #[test]
    fn there_is_no_file_where_no_row_was_rejected() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.csv");
        fs::write(&file, "customer_id,type,amount\n").unwrap();
        let place = Place::of(&file, None, false);
        assert_eq!(place, Place::Beside(folder.path().join("a.csv.rejected.csv")));
        let rejects = Rejects::new(place, &Rows::open(&file, None).unwrap(), "i");
        assert_eq!(rejects.publish().unwrap(), None);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        for again in ["a.csv.rejected.csv", "a.csv.rejected-2.csv"] {
            let beside = Place::Beside("a.csv.rejected.csv".into());
            assert_eq!(Place::of(Path::new(again), None, false), beside);
        }
        assert_eq!(Place::of(&file, None, true), Place::Nowhere);
        assert_eq!(Place::of(Path::new("-"), None, false), Place::Beside("rejected.csv".into()));
    }
}
