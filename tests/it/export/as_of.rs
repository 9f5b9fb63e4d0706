//! A report of a past instant: what GetGrant answered then.

use chrono::{DateTime, TimeDelta, Utc};
use creditd::pb;

use crate::harness::{World, say, t0};

/// What GetGrant answered at an instant, grant by grant.
type Then = (DateTime<Utc>, Vec<pb::Grant>);

/// A story as it is told: its grants, and what was answered of them after each of its steps.
struct Story {
    /// Whether what falls due is booked as time passes, and not when somebody comes.
    booked: bool,
    grants: Vec<String>,
    then: Vec<Then>,
}

impl Story {
    async fn grant(&mut self, world: &mut World, grant: pb::CreateGrantRequest) -> String {
        let made = world.client.grant(grant).await;
        self.grants.push(made.id.clone());
        self.go_on(world).await;
        made.id
    }

    async fn used(&mut self, world: &mut World, event: pb::RecordUsageRequest) {
        world.client.record(event).await;
        self.go_on(world).await;
    }

    async fn updated(&mut self, world: &mut World, update: pb::UpdateGrantRequest) {
        world.client.update(update).await;
        self.go_on(world).await;
    }

    /// Half an hour passes, and another half.
    async fn go_on(&mut self, world: &mut World) {
        self.listen(world).await;
        self.pass(world, world.now() + TimeDelta::minutes(30)).await;
        self.pass(world, world.now() + TimeDelta::minutes(30)).await;
    }

    /// Time passes, to just before an instant and to that instant.
    async fn until(&mut self, world: &mut World, hour: i64) {
        let at = t0() + TimeDelta::hours(hour);
        self.pass(world, at - TimeDelta::microseconds(1)).await;
        self.pass(world, at).await;
    }

    async fn pass(&mut self, world: &mut World, at: DateTime<Utc>) {
        if self.booked {
            world.advance_to(at).await;
        } else {
            world.only_clock_to(at);
        }
        self.listen(world).await;
    }

    /// Writes down what is answered now. What was answered earlier at the same instant does not
    /// count: an instant is over when nothing more is recorded at it.
    async fn listen(&mut self, world: &World) {
        let now = world.now();
        let mut grants = Vec::new();
        for id in &self.grants {
            grants.push(world.client.fetch(id).await);
        }
        self.then.retain(|(at, _)| *at != now);
        self.then.push((now, grants));
    }
}

/// Everything that changes a grant, a step an hour.
async fn tell(world: &mut World, booked: bool) -> Story {
    let mut story = Story { booked, grants: Vec::new(), then: Vec::new() };
    let units = |customer, amount, until| pb::CreateGrantRequest {
        expires_at: say::hour(until),
        ..say::units(customer, amount)
    };
    let a = story.grant(world, units("acme", "10", 40)).await;
    let b = story.grant(world, units("acme", "10", 30)).await;
    let dollars = pb::CreateGrantRequest {
        effective_at: say::hour(10),
        ..say::money("umbrella", "7", "USD")
    };
    let c = story.grant(world, dollars).await;
    story.grant(world, units("umbrella", "5.5", 26)).await;
    story.used(world, say::usage("acme", "e1", "m", "12")).await;
    let update = pb::UpdateGrantRequest {
        priority: Some(1),
        expires_at: say::hour(28),
        ..say::update(&a, &["priority", "expires_at"])
    };
    story.updated(world, update).await;
    let update = pb::UpdateGrantRequest {
        priority: Some(90),
        expires_at: say::hour(24),
        ..say::update(&a, &["priority", "expires_at"])
    };
    story.updated(world, update).await;
    let never = say::update(&b, &["expires_at"]);
    story.updated(world, never).await;
    let back =
        pb::UpdateGrantRequest { expires_at: say::hour(20), ..say::update(&b, &["expires_at"]) };
    story.updated(world, back).await;
    story.until(world, 12).await;
    world.client.void(&c, "not due").await;
    story.go_on(world).await;
    story.until(world, 20).await;
    story.until(world, 22).await;
    // Late: what of B has expired pays for it.
    let late =
        pb::RecordUsageRequest { timestamp: say::hour(18), ..say::usage("acme", "e2", "m", "5") };
    story.used(world, late).await;
    story.until(world, 26).await;
    story.grant(world, units("acme", "1", 100)).await;
    story.used(world, say::usage("acme", "e3", "m", "100")).await;
    story.until(world, 30).await;
    story
}

