//! Sending batches and taking the answers, over as many streams as it takes.

use std::collections::VecDeque;
use std::iter::zip;

use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use super::super::error::why;
use super::super::patience::Patience;
use super::super::progress::Progress;
use super::super::{Connection, Error};
use super::batch::Batch;
use super::rejects::Rejects;
use super::rows::Row;
use super::summary::Tally;
use crate::limits;
use crate::pb::credit_service_client::CreditServiceClient;
use crate::pb::import_grants_request::Message;
use crate::pb::{
    ImportGrantsRequest, ImportGrantsResponse, ImportHeader, ImportOutcome, ImportResult,
};

/// An import under way.
pub struct Import {
    client: CreditServiceClient<Connection>,
    header: ImportHeader,
    /// What is still being read.
    batches: Option<Receiver<Batch>>,
    /// What was read and is not answered yet, in order.
    waiting: VecDeque<Batch>,
    progress: Progress,
    pub tally: Tally,
    pub rejects: Rejects,
}

impl Import {
    pub fn new(
        client: CreditServiceClient<Connection>,
        header: ImportHeader,
        batches: Receiver<Batch>,
        rejects: Rejects,
        progress: Progress,
    ) -> Self {
        Self {
            client,
            header,
            batches: Some(batches),
            waiting: VecDeque::new(),
            progress,
            tally: Tally::default(),
            rejects,
        }
    }

    /// Sends everything. While creditd is away it waits for it, and sends again what was not
    /// answered: the rows have keys, so that none is created twice.
    ///
    /// # Errors
    /// What creditd says of the import as a whole, and connections that stay lost.
    pub async fn run(&mut self) -> Result<(), Error> {
        let mut patience = Patience::new();
        loop {
            let before = self.tally.rows();
            let Some(broken) = self.stream().await? else { break };
            if self.tally.rows() > before {
                patience.restore();
            }
            patience.wait(broken, &self.progress).await?;
            self.waiting.iter_mut().for_each(|batch| batch.resent = true);
        }
        self.progress.done();
        Ok(())
    }

    /// One stream, from the first batch not answered; returns what broke it, if anything did.
    async fn stream(&mut self) -> Result<Option<Status>, Error> {
        // The header, and what may wait: there is always room.
        let (sender, messages) = mpsc::channel(limits::IMPORT_IN_FLIGHT + 1);
        let header = Message::Header(self.header.clone());
        let mut sender = Some(sender);
        send(sender.as_ref(), Some(ImportGrantsRequest { message: Some(header) }));
        self.waiting.iter().for_each(|batch| send(sender.as_ref(), batch.message()));
        if self.batches.is_none() {
            sender = None;
        }

        let messages = ReceiverStream::new(messages);
        let mut answers = match self.client.import_grants(messages).await {
            Ok(answers) => answers.into_inner(),
            Err(status) => return Ok(Some(status)),
        };
        loop {
            let has_room = self.waiting.len() < limits::IMPORT_IN_FLIGHT;
            tokio::select! {
                batch = next(&mut self.batches), if has_room && sender.is_some() => match batch {
                    Some(batch) => {
                        send(sender.as_ref(), batch.message());
                        self.waiting.push_back(batch);
                        self.settle()?;
                    }
                    // All is sent; the answers follow.
                    None => (self.batches, sender) = (None, None),
                },
                answer = answers.message() => match answer {
                    Ok(Some(answer)) => self.take(answer)?,
                    _ if self.batches.is_none() && self.waiting.is_empty() => return Ok(None),
                    Ok(None) => return Ok(Some(Status::unavailable("the stream ended early"))),
                    Err(status) => return Ok(Some(status)),
                },
            }
        }
    }

    /// Takes the answer to the first batch that waits for one.
    fn take(&mut self, answer: ImportGrantsResponse) -> Result<(), Error> {
        let other = Error::Unexpected("creditd answered other rows than were sent");
        let Some(batch) = self.waiting.pop_front() else { return Err(other) };
        let numbers = answer.results.iter().map(|result| result.row);
        if !batch.rows.iter().map(|row| row.number).eq(numbers) {
            return Err(other);
        }
        self.reject(&batch.rejected)?;
        for (row, result) in zip(&batch.rows, answer.results) {
            self.judge(row, result, batch.resent)?;
        }
        self.progress.add(count(batch.rows.len()));
        self.settle()
    }

    fn judge(&mut self, row: &Row, result: ImportResult, resent: bool) -> Result<(), Error> {
        match (result.outcome(), result.error) {
            (ImportOutcome::Created, _) => self.tally.created += 1,
            (ImportOutcome::Duplicate, _) => {
                self.tally.duplicates += 1;
                self.tally.resent += u64::from(resent);
            }
            (ImportOutcome::Rejected, Some(status)) => {
                let differs = status.code == i32::from(Code::AlreadyExists);
                self.tally.differing += u64::from(differs);
                let why = why(&status);
                self.tally.reject(row.number, &why);
                self.rejects.add(row, &why)?;
            }
            _ => return Err(Error::Unexpected("creditd answered a row without an outcome")),
        }
        Ok(())
    }

    /// Batches of which nothing was sent are done once those before them are.
    fn settle(&mut self) -> Result<(), Error> {
        while let Some(batch) = self.waiting.pop_front_if(|batch| batch.rows.is_empty()) {
            self.reject(&batch.rejected)?;
        }
        Ok(())
    }

    fn reject(&mut self, rejected: &[(Row, String)]) -> Result<(), Error> {
        for (row, why) in rejected {
            self.tally.reject(row.number, why);
            self.rejects.add(row, why)?;
        }
        self.progress.add(count(rejected.len()));
        Ok(())
    }
}

async fn next(batches: &mut Option<Receiver<Batch>>) -> Option<Batch> {
    batches.as_mut()?.recv().await
}

/// A stream that takes no more has broken, and its answers will say why.
fn send(sender: Option<&Sender<ImportGrantsRequest>>, message: Option<ImportGrantsRequest>) {
    if let (Some(sender), Some(message)) = (sender, message) {
        let _ = sender.try_send(message);
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
