//! Holds: setting credits aside, and what becomes of them.

use tokio::time::Instant;
use tonic::Status;

use super::fields::Fields;
use super::{Services, convert, status};
use crate::domain::amount::{Amount, SCALE};
use crate::domain::command::{Action, CreateHold, ExtendHold, Outcome, SettleHold};
use crate::domain::ids::{Customer, EventId, HoldId, Metric};
use crate::{limits, pb};

impl Services {
    pub(super) async fn hold(
        &self,
        request: &pb::CreateHoldRequest,
        deadline: Option<Instant>,
    ) -> Result<pb::CreateHoldResponse, Status> {
        let mut fields = Fields::default();
        let named = named(&mut fields, &request.customer_id, &request.hold_id);
        let metric = fields.take("metric", Metric::parse(&request.metric));
        let quantity = fields.take("quantity", Amount::parse_positive(&request.quantity, SCALE));
        let ttl = fields.ttl(request.ttl.as_ref()).unwrap_or(limits::HOLD_TTL_DEFAULT);
        let (Some((customer, hold_id)), Some(metric), Some(quantity)) = (named, metric, quantity)
        else {
            return Err(fields.refuse());
        };
        fields.check()?;
        let allow_partial = request.allow_partial;
        let create = CreateHold { hold_id, metric, quantity, ttl, allow_partial };
        let action = Action::CreateHold(Box::new(create));
        let (hold, replayed) = self.change_hold(&customer, action, deadline).await?;
        Ok(pb::CreateHoldResponse { hold: Some(hold), replayed })
    }

    pub(super) async fn extend(
        &self,
        request: &pb::ExtendHoldRequest,
        deadline: Option<Instant>,
    ) -> Result<pb::ExtendHoldResponse, Status> {
        let mut fields = Fields::default();
        let named = named(&mut fields, &request.customer_id, &request.hold_id);
        if request.ttl.is_none() {
            fields.fault("ttl", "is required");
        }
        let ttl = fields.ttl(request.ttl.as_ref());
        let (Some((customer, hold_id)), Some(ttl)) = (named, ttl) else {
            return Err(fields.refuse());
        };
        fields.check()?;
        let action = Action::ExtendHold(Box::new(ExtendHold { hold_id, ttl }));
        let (hold, _) = self.change_hold(&customer, action, deadline).await?;
        Ok(pb::ExtendHoldResponse { hold: Some(hold) })
    }

    pub(super) async fn release(
        &self,
        request: &pb::ReleaseHoldRequest,
        deadline: Option<Instant>,
    ) -> Result<pb::ReleaseHoldResponse, Status> {
        let mut fields = Fields::default();
        let named = named(&mut fields, &request.customer_id, &request.hold_id);
        let Some((customer, hold_id)) = named else { return Err(fields.refuse()) };
        let action = Action::ReleaseHold(hold_id);
        let (hold, _) = self.change_hold(&customer, action, deadline).await?;
        Ok(pb::ReleaseHoldResponse { hold: Some(hold) })
    }

    pub(super) async fn settle(
        &self,
        request: &pb::SettleHoldRequest,
        deadline: Option<Instant>,
    ) -> Result<pb::SettleHoldResponse, Status> {
        let mut fields = Fields::default();
        let named = named(&mut fields, &request.customer_id, &request.hold_id);
        let quantity = fields.take("quantity", Amount::parse(&request.quantity, SCALE));
        // Left out, it is the hold's; whose fault, where it has one, is named above.
        let event_id = fields.take_optional("event_id", &request.event_id, EventId::parse);
        let timestamp = fields.time("timestamp", request.timestamp.as_ref());
        let (Some((customer, hold_id)), Some(quantity)) = (named, quantity) else {
            return Err(fields.refuse());
        };
        fields.check()?;
        let event_id = event_id.unwrap_or_else(|| hold_id.clone().into());
        let settle = SettleHold { hold_id, event_id, quantity, timestamp };
        let action = Action::SettleHold(Box::new(settle));
        match self.carry_out(&customer, action, deadline).await? {
            Outcome::Settled { hold, event } => {
                let event = convert::usage_event(&customer, &event);
                Ok(pb::SettleHoldResponse {
                    hold: Some(convert::hold(&customer, &hold).map_err(status::of_arithmetic)?),
                    event: Some(event.map_err(status::of_arithmetic)?),
                })
            }
            other => Err(status::unexpected_outcome(&other)),
        }
    }

    pub(super) async fn hold_as_of_now(
        &self,
        request: &pb::GetHoldRequest,
    ) -> Result<pb::GetHoldResponse, Status> {
        let mut fields = Fields::default();
        let named = named(&mut fields, &request.customer_id, &request.hold_id);
        let Some((customer, hold_id)) = named else { return Err(fields.refuse()) };
        let found = self.store.hold(&customer, &hold_id).await.map_err(status::of_store)?;
        let found = found.ok_or_else(|| status::no_hold(hold_id.as_str()))?;
        let hold = convert::hold(&customer, &found).map_err(status::of_arithmetic)?;
        Ok(pb::GetHoldResponse { hold: Some(hold) })
    }

    /// Carries out a command that answers with a hold, and whether it was there before.
    async fn change_hold(
        &self,
        customer: &Customer,
        action: Action,
        deadline: Option<Instant>,
    ) -> Result<(pb::Hold, bool), Status> {
        match self.carry_out(customer, action, deadline).await? {
            Outcome::Hold { hold, replayed } => {
                let hold = convert::hold(customer, &hold).map_err(status::of_arithmetic)?;
                Ok((hold, replayed))
            }
            other => Err(status::unexpected_outcome(&other)),
        }
    }
}

/// Whose hold, and which.
fn named(fields: &mut Fields, customer_id: &str, hold_id: &str) -> Option<(Customer, HoldId)> {
    let customer = fields.take("customer_id", Customer::parse(customer_id));
    let hold_id = fields.take("hold_id", HoldId::parse(hold_id));
    customer.zip(hold_id)
}
