//! Ranges that cut hours, to the microsecond.

use chrono::TimeDelta;
use creditd::domain::amount::Amount;
use creditd::domain::command::{Action, Command, ReverseUsage};
use creditd::domain::ids::{Customer, EventId, RequestId};
use creditd::domain::time::Windows;
use creditd::pb;
use creditd::store::batch::{Accounts, Batch, KnownInterests, Opened, Wanted};
use creditd::store::{Address, Store};

use super::{All, Hour, between, lines, send, summary};
use crate::batches::{command, usage};
use crate::harness::{World, say};

const MICRO: TimeDelta = TimeDelta::microseconds(1);

/// Recorded at these instants after the beginning: happened at those.
fn around_ten() -> Vec<(TimeDelta, TimeDelta)> {
    let (hour, ten) = (TimeDelta::hours(1), TimeDelta::hours(10));
    let half = ten + TimeDelta::minutes(30);
    let ahead = TimeDelta::minutes(5);
    vec![
        // In the hour before, as far ahead as may be.
        (ten - ahead, ten),
        (ten - MICRO, ten - MICRO),
        (ten - MICRO, ten),
        (half, ten + MICRO),
        (half, half),
        (ten + hour - MICRO, ten + hour - MICRO),
        // As late as is not late, and a microsecond later.
        (ten + hour, ten),
        (half + hour, half),
        (half + hour + MICRO, half),
        (ten + hour + hour - MICRO, ten + hour - MICRO),
        (ten + hour + hour, ten + hour - MICRO),
        (ten + hour + hour, ten + hour),
        // Days late.
        (ten + TimeDelta::days(3), half - MICRO),
        (ten + TimeDelta::days(3), ten),
        (ten + TimeDelta::days(3), ten + hour),
        // Last, and not rolled up.
        (ten + TimeDelta::days(4), half + MICRO),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_of_a_cut_hour_counts_once() {
    World::run(async |world| {
        let client = world.client.clone();
        let happened: Vec<TimeDelta> = around_ten().into_iter().map(|(_, at)| at).collect();
        for (number, (recorded, happened)) in around_ten().into_iter().enumerate() {
            world.advance_to(crate::harness::t0() + recorded).await;
            if number + 1 == around_ten().len() {
                world.database.roll_up_next().await;
            }
            let event = pb::RecordUsageRequest {
                timestamp: say::after(happened),
                ..say::usage("acme", &format!("e{number}"), ["m", "n"][number % 2], "1")
            };
            client.record(event).await;
        }
        let sql = world.database.connect().await;
        let rolled = "SELECT sum(events)::bigint FROM usage_rollups";
        let rolled: i64 = sql.query_one(rolled, &[]).await.expect("a sum").get(0);
        assert_eq!(usize::try_from(rolled).expect("a sum"), happened.len() - 1);

        let mut cuts: Vec<TimeDelta> =
            happened.iter().flat_map(|at| [*at - MICRO, *at, *at + MICRO]).collect();
        cuts.extend([TimeDelta::hours(9), TimeDelta::hours(12)]);
        cuts.sort_unstable();
        cuts.dedup();
        for (index, from) in cuts.iter().enumerate() {
            for before in &cuts[index + 1..] {
                let expected = happened.iter().filter(|at| (from..before).contains(at)).count();
                let ask = between(say::after(*from), say::after(*before), Hour);
                let rows = summary(&client, &ask).await;
                let found: i64 = rows.iter().map(|row| row.events).sum();
                assert_eq!(found, i64::try_from(expected).expect("a count"), "{from} {before}");
            }
        }
    })
    .await;
}

/// A range that ends in an hour, but not between its events, needs none of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_rollup_is_taken_as_it_is_unless_its_events_are_cut() {
    World::run(async |world| {
        let client = world.client.clone();
        world.advance(TimeDelta::minutes(20)).await;
        send(&client, &[say::usage("acme", "e1", "m", "1"), say::usage("acme", "e2", "n", "1")])
            .await;
        world.database.roll_up_next().await;
        world.advance(TimeDelta::hours(2)).await;
        client.record(say::usage("acme", "e3", "m", "1")).await;
        // Nobody would do that; but it tells where a figure comes from.
        let sql = world.database.connect().await;
        let rows = |set| format!("UPDATE usage_rollups SET {set} WHERE metric = 'm'");
        sql.batch_execute(&rows("quantity = 5, uncovered = 5")).await.expect("a mark");
        let minute = |at| say::after(TimeDelta::minutes(at));
        for (from, before, expected) in [
            (0, 60, vec!["m 01 00:00:00: 1, 5 = 0 + 5", "n 01 00:00:00: 1, 1 = 0 + 1"]),
            (20, 21, vec!["m 01 00:20:00: 1, 5 = 0 + 5", "n 01 00:20:00: 1, 1 = 0 + 1"]),
            (0, 20, vec![]),
            (21, 60, vec![]),
        ] {
            let rows = summary(&client, &between(minute(from), minute(before), All)).await;
            assert_eq!(lines(&rows), expected, "{from} {before}");
        }
        sql.batch_execute(&rows("quantity = 1, uncovered = 1")).await.expect("amends");
    })
    .await;
}

/// Reverses so much of uncovered events in a batch that records another event, too, before or after.
async fn reverse(world: &World, recorded: &str, recorded_first: bool, reversed: &[&str]) {
    let address = Address::parse(&world.database.url).expect("a URL");
    let windows = Windows { max_event_age: TimeDelta::days(35), late_usage: TimeDelta::hours(72) };
    let store = Store::new(address, 1, world.options.clock.clone(), windows).expect("a store");
    let conn = store.connect(|| ()).await.expect("a connection");
    let customer = Customer::parse("acme").expect("an id");
    let mut commands: Vec<Command> =
        reversed.iter().map(|event| reversal(&customer, event, recorded)).collect();
    let place = if recorded_first { 0 } else { commands.len() };
    commands.insert(place, usage(&customer, recorded));
    let wanted = Wanted::by(&commands);
    let known = &mut KnownInterests::default();
    let opened = Batch::open(&conn, &wanted, Accounts::new(), windows, store.clock(), known).await;
    let Opened { batch, mut accounts, clock, interests: _ } = opened.expect("a batch");
    let account = accounts.get_mut(&customer.key).expect("an account");
    account.begin(clock).expect("what is due");
    for command in &commands {
        account.apply(command).expect("no refusal");
    }
    account.seal();
    batch.save(&accounts).await.expect("saved");
}

fn reversal(of: &Customer, event: &str, beside: &str) -> Command {
    let reverse = ReverseUsage {
        request_id: RequestId::parse(&format!("{event} {beside}")).expect("an id"),
        event_id: EventId::parse(event).expect("an id"),
        quantity: Some(Amount::parse("1", 0).expect("an amount")),
        reason: "counted twice".into(),
    };
    command(of, Action::ReverseUsage(Box::new(reverse)))
}

/// Whether an event is in the rollups, is not, or comes to be in the very batch that reverses it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_reversed_is_no_longer_uncovered() {
    World::run(async |world| {
        let client = world.client.clone();
        for event in ["e1", "e2"] {
            client.record(say::usage("acme", event, "tokens", "10")).await;
        }
        let ask = between(say::hour(0), say::hour(1), All);
        for (n, roll_up, recorded_first, reversed, sums) in [
            (1, false, true, ["e1", "e2"], ("30", "28", "2")),
            (2, true, true, ["e1", "late 2"], ("40", "36", "4")),
            (3, false, true, ["e1", "e2"], ("50", "44", "6")),
            (4, true, false, ["e1", "late 3"], ("60", "52", "8")),
        ] {
            world.advance(TimeDelta::hours(1)).await;
            let late = say::usage("acme", &format!("late {n}"), "tokens", "10");
            client.record(pb::RecordUsageRequest { timestamp: say::hour(0), ..late }).await;
            world.advance(TimeDelta::hours(1)).await;
            if roll_up {
                world.database.roll_up_next().await;
            }
            reverse(world, &format!("beside {n}"), recorded_first, &reversed).await;
            let rows = summary(&client, &ask).await;
            let row = &rows[0];
            let found = (row.quantity.as_str(), row.uncovered.as_str(), row.reversed.as_str());
            assert_eq!((rows.len(), found), (1, sums), "{n}");
            world.database.audit().await;
        }
    })
    .await;
}
