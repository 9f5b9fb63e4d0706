//! Runs in the background: their turns, their leases, who watches them.

use std::sync::Arc;

use creditd::pb;
use creditd::pb::CampaignState::{Finished, Running};
use futures_util::future::join_all;

use crate::crash::behind_a_proxy;
use crate::harness::campaign::{campaign, campaign_for, figures, profiles};
use crate::harness::postgres::{Fall, Postgres};
use crate::harness::wait::until;
use crate::harness::{Client, Database, Options, Server, World, say};

/// Puts so many customers into a segment.
pub async fn fill(client: &Client, segment: &str, count: usize) {
    let ids: Vec<String> = (0..count).map(|n| format!("{segment}-{n:05}")).collect();
    let messages =
        ids.chunks(1_000).map(|ids| profiles(ids.iter().map(String::as_str), &[segment]));
    client.try_upsert(messages.collect()).await.expect("profiles");
}

async fn get(client: &Client, id: &str) -> pb::Campaign {
    let request = pb::GetCampaignRequest { campaign_id: id.into() };
    client.try_get_campaign(request).await.expect("a campaign")
}

/// A run walks its segment as it is when it comes by.
#[tokio::test(flavor = "multi_thread")]
async fn a_segment_changes_while_it_is_run() {
    World::run(async |world| {
        let client = &world.client;
        fill(client, "s", 2_500).await;
        // The first customer's row is locked, so that the first thousand wait.
        client.grant(say::units("s-00000", "1")).await;
        let lock = world.database.lock("s-00000").await;
        client.try_campaign(campaign("c1", "s", "1")).await.expect("a campaign");
        world.database.until_waiting(1).await;
        let now = get(client, "c1").await;
        assert_eq!((now.state(), figures(&now)), (Running, [2_500, 0, 0, 0, 0]));
        // To begin it again changes nothing.
        let again = client.try_campaign(campaign("c1", "s", "1")).await.expect("a campaign");
        assert_eq!((again.replayed, again.campaign), (true, Some(now)));
        // Behind where it stands one leaves and one joins; before it, one joins.
        client.upsert(profiles(["s-02000"], &[])).await;
        client.upsert(profiles(["s-02000a", "s-00000a"], &["s"])).await;
        lock.release().await;
        let done = client.finished("c1").await;
        assert_eq!(figures(&done), [2_500, 2_500, 2_500, 0, 0]);
        for (customer, grants) in [("s-02000", 0), ("s-02000a", 1), ("s-00000a", 0)] {
            assert_eq!(client.balance(customer).await.grants.len(), grants, "{customer}");
        }
        let again = client.run_campaign(campaign("c1", "s", "1")).await;
        assert_eq!(figures(&again), [2_501, 2_501, 1, 2_500, 0]);
    })
    .await;
}

