//! Calls as tests make them: `try_…` for what may be refused, and the short names for what must
//! succeed.

use chrono::{DateTime, Utc};
use creditd::pb;
use creditd::store::Clock;
use futures_util::{TryStreamExt as _, stream};
use tonic::Status;

use super::{Client, World, say};

type Tried<T> = Result<T, Status>;
/// All rows of a report, and its instant.
pub type Report = (Vec<pb::Grant>, DateTime<Utc>);
/// All entries of an export, and its instant.
pub type Ledgers = (Vec<pb::LedgerEntry>, DateTime<Utc>);

impl Client {
    pub async fn try_grant(
        &self,
        request: pb::CreateGrantRequest,
    ) -> Tried<pb::CreateGrantResponse> {
        Ok(self.credits.clone().create_grant(request).await?.into_inner())
    }

    pub async fn try_fetch(&self, grant_id: &str) -> Tried<pb::Grant> {
        let request = pb::GetGrantRequest { grant_id: grant_id.to_owned() };
        let answer = self.credits.clone().get_grant(request).await?.into_inner();
        Ok(answer.grant.expect("a grant"))
    }

    pub async fn try_update(&self, request: pb::UpdateGrantRequest) -> Tried<pb::Grant> {
        let answer = self.credits.clone().update_grant(request).await?.into_inner();
        Ok(answer.grant.expect("a grant"))
    }

    pub async fn try_void(&self, grant_id: &str, reason: &str) -> Tried<pb::Grant> {
        let request =
            pb::VoidGrantRequest { grant_id: grant_id.to_owned(), reason: reason.to_owned() };
        let answer = self.credits.clone().void_grant(request).await?.into_inner();
        Ok(answer.grant.expect("a grant"))
    }

    pub async fn try_record(
        &self,
        request: pb::RecordUsageRequest,
    ) -> Tried<pb::RecordUsageResponse> {
        Ok(self.usage.clone().record_usage(request).await?.into_inner())
    }

    pub async fn try_preview(
        &self,
        request: pb::PreviewUsageRequest,
    ) -> Tried<pb::PreviewUsageResponse> {
        Ok(self.usage.clone().preview_usage(request).await?.into_inner())
    }

    pub async fn try_summarize(
        &self,
        request: pb::SummarizeUsageRequest,
    ) -> Tried<pb::SummarizeUsageResponse> {
        Ok(self.usage.clone().summarize_usage(request).await?.into_inner())
    }

    pub async fn try_event(&self, customer: &str, event: &str) -> Tried<pb::UsageEvent> {
        let request = pb::GetUsageEventRequest {
            customer_id: customer.to_owned(),
            event_id: event.to_owned(),
        };
        let answer = self.usage.clone().get_usage_event(request).await?.into_inner();
        Ok(answer.event.expect("an event"))
    }

    pub async fn try_apply(
        &self,
        request: pb::ApplyCreditsRequest,
    ) -> Tried<pb::ApplyCreditsResponse> {
        Ok(self.credits.clone().apply_credits(request).await?.into_inner())
    }

    pub async fn try_application(
        &self,
        customer: &str,
        invoice: &str,
    ) -> Tried<pb::CreditApplication> {
        let request = pb::GetCreditApplicationRequest {
            customer_id: customer.to_owned(),
            invoice_id: invoice.to_owned(),
        };
        let answer = self.credits.clone().get_credit_application(request).await?.into_inner();
        Ok(answer.application.expect("an application"))
    }

    pub async fn try_reverse_application(
        &self,
        request: pb::ReverseCreditApplicationRequest,
    ) -> Tried<pb::ReverseCreditApplicationResponse> {
        Ok(self.credits.clone().reverse_credit_application(request).await?.into_inner())
    }

    pub async fn try_reverse_usage(
        &self,
        request: pb::ReverseUsageRequest,
    ) -> Tried<pb::ReverseUsageResponse> {
        Ok(self.usage.clone().reverse_usage(request).await?.into_inner())
    }

    pub async fn try_hold(&self, request: pb::CreateHoldRequest) -> Tried<pb::CreateHoldResponse> {
        Ok(self.usage.clone().create_hold(request).await?.into_inner())
    }

    pub async fn try_extend(&self, request: pb::ExtendHoldRequest) -> Tried<pb::Hold> {
        let answer = self.usage.clone().extend_hold(request).await?.into_inner();
        Ok(answer.hold.expect("a hold"))
    }

    pub async fn try_settle(
        &self,
        request: pb::SettleHoldRequest,
    ) -> Tried<(pb::Hold, pb::UsageEvent)> {
        let answer = self.usage.clone().settle_hold(request).await?.into_inner();
        Ok((answer.hold.expect("a hold"), answer.event.expect("an event")))
    }

    pub async fn try_release(&self, customer: &str, hold: &str) -> Tried<pb::Hold> {
        let request =
            pb::ReleaseHoldRequest { customer_id: customer.to_owned(), hold_id: hold.to_owned() };
        let answer = self.usage.clone().release_hold(request).await?.into_inner();
        Ok(answer.hold.expect("a hold"))
    }

