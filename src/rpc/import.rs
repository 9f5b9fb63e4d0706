//! ImportGrants: grants in bulk.

use std::collections::HashMap;

use futures_util::FutureExt as _;
use futures_util::future::ready;
use tonic::Status;
use uuid::Uuid;

use super::fields::Fields;
use super::stream::{Conversation, Underway};
use super::{Services, parse, status};
use crate::domain::command::{Command, Outcome};
use crate::domain::grant::Grant;
use crate::domain::ids::ImportId;
use crate::domain::import::ImportRow;
use crate::engine::{Failure, Reply};
use crate::pb::import_grants_request::Message;
use crate::{limits, pb};

/// One import, as far as it has come.
pub(super) struct Import {
    services: Services,
    header: Option<Header>,
    /// The lowest number that the next batch may begin with.
    next_row: i64,
    /// What the responses so far add up to.
    totals: pb::ImportGrantsResponse,
}

struct Header {
    import_id: ImportId,
    /// In a dry run: how many grants it would have made by now, by customer.
    dry_run: Option<HashMap<Uuid, usize>>,
}

impl Import {
    pub(super) fn new(services: Services) -> Self {
        let totals = pb::ImportGrantsResponse::default();
        Self { services, header: None, next_row: 1, totals }
    }

    /// Queues a batch's rows; in a dry run, decides them.
    async fn batch(
        &mut self,
        batch: pb::ImportBatch,
    ) -> Result<Underway<pb::ImportGrantsResponse>, Status> {
        let header = self.header.as_mut().ok_or_else(no_header)?;
        self.next_row = check_rows(&batch, self.next_row)?;
        let (rows, commands) = Rows::read(batch, header, &self.services);
        if let Some(made) = &mut header.dry_run {
            let replies = rehearse(&self.services, &commands, made).await?;
            return Ok(ready(rows.answer(replies)).boxed());
        }
        let pending = self.services.engine.enqueue(commands, None).await;
        Ok(async { rows.answer(pending.replies().await) }.boxed())
    }
}

impl Conversation for Import {
    type Request = pb::ImportGrantsRequest;
    type Response = pb::ImportGrantsResponse;

    async fn begin(
        &mut self,
        request: pb::ImportGrantsRequest,
    ) -> Result<Option<Underway<pb::ImportGrantsResponse>>, Status> {
        match request.message {
            Some(Message::Header(_)) if self.header.is_some() => {
                Err(status::invalid_field("header", "must be sent once, first"))
            }
            Some(Message::Header(header)) => {
                self.header = Some(read_header(&header)?);
                Ok(None)
            }
            Some(Message::Batch(batch)) => self.batch(batch).await.map(Some),
            None => Err(status::invalid_field("message", "must be a header or a batch")),
        }
    }

    fn end(&self) -> Result<(), Status> {
        // An import of nothing would look complete.
        if self.header.is_some() { Ok(()) } else { Err(no_header()) }
    }

    fn conclude(&mut self, response: &mut pb::ImportGrantsResponse) {
        let totals = &mut self.totals;
        totals.created += response.created;
        totals.duplicates += response.duplicates;
        totals.rejected += response.rejected;
        response.created = totals.created;
        response.duplicates = totals.duplicates;
        response.rejected = totals.rejected;
    }
}

fn no_header() -> Status {
    status::invalid_field("header", "is required as the first message")
}

fn read_header(header: &pb::ImportHeader) -> Result<Header, Status> {
    let mut fields = Fields::default();
    let import_id = fields.take("header.import_id", ImportId::parse(&header.import_id));
    let Some(import_id) = import_id else { return Err(fields.refuse()) };
    Ok(Header { import_id, dry_run: header.dry_run.then(HashMap::new) })
}

/// The number behind the batch's last row.
fn check_rows(batch: &pb::ImportBatch, next_row: i64) -> Result<i64, Status> {
    let mut fields = Fields::default();
    if batch.rows.is_empty() || batch.rows.len() > limits::IMPORT_ROWS_MAX {
        fields.fault("batch.rows", format_args!("must be 1 to {}", limits::IMPORT_ROWS_MAX));
    }
    if batch.first_row < next_row {
        let rule = format_args!("must be at least {next_row}: rows come in ascending order");
        fields.fault("batch.first_row", rule);
    }
    let rows = i64::try_from(batch.rows.len()).unwrap_or(i64::MAX);
    let Some(end) = batch.first_row.checked_add(rows) else {
        fields.fault("batch.first_row", "must leave room for the batch's rows");
        return Err(fields.refuse());
    };
    fields.check().map(|()| end)
}

