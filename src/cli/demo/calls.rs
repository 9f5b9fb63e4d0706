//! Calls to creditd, repeated while it is away: every one carries a key, so that is safe.

use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::Error;
use super::plan::{self, Times};
use super::scenario::Scenario;
use crate::cli::Connection;
use crate::cli::patience::Patience;
use crate::cli::progress::{Progress, Total};
use crate::cli::time::from_wire;
use crate::limits;
use crate::pb::credit_service_client::CreditServiceClient;
use crate::pb::{CreateGrantRequest, CreateGrantResponse, Grant, GrantStatus, ListGrantsRequest};

/// What became of the grants that were asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Created {
    /// All of them.
    pub grants: usize,
    /// Those that an earlier replay of the same name had made.
    pub replayed: usize,
}

/// Grants by where they stand after the replay.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standing {
    /// Not yet effective.
    pub pending: usize,
    /// Something remains.
    pub active: usize,
    /// All consumed.
    pub exhausted: usize,
    /// Past `expires_at`.
    pub expired: usize,
    /// Taken back.
    pub voided: usize,
}

/// Creates the first customer's monetary grant, which names no instant, and returns when creditd
/// recorded it: the demo trusts the server's clock, never its own.
pub async fn first_grant(
    channel: &Connection,
    scenario: &Scenario,
) -> Result<(DateTime<Utc>, Created), Error> {
    let first = scenario.customers.first();
    let request = first.and_then(|customer| plan::monetary(&scenario.run, customer));
    let request = request.ok_or(Error::Unexpected("the first customer has no monetary grant"))?;
    let client = CreditServiceClient::new(channel.clone());
    let answer = create(client, request, &Progress::new("grants", Total::known(1))).await?;
    let created_at = answer.grant.and_then(|grant| grant.created_at);
    let now = from_wire(created_at.as_ref())
        .ok_or(Error::Unexpected("creditd answered a grant without created_at"))?;
    Ok((now, Created { grants: 1, replayed: usize::from(answer.replayed) }))
}

/// Creates all the other grants of the scenario, many calls at a time.
pub async fn other_grants(
    channel: &Connection,
    scenario: &Scenario,
    times: Times,
) -> Result<Created, Error> {
    let customers = scenario.customers.iter();
    let money = customers.clone().skip(1).filter_map(|one| plan::monetary(&scenario.run, one));
    let units = customers.flat_map(|one| plan::units(&scenario.run, one, times));
    let requests: Vec<CreateGrantRequest> = money.chain(units).collect();

    let progress = Progress::new("grants", Total::known(requests.len()));
    let client = CreditServiceClient::new(channel.clone());
    let mut answers = stream::iter(requests)
        .map(|request| create(client.clone(), request, &progress))
        .buffer_unordered(limits::DEMO_GRANTS_IN_FLIGHT);
    let mut created = Created::default();
    while let Some(answer) = answers.try_next().await? {
        created.grants += 1;
        created.replayed += usize::from(answer.replayed);
        progress.add(1);
    }
    progress.done();
    Ok(created)
}

async fn create(
    mut client: CreditServiceClient<Connection>,
    request: CreateGrantRequest,
    progress: &Progress,
) -> Result<CreateGrantResponse, Error> {
    let mut patience = Patience::new();
    loop {
        match client.create_grant(request.clone()).await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) => patience.wait(status, progress).await?,
        }
    }
}

/// Counts the customers' grants by where they stand now.
pub async fn standing(channel: &Connection, scenario: &Scenario) -> Result<Standing, Error> {
    let progress = Progress::new("customers looked up", Total::known(scenario.customers.len()));
    let client = CreditServiceClient::new(channel.clone());
    let mut answers = stream::iter(&scenario.customers)
        .map(|customer| statuses(client.clone(), customer.id.clone(), &progress))
        .buffer_unordered(limits::DEMO_READS_IN_FLIGHT);
    let mut standing = Standing::default();
    while let Some(statuses) = answers.try_next().await? {
        for status in statuses {
            match status {
                GrantStatus::Pending => standing.pending += 1,
                GrantStatus::Active => standing.active += 1,
                GrantStatus::Exhausted => standing.exhausted += 1,
                GrantStatus::Expired => standing.expired += 1,
                GrantStatus::Voided => standing.voided += 1,
                GrantStatus::Unspecified => {
                    return Err(Error::Unexpected("creditd answered a grant without a status"));
                }
            }
        }
        progress.add(1);
    }
    progress.done();
    Ok(standing)
}

async fn statuses(
    mut client: CreditServiceClient<Connection>,
    customer_id: String,
    progress: &Progress,
) -> Result<Vec<GrantStatus>, Error> {
    let mut patience = Patience::new();
    let mut statuses = Vec::new();
    let mut request = ListGrantsRequest { customer_id, ..Default::default() };
    loop {
        match client.list_grants(request.clone()).await {
            Ok(answer) => {
                let page = answer.into_inner();
                statuses.extend(page.grants.iter().map(Grant::status));
                if page.next_page_token.is_empty() {
                    return Ok(statuses);
                }
                request.page_token = page.next_page_token;
            }
            Err(status) => patience.wait(status, progress).await?,
        }
    }
}
