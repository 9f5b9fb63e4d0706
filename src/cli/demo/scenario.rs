//! Who makes which request, and what each customer is granted: all of it follows from the trace,
//! the number of customers and the seed.

use chrono::{DateTime, Utc};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt as _, SeedableRng as _};

use super::trace::{self, Request};
use crate::cli::time::to_wire;
use crate::pb;

/// What the prompt's tokens are metered as.
pub const INPUT: &str = "input_tokens";
/// What the answer's tokens are metered as.
pub const OUTPUT: &str = "output_tokens";
/// The usage events of one request, in the order in which they are sent.
pub const METRICS: [&str; 2] = [INPUT, OUTPUT];

/// How much a customer's grants pay for, in percent of what the trace will make it use:
/// two in five are covered throughout, the others run into overage.
const BUDGETS: [u32; 5] = [40, 70, 95, 130, 200];

/// Draws ranks 0.. with weights 1, 1/2, 1/3 …, as the usage of many services is spread.
pub struct Zipf {
    cumulative: Vec<u64>,
}

/// A customer and what it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// The id on the wire.
    pub id: String,
    /// Requests it makes in the trace.
    pub requests: usize,
    /// Input tokens it uses in the trace.
    pub input: u128,
    /// Output tokens it uses in the trace.
    pub output: u128,
    /// Percent of its usage that its grants pay for, roughly.
    pub budget: u32,
    /// Whether it has a service credit.
    pub service: bool,
    /// Whether it has a loyalty grant.
    pub loyalty: bool,
    /// Whether it has a grant that starts next month.
    pub next_month: bool,
    /// Dollars of its monetary grant, if any. The first customer always has one.
    pub dollars: Option<u32>,
}

/// The whole replay.
pub struct Scenario {
    /// Names the replay: every id derives from it.
    pub run: String,
    /// By time.
    pub requests: Vec<Request>,
    /// The customer (an index) of each request.
    pub who: Vec<usize>,
    /// By rank, the busiest first.
    pub customers: Vec<Customer>,
}

impl Zipf {
    /// For that many ranks.
    pub fn new(ranks: usize) -> Self {
        // Integers, so that a seed means the same on every machine.
        let weights = (1..).take(ranks).map(|rank| (1 << 32) / rank);
        let cumulative = weights
            .scan(0u64, |total, weight: u64| {
                *total += weight;
                Some(*total)
            })
            .collect();
        Self { cumulative }
    }

    /// The next rank.
    pub fn draw(&self, rng: &mut impl Rng) -> usize {
        let total = self.cumulative.last().copied().unwrap_or(1);
        let ticket = rng.random_range(0..total);
        self.cumulative.partition_point(|&upper| upper <= ticket)
    }
}

impl Scenario {
    /// Draws a customer for every request, then every customer's budget and grants.
    pub fn new(run: &str, requests: Vec<Request>, customers: usize, seed: u64) -> Self {
        // A named generator: rand's StdRng may change from one release to the next.
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let zipf = Zipf::new(customers);
        let who: Vec<usize> = requests.iter().map(|_| zipf.draw(&mut rng)).collect();

        let mut customers: Vec<Customer> =
            (1..=customers).map(|number| Customer::draw(run, number, &mut rng)).collect();
        for (request, &who) in requests.iter().zip(&who) {
            if let Some(customer) = customers.get_mut(who) {
                customer.requests += 1;
                customer.input += u128::from(request.input_tokens);
                customer.output += u128::from(request.output_tokens);
            }
        }
        Self { run: run.to_owned(), requests, who, customers }
    }

    /// Moves the replay in time, so that its last request lies at `last`.
    pub fn shift(&mut self, last: DateTime<Utc>) {
        trace::shift(&mut self.requests, last);
    }

    /// Usage events of the replay.
    pub fn events(&self) -> usize {
        self.requests.len() * METRICS.len()
    }

    /// The usage event of a request and a metric (both by index).
    pub fn event(&self, request: usize, metric: usize) -> Option<pb::RecordUsageRequest> {
        let made = self.requests.get(request)?;
        let (&metric, quantity) = if metric == 0 {
            (METRICS.first()?, made.input_tokens)
        } else {
            (METRICS.last()?, made.output_tokens)
        };
        Some(pb::RecordUsageRequest {
            customer_id: self.customers.get(*self.who.get(request)?)?.id.clone(),
            event_id: format!("demo-{}-{:06}-{metric}", self.run, request + 1),
            metric: metric.to_owned(),
            quantity: quantity.to_string(),
            timestamp: Some(to_wire(made.at)),
            ..Default::default()
        })
    }

