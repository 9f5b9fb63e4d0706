//! The same histories through the wire: client, server and database must answer as the naive model
//! does, and keep the same books.

pub mod heard;
mod said;
mod told;

use std::collections::HashMap;

use chrono::DateTime;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use self::heard::Ears;
use self::told::Told;
use super::convert;
use super::history::{History, histories};
use super::naive::Naive;
use super::words::{Call, Micros, No, Reply, Said, View, Windows};
use crate::harness::{Client, Options, World, say};

/// How many histories one server lives.
const HISTORIES: usize = 12;
/// How many calls, at most and besides the first few, one history has.
const CALLS: usize = 70;
/// After so many calls everything is read.
const READ_EVERY: usize = 9;

/// One history as one customer lives it.
struct Wire {
    client: Client,
    customer: String,
    /// From the history's time to that of the test clock.
    shift: Micros,
    /// Grants by the numbers that the model gives them.
    ids: HashMap<u32, String>,
    naive: Naive,
    /// How much its endpoints have heard.
    heard: usize,
}

impl Wire {
    fn instant(&self, at: Micros) -> prost_types::Timestamp {
        say::time(DateTime::from_timestamp_micros(at + self.shift).expect("a time"))
    }

    /// How answers are to be understood.
    fn told(&self) -> Told<'_> {
        Told { shift: self.shift, ids: &self.ids }
    }

    /// Says one call; the server must answer what the model does.
    async fn say(&mut self, call: &Call, clock: Micros, place: &str) -> Reply {
        let now = self.naive.pass(clock);
        assert_eq!(now, clock, "{place}: the test clock runs forward");
        let said = Said { actor: "anonymous", call: call.clone() };
        let expected = self.naive.answer(&said, now);
        let answered = self.ask(call).await;
        assert_eq!(answered, told::as_the_wire_tells(call, expected), "{place}");
        answered
    }

    /// All that can be read says what the model says.
    async fn read(&self, clock: Micros, place: &str) {
        let told = self.told();
        let mut then = self.naive.clone();
        let now = then.pass(clock);
        let balance = told.balance(&self.client.balance(&self.customer).await);
        assert_eq!(balance, then.balance(clock), "{place}: balance");
        let expected: Vec<View> = then.views(now).into_iter().map(told::view_on_the_wire).collect();
        let request = creditd::pb::ListGrantsRequest {
            customer_id: self.customer.clone(),
            page_size: 1_000,
            ..Default::default()
        };
        let listed = self.client.try_list_grants(request).await.expect("grants").grants;
        let mut listed: Vec<View> = listed.iter().map(|grant| told.view(grant)).collect();
        // Of one instant they come by id.
        listed.sort_by_key(|view| expected.iter().position(|other| other.grant == view.grant));
        assert_eq!(listed, expected, "{place}: grants");
        for hold in then.holds() {
            let read = self.client.get_hold(&self.customer, &hold.aside.hold.to_string()).await;
            assert_eq!(told.hold(&read), told::hold_on_the_wire(hold), "{place}");
        }
        for application in then.applications() {
            let invoice = application.apply.invoice.to_string();
            let read = self.client.application(&self.customer, &invoice).await;
            let expected = told::application_on_the_wire(application);
            assert_eq!(told.application(&read), expected, "{place}");
        }
        let mut expected: Vec<_> = then.events().into_iter().map(told::event_on_the_wire).collect();
        expected.sort_by_key(|event| (event.recorded, event.usage.event.to_string()));
        let events = self.client.events(&self.customer).await;
        let events: Vec<_> = events.iter().map(|event| told.event(event)).collect();
        assert_eq!(events, expected, "{place}: events");
    }

    /// The ledger; listing it books what is due.
    async fn read_ledger(&self, clock: Micros, place: &str) {
        let mut then = self.naive.clone();
        then.pass(clock);
        let told = self.told();
        let ledger = self.client.ledger(&self.customer).await;
        let ledger: Vec<_> = ledger.iter().map(|entry| told.line(entry)).collect();
        assert_eq!(ledger, then.lines(), "{place}: ledger");
    }
}

/// Lives a history from where the test clock stands.
async fn live(world: &mut World, ears: &Ears, history: &History, name: &str) {
    let shift = world.now().timestamp_micros() - history.steps[0].clock;
    let mut wire = Wire {
        client: world.client.clone(),
        customer: name.to_owned(),
        shift,
        ids: HashMap::new(),
        naive: Naive::new(history.windows),
        heard: 0,
    };
    ears.wish(&history.wishes).await;
    wire.naive.wish(&history.wishes);
    let mut clock = history.steps[0].clock;
    for (number, step) in history.steps.iter().enumerate() {
        clock = step.clock;
        let at = DateTime::from_timestamp_micros(clock + shift).expect("a time");
        // What falls due on the way is booked now, or found by whoever comes next.
        if step.replica == 0 {
            world.advance_to(at).await;
        } else {
            world.only_clock_to(at);
        }
        let place = format!("{name}, step {number}: {:?}", step.said.call);
        if said::can_be_sent(&step.said.call) {
            let reply = wire.say(&step.said.call, clock, &place).await;
            // For a grant that nobody knows nothing is booked, and no sweeper comes by here.
            let whole = !matches!(reply, Reply::Swept | Reply::Refused(No::GrantNotFound));
            let last = wire.hear(ears, &history.wishes, whole, &place).await;
            // Notes change without leaving a trace in what is told.
            if let Some(last) = last.filter(|_| !matches!(step.said.call, Call::Update(_))) {
                wire.stands(&last, &place).await;
            }
        }
        if number % READ_EVERY == 0 {
            wire.read(clock, &place).await;
        }
    }
    wire.read(clock, name).await;
    wire.read_ledger(clock, name).await;
    world.advance_to(world.now()).await;
    wire.naive.pass(clock);
    wire.hear(ears, &history.wishes, true, name).await;
    let end = history.end();
    world.only_clock_to(DateTime::from_timestamp_micros(end + shift).expect("a time"));
    wire.read(end, name).await;
    wire.read_ledger(end, name).await;
}

/// Lives so many histories, one after another, each as a customer of its own.
async fn live_all(seed: u64, windows: Windows) {
    let options =
        Options { windows: convert::windows(windows), delivers: false, ..Options::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(super::config(1), rng);
    World::run_with(options, async |world| {
        let ears = Ears::of(world).await;
        for number in 0..HISTORIES {
            let history = histories(CALLS).new_tree(&mut runner).expect("a history").current();
            let history = History { windows, ..history.forward().of_one_mind() };
            live(world, &ears, &history, &format!("seed {seed} history {number}")).await;
        }
    })
    .await;
}

fn windows(max_event_age: Micros, late_usage: Micros) -> Windows {
    let minute = super::words::MINUTE;
    Windows { max_event_age: max_event_age * minute, late_usage: late_usage * minute }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_answers_as_the_naive_model_does() {
    tokio::join!(live_all(1, windows(60, 12)), live_all(2, windows(10, 30)));
}

/// A failure names its seed: to see it again, put it here.
#[tokio::test(flavor = "multi_thread")]
async fn and_so_it_does_in_histories_that_nobody_has_tried_before() {
    live_all(rand::random(), windows(60, 30)).await;
}
