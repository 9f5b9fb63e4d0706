//! The rows of a file, numbered: the number is a row's key within its import.

use std::path::Path;

use csv::StringRecord;

use super::super::Error;
use super::super::csv::columns::{self, Column};
use super::super::csv::{Table, guard, shown};
use super::super::progress::{Progress, Total};

/// A row of the file.
#[derive(Debug)]
pub struct Row {
    pub number: i64,
    pub cells: StringRecord,
}

/// The rows of a file, from the first to the last.
pub struct Rows {
    table: Table,
    columns: Vec<Column>,
    /// Where a row has its number, in a file of rejected rows.
    row: Option<usize>,
    /// Where it has its import.
    import: Option<usize>,
    import_id: Option<String>,
    last: i64,
    count: u64,
}

/// What reading a file to its end tells about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// How many rows there are.
    pub rows: u64,
    /// SHA-256 of the file, unpacked.
    pub digest: String,
    /// Whether rows have numbers of their own.
    pub is_numbered: bool,
    /// The import that they belong to, as far as they say so.
    pub import_id: Option<String>,
}

impl Rows {
    /// Opens a file; all its rows must be of this import, if they name one.
    pub fn open(path: &Path, import_id: Option<&str>) -> Result<Self, Error> {
        let table = Table::open(path)?;
        let columns = columns::read(table.header().iter());
        let columns = columns.map_err(|what| table.fault(1, &what))?;
        let find = |wanted: Column| columns.iter().position(|column| *column == wanted);
        let (row, import) = (find(Column::Row), find(Column::ImportId));
        let import_id = import_id.map(str::to_owned);
        Ok(Self { table, columns, row, import, import_id, last: 0, count: 0 })
    }

    /// The columns, in the file's order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The file as it is, without its numbers.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The next row.
    pub fn next(&mut self) -> Result<Option<Row>, Error> {
        let Some((line, cells)) = self.table.next()? else { return Ok(None) };
        let number = self.check_import(&cells).and_then(|()| self.number(&cells));
        let number = number.map_err(|what| self.table.fault(line, &what))?;
        self.last = number;
        self.count += 1;
        Ok(Some(Row { number, cells }))
    }

    fn number(&self, cells: &StringRecord) -> Result<i64, String> {
        let Some(column) = self.row else { return Ok(self.last + 1) };
        let cell = guard::strip(cells.get(column).unwrap_or_default()).trim();
        let last = self.last;
        match cell.parse() {
            Ok(number) if number > last => Ok(number),
            Ok(number) if number > 0 => {
                Err(format!("row {number} comes after row {last}: sort the file by row"))
            }
            _ => Err(format!(
                "row must be a number from 1, not {}; new rows belong in a file without that column",
                shown(cell)
            )),
        }
    }

    fn check_import(&mut self, cells: &StringRecord) -> Result<(), String> {
        let Some(column) = self.import else { return Ok(()) };
        let found = guard::strip(cells.get(column).unwrap_or_default());
        if found.is_empty() {
            return Err("import_id is empty: name the row's import, or leave out the column".into());
        }
        let import_id = self.import_id.get_or_insert_with(|| found.to_owned());
        if found == import_id {
            return Ok(());
        }
        Err(format!("import_id is {}, and not {}", shown(found), shown(import_id)))
    }

    /// Reads what is left.
    pub fn survey(mut self) -> Result<Survey, Error> {
        let progress = Progress::new("rows read", Total::Unknown);
        while self.next()?.is_some() {
            progress.add(1);
        }
        progress.done();
        Ok(self.surveyed())
    }

    /// What reading it to its end has told.
    pub fn surveyed(self) -> Survey {
        Survey {
            rows: self.count,
            digest: self.table.digest(),
            is_numbered: self.row.is_some(),
            import_id: self.import.and(self.import_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn survey(text: &str, import_id: Option<&str>) -> Result<Survey, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        let survey = Rows::open(file.path(), import_id).and_then(Rows::survey);
        survey.map_err(|error| error.to_string().replace(file.path().to_str().unwrap(), "FILE"))
    }

    #[test]
    fn rows_are_numbered_by_their_place_or_by_themselves() {
        let plain = survey("customer_id,type,amount\na,units,1\nb,units,2\n", None).unwrap();
        assert_eq!((plain.rows, plain.is_numbered, plain.import_id), (2, false, None));
        let mended = "row,import_id,customer_id,type,amount\n3,i1,a,units,1\n7,i1,b,units,2\n";
        let told = survey(mended, None).unwrap();
        assert_eq!((told.rows, told.is_numbered, told.import_id), (2, true, Some("i1".into())));
        assert!(survey(mended, Some("i1")).is_ok());
        assert_eq!(
            survey(mended, Some("i2")).unwrap_err(),
            "FILE, line 2: import_id is \"i1\", and not \"i2\""
        );
    }

    #[test]
    fn numbers_that_are_no_keys_are_refused() {
        for (rows, said) in [
            ("3,i1\n3,i1", "line 3: row 3 comes after row 3: sort the file by row"),
            ("3,i1\n1,i1", "line 3: row 1 comes after row 3: sort the file by row"),
            ("0,i1", "line 2: row must be a number from 1, not \"0\"; new rows belong"),
            ("1.0,i1", "line 2: row must be a number from 1, not \"1.0\"; new rows belong"),
            ("3,i1\n,i1", "line 3: row must be a number from 1, not \"\"; new rows belong"),
            ("3,", "line 2: import_id is empty"),
            ("3,i1\n4,i2", "line 3: import_id is \"i2\", and not \"i1\""),
        ] {
            let text = format!("row,import_id,customer_id,type,amount\n{rows}\n");
            let error = survey(&text, None).unwrap_err();
            assert!(error.starts_with(&format!("FILE, {said}")), "{error}");
        }
    }

    #[test]
    fn an_export_names_imports_that_do_not_count() {
        let text = "import_id,customer_id,type,amount\ni1,a,units,1\n,b,units,2\n";
        assert_eq!(survey(text, None).unwrap().import_id, None);
    }
}
