//! `creditd import`: a CSV of grants.

mod batch;
mod rejects;
mod row;
mod rows;
mod send;
mod summary;

use std::path::{Path, PathBuf};
use std::time::Instant;

use tokio::sync::mpsc;

use self::rejects::{Place, Rejects};
use self::rows::{Rows, Survey};
use self::send::Import;
use self::summary::Summary;
use super::aside::aside;
use super::csv::columns::Column;
use super::csv::is_stream;
use super::output::{note, write};
use super::progress::{Progress, Total};
use super::{Endpoint, Error};
use crate::pb::ImportHeader;

pub const COLUMNS: &str = "\
Columns, in any order, named by the header line:
  customer_id, type, amount   required
  currency                    of a monetary grant, such as USD
  metrics                     of a unit grant; several separated by ; (one with a ; in it quoted)
  priority, category, description
  effective_at, expires_at    RFC 3339, or a date: 2026-12-31 in expires_at means the end of that
                              day in UTC, in effective_at its beginning
  metadata.KEY                one column a key; an empty cell leaves the key out
  metadata                    or all keys in one JSON object of texts
  row, import_id, error       of a file of rejected rows: row and import_id are the row's key,
                              error is ignored
Other columns of `creditd export grants` are ignored; any other name is refused.

type is monetary or units; category promotional, purchased, loyalty or service; both in any case,
or as the contract has them (GRANT_TYPE_UNITS). What else a grant may be, creditd judges.

The file is UTF-8, with or without a byte order mark, plain or gzip, and - is standard input. An
apostrophe before = + - @ (or a tab or line break) at the beginning of a cell is taken away: it
guards spreadsheets against formulas, and files that creditd writes have it.

A row's key is the import's id and the row's number: its place in the file from 1, or what stands
in the column row. The id is the SHA-256 of the file (unpacked), unless --import-id names another.
So the same file again creates nothing twice, and what was cut short is completed by running it
again; a changed file is another import, or, under the same --import-id, has its changed rows
rejected.
Rejected rows go to FILE.rejected.csv (with a number where that is there already), which can be
mended and imported as it is: its rows keep their keys.

Examples:
  creditd import grants.csv --dry-run
  creditd import grants.csv
  creditd import grants.csv.rejected.csv
  zcat january.csv.gz | creditd import - --import-id january";

/// What to import, and as what.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The CSV, plain or gzip; - is standard input.
    #[arg(value_name = "FILE.csv")]
    file: PathBuf,
    /// The import's id [default: what the file's rows say, else the SHA-256 of the file, unpacked].
    #[arg(long, value_name = "ID")]
    import_id: Option<String>,
    /// Decide and tell as the real run would now, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Where rejected rows go; what is there is replaced [default: FILE.csv.rejected.csv, never
    /// over another file; in a dry run nowhere].
    #[arg(long, value_name = "FILE")]
    rejected: Option<PathBuf>,
    /// Print the summary as one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    endpoint: Endpoint,
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    tokio::select! {
        done = import(args) => done,
        _ = tokio::signal::ctrl_c() => Err(Error::Unfinished(
            "interrupted: run the same command again, and it goes on where it stopped".to_owned(),
        )),
    }
}

