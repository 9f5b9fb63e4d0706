//! Calls as tests make them: `try_…` for what may be refused, and the short names for what must
//! succeed.

use chrono::{DateTime, Utc};
use creditd::pb;
use creditd::store::Clock;
use tonic::Status;

use super::{Client, World};

type Tried<T> = Result<T, Status>;

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

    pub async fn try_event(&self, customer: &str, event: &str) -> Tried<pb::UsageEvent> {
        let request = pb::GetUsageEventRequest {
            customer_id: customer.to_owned(),
            event_id: event.to_owned(),
        };
        let answer = self.usage.clone().get_usage_event(request).await?.into_inner();
        Ok(answer.event.expect("an event"))
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
