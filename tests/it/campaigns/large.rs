//! A large campaign whose server is killed on the way.

use super::runs::fill;
use crate::harness::campaign::{campaign, figures};
use crate::harness::child::Serving;
use crate::harness::wait::until;
use crate::harness::{Client, Database, Options, Server};
use creditd::pb;

const CUSTOMERS: usize = 50_000;

async fn processed(client: &Client) -> i64 {
    let request = pb::GetCampaignRequest { campaign_id: "c1".into() };
    client.try_get_campaign(request).await.expect("a campaign").processed
}

#[tokio::test(flavor = "multi_thread")]
async fn every_customer_gets_one_grant_whoever_is_killed() {
    let database = Database::create().await;
    let server = Server::start(&database.url, &Options::real()).await;
    fill(&server.client(), "all", CUSTOMERS).await;
    server.stop().await;
    let mut before = 0;
    for _ in 0..2 {
        let serving = Serving::start(&database.url).await;
        let client = serving.client();
        // The first makes it; to ask again while it runs changes nothing.
        client.try_campaign(campaign("c1", "all", "3")).await.expect("a campaign");
        until("more of it is done", async || processed(&client).await > before + 5_000).await;
        before = processed(&client).await;
        serving.kill().await;
    }
    let serving = Serving::start(&database.url).await;
    let client = serving.client();
    let left = processed(&client).await;
    assert!(left < 50_000, "it was killed on the way");
    let done = client.finished("c1").await;
    assert_eq!((done.run, figures(&done)), (1, [50_000, 50_000, 50_000, 0, 0]));
    let sql = database.connect().await;
    let sums = "SELECT count(*), count(DISTINCT customer_id), sum(remaining)::bigint FROM grants \
                WHERE campaign_id = 'c1'";
    let row = sql.query_one(sums, &[]).await.expect("sums");
    let sums: [i64; 3] = [row.get(0), row.get(1), row.get(2)];
    assert_eq!(sums, [50_000, 50_000, 150_000]);
    assert!(serving.stop().await.success());
    database.audit().await;
    database.drop().await;
}
