//! GetBalance: now, and at past instants.

use tonic::Status;

use super::fields::Fields;
use super::{Services, convert, parse, status};
use crate::domain::account::Account;
use crate::domain::balance::{Balance, PayingFor};
use crate::domain::ids::{Customer, Metric};
use crate::domain::time::Timestamp;
use crate::pb;

impl Services {
    pub(super) async fn balance(
        &self,
        request: &pb::GetBalanceRequest,
    ) -> Result<pb::Balance, Status> {
        let mut fields = Fields::default();
        let customer = fields.take("customer_id", Customer::parse(&request.customer_id));
        let paying_for = paying_for(&mut fields, request);
        let as_of = fields.time("as_of", request.as_of.as_ref());
        let Some(customer) = customer else { return Err(fields.refuse()) };
        fields.check()?;
        let account = match as_of {
            Some(at) => self.past_account(&customer, at).await?,
            None => self.store.account(&customer).await.map_err(status::of_store)?,
        };
        let balance = Balance::of(&account, &paying_for).map_err(status::of_arithmetic)?;
        Ok(convert::balance(&customer, &balance))
    }

    async fn past_account(&self, customer: &Customer, at: Timestamp) -> Result<Account, Status> {
        let mut now = self.store.now().await.map_err(status::of_store)?;
        if at > now {
            // A customer's now is never before what was recorded last, by whichever replica.
            now = self.store.account(customer).await.map_err(status::of_store)?.now();
        }
        if at > now {
            return Err(status::invalid_field("as_of", "must not be after now"));
        }
        self.store.past_account(customer, at, now).await.map_err(status::of_store)
    }
}

fn paying_for(fields: &mut Fields, request: &pb::GetBalanceRequest) -> PayingFor {
    let metric = fields.take_optional("metric", &request.metric, Metric::parse);
    let currency = fields.take_optional("currency", &request.currency, parse::currency);
    if !request.metric.is_empty() && !request.currency.is_empty() {
        fields.fault("currency", "must be empty where metric is given: no grant pays for both");
    }
    match (metric, currency) {
        (Some(metric), _) => PayingFor::Metric(metric),
        (None, Some(currency)) => PayingFor::Currency(currency),
        (None, None) => PayingFor::Anything,
    }
}
