//! WatchBalance: a subscription of the hub, as a stream.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::{Stream, stream};
use tokio::time::timeout;
use tonic::Status;

use super::fields::Fields;
use super::{convert, parse, status};
use crate::domain::ids::Customer;
use crate::watch::{Hub, Subscription};
use crate::{limits, pb};

/// The balances of those who are watched, as they come.
pub(super) type Balances =
    Pin<Box<dyn Stream<Item = Result<pb::WatchBalanceResponse, Status>> + Send>>;

/// Begins to watch: the stream is there once it has something to say.
pub(super) async fn serve(
    hub: &Arc<Hub>,
    request: &pb::WatchBalanceRequest,
) -> Result<Balances, Status> {
    let subscription = hub.watch(customers(request)?).map_err(status::of_refused_watch)?;
    let ready = timeout(limits::WATCH_FIRST_STATE, subscription.ready()).await;
    ready.map_err(|_| status::no_first_state())?.map_err(status::of_ended_watch)?;
    Ok(Box::pin(stream::unfold(Some(subscription), next)))
}

/// The next message, and whether there is more to come: the error that ends a stream is its last.
async fn next(
    subscription: Option<Subscription>,
) -> Option<(Result<pb::WatchBalanceResponse, Status>, Option<Subscription>)> {
    let mut subscription = subscription?;
    Some(match subscription.next().await {
        Ok(shown) => {
            let balance = Some(convert::balance(&shown.customer, &shown.balance));
            (Ok(pb::WatchBalanceResponse { balance }), Some(subscription))
        }
        Err(ending) => (Err(status::of_ended_watch(ending)), None),
    })
}

fn customers(request: &pb::WatchBalanceRequest) -> Result<Vec<Customer>, Status> {
    let mut fields = Fields::default();
    let customers =
        parse::customers(&mut fields, &request.customer_ids, limits::WATCH_CUSTOMERS_MAX);
    fields.check()?;
    Ok(customers)
}
