//! A client's certificate that ends while its connection is open.

use std::time::Duration;

use creditd::pb;
use tonic::{Status, Streaming};

use super::authority::{Authority, Folder};
use super::{ask, secure, with};
use crate::harness::{Client, Options, World};

type States = Streaming<pb::WatchBalanceResponse>;

async fn watch(client: &Client) -> Result<States, Status> {
    let request = pb::WatchBalanceRequest { customer_ids: vec!["acme".to_owned()] };
    let mut states = client.credits.clone().watch_balance(request).await?.into_inner();
    states.message().await?;
    Ok(states)
}

/// Who watches with a certificate that ends soon, but not before that.
async fn brief(world: &World, authority: &Authority) -> (Client, States) {
    let mut life = Duration::from_secs(2);
    loop {
        let paper = authority.client_for(life);
        if let Ok(client) = secure(world.server.address, authority, Some(&paper)).await
            && let Ok(states) = watch(&client).await
        {
            return (client, states);
        }
        // It has ended already: the machine is busy.
        life *= 2;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_opens_nothing_once_it_is_over() {
    let authority = Authority::new();
    let folder = Folder::of(&authority.server());
    let door = with(|door| door.tls = Some(folder.files_with(&authority)));
    let rule = "CN:billing=reader".parse().expect("a rule");
    let options = Options { identity: Some(vec![rule]), ..door };
    World::run_with(options, async |world| {
        let paper = authority.client();
        let lasting = secure(world.server.address, &authority, Some(&paper)).await;
        let lasting = lasting.expect("a connection");
        let mut stays = watch(&lasting).await.expect("a stream");
        let (brief, mut ends) = brief(world, &authority).await;
        ends.message().await.expect_err("it has ended");
        ask(&brief).await.expect_err("it is not let in again");
        ask(&lasting).await.expect("an answer");
        let next = tokio::time::timeout(Duration::from_millis(1), stays.message());
        next.await.expect_err("it goes on");
    })
    .await;
}
