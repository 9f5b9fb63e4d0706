//! ExportCreditReport and ExportLedger: pages of the store, cut into messages. A page is read
//! while the one before is converted and taken, and no more: a slow caller costs no memory.

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use prost::Message;
use tokio::time::{Instant, sleep};
use tonic::Status;

use super::answers::{Answers, answers};
use super::fields::Fields;
use super::{Services, convert, filter, status};
use crate::store::OwnedGrant;
use crate::store::export::{OwnedEntry, Pages};
use crate::{limits, pb};

/// The messages of an export.
pub(super) type Export<T> = BoxStream<'static, Result<T, Status>>;

impl Services {
    /// All grants as of one instant.
    pub(super) async fn report(
        &self,
        request: &pb::ExportCreditReportRequest,
    ) -> Result<Export<pb::ExportCreditReportResponse>, Status> {
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
        let pages = self.read(|pages| async move {
            services.store.settle().await.map_err(status::of_store)?;
            send(services.store.report(filter, at, now), &pages).await
        });
        let message = move |rows| pb::ExportCreditReportResponse { rows, as_of };
        Ok(pages.flat_map(move |page| messages(page, reported, message)).boxed())
    }

    /// All ledgers as of now.
    pub(super) async fn ledger(
        &self,
        request: &pb::ExportLedgerRequest,
    ) -> Result<Export<pb::ExportLedgerResponse>, Status> {
        let mut fields = Fields::default();
        let filter = filter::ledger(&mut fields, request);
        fields.check()?;
        let now = self.store.now().await.map_err(status::of_store)?;
        let as_of = Some(convert::time(now));
        let services = self.clone();
        let pages = self.read(|pages| async move {
            services.store.settle().await.map_err(status::of_store)?;
            match &filter.customer {
                Some(customer) => services.book_due_of(customer).await?,
                None => services.book_all_due().await?,
            }
            send(services.store.ledger(filter, now), &pages).await
        });
        let message = move |entries| pb::ExportLedgerResponse { entries, as_of };
        Ok(pages.flat_map(move |page| messages(page, exported, message)).boxed())
    }

    /// Pages read by a task of its own, until there are no more, the caller hangs up, or creditd
    /// goes down.
    fn read<T, W>(&self, work: impl FnOnce(Answers<T>) -> W) -> Export<T>
    where
        T: Send + 'static,
        W: Future<Output = Result<(), Status>> + Send + 'static,
    {
        let closing = self.closing.clone();
        let pages = answers(|pages| {
            let work = work(pages.clone());
            async move {
                tokio::select! {
                    biased;
                    () = closing.cancelled() => Err(status::draining()),
                    () = pages.closed() => Ok(()),
                    done = work => done,
                }
            }
        });
        pages.boxed()
    }
}

/// Reads all there is; one page at least, if an empty one, so that the instant is told.
async fn send<P: Pages>(mut pages: P, to: &Answers<Vec<P::Row>>) -> Result<(), Status> {
    let mut told = false;
    while let Some(page) = next(&mut pages).await? {
        if !page.is_empty() {
            told = true;
            // Who listens for a caller that hangs up ends this.
            drop(to.send(Ok(page)).await);
        }
    }
    if !told {
        drop(to.send(Ok(Vec::new())).await);
    }
    Ok(())
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

/// A page as messages that every client takes, one at least.
fn messages<Row, Item: Message, M>(
    page: Result<Vec<Row>, Status>,
    show: impl Fn(Row) -> Item,
    message: impl Fn(Vec<Item>) -> M,
) -> impl futures_util::Stream<Item = Result<M, Status>> {
    let page = match page {
        Ok(page) => page,
        Err(ending) => return stream::iter(vec![Err(ending)]),
    };
    let mut cut = Vec::new();
    let mut items = Vec::with_capacity(page.len());
    let mut bytes = 0;
    for item in page.into_iter().map(show) {
        let size = item.encoded_len();
        if bytes + size > limits::PAGE_BYTES_MAX && !items.is_empty() {
            cut.push(Ok(message(std::mem::take(&mut items))));
            bytes = 0;
        }
        bytes += size;
        items.push(item);
    }
    cut.push(Ok(message(items)));
    stream::iter(cut)
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
