//! Load: callers that record usage one event after another and write down what was acknowledged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use creditd::pb;
use tokio::task::JoinHandle;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::wait::until;
use super::{Client, say};

/// Customers that all callers share.
const CUSTOMERS: usize = 3;

/// An event: customer and event id.
pub type Key = (String, String);

/// What a caller is to do when a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// It must not.
    Panic,
    /// It must be UNAVAILABLE; ask again.
    AskAgain,
    /// Whatever it is, stop.
    Stop,
}

/// What callers know in the end.
#[derive(Debug, Default)]
pub struct Known {
    pub acknowledged: BTreeMap<Key, pb::UsageEvent>,
    /// Sent, but never answered.
    pub unanswered: Vec<Key>,
}

impl Known {
    /// Takes in what another one knows.
    pub fn add(&mut self, other: Self) {
        self.acknowledged.extend(other.acknowledged);
        self.unanswered.extend(other.unanswered);
    }

    /// Exactly these events are in the books, each as it was acknowledged.
    pub async fn is_all(&self, client: &Client) {
        assert!(self.unanswered.is_empty(), "{:?}", self.unanswered);
        let mut listed = BTreeMap::new();
        for customer in (0..CUSTOMERS).map(customer) {
            for event in events(client, &customer).await {
                listed.insert((customer.clone(), event.event_id.clone()), event);
            }
        }
        let lost: Vec<_> = self.acknowledged.keys().filter(|k| !listed.contains_key(*k)).collect();
        let extra: Vec<_> = listed.keys().filter(|k| !self.acknowledged.contains_key(*k)).collect();
        assert!(lost.is_empty() && extra.is_empty(), "lost {lost:?}, not acknowledged {extra:?}");
        assert_eq!(listed, self.acknowledged);
    }
}

/// All events of a customer.
pub async fn events(client: &Client, customer: &str) -> Vec<pb::UsageEvent> {
    let mut usage = client.usage.clone();
    let mut all = Vec::new();
    let mut page_token = String::new();
    loop {
        let customer_id = customer.to_owned();
        let page_size = 1_000;
        let ask =
            pb::ListUsageEventsRequest { customer_id, page_size, page_token, ..Default::default() };
        let page = usage.list_usage_events(ask).await.expect("events").into_inner();
        all.extend(page.events);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return all;
        }
    }
}

fn customer(number: usize) -> String {
    format!("customer-{number}")
}

fn event((customer, event): &Key) -> pb::RecordUsageRequest {
    say::usage(customer, event, "tokens", "1.5")
}

/// Gives each customer two grants, together not enough for long.
pub async fn grants(client: &Client) {
    for number in 0..CUSTOMERS {
        for amount in ["100", "130"] {
            let grant = say::units(&customer(number), amount);
            client.credits.clone().create_grant(grant).await.expect("a grant");
        }
    }
}

/// Asks for an event until it is acknowledged, and adds what is known then.
pub async fn settle(client: &Client, known: &mut Known) {
    for key in std::mem::take(&mut known.unanswered) {
        let answer = client.usage.clone().record_usage(event(&key)).await.expect("usage");
        known.acknowledged.insert(key, answer.into_inner().event.expect("an event"));
    }
}

/// Callers at work.
pub struct Load {
    callers: Vec<JoinHandle<Known>>,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
}

impl Load {
    /// Callers, each with a connection of its own, whose events have ids of their own under `name`.
    pub fn start(name: &str, clients: Vec<Client>, on_failure: OnFailure) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(AtomicU64::new(0));
        let callers = clients.into_iter().enumerate().map(|(number, client)| {
            let caller = Caller {
                name: format!("{name}-{number}"),
                client,
                on_failure,
                stop: Arc::clone(&stop),
                acknowledged: Arc::clone(&acknowledged),
            };
            tokio::spawn(caller.work())
        });
        Self { callers: callers.collect(), stop, acknowledged }
    }

    /// Waits until this many more events are acknowledged.
    pub async fn more(&self, events: u64) {
        let goal = self.acknowledged.load(Ordering::Relaxed) + events;
        until("events are acknowledged", async || {
            let ended = self.callers.iter().any(JoinHandle::is_finished);
            assert!(!ended, "a caller has ended before its time");
            self.acknowledged.load(Ordering::Relaxed) >= goal
        })
        .await;
    }

    /// Lets callers finish what they are at.
    pub async fn stop(self) -> Known {
        self.stop.store(true, Ordering::Relaxed);
        self.end().await
    }

    /// Waits until callers have ended.
    pub async fn end(self) -> Known {
        let mut known = Known::default();
        for caller in self.callers {
            known.add(caller.await.expect("a caller"));
        }
        known
    }
}

struct Caller {
    name: String,
    client: Client,
    on_failure: OnFailure,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
}

impl Caller {
    async fn work(mut self) -> Known {
        let mut known = Known::default();
        let mut number = 0;
        while !self.stop.load(Ordering::Relaxed) {
            number += 1;
            let key = (customer(number % CUSTOMERS), format!("{}-{number}", self.name));
            match self.send(&key).await {
                Some(event) => {
                    known.acknowledged.insert(key, event);
                    self.acknowledged.fetch_add(1, Ordering::Relaxed);
                }
                None => {
                    known.unanswered.push(key);
                    break;
                }
            }
        }
        known
    }

    async fn send(&mut self, key: &Key) -> Option<pb::UsageEvent> {
        loop {
            let failed: Status = match self.client.usage.record_usage(event(key)).await {
                Ok(answer) => return answer.into_inner().event,
                Err(failed) => failed,
            };
            match self.on_failure {
                OnFailure::Stop => return None,
                OnFailure::AskAgain => unavailable(&failed),
                OnFailure::Panic => panic!("{key:?}: {failed:?}"),
            }
        }
    }
}

/// UNAVAILABLE, with a word on when to try again.
#[track_caller]
pub fn unavailable(status: &Status) {
    assert_eq!((status.code(), say::reason(status).as_str()), (Code::Unavailable, "UNAVAILABLE"));
    let details = status.get_error_details();
    let retry = details.retry_info().and_then(|info| info.retry_delay);
    assert!(retry.is_some(), "no RetryInfo in {status:?}");
}
