//! Rows in batches: what is sent in one message, and with it the rows before that are not sent.

use std::mem;

use tokio::sync::mpsc;

use super::super::Error;
use super::row;
use super::rows::{Row, Rows, Survey};
use crate::limits;
use crate::pb::import_grants_request::Message;
use crate::pb::{CreateGrantRequest, ImportBatch, ImportGrantsRequest};

/// Rows that could not be read, and behind them rows without a gap between their numbers.
#[derive(Debug, Default)]
pub struct Batch {
    /// Rows that are not sent, and why.
    pub rejected: Vec<(Row, String)>,
    /// Rows that are.
    pub rows: Vec<Row>,
    /// As what.
    requests: Vec<CreateGrantRequest>,
    bytes: usize,
    /// Whether it may have been on its way when a connection broke.
    pub resent: bool,
}

impl Batch {
    /// What to send, if anything.
    pub fn message(&self) -> Option<ImportGrantsRequest> {
        let first_row = self.rows.first()?.number;
        let batch = ImportBatch { first_row, rows: self.requests.clone() };
        Some(ImportGrantsRequest { message: Some(Message::Batch(batch)) })
    }

    fn len(&self) -> usize {
        self.rejected.len() + self.rows.len()
    }

    fn has_room_for(&self, number: i64, is_sent: bool) -> bool {
        let follows = self.rows.last().is_none_or(|last| is_sent && number == last.number + 1);
        follows && self.len() < limits::IMPORT_ROWS_MAX && self.bytes < limits::IMPORT_BATCH_BYTES
    }

    fn push(&mut self, row: Row, read: Result<CreateGrantRequest, String>) {
        // The names of metadata stand in the header once, and in every message.
        let sent = read.as_ref().map_or(0, prost::Message::encoded_len);
        self.bytes += row.cells.as_slice().len().max(sent);
        match read {
            Ok(request) => {
                self.rows.push(row);
                self.requests.push(request);
            }
            Err(why) => self.rejected.push((row, why)),
        }
    }
}

/// Reads rows into batches, until there are no more or nobody takes them.
///
/// # Errors
/// What ended the file early; the batches before it were handed on.
pub fn read(mut rows: Rows, batches: &mpsc::Sender<Batch>) -> Result<Survey, Error> {
    let mut batch = Batch::default();
    let mut is_wanted = true;
    let ended = loop {
        let row = match rows.next() {
            Ok(Some(row)) if is_wanted => row,
            Ok(_) => break Ok(()),
            Err(error) => break Err(error),
        };
        let read = row::request(rows.columns(), &row.cells);
        if !batch.has_room_for(row.number, read.is_ok()) {
            is_wanted = batches.blocking_send(mem::take(&mut batch)).is_ok();
        }
        batch.push(row, read);
    };
    if batch.len() > 0 {
        // Whoever stopped listening has a reason of its own to tell.
        let _ = batches.blocking_send(batch);
    }
    ended.map(|()| rows.surveyed())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::fs;

    use super::*;

    /// The numbers of each batch's rows, those not sent first.
    fn batches(rows: &str) -> Vec<(Vec<i64>, Vec<i64>)> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), format!("row,customer_id,type,amount\n{rows}")).unwrap();
        let rows = Rows::open(file.path(), None).unwrap();
        let (sender, mut receiver) = mpsc::channel(100);
        read(rows, &sender).unwrap();
        drop(sender);
        let mut batches = Vec::new();
        while let Some(batch) = receiver.blocking_recv() {
            if let Some(message) = batch.message() {
                let Some(Message::Batch(sent)) = message.message else { panic!("a batch") };
                let last = sent.first_row + i64::try_from(sent.rows.len()).unwrap();
                assert!(batch.rows.iter().map(|row| row.number).eq(sent.first_row..last));
            }
            batches.push((
                batch.rejected.iter().map(|(row, _)| row.number).collect(),
                batch.rows.iter().map(|row| row.number).collect(),
            ));
        }
        batches
    }

    #[test]
    fn batches_end_at_gaps_and_before_rows_that_are_not_sent() {
        let rows = "1,a,units,1\n2,a,units,1\n4,a,units,1\n5,a,what,1\n6,a,what,1\n7,a,units,1\n\
                    9,a,what,1\n";
        assert_eq!(
            batches(rows),
            [(vec![], vec![1, 2]), (vec![], vec![4]), (vec![5, 6], vec![7]), (vec![9], vec![])]
        );
    }

    #[test]
    fn batches_are_full_at_some_point() {
        let rows = |count: usize, cells: &str| {
            let mut rows = String::new();
            for row in 1..=count {
                writeln!(rows, "{row},{cells}").unwrap();
            }
            let sizes: Vec<usize> =
                batches(&rows).iter().map(|(bad, good)| bad.len() + good.len()).collect();
            sizes
        };
        assert_eq!(rows(2_500, "a,units,1"), [1_000, 1_000, 500]);
        assert_eq!(rows(2_500, "a,what,1"), [1_000, 1_000, 500]);
        let long = format!("{},units,1", "x".repeat(limits::IMPORT_BATCH_BYTES / 2));
        assert_eq!(rows(5, &long), [2, 2, 1]);
    }
}