/// A long run does not keep short ones waiting. (By a clock that moves on.)
#[tokio::test(flavor = "multi_thread")]
async fn runs_take_turns() {
    World::run_with(Options::real(), async |world| {
        let client = &world.client;
        fill(client, "long", 12_000).await;
        client.try_campaign(campaign("long", "long", "1")).await.expect("a campaign");
        let short = client.run_campaign(campaign_for("short", &["a"], "1")).await;
        let long = client.finished("long").await;
        assert_eq!(figures(&long), [12_000, 12_000, 12_000, 0, 0]);
        let ends = [short, long].map(|done| say::instant(done.finished_at.as_ref()));
        assert!(ends[0] < ends[1], "{ends:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_watches_is_told_of_each_change() {
    World::run(async |world| {
        let client = &world.client;
        fill(client, "s", 3_000).await;
        client.try_campaign(campaign("c1", "s", "1")).await.expect("a campaign");
        let request = pb::WatchCampaignRequest { campaign_id: "c1".into() };
        let told = client.try_watch_campaign(request.clone()).await.expect("changes");
        assert!(told.is_sorted_by(|a, b| a.processed < b.processed || a.state() != b.state()));
        let (last, before) = told.split_last().expect("a change");
        assert!(before.iter().all(|campaign| campaign.state() == Running));
        assert_eq!((last.state(), last.processed), (Finished, 3_000));
        // One that has finished is told once.
        let told = client.try_watch_campaign(request).await.expect("changes");
        assert_eq!(told.len(), 1);
    })
    .await;
}

/// Several servers, several callers, one campaign: one run, and one grant each.
#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_share_one_run() {
    World::run(async |world| {
        let other = world.another(&world.options).await;
        fill(&world.client, "s", 5_000).await;
        let clients = [world.client.clone(), other.client()];
        let asked = clients.iter().cycle().take(8).map(|client| async move {
            client.try_campaign(campaign("c1", "s", "1")).await.expect("a campaign").replayed
        });
        let replayed = join_all(asked).await;
        assert_eq!(replayed.iter().filter(|replayed| !**replayed).count(), 1, "{replayed:?}");
        for client in &clients {
            let done = client.finished("c1").await;
            assert_eq!((done.run, figures(&done)), (1, [5_000, 5_000, 5_000, 0, 0]));
        }
        let sql = world.database.connect().await;
        let count = "SELECT count(*), count(DISTINCT customer_id) FROM grants";
        let row = sql.query_one(count, &[]).await.expect("a count");
        assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (5_000, 5_000));
        other.stop().await;
    })
    .await;
}

/// Whoever goes down leaves the run to the others, at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_down_leaves_its_run_to_others() {
    World::run(async |world| {
        let other = world.another(&world.options).await;
        fill(&world.client, "s", 8_000).await;
        other.client().try_campaign(campaign("c1", "s", "1")).await.expect("a campaign");
        until("some of it is done", async || get(&world.client, "c1").await.processed > 0).await;
        other.stop().await;
        let done = world.client.finished("c1").await;
        assert_eq!(figures(&done), [8_000, 8_000, 8_000, 0, 0]);
    })
    .await;
}

/// What was committed and not answered is counted as what it was.
#[tokio::test(flavor = "multi_thread")]
async fn totals_are_exact_where_commits_are_lost() {
    let database = Database::create().await;
    let (url, proxy) = behind_a_proxy(&database, 0.4).await;
    let server = Server::start(&url, &Options::real()).await;
    // Segments are filled past the proxy: no client could tell whether a message that was lost is done.
    let straight = Server::start(&database.url, &Options::real()).await;
    fill(&straight.client(), "s", 12_000).await;
    straight.stop().await;
    let client = server.client();
    until("the campaign is made", async || {
        client.try_campaign(campaign("c1", "s", "1")).await.is_ok()
    })
    .await;
    until("its run has finished", async || {
        let request = pb::GetCampaignRequest { campaign_id: "c1".into() };
        let got = client.try_get_campaign(request).await;
        got.is_ok_and(|campaign| campaign.state() == Finished)
    })
    .await;
    assert!(proxy.cuts() > 1, "only {} commits were lost", proxy.cuts());
    let done = get(&client, "c1").await;
    assert_eq!((done.run, figures(&done)), (1, [12_000, 12_000, 12_000, 0, 0]));
    server.stop().await;
    database.audit().await;
    database.drop().await;
}

/// A database that is away pauses a run, which goes on by itself.
#[tokio::test(flavor = "multi_thread")]
async fn postgres_falls_and_the_run_goes_on() {
    let mut postgres = Postgres::start().await;
    let database = Database::create_on(postgres.url()).await;
    let server = Server::start(&database.url, &Options::real()).await;
    let client = Arc::new(server.client());
    fill(&client, "s", 20_000).await;
    client.try_campaign(campaign("c1", "s", "1")).await.expect("a campaign");
    for (processed, how) in [(1_000, Fall::Fast), (5_000, Fall::Killed)] {
        until("some of it is done", async || {
            let request = pb::GetCampaignRequest { campaign_id: "c1".into() };
            let got = client.try_get_campaign(request).await;
            got.is_ok_and(|campaign| campaign.processed >= processed)
        })
        .await;
        postgres.fall(how).await;
        postgres.rise().await;
    }
    until("it has finished", async || {
        let request = pb::GetCampaignRequest { campaign_id: "c1".into() };
        let got = client.try_get_campaign(request).await;
        got.is_ok_and(|campaign| campaign.state() == Finished)
    })
    .await;
    assert_eq!(figures(&get(&client, "c1").await), [20_000, 20_000, 20_000, 0, 0]);
    server.stop().await;
    database.audit().await;
    postgres.fall(Fall::Fast).await;
}