async fn import(args: Args) -> Result<(), Error> {
    check_places(&args)?;
    let (import_id, survey) = identify(&args).await?;
    let client = args.endpoint.credits().await?;

    let began = Instant::now();
    let (path, id) = (args.file.clone(), import_id.clone());
    let rows = aside(move || Rows::open(&path, Some(&id))).await??;
    if rows.columns().contains(&Column::Figure) {
        note("columns of an export are ignored: every grant is imported with its whole amount");
    }
    let place = Place::of(&args.file, args.rejected, args.dry_run);
    let rejects = Rejects::new(place, &rows, &import_id);
    let (batches, received) = mpsc::channel(1);
    let reading = aside(move || batch::read(rows, &batches));
    let header = ImportHeader { import_id: import_id.clone(), dry_run: args.dry_run };
    let total = survey.as_ref().map_or(Total::Unknown, |survey| Total::Known(survey.rows));
    let progress = Progress::new("rows", total);
    let mut import = Import::new(client, header, received, rejects, progress);
    let ended = match import.run().await {
        Ok(()) => reading.await?.and_then(|after| unchanged(&args.file, survey, &after)),
        Err(error) => Err(error),
    };

    let Import { tally, rejects, .. } = import;
    let stopped = match ended {
        Err(error) if tally.rows() == 0 => return Err(error),
        ended => ended.err().map(|error| error.to_string()),
    };
    let summary = Summary {
        file: args.file,
        import_id,
        is_named: args.import_id.is_some(),
        dry_run: args.dry_run,
        tally,
        took: began.elapsed(),
        rejected_file: rejects.publish()?,
        stopped,
    };
    write(&if args.json { format!("{}\n", summary.json()) } else { summary.to_string() })?;
    summary.fault().map_or(Ok(()), |fault| Err(Error::Unfinished(fault)))
}

/// Rejected rows must not take the place of the rows.
fn check_places(args: &Args) -> Result<(), Error> {
    let same = |rejected: &PathBuf| {
        let (file, rejected) = (args.file.canonicalize(), rejected.canonicalize());
        file.is_ok_and(|file| rejected.is_ok_and(|rejected| file == rejected))
    };
    if args.rejected.as_ref().is_some_and(same) {
        return Err(Error::Input("--rejected names the file that is imported".to_owned()));
    }
    match &args.rejected {
        Some(path) if !can_be_a_file(path) => Err(Error::Input(format!(
            "--rejected {}: it must name a file, in a folder that is there",
            path.display()
        ))),
        _ => Ok(()),
    }
}

/// Whether the path is one of a regular file, or may become one: a device or a pipe must not be
/// replaced, and what cannot be written is said before anything is imported.
fn can_be_a_file(path: &Path) -> bool {
    match path.metadata() {
        Ok(there) => there.is_file(),
        Err(_) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            folder.is_none_or(Path::is_dir)
        }
    }
}

/// The import's id; and what there is to import, where that can be read twice.
async fn identify(args: &Args) -> Result<(String, Option<Survey>), Error> {
    if is_stream(&args.file) {
        let named = args.import_id.clone().map(|id| (id, None));
        return named.ok_or_else(|| {
            Error::Input(
                "the SHA-256 of what comes through a pipe is not known before it was read: name \
                 the import with --import-id"
                    .to_owned(),
            )
        });
    }
    let (path, named) = (args.file.clone(), args.import_id.clone());
    let survey = aside(move || Rows::open(&path, named.as_deref())?.survey()).await??;
    let id = match (&args.import_id, &survey.import_id) {
        (Some(id), _) | (None, Some(id)) => id,
        (None, None) if survey.is_numbered => {
            let file = args.file.display();
            return Err(Error::Input(format!(
                "{file} has rows of an earlier import (column row): name it with --import-id, as \
                 its summary did"
            )));
        }
        (None, None) => &survey.digest,
    };
    Ok((id.clone(), Some(survey)))
}

/// Fails where the file is no longer what it was at first.
fn unchanged(file: &Path, before: Option<Survey>, after: &Survey) -> Result<(), Error> {
    if before.is_none_or(|before| before == *after) {
        return Ok(());
    }
    let file = file.display();
    Err(Error::Input(format!(
        "{file} was changed meanwhile: the import has rows of before and after. Let it be, and \
         import it again with the same --import-id"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changes_under_an_import_is_told() {
        let survey = |digest: &str| Survey {
            rows: 1,
            digest: digest.to_owned(),
            is_numbered: false,
            import_id: None,
        };
        let ended = |before| unchanged(Path::new("a.csv"), before, &survey("one"));
        assert!(ended(Some(survey("one"))).is_ok());
        assert!(ended(None).is_ok(), "a pipe is read once");
        let error = ended(Some(survey("two"))).unwrap_err().to_string();
        assert!(error.starts_with("a.csv was changed meanwhile"), "{error}");
    }
}