/// Decides rows as the real run would decide them now. `made` is what the dry run has decided to
/// make so far, which the real one would find there.
async fn rehearse(
    services: &Services,
    commands: &[Command],
    made: &mut HashMap<Uuid, usize>,
) -> Result<Vec<Reply>, Status> {
    let mut accounts = services.store.accounts_for(commands).await.map_err(status::of_store)?;
    for (customer, account) in &mut accounts {
        account.rehearse(made.get(customer).copied().unwrap_or_default());
    }
    let mut replies = Vec::with_capacity(commands.len());
    for command in commands {
        let customer = command.customer.key;
        let account = accounts.get_mut(&customer);
        let account = account.ok_or_else(|| status::unexpected(&"an account is missing"))?;
        let decided = account.apply(command);
        if let Ok(Outcome::Grant { replayed: false, .. }) = decided {
            *made.entry(customer).or_default() += 1;
        }
        replies.push(decided.map_err(Failure::Refused));
    }
    Ok(replies)
}

/// The rows of one batch: row by row, why it never became a command.
struct Rows {
    first: i64,
    read: Vec<Result<(), Status>>,
    dry_run: bool,
}

impl Rows {
    /// Reads a batch's rows, and the commands that they are.
    fn read(batch: pb::ImportBatch, header: &Header, services: &Services) -> (Self, Vec<Command>) {
        let mut read = Vec::with_capacity(batch.rows.len());
        let mut commands = Vec::with_capacity(batch.rows.len());
        // The numbers second, here and below: they are not counted past the last row.
        for (request, row) in batch.rows.into_iter().zip(batch.first_row..) {
            let row = ImportRow { import_id: header.import_id.clone(), row };
            let parsed = parse::import_row(request, row, &services.actor);
            read.push(parsed.map(|command| commands.push(command)));
        }
        let dry_run = header.dry_run.is_some();
        (Self { first: batch.first_row, read, dry_run }, commands)
    }

    /// The batch's response, with its own sums; `replies` are those to its commands.
    ///
    /// # Errors
    /// Where a row's command could not be carried out, and nothing is known of it: the import must
    /// be run again.
    fn answer(self, replies: Vec<Reply>) -> Result<pb::ImportGrantsResponse, Status> {
        let mut replies = replies.into_iter();
        let mut response = pb::ImportGrantsResponse::default();
        let mut bytes = 0;
        for (read, row) in self.read.into_iter().zip(self.first..) {
            let decided = match read {
                Ok(()) => decided(replies.next())?,
                Err(status) => Err(status),
            };
            let mut result = pb::ImportResult { row, ..pb::ImportResult::default() };
            match decided {
                Ok((grant, replayed)) => {
                    let made =
                        if replayed { &mut response.duplicates } else { &mut response.created };
                    *made += 1;
                    result.set_outcome(if replayed {
                        pb::ImportOutcome::Duplicate
                    } else {
                        pb::ImportOutcome::Created
                    });
                    // In a dry run nothing was made, so that its id would name nothing.
                    if replayed || !self.dry_run {
                        result.grant_id = grant.id.to_string();
                    }
                }
                Err(status) => {
                    response.rejected += 1;
                    result.set_outcome(pb::ImportOutcome::Rejected);
                    result.error = Some(status::within(&mut bytes, &status));
                }
            }
            response.results.push(result);
        }
        Ok(response)
    }
}

/// A row's grant and whether it was there before, or why the row is rejected.
fn decided(reply: Option<Reply>) -> Result<Result<(Box<Grant>, bool), Status>, Status> {
    match reply {
        Some(Ok(Outcome::Grant { grant, replayed, .. })) => Ok(Ok((grant, replayed))),
        Some(Err(failure @ (Failure::Refused(_) | Failure::Internal(_)))) => {
            Ok(Err(status::of_failure(failure)))
        }
        Some(Err(failure)) => Err(status::of_failure(failure)),
        Some(Ok(_)) | None => Err(status::unexpected(&"a reply is missing")),
    }
}
