//! Books with something of everything.

use chrono::TimeDelta;
use creditd::pb;

use crate::harness::campaign::{campaign, profiles};
use crate::harness::{Client, Database, Options, Server, say, t0};

/// A day: longer than these books last.
const DAY: TimeDelta = TimeDelta::hours(24);

/// Books with something of everything; nobody is connected to them.
pub(super) async fn books() -> Database {
    let database = Database::create().await;
    let server = Server::start(&database.url, &Options::at(t0())).await;
    let client = server.client();
    grants_and_usage(&client).await;
    holds(&client).await;
    invoices(&client).await;
    reversible_usage(&client).await;
    let time = Some(say::time(t0() + TimeDelta::hours(2)));
    client.try_advance(pb::AdvanceToRequest { time }).await.expect("the clock");
    late_usage(&client, &database).await;
    ends_of_holds(&client).await;
    reversed_invoices(&client).await;
    reversed_usage(&client).await;
    client.import("file", vec![say::row("third", "1"), say::row("fourth", "1")]).await;
    client.upsert(profiles(["third", "fifth"], &["gold"])).await;
    client.run_campaign(campaign("spring", "gold", "4")).await;
    server.stop().await;
    database
}

fn until(hours: i64, grant: pb::CreateGrantRequest) -> pb::CreateGrantRequest {
    pb::CreateGrantRequest { expires_at: say::hour(hours), ..grant }
}

fn tied(metric: &str, grant: pb::CreateGrantRequest) -> pb::CreateGrantRequest {
    pb::CreateGrantRequest { metrics: say::names(&[metric]), ..grant }
}

async fn grants_and_usage(client: &Client) {
    let mut ids = Vec::new();
    for (amount, hours) in [("100", 240), ("50", 1), ("30", 240), ("20", 240)] {
        ids.push(client.grant(until(hours, say::units("acme", amount))).await.id);
    }
    let update = pb::UpdateGrantRequest {
        priority: Some(7),
        expires_at: say::hour(480),
        ..say::update(&ids[2], &["priority", "expires_at"])
    };
    client.update(update).await;
    client.void(&ids[3], "left us").await;
    // Takes all of the 30 that go first now, and 5 of the 50, which then expires.
    client.record(say::usage("acme", "e1", "tokens", "35")).await;
    client.record(say::usage("other", "e0", "tokens", "2")).await;
}

async fn late_usage(client: &Client, database: &Database) {
    let timestamp = say::after(TimeDelta::minutes(30));
    let late = pb::RecordUsageRequest { timestamp, ..say::usage("acme", "e2", "tokens", "40") };
    client.record(late).await;
    // Only this one's usage is rolled up.
    database.roll_up_next().await;
    client.record(say::usage("other", "e1", "tokens", "3")).await;
}

/// Holds on 100 that expire while they are held, on 30 that are voided, and on 50.
async fn holds(client: &Client) {
    client.grant(until(1, tied("tokens", say::units("holder", "100")))).await;
    let voided = client.grant(tied("tokens", say::units("holder", "30"))).await;
    client.grant(say::units("holder", "50")).await;
    for (id, quantity, ttl) in [
        ("open", "5", DAY),
        ("used", "10", DAY),
        ("back", "10", DAY),
        ("lapsed", "10", TimeDelta::minutes(30)),
        ("missed", "1", TimeDelta::minutes(30)),
        ("late", "10", TimeDelta::minutes(90)),
        ("two", "80", DAY),
    ] {
        let hold = say::hold("holder", id, "tokens", quantity);
        client.hold(pb::CreateHoldRequest { ttl: say::duration(ttl), ..hold }).await;
    }
    let partly = pb::CreateHoldRequest {
        ttl: say::duration(DAY),
        allow_partial: true,
        ..say::hold("holder", "part", "minutes", "60")
    };
    assert_eq!(client.hold(partly).await.held, "50");
    client.settle(say::settle("holder", "used", "6")).await;
    client.record(say::usage("holder", "plain", "tokens", "2")).await;
    client.release("holder", "back").await;
    client.void(&voided.id, "left us").await;
}

async fn ends_of_holds(client: &Client) {
    client.settle(say::settle("holder", "missed", "1")).await;
    // One slice of it expires, and one is voided.
    assert_eq!(client.release("holder", "two").await.allocations.len(), 2);
}

async fn invoices(client: &Client) {
    client.grant(until(1, say::money("payer", "100", "USD"))).await;
    let noted = pb::CreateGrantRequest {
        description: "left alone".into(),
        ..say::money("payer", "50", "USD")
    };
    client.grant(noted).await;
    client.apply(say::apply("payer", "i1", "USD", "120")).await;
    client.apply(say::apply("payer", "i2", "USD", "5")).await;
    client.apply(say::apply("payer", "i3", "JPY", "5")).await;
}

/// What comes from the 100 has expired meanwhile.
async fn reversed_invoices(client: &Client) {
    let reversed = client.reverse_application(say::reverse_application("payer", "i1", "30")).await;
    assert_eq!((reversed.restored.as_str(), reversed.forfeited.as_str()), ("20.00", "10.00"));
    let applied_at = say::after(TimeDelta::minutes(30));
    let late = pb::ApplyCreditsRequest { applied_at, ..say::apply("payer", "i4", "USD", "8") };
    client.apply(late).await;
    client.reverse_application(say::reverse_application("payer", "i4", "")).await;
}

async fn reversible_usage(client: &Client) {
    client.grant(until(1, say::units("spender", "10"))).await;
    client.grant(say::units("spender", "10")).await;
    client.record(say::usage("spender", "s1", "tokens", "25")).await;
    for metric in ["a", "b"] {
        client.grant(tied(metric, say::units("spender", "3"))).await;
        client.record(say::usage("spender", metric, metric, "3")).await;
    }
}

async fn reversed_usage(client: &Client) {
    for quantity in ["3", "8", ""] {
        client.reverse_usage(say::reverse_usage("spender", "s1", quantity)).await;
    }
    client.reverse_usage(say::reverse_usage("spender", "a", "")).await;
    client.reverse_usage(say::reverse_usage("spender", "b", "")).await;
}
