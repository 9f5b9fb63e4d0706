//! Idempotency under fire: the same keys from many callers at once, over connections that are cut
//! when the answer is on its way. Every key takes effect exactly once, and says so to everybody.

use std::collections::{BTreeMap, BTreeSet};

use creditd::domain::amount::Amount;
use creditd::pb;
use prost_types::FieldMask;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::harness::proxy::Proxy;
use crate::harness::{Client, Options, World, say};

const CUSTOMERS: usize = 6;
/// Callers at once, two on each connection.
const CALLERS: u64 = 8;
/// Half of the answers are lost with their connection.
const LOST: f64 = 0.5;
/// How often a caller asks for one key before the test gives up.
const ATTEMPTS: usize = 200;

/// What one key asks for.
#[derive(Debug, Clone)]
enum Call {
    Create(pb::CreateGrantRequest),
    Usage(pb::RecordUsageRequest),
    Update(pb::UpdateGrantRequest),
    Void(pb::VoidGrantRequest),
}

/// What every caller of a key must be told alike.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Grant { id: String, priority: i32, voided: String },
    Event { covered: String, uncovered: String, paid: Vec<(String, String)> },
    Refused(String),
}

fn grant(grant: Option<pb::Grant>) -> Answer {
    let grant = grant.expect("a grant");
    Answer::Grant { id: grant.id, priority: grant.priority, voided: grant.voided }
}

fn event(event: Option<pb::UsageEvent>) -> Answer {
    let event = event.expect("an event");
    let paid = event.allocations.into_iter().map(|a| (a.grant_id, a.amount)).collect();
    Answer::Event { covered: event.covered, uncovered: event.uncovered, paid }
}

impl Call {
    async fn once(&self, client: &mut Client) -> Result<Answer, Status> {
        Ok(match self.clone() {
            Self::Create(call) => {
                let made = client.credits.create_grant(call).await?.into_inner();
                // Priorities and voids change meanwhile; which grant it is does not.
                let id = made.grant.expect("a grant").id;
                Answer::Grant { id, priority: 0, voided: String::new() }
            }
            Self::Usage(call) => event(client.usage.record_usage(call).await?.into_inner().event),
            Self::Update(call) => {
                grant(client.credits.update_grant(call).await?.into_inner().grant)
            }
            Self::Void(call) => grant(client.credits.void_grant(call).await?.into_inner().grant),
        })
    }

    /// Asks until there is an answer.
    async fn until_answered(&self, client: &mut Client) -> Answer {
        for _ in 0..ATTEMPTS {
            let status = match self.once(client).await {
                Ok(answer) => return answer,
                Err(status) => status,
            };
            // What has no reason of ours is the connection's end.
            if status.get_error_details().error_info().is_some()
                && status.code() != Code::Unavailable
            {
                let reason = say::reason(&status);
                let expected = ["INSUFFICIENT_CREDITS", "GRANT_NOT_ACTIVE"];
                assert!(expected.contains(&reason.as_str()), "{self:?}: {status:?}");
                return Answer::Refused(reason);
            }
        }
        panic!("never answered: {self:?}");
    }
}

/// Makes every call from every caller, each in an order of its own; what each call was answered.
async fn fire(calls: &[Call], proxy: &Proxy, seed: u64) -> Vec<Vec<Answer>> {
    let clients: Vec<Client> = (0..CALLERS / 2).map(|_| proxy.client()).collect();
    let callers = (0..CALLERS).map(|caller| {
        let mut client = clients[usize::try_from(caller / 2).expect("an index")].clone();
        let mut calls: Vec<(usize, Call)> = calls.iter().cloned().enumerate().collect();
        calls.shuffle(&mut StdRng::seed_from_u64(seed * CALLERS + caller));
        tokio::spawn(async move {
            let mut answers = Vec::with_capacity(calls.len());
            for (index, call) in calls {
                answers.push((index, call.until_answered(&mut client).await));
            }
            answers
        })
    });
    let callers: Vec<_> = callers.collect();
    let mut by_call = vec![Vec::new(); calls.len()];
    for caller in callers {
        for (index, answer) in caller.await.expect("a caller") {
            by_call[index].push(answer);
        }
    }
    by_call
}

/// The one answer that all callers of each call were given.
fn agreed(calls: &[Call], answers: Vec<Vec<Answer>>) -> Vec<Answer> {
    let of_one = |(call, mut answers): (&Call, Vec<Answer>)| {
        let first = answers.pop().expect("an answer");
        assert!(answers.iter().all(|answer| *answer == first), "{call:?}: {first:?}, {answers:?}");
        first
    };
    calls.iter().zip(answers).map(of_one).collect()
}

fn customer(number: usize) -> String {
    format!("customer-{}", number % CUSTOMERS)
}