    pub async fn try_get_hold(&self, customer: &str, hold: &str) -> Tried<pb::Hold> {
        let request =
            pb::GetHoldRequest { customer_id: customer.to_owned(), hold_id: hold.to_owned() };
        let answer = self.usage.clone().get_hold(request).await?.into_inner();
        Ok(answer.hold.expect("a hold"))
    }

    pub async fn try_advance(&self, request: pb::AdvanceToRequest) -> Tried<pb::AdvanceToResponse> {
        Ok(self.clock.clone().advance_to(request).await?.into_inner())
    }

    pub async fn try_balance(&self, request: pb::GetBalanceRequest) -> Tried<pb::Balance> {
        let answer = self.credits.clone().get_balance(request).await?.into_inner();
        Ok(answer.balance.expect("a balance"))
    }

    pub async fn try_list_grants(
        &self,
        request: pb::ListGrantsRequest,
    ) -> Tried<pb::ListGrantsResponse> {
        Ok(self.credits.clone().list_grants(request).await?.into_inner())
    }

    pub async fn try_list_entries(
        &self,
        request: pb::ListLedgerEntriesRequest,
    ) -> Tried<pb::ListLedgerEntriesResponse> {
        Ok(self.credits.clone().list_ledger_entries(request).await?.into_inner())
    }

    pub async fn try_list_events(
        &self,
        request: pb::ListUsageEventsRequest,
    ) -> Tried<pb::ListUsageEventsResponse> {
        Ok(self.usage.clone().list_usage_events(request).await?.into_inner())
    }

    /// Imports batches, each with the number of its first row, one response for each.
    /// A whole report, and its instant, which every message tells alike.
    pub async fn try_report(&self, request: pb::ExportCreditReportRequest) -> Tried<Report> {
        let mut answers = self.credits.clone().export_credit_report(request).await?.into_inner();
        let first = answers.message().await?.expect("one message at least");
        let (mut rows, as_of) = (first.rows, first.as_of);
        while let Some(answer) = answers.message().await? {
            assert_eq!(answer.as_of, as_of);
            rows.extend(answer.rows);
        }
        Ok((rows, say::instant(as_of.as_ref())))
    }

    /// All ledgers, and their instant, which every message tells alike.
    pub async fn try_ledgers(&self, request: pb::ExportLedgerRequest) -> Tried<Ledgers> {
        let mut answers = self.credits.clone().export_ledger(request).await?.into_inner();
        let first = answers.message().await?.expect("one message at least");
        let (mut entries, as_of) = (first.entries, first.as_of);
        while let Some(answer) = answers.message().await? {
            assert_eq!(answer.as_of, as_of);
            entries.extend(answer.entries);
        }
        Ok((entries, say::instant(as_of.as_ref())))
    }

    pub async fn report(&self, request: pb::ExportCreditReportRequest) -> Report {
        self.try_report(request).await.expect("a report")
    }

    pub async fn ledgers(&self, request: pb::ExportLedgerRequest) -> Ledgers {
        self.try_ledgers(request).await.expect("an export")
    }

    pub async fn try_import(
        &self,
        import_id: &str,
        dry_run: bool,
        batches: Vec<(i64, Vec<pb::CreateGrantRequest>)>,
    ) -> Tried<Vec<pb::ImportGrantsResponse>> {
        let batches = batches.into_iter().map(|(first_row, rows)| say::batch(first_row, rows));
        let messages = std::iter::once(say::header(import_id, dry_run)).chain(batches);
        let answers = self.credits.clone().import_grants(stream::iter(messages)).await?;
        answers.into_inner().try_collect().await
    }

    /// Imports rows from 1 on, and gives the last response with all results.
    pub async fn import(
        &self,
        import_id: &str,
        rows: Vec<pb::CreateGrantRequest>,
    ) -> pb::ImportGrantsResponse {
        let batches = rows.chunks(1_000).zip(0_i64..);
        let batches = batches.map(|(rows, at)| (at * 1_000 + 1, rows.to_vec())).collect();
        let answers = self.try_import(import_id, false, batches).await.expect("an import");
        let mut last = answers.last().cloned().unwrap_or_default();
        last.results = answers.into_iter().flat_map(|answer| answer.results).collect();
        last
    }

    /// Voids an import's grants, and gives every report.
    pub async fn try_void_import(
        &self,
        import_id: &str,
        reason: &str,
    ) -> Tried<Vec<pb::VoidGrantsResponse>> {
        let (import_id, reason) = (import_id.to_owned(), reason.to_owned());
        self.try_void_all(pb::VoidGrantsRequest { import_id, reason, ..Default::default() }).await
    }

    pub async fn try_void_all(
        &self,
        request: pb::VoidGrantsRequest,
    ) -> Tried<Vec<pb::VoidGrantsResponse>> {
        self.credits.clone().void_grants(request).await?.into_inner().try_collect().await
    }

