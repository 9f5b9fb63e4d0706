//! `creditd watch`.

mod screen;

use std::convert::Infallible;

use tokio::time::sleep;
use tonic::Status;

use self::screen::Screen;
use super::error::is_passing;
use super::output::{Output, note};
use super::{Connection, Endpoint, Error};
use crate::limits;
use crate::pb::WatchBalanceRequest;
use crate::pb::credit_service_client::CreditServiceClient;

pub const EXAMPLES: &str = "\
Examples:
  creditd watch acme
  creditd watch acme globex initech
  creditd watch acme --json | jq -c '.balance.totals[]'";

/// Whom to watch.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The customers: up to 1,000.
    #[arg(required = true, value_name = "CUSTOMER")]
    customers: Vec<String>,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    output: Output,
}

/// A watch: what is asked, and where it is shown.
struct Watch {
    client: CreditServiceClient<Connection>,
    request: WatchBalanceRequest,
    screen: Screen,
    away: bool,
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    tokio::select! {
        ended = follow(args) => ended.map(|never| match never {}),
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

/// Watches, and watches again when creditd comes back.
async fn follow(args: Args) -> Result<Infallible, Error> {
    let client = args.endpoint.credits().await?;
    let screen = Screen::new(args.output, &args.customers);
    let request = WatchBalanceRequest { customer_ids: args.customers };
    let mut watch = Watch { client, request, screen, away: false };
    loop {
        match watch.stream().await {
            Err(Error::Call(status)) if is_passing(&status) => watch.lost(&status),
            ended => ended?,
        }
        sleep(limits::WATCH_AGAIN_AFTER).await;
    }
}

impl Watch {
    /// Shows what one stream brings, until it ends.
    async fn stream(&mut self) -> Result<(), Error> {
        let mut stream = self.client.watch_balance(self.request.clone()).await?.into_inner();
        while let Some(change) = stream.message().await? {
            if std::mem::take(&mut self.away) {
                self.screen.leave();
                note("creditd is back");
            }
            self.screen.show(change)?;
        }
        Err(Status::unavailable("the stream ended").into())
    }

    /// Says once that creditd is away.
    fn lost(&mut self, status: &Status) {
        if !std::mem::replace(&mut self.away, true) {
            self.screen.leave();
            note(&format!("creditd is away ({}): watching again", status.message()));
        }
    }
}