fn creations(kind: &str, count: usize, rng: &mut StdRng) -> Vec<Call> {
    let one = |number: usize| {
        let amount = rng.random_range(5..60).to_string();
        let base = match kind {
            "units" => say::units(&customer(number), &amount),
            currency => say::money(&customer(number), &amount, currency),
        };
        let request_id = format!("create-{kind}-{number}");
        Call::Create(pb::CreateGrantRequest { request_id, ..base })
    };
    (0..count).map(one).collect()
}

fn usages(count: usize, rng: &mut StdRng) -> Vec<Call> {
    let one = |number: usize| {
        let quantity = format!("{}.{}", rng.random_range(0..30), rng.random_range(0..10));
        let reject = number.is_multiple_of(4);
        let policy = if reject {
            pb::InsufficientCredits::Reject
        } else {
            pb::InsufficientCredits::AllowOverage
        };
        Call::Usage(pb::RecordUsageRequest {
            insufficient_credits: policy.into(),
            ..say::usage(&customer(number), &format!("event-{number}"), "tokens", &quantity)
        })
    };
    (0..count).map(one).collect()
}

/// One update of every fifth grant, one void of every other fifth.
fn changes(ids: &[String]) -> Vec<Call> {
    let update = |(number, id): (usize, &String)| match number % 5 {
        1 => Some(Call::Update(pb::UpdateGrantRequest {
            grant_id: id.clone(),
            update_mask: Some(FieldMask { paths: vec!["priority".into()] }),
            priority: Some(i32::try_from(number).expect("a priority") + 51),
            ..Default::default()
        })),
        3 => Some(Call::Void(pb::VoidGrantRequest { grant_id: id.clone(), reason: "fire".into() })),
        _ => None,
    };
    ids.iter().enumerate().filter_map(update).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_takes_effect_once_though_answers_are_lost() {
    World::run(async |world| {
        let mut rng = StdRng::seed_from_u64(1);
        let proxy = Proxy::start(world.server.address, LOST, 2).await;
        let creating = creations("units", 30, &mut rng);
        let created = agreed(&creating, fire(&creating, &proxy, 3).await);
        let id = |answer: &Answer| match answer {
            Answer::Grant { id, .. } => id.clone(),
            other => panic!("a grant was expected: {other:?}"),
        };
        let ids: Vec<String> = created.iter().map(id).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 30, "each key made its own grant");

        let mut calls = usages(120, &mut rng);
        calls.extend(changes(&ids));
        calls.extend(creations("USD", 10, &mut rng));
        let answers = agreed(&calls, fire(&calls, &proxy, 4).await);
        assert!(proxy.cuts() > 200, "only {} connections were cut", proxy.cuts());

        let books = Books::read(&mut world.client).await;
        let answered: Vec<(Call, Answer)> =
            creating.into_iter().chain(calls).zip(created.into_iter().chain(answers)).collect();
        books.are_the_sum_of(&answered);
    })
    .await;
}

/// What the service says of all customers, through the front door.
#[derive(Default)]
struct Books {
    events: BTreeMap<String, Answer>,
    consumed: BTreeMap<String, Amount>,
    entries: BTreeMap<pb::LedgerEntryType, usize>,
}

