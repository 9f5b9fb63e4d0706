//! CreditService: grants, balances, the ledger.

use tonic::{Request, Response, Status};

use super::export::Export;
use super::fields::Fields;
use super::import::Import;
use super::page::Page;
use super::{Services, convert, deadline, filter, identity, parse, status, stream, void, watch};
use crate::domain::command::{Action, Command, Outcome};
use crate::domain::ids::{Customer, GrantId};
use crate::pb;
use crate::pb::credit_service_server::CreditService;

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl CreditService for Services {
    type VoidGrantsStream = void::Progress;
    type WatchBalanceStream = watch::Balances;
    type ImportGrantsStream = stream::Responses<pb::ImportGrantsResponse>;
    type ExportCreditReportStream = Export<pb::ExportCreditReportResponse>;
    type ExportLedgerStream = Export<pb::ExportLedgerResponse>;

    async fn apply_credits(
        &self,
        request: Request<pb::ApplyCreditsRequest>,
    ) -> Answer<pb::ApplyCreditsResponse> {
        let deadline = deadline::of(request.metadata());
        self.on_behalf_of(&request).apply(request.get_ref(), deadline).await.map(Response::new)
    }

    async fn get_credit_application(
        &self,
        request: Request<pb::GetCreditApplicationRequest>,
    ) -> Answer<pb::GetCreditApplicationResponse> {
        self.application(request.get_ref()).await.map(Response::new)
    }

    async fn reverse_credit_application(
        &self,
        request: Request<pb::ReverseCreditApplicationRequest>,
    ) -> Answer<pb::ReverseCreditApplicationResponse> {
        let deadline = deadline::of(request.metadata());
        let services = self.on_behalf_of(&request);
        services.reverse_application(request.get_ref(), deadline).await.map(Response::new)
    }

    async fn void_grants(
        &self,
        request: Request<pb::VoidGrantsRequest>,
    ) -> Answer<Self::VoidGrantsStream> {
        Ok(Response::new(void::serve(self.on_behalf_of(&request), request.get_ref())?))
    }
    async fn watch_balance(
        &self,
        request: Request<pb::WatchBalanceRequest>,
    ) -> Answer<Self::WatchBalanceStream> {
        Ok(Response::new(watch::serve(&self.hub, request.get_ref()).await?))
    }
    async fn import_grants(
        &self,
        request: Request<tonic::Streaming<pb::ImportGrantsRequest>>,
    ) -> Answer<Self::ImportGrantsStream> {
        let import = Import::new(self.on_behalf_of(&request));
        Ok(Response::new(stream::serve(import, request.into_inner(), self.closing.clone())))
    }

    async fn export_credit_report(
        &self,
        request: Request<pb::ExportCreditReportRequest>,
    ) -> Answer<Self::ExportCreditReportStream> {
        self.report(request.get_ref()).await.map(Response::new)
    }

    async fn export_ledger(
        &self,
        request: Request<pb::ExportLedgerRequest>,
    ) -> Answer<Self::ExportLedgerStream> {
        self.ledger(request.get_ref()).await.map(Response::new)
    }

    async fn create_grant(
        &self,
        request: Request<pb::CreateGrantRequest>,
    ) -> Answer<pb::CreateGrantResponse> {
        let deadline = deadline::of(request.metadata());
        let actor = identity::actor(&request);
        let request = request.into_inner();
        let validate_only = request.validate_only;
        let command = parse::create_grant(request, &actor)?;
        let customer = command.customer.clone();
        if validate_only {
            return self.validate_grant(&command).await;
        }
        let outcome = self.engine.execute(command, deadline).await;
        let (grant, replayed) = shown(&customer, outcome.map_err(status::of_failure)?)?;
        Ok(Response::new(pb::CreateGrantResponse { grant: Some(grant), replayed }))
    }

    async fn get_grant(
        &self,
        request: Request<pb::GetGrantRequest>,
    ) -> Answer<pb::GetGrantResponse> {
        let mut fields = Fields::default();
        let id = fields.take("grant_id", GrantId::parse(&request.into_inner().grant_id));
        let Some(id) = id else { return Err(fields.refuse()) };
        let grant = Some(self.grant_as_of_now(id).await?);
        Ok(Response::new(pb::GetGrantResponse { grant }))
    }

    async fn list_grants(
        &self,
        request: Request<pb::ListGrantsRequest>,
    ) -> Answer<pb::ListGrantsResponse> {
        let mut request = request.into_inner();
        let (size, token) = (request.page_size, std::mem::take(&mut request.page_token));
        request.page_size = 0;
        let mut fields = Fields::default();
        let (page, after) = Page::read("grants", &mut fields, &request, size, &token);
        let filter = filter::grants(&mut fields, &request);
        fields.check()?;
        let listed = self.store.list_grants(&filter, after, page.ask()).await;
        let shown = listed.map_err(status::of_store)?.into_iter().map(|of| {
            let key = (of.grant.created_at, of.grant.id.0);
            (key, convert::grant(&of.customer, of.grant, of.now))
        });
        let (grants, next_page_token) = page.cut(shown);
        Ok(Response::new(pb::ListGrantsResponse { grants, next_page_token }))
    }

    async fn update_grant(
        &self,
        request: Request<pb::UpdateGrantRequest>,
    ) -> Answer<pb::UpdateGrantResponse> {
        let deadline = deadline::of(request.metadata());
        let services = self.on_behalf_of(&request);
        let update = parse::update_grant(request.into_inner())?;
        let id = update.grant_id;
        let grant = services.change(id, Action::UpdateGrant(Box::new(update)), deadline).await?;
        Ok(Response::new(pb::UpdateGrantResponse { grant: Some(grant) }))
    }

    async fn void_grant(
        &self,
        request: Request<pb::VoidGrantRequest>,
    ) -> Answer<pb::VoidGrantResponse> {
        let deadline = deadline::of(request.metadata());
        let void = parse::void_grant(request.get_ref())?;
        let id = void.grant_id;
        let services = self.on_behalf_of(&request);
        let grant = services.change(id, Action::VoidGrant(Box::new(void)), deadline).await?;
        Ok(Response::new(pb::VoidGrantResponse { grant: Some(grant) }))
    }

    async fn get_balance(
        &self,
        request: Request<pb::GetBalanceRequest>,
    ) -> Answer<pb::GetBalanceResponse> {
        let balance = Some(self.balance(request.get_ref()).await?);
        Ok(Response::new(pb::GetBalanceResponse { balance }))
    }

    async fn list_ledger_entries(
        &self,
        request: Request<pb::ListLedgerEntriesRequest>,
    ) -> Answer<pb::ListLedgerEntriesResponse> {
        let mut request = request.into_inner();
        let (size, token) = (request.page_size, std::mem::take(&mut request.page_token));
        request.page_size = 0;
        let mut fields = Fields::default();
        let (page, after) = Page::read("entries", &mut fields, &request, size, &token);
        let customer = fields.take("customer_id", Customer::parse(&request.customer_id));
        let filter = filter::entries(&mut fields, &request);
        if request.after_sequence < 0 {
            fields.fault("after_sequence", "must not be negative");
        }
        let Some(customer) = customer else { return Err(fields.refuse()) };
        fields.check()?;
        let after: i64 = after.unwrap_or(0).max(request.after_sequence);
        self.book_due_of(&customer).await?;
        let listed = self.store.list_entries(&customer, &filter, after, page.ask()).await;
        let shown = listed.map_err(status::of_store)?.into_iter();
        let shown = shown.map(|of| (of.entry.sequence, convert::entry(&customer, of)));
        let (entries, next_page_token) = page.cut(shown);
        Ok(Response::new(pb::ListLedgerEntriesResponse { entries, next_page_token }))
    }
}

