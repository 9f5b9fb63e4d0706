//! ExportCreditReport and ExportLedger: pages of the store, cut into messages. One page is read
//! while the caller takes the one before, and no more: a slow caller costs no memory.

use prost::Message;
use tokio::time::{Instant, sleep};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::answers::{Answers, answers};
use super::fields::Fields;
use super::{Services, convert, filter, status};
use crate::store::OwnedGrant;
use crate::store::export::{OwnedEntry, Pages};
use crate::{limits, pb};

type Stream<T> = ReceiverStream<Result<T, Status>>;

impl Services {
    /// All grants as of one instant.
    pub(super) async fn report(
        &self,
        request: &pb::ExportCreditReportRequest,
    ) -> Result<Stream<pb::ExportCreditReportResponse>, Status> {
        let mut fields = Fields::default();
        let filter = filter::report(&mut fields, request);
        let as_of = fields.time("as_of", request.as_of.as_ref());
        fields.check()?;
        let now = self.store.now().await.map_err(status::of_store)?;
        if as_of.is_some_and(|at| at > now) {
            return Err(status::invalid_field("as_of", "must not be after now"));
        }
        let at = as_of.unwrap_or(now);
        let as_of = Some(convert::time(at));
        let services = self.clone();
        Ok(self.export(|answers| async move {
            services.store.settle().await.map_err(status::of_store)?;
            let message = |rows| pb::ExportCreditReportResponse { rows, as_of };
            send(services.store.report(filter, at, now), reported, message, &answers).await
        }))
    }

    /// All ledgers as of now.
    pub(super) async fn ledger(
        &self,
        request: &pb::ExportLedgerRequest,
    ) -> Result<Stream<pb::ExportLedgerResponse>, Status> {
        let mut fields = Fields::default();
        let filter = filter::ledger(&mut fields, request);
        fields.check()?;
        let now = self.store.now().await.map_err(status::of_store)?;
        let as_of = Some(convert::time(now));
        let services = self.clone();
        Ok(self.export(|answers| async move {
            services.store.settle().await.map_err(status::of_store)?;
            match &filter.customer {
                Some(customer) => services.book_due_of(customer).await?,
                None => services.book_all_due().await?,
            }
            let message = |entries| pb::ExportLedgerResponse { entries, as_of };
            send(services.store.ledger(filter, now), exported, message, &answers).await
        }))
    }

    /// A stream that ends when the work is done, the caller hangs up, or creditd goes down.
    fn export<T, W>(&self, work: impl FnOnce(Answers<T>) -> W) -> Stream<T>
    where
        T: Send + 'static,
        W: Future<Output = Result<(), Status>> + Send + 'static,
    {
        let closing = self.closing.clone();
        answers(|answers| {
            let work = work(answers.clone());
            async move {
                tokio::select! {
                    biased;
                    () = closing.cancelled() => Err(status::draining()),
                    () = answers.closed() => Ok(()),
                    done = work => done,
                }
            }
        })
    }
}

/// Sends all there is, in messages that every client takes; one at least, which tells the instant.
async fn send<P: Pages, Item: Message, M>(
    mut pages: P,
    show: impl Fn(P::Row) -> Item,
    message: impl Fn(Vec<Item>) -> M,
    answers: &Answers<M>,
) -> Result<(), Status> {
    let mut told = false;
    while let Some(rows) = next(&mut pages).await? {
        let mut items = Vec::with_capacity(rows.len());
        let mut bytes = 0;
        for item in rows.into_iter().map(&show) {
            let size = item.encoded_len();
            if bytes + size > limits::PAGE_BYTES_MAX && !items.is_empty() {
                answer(answers, message(std::mem::take(&mut items))).await?;
                bytes = 0;
            }
            bytes += size;
            items.push(item);
        }
        if !items.is_empty() {
            answer(answers, message(items)).await?;
            told = true;
        }
    }
    if told { Ok(()) } else { answer(answers, message(Vec::new())).await }
}

async fn answer<M>(answers: &Answers<M>, message: M) -> Result<(), Status> {
    // A caller that has hung up is noticed by who listens for it.
    answers.send(Ok(message)).await.map_err(|_| status::draining())
}

/// The next page. A database that goes away for a moment makes a pause, and no hole.
async fn next<P: Pages>(pages: &mut P) -> Result<Option<Vec<P::Row>>, Status> {
    let begun = Instant::now();
    let mut pause = limits::RECONNECT_PAUSE_MIN;
    loop {
        match pages.page().await {
            Ok(page) => return Ok(page),
            Err(error)
                if error.breaks_connection() && begun.elapsed() < limits::BATCH_RETRY_FOR =>
            {
                tracing::debug!(%error, "a page of an export is asked for again");
            }
            Err(error) => return Err(status::of_store(error)),
        }
        sleep(pause).await;
        pause = (pause * 2).min(limits::RECONNECT_PAUSE_MAX);
    }
}

/// A grant; the time of its last change where that was before the report's instant.
fn reported(row: OwnedGrant) -> pb::Grant {
    let known = row.grant.updated_at <= row.now;
    let mut grant = convert::grant(&row.customer, row.grant, row.now);
    grant.updated_at = grant.updated_at.filter(|_| known);
    grant
}

fn exported(row: OwnedEntry) -> pb::LedgerEntry {
    convert::entry(&row.customer, row.listed)
}
