//! WatchBalance: first the present state, then every change, from any replica, time's included.

mod away;
mod changes;
mod end;
mod many;
mod time;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use creditd::pb;
use creditd::pb::credit_service_client::CreditServiceClient;
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, Streaming};

use crate::harness::{Client, say};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A stream, and what it has said last of each customer.
pub struct Watch {
    stream: Streaming<pb::WatchBalanceResponse>,
    last: HashMap<String, (i64, DateTime<Utc>)>,
    /// Messages read.
    pub read: usize,
}

fn request(customers: &[&str]) -> pb::WatchBalanceRequest {
    pb::WatchBalanceRequest { customer_ids: say::names(customers) }
}

impl Watch {
    pub async fn on(client: &Client, customers: &[&str]) -> Self {
        Self::with(client.credits.clone(), customers).await
    }

    pub async fn with(mut client: CreditServiceClient<Channel>, customers: &[&str]) -> Self {
        let answer = client.watch_balance(request(customers)).await;
        Self { stream: answer.expect("a stream").into_inner(), last: HashMap::new(), read: 0 }
    }

    pub async fn refused(client: &Client, customers: &[&str]) -> Status {
        let answer = client.credits.clone().watch_balance(request(customers)).await;
        answer.map(|_| ()).expect_err("this must be refused")
    }

    /// The next message; (revision, as_of) strictly increases.
    pub async fn next(&mut self) -> pb::Balance {
        let message = tokio::time::timeout(PATIENCE, self.stream.message()).await;
        let message = message.expect("a message in time").expect("a message").expect("no end");
        let balance = message.balance.expect("a balance");
        let at = (balance.revision, say::instant(balance.as_of.as_ref()));
        let before = self.last.insert(balance.customer_id.clone(), at);
        assert!(before.is_none_or(|before| before < at), "{before:?}, then {balance:?}");
        self.read += 1;
        balance
    }

    /// Reads on until a balance is as it is to be.
    pub async fn until(&mut self, wanted: impl Fn(&pb::Balance) -> bool) -> pb::Balance {
        loop {
            let balance = self.next().await;
            if wanted(&balance) {
                return balance;
            }
        }
    }

    /// Reads on until the balance is what GetBalance says, but for the instant.
    pub async fn until_it_is_that_of(&mut self, client: &Client, customer: &str) {
        let is = timeless(client.balance(customer).await);
        self.until(|balance| timeless(balance.clone()) == is).await;
    }

    /// Reads on until the stream ends with an error.
    pub async fn end(mut self) -> Status {
        loop {
            match tokio::time::timeout(PATIENCE, self.stream.message()).await.expect("in time") {
                Ok(message) => assert!(message.is_some(), "it must not end as if all were said"),
                Err(status) => return status,
            }
        }
    }
}

/// A client that takes in a kilobyte of what it does not read.
fn narrow(server: SocketAddr) -> CreditServiceClient<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{server}")).expect("an endpoint");
    CreditServiceClient::new(endpoint.initial_stream_window_size(1_024).connect_lazy())
}

/// A balance without its instant.
fn timeless(balance: pb::Balance) -> pb::Balance {
    pb::Balance { as_of: None, ..balance }
}

/// What is available of the only total; "" where there is none.
fn available(balance: &pb::Balance) -> &str {
    match &balance.totals[..] {
        [] => "",
        [total] => &total.available,
        more => panic!("{more:?}"),
    }
}