impl Books {
    async fn read(client: &mut Client) -> Self {
        let mut books = Self::default();
        for customer_id in (0..CUSTOMERS).map(customer) {
            let page_size = 1_000;
            let list = pb::ListUsageEventsRequest {
                customer_id: customer_id.clone(),
                page_size,
                ..Default::default()
            };
            let list = client.usage.list_usage_events(list).await.expect("events").into_inner();
            for listed in list.events {
                books.events.insert(listed.event_id.clone(), event(Some(listed)));
            }
            let list = pb::ListGrantsRequest {
                customer_id: customer_id.clone(),
                page_size,
                ..Default::default()
            };
            let list = client.credits.list_grants(list).await.expect("grants").into_inner();
            for grant in list.grants {
                books.consumed.insert(grant.id, amount(&grant.consumed));
            }
            let list =
                pb::ListLedgerEntriesRequest { customer_id, page_size, ..Default::default() };
            let list = client.credits.list_ledger_entries(list).await.expect("entries");
            for entry in list.into_inner().entries {
                *books.entries.entry(entry.r#type()).or_default() += 1;
            }
        }
        books
    }

    /// Exactly what was answered, and nothing twice.
    fn are_the_sum_of(&self, answered: &[(Call, Answer)]) {
        let mut events = BTreeMap::new();
        let mut consumed: BTreeMap<String, Amount> = BTreeMap::new();
        let mut entries: BTreeMap<pb::LedgerEntryType, usize> = BTreeMap::new();
        let mut refused = 0;
        for (call, answer) in answered {
            let kind = match (call, answer) {
                (_, Answer::Refused(_)) => {
                    refused += 1;
                    continue;
                }
                (Call::Create(_), Answer::Grant { id, .. }) => {
                    consumed.entry(id.clone()).or_default();
                    pb::LedgerEntryType::Granted
                }
                (Call::Update(_), _) => pb::LedgerEntryType::Updated,
                (Call::Void(_), _) => pb::LedgerEntryType::Voided,
                (Call::Usage(call), Answer::Event { paid, .. }) => {
                    events.insert(call.event_id.clone(), answer.clone());
                    for (id, paid) in paid {
                        let sum = consumed.entry(id.clone()).or_default();
                        *sum = sum.plus(amount(paid)).expect("a sum");
                        *entries.entry(pb::LedgerEntryType::Consumed).or_default() += 1;
                    }
                    continue;
                }
                other => panic!("an answer to something else: {other:?}"),
            };
            *entries.entry(kind).or_default() += 1;
        }
        assert!(refused > 0 && events.len() > 80, "{refused} refused, {} events", events.len());
        assert_eq!(self.events, events);
        assert_eq!(self.consumed, consumed);
        assert_eq!(self.entries, entries);
    }
}

fn amount(text: &str) -> Amount {
    Amount::parse(text, 12).expect("an amount")
}

/// The server that inserts a customer second finds a unique violation and decides anew.
#[tokio::test(flavor = "multi_thread")]
async fn two_servers_meet_a_customer_for_the_first_time() {
    World::run(async |world| {
        let other = world.another(&world.options).await;
        let calls = creations("units", 50, &mut StdRng::seed_from_u64(5));
        for round in 0..4 {
            let customer = format!("new-{round}");
            // Both servers' batches wait behind this insert, and go on together when it is undone.
            let blocker = world.database.connect().await;
            let key = creditd::domain::ids::Customer::parse(&customer).expect("an id").key;
            blocker.batch_execute("BEGIN").await.expect("a transaction");
            let insert = format!(
                "INSERT INTO customers VALUES ('{key}', '{customer}', 0, 0, now(), now(), 0)"
            );
            blocker.batch_execute(&insert).await.expect("an insert");

            let clients = [world.client.clone(), other.client()];
            let tasks = calls.iter().cloned().enumerate().map(|(number, call)| {
                let mut client = clients[number % 2].clone();
                let Call::Create(call) = call else { panic!("a creation was expected") };
                let customer_id = customer.clone();
                let call = pb::CreateGrantRequest { customer_id, ..call };
                tokio::spawn(async move { client.credits.create_grant(call).await })
            });
            let tasks: Vec<_> = tasks.collect();
            world.database.until_waiting(2).await;
            blocker.batch_execute("ROLLBACK").await.expect("a release");
            for task in tasks {
                let made = task.await.expect("a task").expect("a grant").into_inner();
                assert!(!made.replayed);
            }
        }
        let retries = world.server.stats().retries + other.stats().retries;
        assert!(retries >= 4, "each round one server lost the race: {retries} retries");
        assert_eq!(
            world.database.counts().await[..2],
            [("customers".into(), 4), ("grants".into(), 200)]
        );
        other.stop().await;
    })
    .await;
}

/// One key, two payloads, at once, over two servers: one wins, the other is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_with_two_payloads_goes_to_one_of_them() {
    World::run_with(Options::default(), async |world| {
        let other = world.another(&world.options).await;
        let clients = [world.client.clone(), other.client()];
        for round in 0..20 {
            let tasks = (0..6).map(|caller| {
                let mut client = clients[caller % 2].clone();
                let amount = if caller < 3 { "1" } else { "2" };
                let grant = say::units("torn", amount);
                let request_id = format!("torn-{round}");
                let grant = pb::CreateGrantRequest { request_id, ..grant };
                tokio::spawn(async move { (caller < 3, client.credits.create_grant(grant).await) })
            });
            let tasks: Vec<_> = tasks.collect();
            let (mut winners, mut made, mut ids) = (BTreeSet::new(), 0, BTreeSet::new());
            for task in tasks {
                let (payload, answer) = task.await.expect("a task");
                match answer {
                    Ok(answer) => {
                        let answer = answer.into_inner();
                        winners.insert(payload);
                        made += usize::from(!answer.replayed);
                        ids.insert(answer.grant.expect("a grant").id);
                    }
                    refused => {
                        say::refused(refused, Code::AlreadyExists, "REQUEST_ID_REUSED");
                    }
                }
            }
            assert_eq!((winners.len(), made, ids.len()), (1, 1, 1), "round {round}");
        }
        other.stop().await;
    })
    .await;
}