impl Services {
    /// What the real call would answer; nothing is written.
    async fn validate_grant(&self, command: &Command) -> Answer<pb::CreateGrantResponse> {
        let (mut grant, replayed) = shown(&command.customer, self.rehearse(command).await?)?;
        if !replayed {
            // Nothing was made, so that its id would name nothing.
            grant.id.clear();
        }
        Ok(Response::new(pb::CreateGrantResponse { grant: Some(grant), replayed }))
    }

    async fn grant_as_of_now(&self, id: GrantId) -> Result<pb::Grant, Status> {
        let found = self.store.grant(id).await.map_err(status::of_store)?;
        let found = found.ok_or_else(|| status::no_grant(id))?;
        Ok(convert::grant(&found.customer, found.grant, found.now))
    }

    /// Decides a command as the real call would, and writes nothing.
    pub(super) async fn rehearse(&self, command: &Command) -> Result<Outcome, Status> {
        let found = self.store.accounts_for(std::slice::from_ref(command)).await;
        let mut accounts = found.map_err(status::of_store)?;
        let account = accounts.get_mut(&command.customer.key);
        let account = account.ok_or_else(|| status::unexpected(&"an account is missing"))?;
        account.apply(command).map_err(status::of_refusal)
    }

    /// Carries out a command of this service's caller.
    pub(super) async fn carry_out(
        &self,
        customer: &Customer,
        action: Action,
        deadline: Option<tokio::time::Instant>,
    ) -> Result<Outcome, Status> {
        let command = Command { customer: customer.clone(), actor: self.actor.clone(), action };
        self.engine.execute(command, deadline).await.map_err(status::of_failure)
    }

    /// Carries out a command on a grant that is named by its id alone.
    async fn change(
        &self,
        id: GrantId,
        action: Action,
        deadline: Option<tokio::time::Instant>,
    ) -> Result<pb::Grant, Status> {
        let owner = self.store.grant_owner(id).await.map_err(status::of_store)?;
        let customer = owner.ok_or_else(|| status::no_grant(id))?;
        Ok(shown(&customer, self.carry_out(&customer, action, deadline).await?)?.0)
    }
}

/// A grant as the wire shows it, and whether its key had made it before.
fn shown(customer: &Customer, outcome: Outcome) -> Result<(pb::Grant, bool), Status> {
    match outcome {
        Outcome::Grant { grant, replayed, now } => {
            Ok((convert::grant(customer, *grant, now), replayed))
        }
        other => Err(status::unexpected_outcome(&other)),
    }
}
