//! Who uses what: customers, grants, events, holds and invoices, the same for every measurement.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::ValueEnum;
use creditd::pb::{
    ApplyCreditsRequest, CreateGrantRequest, CreateHoldRequest, GrantType, RecordUsageRequest,
};
use uuid::Builder;

/// What every event uses, and how much of it.
pub const METRIC: &str = "api_calls";
pub const QUANTITY: &str = "1.5";
/// How much a hold that was made for the same quantity is settled with.
pub const SETTLED: &str = "1";
/// What every invoice is in, and how much is due.
pub const CURRENCY: &str = "USD";
pub const DUE: &str = "12.5";
/// A grant that never runs out.
pub const AMOUNT: &str = "1000000000000";
/// Grants of units per customer. The first in order pays for every event; the others are there to
/// be loaded and passed over.
pub const GRANTS: u32 = 3;

/// How callers make event ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Ids {
    /// UUIDv7, as most producers do today: they grow with time.
    Ordered,
    /// UUIDv4: every insert meets another page of the index.
    Random,
}

/// Whom the events belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// Evenly over customers 1 to n.
    Spread(u32),
    /// All of it on customer 0.
    One,
}

impl Workload {
    pub fn name(self) -> &'static str {
        match self {
            Self::Spread(_) => "spread",
            Self::One => "one customer",
        }
    }
}

/// The external id of a customer by number.
pub fn customer(number: u32) -> String {
    format!("customer-{number:06}")
}

/// The grants of units of a customer; the lowest priority pays.
pub fn units(customer: &str) -> Vec<CreateGrantRequest> {
    let of_place = |place: u32| CreateGrantRequest {
        request_id: format!("grant-{place}"),
        r#type: GrantType::Units.into(),
        metrics: vec![METRIC.to_owned()],
        priority: i32::try_from(place * 10).ok(),
        // The last one expires in a year, as some do.
        expires_at: (place == GRANTS)
            .then(|| (SystemTime::now() + Duration::from_secs(365 * 86_400)).into()),
        ..grant(customer)
    };
    (1..=GRANTS).map(of_place).collect()
}

/// The grant of money of a customer, which pays for invoices.
pub fn money(customer: &str) -> Vec<CreateGrantRequest> {
    vec![CreateGrantRequest {
        request_id: "grant-of-money".to_owned(),
        r#type: GrantType::Monetary.into(),
        currency: CURRENCY.to_owned(),
        ..grant(customer)
    }]
}

fn grant(customer: &str) -> CreateGrantRequest {
    CreateGrantRequest {
        customer_id: customer.to_owned(),
        amount: AMOUNT.to_owned(),
        ..CreateGrantRequest::default()
    }
}

/// Numbers that look random: splitmix64. Cheap, so that the load takes little from the server.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Another sequence at every call, also in another run.
    pub fn new() -> Self {
        static CALLS: AtomicU64 = AtomicU64::new(1);
        let call = CALLS.fetch_add(1, Ordering::Relaxed);
        Self(
            u64::try_from(since_epoch().as_nanos()).unwrap_or(0)
                ^ call.wrapping_mul(0xA076_1D64_78BD_642F),
        )
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Evenly from 1 to `most`.
    pub fn up_to(&mut self, most: u32) -> u32 {
        u32::try_from(self.next() % u64::from(most.max(1))).unwrap_or(0) + 1
    }
}

/// An endless supply of usage events, holds and invoices, each with an id of its own.
#[derive(Debug, Clone)]
pub struct Events {
    workload: Workload,
    ids: Ids,
    random: Random,
}

impl Events {
    pub fn new(workload: Workload, ids: Ids) -> Self {
        Self { workload, ids, random: Random::new() }
    }

    pub fn next(&mut self) -> RecordUsageRequest {
        let number = self.number();
        self.of(customer(number), SystemTime::now())
    }

    pub fn take(&mut self, count: usize) -> Vec<RecordUsageRequest> {
        (0..count).map(|_| self.next()).collect()
    }

    /// The next event's customer, by number.
    pub fn number(&mut self) -> u32 {
        match self.workload {
            Workload::Spread(customers) => self.random.up_to(customers),
            Workload::One => 0,
        }
    }

    /// An event of a customer and an instant that the caller names.
    pub fn of(&mut self, customer_id: String, at: SystemTime) -> RecordUsageRequest {
        RecordUsageRequest {
            customer_id,
            event_id: self.id(since_epoch()),
            metric: METRIC.to_owned(),
            quantity: QUANTITY.to_owned(),
            timestamp: Some(at.into()),
            ..RecordUsageRequest::default()
        }
    }

    /// A hold for what an event uses.
    pub fn hold(&mut self) -> CreateHoldRequest {
        CreateHoldRequest {
            customer_id: customer(self.number()),
            hold_id: self.id(since_epoch()),
            metric: METRIC.to_owned(),
            quantity: QUANTITY.to_owned(),
            ..CreateHoldRequest::default()
        }
    }

    pub fn invoice(&mut self) -> ApplyCreditsRequest {
        ApplyCreditsRequest {
            customer_id: customer(self.number()),
            invoice_id: self.id(since_epoch()),
            currency: CURRENCY.to_owned(),
            amount_due: DUE.to_owned(),
            ..ApplyCreditsRequest::default()
        }
    }

    /// A new id.
    pub fn id(&mut self, now: Duration) -> String {
        let (high, low) = (self.random.next().to_be_bytes(), self.random.next().to_be_bytes());
        let uuid = match self.ids {
            Ids::Ordered => {
                let mut bytes = [0; 10];
                bytes[..8].copy_from_slice(&high);
                bytes[8..].copy_from_slice(&low[..2]);
                let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
                Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
            }
            Ids::Random => {
                let mut bytes = [0; 16];
                bytes[..8].copy_from_slice(&high);
                bytes[8..].copy_from_slice(&low);
                Builder::from_random_bytes(bytes).into_uuid()
            }
        };
        uuid.to_string()
    }
}

pub fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