    /// Makes a grant, which must be new.
    pub async fn grant(&self, request: pb::CreateGrantRequest) -> pb::Grant {
        let made = self.try_grant(request).await.expect("a grant");
        assert!(!made.replayed, "{made:?}");
        made.grant.expect("a grant")
    }

    pub async fn fetch(&self, grant_id: &str) -> pb::Grant {
        self.try_fetch(grant_id).await.expect("a grant")
    }

    pub async fn void(&self, grant_id: &str, reason: &str) -> pb::Grant {
        self.try_void(grant_id, reason).await.expect("a void")
    }

    pub async fn update(&self, request: pb::UpdateGrantRequest) -> pb::Grant {
        self.try_update(request).await.expect("an update")
    }

    /// Records usage, which must be new.
    pub async fn record(&self, request: pb::RecordUsageRequest) -> pb::UsageEvent {
        let recorded = self.try_record(request).await.expect("usage");
        assert!(!recorded.duplicate, "{recorded:?}");
        recorded.event.expect("an event")
    }

    /// Applies credits to an invoice, which must be new.
    pub async fn apply(&self, request: pb::ApplyCreditsRequest) -> pb::CreditApplication {
        let applied = self.try_apply(request).await.expect("an application");
        assert!(!applied.replayed, "{applied:?}");
        applied.application.expect("an application")
    }

    pub async fn application(&self, customer: &str, invoice: &str) -> pb::CreditApplication {
        self.try_application(customer, invoice).await.expect("an application")
    }

    /// Gives applied credits back, under a key that must be new.
    pub async fn reverse_application(
        &self,
        request: pb::ReverseCreditApplicationRequest,
    ) -> pb::ReverseCreditApplicationResponse {
        let reversed = self.try_reverse_application(request).await.expect("a reversal");
        assert!(!reversed.replayed, "{reversed:?}");
        reversed
    }

    /// Gives usage back, under a key that must be new.
    pub async fn reverse_usage(
        &self,
        request: pb::ReverseUsageRequest,
    ) -> pb::ReverseUsageResponse {
        let reversed = self.try_reverse_usage(request).await.expect("a reversal");
        assert!(!reversed.replayed, "{reversed:?}");
        reversed
    }

    /// Sets credits aside, in a hold that must be new.
    pub async fn hold(&self, request: pb::CreateHoldRequest) -> pb::Hold {
        let made = self.try_hold(request).await.expect("a hold");
        assert!(!made.replayed, "{made:?}");
        made.hold.expect("a hold")
    }

    pub async fn extend(&self, request: pb::ExtendHoldRequest) -> pb::Hold {
        self.try_extend(request).await.expect("a longer hold")
    }

    pub async fn settle(&self, request: pb::SettleHoldRequest) -> (pb::Hold, pb::UsageEvent) {
        self.try_settle(request).await.expect("a settled hold")
    }

    pub async fn release(&self, customer: &str, hold: &str) -> pb::Hold {
        self.try_release(customer, hold).await.expect("a released hold")
    }

    pub async fn get_hold(&self, customer: &str, hold: &str) -> pb::Hold {
        self.try_get_hold(customer, hold).await.expect("a hold")
    }

    pub async fn preview(&self, request: pb::PreviewUsageRequest) -> pb::PreviewUsageResponse {
        self.try_preview(request).await.expect("a preview")
    }

    pub async fn event(&self, customer: &str, event: &str) -> pb::UsageEvent {
        self.try_event(customer, event).await.expect("an event")
    }

    pub async fn balance(&self, customer: &str) -> pb::Balance {
        let request =
            pb::GetBalanceRequest { customer_id: customer.to_owned(), ..Default::default() };
        self.try_balance(request).await.expect("a balance")
    }

    pub async fn balance_at(&self, customer: &str, at: DateTime<Utc>) -> pb::Balance {
        let request = pb::GetBalanceRequest {
            customer_id: customer.to_owned(),
            as_of: Some(say::time(at)),
            ..Default::default()
        };
        self.try_balance(request).await.expect("a balance")
    }

    /// All of a customer's ledger, up to a page of 1,000.
    pub async fn ledger(&self, customer: &str) -> Vec<pb::LedgerEntry> {
        let request = pb::ListLedgerEntriesRequest {
            customer_id: customer.to_owned(),
            page_size: 1_000,
            ..Default::default()
        };
        self.try_list_entries(request).await.expect("a ledger").entries
    }

    /// All of a customer's events, up to a page of 1,000.
    pub async fn events(&self, customer: &str) -> Vec<pb::UsageEvent> {
        let request = pb::ListUsageEventsRequest {
            customer_id: customer.to_owned(),
            page_size: 1_000,
            ..Default::default()
        };
        self.try_list_events(request).await.expect("events").events
    }
}

impl World {
    /// Moves the test clock and nothing else: what falls due is not booked.
    pub fn only_clock_to(&self, at: DateTime<Utc>) {
        let Clock::Test(clock) = &self.options.clock else { panic!("no test clock") };
        clock.advance_to(at).expect("the clock runs forward");
    }
}