/// Everything that holds, invoices and reversals change of a grant.
async fn tell_of_promises(world: &mut World, booked: bool) -> Story {
    let mut story = Story { booked, grants: Vec::new(), then: Vec::new() };
    let client = world.client.clone();
    let units = |amount, until| pb::CreateGrantRequest {
        expires_at: say::hour(until),
        ..say::units("acme", amount)
    };
    let hold = |id, quantity, hours| pb::CreateHoldRequest {
        ttl: say::duration(TimeDelta::hours(hours)),
        ..say::hold("acme", id, "m", quantity)
    };
    story.grant(world, units("10", 30)).await;
    story.grant(world, units("10", 20)).await;
    let dollars =
        pb::CreateGrantRequest { expires_at: say::hour(16), ..say::money("acme", "10", "USD") };
    story.grant(world, dollars).await;
    let voided = story.grant(world, units("5", 900)).await;
    // Longer than the first grant it holds lives.
    client.hold(hold("h1", "12", 24)).await;
    story.go_on(world).await;
    client.apply(say::apply("acme", "i1", "USD", "7")).await;
    story.go_on(world).await;
    story.used(world, say::usage("acme", "e1", "m", "9")).await;
    client.void(&voided, "over").await;
    story.go_on(world).await;
    client.reverse_usage(say::reverse_usage("acme", "e1", "3")).await;
    story.go_on(world).await;
    client.hold(hold("h2", "2", 5)).await;
    story.go_on(world).await;
    client.extend(say::extend("acme", "h2", TimeDelta::hours(1))).await;
    story.go_on(world).await;
    client.reverse_application(say::reverse_application("acme", "i1", "2")).await;
    story.go_on(world).await;
    story.until(world, 16).await;
    client.reverse_application(say::reverse_application("acme", "i1", "1")).await;
    story.go_on(world).await;
    story.until(world, 20).await;
    story.until(world, 22).await;
    client.settle(say::settle("acme", "h1", "11")).await;
    story.go_on(world).await;
    // Held beyond the end of its grant, until its deadline and until it is released.
    client.hold(hold("h3", "1", 12)).await;
    client.hold(hold("h4", "1", 24)).await;
    story.go_on(world).await;
    story.until(world, 30).await;
    story.until(world, 35).await;
    client.release("acme", "h4").await;
    story.go_on(world).await;
    story.until(world, 40).await;
    story
}

/// The grants as a report shows them: the time of the last change only where none came later.
fn reported(then: &Then, now: &[pb::Grant]) -> Vec<pb::Grant> {
    let (at, grants) = then;
    let last = |id: &str| now.iter().find(|grant| grant.id == id).expect("a grant").updated_at;
    let mut grants = grants.clone();
    for grant in &mut grants {
        let later = say::instant(last(&grant.id).as_ref()) > *at;
        grant.updated_at = grant.updated_at.filter(|_| !later);
    }
    grants.sort_by(|a, b| a.id.cmp(&b.id));
    grants
}

fn by_id((mut rows, _): (Vec<pb::Grant>, DateTime<Utc>)) -> Vec<pb::Grant> {
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    rows
}

fn as_of(at: DateTime<Utc>) -> pb::ExportCreditReportRequest {
    pb::ExportCreditReportRequest { as_of: Some(say::time(at)), ..Default::default() }
}

async fn is_what_was_answered(world: &mut World, story: Story) {
    let booked = story.booked;
    assert!(story.then.len() > 35, "{} instants", story.then.len());
    // Before and after what nobody has booked so far is booked.
    for _ in 0..2 {
        let now = &story.then.last().expect("an end").1;
        for then in &story.then {
            let report = world.client.report(as_of(then.0)).await;
            assert_eq!(report.1, then.0);
            assert_eq!(by_id(report), reported(then, now), "as of {}, booked: {booked}", then.0);
        }
        let report = world.client.report(pb::ExportCreditReportRequest::default()).await;
        assert_eq!(
            (report.1, by_id(report)),
            (world.now(), reported(&(world.now(), now.clone()), now))
        );
        world.advance(TimeDelta::zero()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_past_instant_is_what_was_answered_then() {
    World::run(async |world| {
        let story = tell(world, true).await;
        is_what_was_answered(world, story).await;
    })
    .await;
    World::run(async |world| {
        let story = tell_of_promises(world, true).await;
        is_what_was_answered(world, story).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_not_matter_when_what_was_due_is_booked() {
    World::run(async |world| {
        let story = tell(world, false).await;
        is_what_was_answered(world, story).await;
    })
    .await;
    World::run(async |world| {
        let story = tell_of_promises(world, false).await;
        is_what_was_answered(world, story).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn notes_keep_no_history() {
    World::run(async |world| {
        let grant = world.client.grant(say::units("acme", "10")).await;
        world.advance(TimeDelta::hours(1)).await;
        let update = pb::UpdateGrantRequest {
            description: "new".into(),
            metadata: say::pairs(&[("k", "v")]),
            ..say::update(&grant.id, &["description", "metadata"])
        };
        let changed = world.client.update(update).await;
        let then = pb::Grant { updated_at: None, ..changed.clone() };
        assert_eq!(world.client.report(as_of(t0())).await.0, [then]);
        assert_eq!(world.client.report(as_of(world.now())).await.0, [changed]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_known_of_the_future() {
    World::run(async |world| {
        let soon = as_of(t0() + TimeDelta::microseconds(1));
        let status = world.client.try_report(soon.clone()).await.expect_err("the future");
        assert_eq!(say::bad_fields(&status), ["as_of"]);
        let long_ago = as_of("0001-01-01T00:00:00Z".parse().expect("a time"));
        assert_eq!(world.client.report(long_ago).await.0, []);
        world.only_clock_to(t0() + TimeDelta::microseconds(1));
        assert_eq!(world.client.report(soon).await.1, world.now());
    })
    .await;
}
