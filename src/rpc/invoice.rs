//! Invoices: applying credits to them, and giving those back.

use tokio::time::Instant;
use tonic::Status;

use super::fields::Fields;
use super::{Services, convert, parse, status};
use crate::domain::command::Outcome;
use crate::domain::grant::Scope;
use crate::domain::ids::{Customer, InvoiceId};
use crate::pb;

impl Services {
    pub(super) async fn apply(
        &self,
        request: &pb::ApplyCreditsRequest,
        deadline: Option<Instant>,
    ) -> Result<pb::ApplyCreditsResponse, Status> {
        let command = parse::apply_credits(request, &self.actor)?;
        let customer = command.customer.clone();
        let outcome = if request.validate_only {
            self.rehearse(&command).await?
        } else {
            self.engine.execute(command, deadline).await.map_err(status::of_failure)?
        };
        match outcome {
            Outcome::Application { application, replayed } => {
                let application = convert::application(&customer, &application);
                let application = Some(application.map_err(status::of_arithmetic)?);
                Ok(pb::ApplyCreditsResponse { application, replayed })
            }
            other => Err(status::unexpected_outcome(&other)),
        }
    }

    pub(super) async fn application(
        &self,
        request: &pb::GetCreditApplicationRequest,
    ) -> Result<pb::GetCreditApplicationResponse, Status> {
        let mut fields = Fields::default();
        let customer = fields.take("customer_id", Customer::parse(&request.customer_id));
        let invoice_id = fields.take("invoice_id", InvoiceId::parse(&request.invoice_id));
        let (Some(customer), Some(invoice_id)) = (customer, invoice_id) else {
            return Err(fields.refuse());
        };
        let found = self.store.credit_application(&customer, &invoice_id).await;
        let found = found.map_err(status::of_store)?;
        let found = found.ok_or_else(|| status::no_application(invoice_id.as_str()))?;
        let application = convert::application(&customer, &found).map_err(status::of_arithmetic)?;
        Ok(pb::GetCreditApplicationResponse { application: Some(application) })
    }

    pub(super) async fn reverse_application(
        &self,
        request: &pb::ReverseCreditApplicationRequest,
        deadline: Option<Instant>,
    ) -> Result<pb::ReverseCreditApplicationResponse, Status> {
        let command = parse::reverse_application(request, &self.actor)?;
        let customer = command.customer.clone();
        let outcome = self.engine.execute(command, deadline).await.map_err(status::of_failure)?;
        match outcome {
            Outcome::ApplicationReversed { application, reversal, replayed } => {
                let money = Scope::Money(application.currency);
                let application = convert::application(&customer, &application);
                Ok(pb::ReverseCreditApplicationResponse {
                    application: Some(application.map_err(status::of_arithmetic)?),
                    restored: money.print(reversal.restored),
                    forfeited: money.print(reversal.forfeited),
                    replayed,
                })
            }
            other => Err(status::unexpected_outcome(&other)),
        }
    }
}