    /// Splits the requests (by index) over streams, a customer's always to the same one and in
    /// the order of time. The busiest customers are dealt first, each to the idlest stream.
    pub fn lanes(&self, streams: usize) -> Vec<Vec<usize>> {
        let mut ranks: Vec<usize> = (0..self.customers.len()).collect();
        ranks.sort_by_key(|&rank| std::cmp::Reverse(self.customers[rank].requests));
        let mut load = vec![0; streams];
        let mut lane_of = vec![0; self.customers.len()];
        for rank in ranks {
            let idlest = (0..streams).min_by_key(|&lane| load[lane]).unwrap_or(0);
            load[idlest] += self.customers[rank].requests;
            lane_of[rank] = idlest;
        }
        let mut lanes = vec![Vec::new(); streams];
        for (request, &who) in self.who.iter().enumerate() {
            lanes[lane_of[who]].push(request);
        }
        lanes.retain(|lane| !lane.is_empty());
        lanes
    }
}

impl Customer {
    fn draw(run: &str, number: usize, rng: &mut impl Rng) -> Self {
        let budget = BUDGETS[rng.random_range(0..BUDGETS.len())];
        let service = rng.random_range(0..4) == 0;
        let loyalty = rng.random_range(0..3) != 0;
        let next_month = rng.random_range(0..3) == 0;
        let dollars = [25, 50, 100, 250][rng.random_range(0..4)];
        let money = rng.random_range(0..2) == 0 || number == 1;
        Self {
            id: format!("demo-{run}-customer-{number:04}"),
            requests: 0,
            input: 0,
            output: 0,
            budget,
            service,
            loyalty,
            next_month,
            dollars: money.then_some(dollars),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(seed: u64) -> Scenario {
        Scenario::new("t", trace::load(&[]).unwrap(), 200, seed)
    }

    #[test]
    fn a_seed_always_draws_the_same() {
        let (one, two, other) = (scenario(7), scenario(7), scenario(8));
        assert_eq!((&one.who, &one.customers), (&two.who, &two.customers));
        assert_ne!(one.who, other.who);
        // Pinned: a replay by name must find its own events after an upgrade of rand, too.
        assert_eq!(one.who[..8], [0, 1, 37, 6, 161, 8, 39, 3]);
    }

    #[test]
    fn draws_follow_zipf() {
        let customers = scenario(7).customers;
        // Shares of rank 1, 10 and 100 of 200: 1/5.878, a tenth and a hundredth of that.
        for (rank, expected) in [(0, 4_795), (9, 480), (99, 48)] {
            let drawn = customers[rank].requests;
            assert!(drawn.abs_diff(expected) < expected / 3, "{rank}: {drawn}");
        }
        assert_eq!(Zipf::new(1).draw(&mut Xoshiro256PlusPlus::seed_from_u64(1)), 0);
    }

    #[test]
    fn lanes_keep_each_customer_in_order() {
        let scenario = scenario(7);
        let lanes = scenario.lanes(4);
        assert_eq!(lanes.len(), 4);
        let mut seen = vec![0; 200];
        for (number, lane) in lanes.iter().enumerate() {
            assert!(lane.is_sorted());
            assert!(lane.len().abs_diff(scenario.who.len() / 4) < 100, "{}", lane.len());
            for &request in lane {
                seen[scenario.who[request]] |= 1 << number;
            }
        }
        assert!(seen.iter().all(|lanes: &u32| lanes.count_ones() <= 1));
        assert_eq!(lanes.iter().map(Vec::len).sum::<usize>(), scenario.who.len());
        assert_eq!(Scenario::new("t", trace::load(&[]).unwrap(), 1, 7).lanes(4).len(), 1);
    }

    #[test]
    fn events_derive_from_the_run() {
        let scenario = scenario(7);
        let event = scenario.event(1, 1).unwrap();
        assert_eq!(event.event_id, "demo-t-000002-output_tokens");
        assert_eq!(event.quantity, scenario.requests[1].output_tokens.to_string());
        assert!(scenario.event(scenario.requests.len(), 0).is_none());
    }
}
