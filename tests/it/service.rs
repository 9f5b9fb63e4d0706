//! What surrounds the calls: health, reflection, compression, the test clock, limits, the rights
//! of the service's role.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use creditd::limits;
use creditd::pb;
use creditd::store::Address;
use diesel::sql_types::Text;
use diesel_async::RunQueryDsl as _;
use tonic::Code;
use tonic::codec::CompressionEncoding::Gzip;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::harness::{Options, World, say, t0};

const CREDITS: &str = "credits.v1.CreditService";
const USAGE: &str = "credits.v1.UsageService";
const CUSTOMERS: &str = "credits.v1.CustomerService";
const CAMPAIGNS: &str = "credits.v1.CampaignService";
const NOTIFICATIONS: &str = "credits.v1.NotificationService";
const CLOCK: &str = "credits.v1.TestClockService";
/// What is served whatever the clock.
const ALWAYS: [&str; 5] = [CREDITS, USAGE, CUSTOMERS, CAMPAIGNS, NOTIFICATIONS];

async fn health(world: &World, service: &str) -> Result<ServingStatus, Code> {
    let request = HealthCheckRequest { service: service.to_owned() };
    let answer = HealthClient::new(world.client.channel.clone()).check(request).await;
    answer.map(|answer| answer.into_inner().status()).map_err(|status| status.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn health_speaks_of_the_whole_and_of_each_service() {
    World::run(async |world| {
        for service in [&ALWAYS[..], &["", CLOCK]].concat() {
            assert_eq!(health(world, service).await, Ok(ServingStatus::Serving), "{service}");
        }
        assert_eq!(health(world, "credits.v1.NoService").await, Err(Code::NotFound));
    })
    .await;
    World::run_with(Options::real(), async |world| {
        for service in [&ALWAYS[..], &[""]].concat() {
            assert_eq!(health(world, service).await, Ok(ServingStatus::Serving), "{service}");
        }
        assert_eq!(health(world, CLOCK).await, Err(Code::NotFound));
    })
    .await;
}

/// The services that reflection lists, and whether it knows the file of one of them.
macro_rules! reflected {
    ($world:expr, $version:ident) => {{
        use tonic_reflection::pb::$version::ServerReflectionRequest;
        use tonic_reflection::pb::$version::server_reflection_client::ServerReflectionClient;
        use tonic_reflection::pb::$version::server_reflection_request::MessageRequest as Ask;
        use tonic_reflection::pb::$version::server_reflection_response::MessageResponse as Said;
        let ask = |ask| ServerReflectionRequest { host: String::new(), message_request: Some(ask) };
        let asked = tokio_stream::iter([
            ask(Ask::ListServices(String::new())),
            ask(Ask::FileContainingSymbol("credits.v1.UsageService.StreamUsage".to_owned())),
            ask(Ask::FileContainingSymbol("google.rpc.ErrorInfo".to_owned())),
            ask(Ask::FileContainingSymbol("credits.v1.Nothing".to_owned())),
        ]);
        let mut client = ServerReflectionClient::new($world.client.channel.clone());
        let answers = client.server_reflection_info(asked).await.expect("reflection");
        let mut answers = answers.into_inner();
        let mut names = BTreeSet::new();
        let mut known = Vec::new();
        while let Ok(Some(answer)) = answers.message().await {
            match answer.message_response.expect("an answer") {
                Said::ListServicesResponse(list) => {
                    names.extend(list.service.into_iter().map(|service| service.name));
                }
                Said::FileDescriptorResponse(files) => {
                    known.push(!files.file_descriptor_proto.is_empty());
                }
                Said::ErrorResponse(_) => known.push(false),
                other => panic!("{other:?}"),
            }
        }
        (names, known)
    }};
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_lists_what_is_served() {
    let beside = [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    ];
    let expected = |services: &[&str]| -> BTreeSet<String> {
        services.iter().chain(&beside).map(|name| (*name).to_owned()).collect()
    };
    World::run(async |world| {
        for (names, known) in [reflected!(world, v1), reflected!(world, v1alpha)] {
            assert_eq!(names, expected(&[&ALWAYS[..], &[CLOCK]].concat()));
            assert_eq!(known[..2], [true, true]);
            assert_ne!(known.get(2), Some(&true), "there is no such symbol");
        }
    })
    .await;
    World::run_with(Options::real(), async |world| {
        for (names, _) in [reflected!(world, v1), reflected!(world, v1alpha)] {
            assert_eq!(names, expected(&ALWAYS));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_responses_may_be_compressed() {
    World::run(async |world| {
        let asked = pb::CreateGrantRequest {
            description: "the same again and again ".repeat(30),
            ..say::units("acme", "100")
        };
        let mut plain = world.client.credits.clone();
        let answer = plain.create_grant(asked.clone()).await.expect("a grant");
        assert_eq!(answer.metadata().get("grpc-encoding"), None, "nobody asked for it");
        let made = answer.into_inner().grant;

        let gzip = |answer: &tonic::metadata::MetadataMap| {
            assert_eq!(answer.get("grpc-encoding").expect("compressed"), "gzip");
        };
        let mut zipped = plain.clone().send_compressed(Gzip).accept_compressed(Gzip);
        let answer = zipped.create_grant(asked).await.expect("a replay");
        gzip(answer.metadata());
        let answer = answer.into_inner();
        assert_eq!((answer.replayed, answer.grant), (true, made));

        let mut usage = world.client.usage.clone().send_compressed(Gzip).accept_compressed(Gzip);
        let events = (0..50).map(|n| say::usage("acme", &n.to_string(), "m", "1")).collect();
        let request = tokio_stream::once(pb::StreamUsageRequest { events });
        let answers = usage.stream_usage(request).await.expect("a stream");
        gzip(answers.metadata());
        let answer = answers.into_inner().message().await.expect("an answer").expect("an answer");
        assert_eq!(answer.results.len(), 50);

        let mut clock = world.client.clock.clone().send_compressed(Gzip).accept_compressed(Gzip);
        gzip(clock.get_time(pb::GetTimeRequest {}).await.expect("a time").metadata());
        // A channel that compresses everything probes health, too.
        let health = HealthClient::new(world.client.channel.clone());
        let mut health = health.send_compressed(Gzip).accept_compressed(Gzip);
        health.check(HealthCheckRequest::default()).await.expect("health");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_test_clock_stands_and_never_runs_backwards() {
    World::run(async |world| {
        let mut clock = world.client.clock.clone();
        let mut shows = async || {
            let shown = clock.get_time(pb::GetTimeRequest {}).await.expect("a time");
            shown.into_inner().time
        };
        assert_eq!(shows().await, say::hour(0));
        let client = world.client.clone();
        let advance = |time| {
            let client = client.clone();
            async move { client.try_advance(pb::AdvanceToRequest { time }).await }
        };
        let mut fine = say::hour(1).expect("a time");
        fine.nanos = 1_999;
        let moved = advance(Some(fine)).await.expect("forward");
        let cut = say::after(TimeDelta::hours(1) + TimeDelta::microseconds(1));
        assert_eq!((moved.time, shows().await), (cut, cut));
        // Where it is already: nothing happens, so that a repeated call is safe.
        assert_eq!(advance(cut).await.expect("here").time, cut);
        for back in [say::hour(1), say::hour(0), say::hour(-10_000)] {
            let refused = advance(back).await;
            say::refused(refused, Code::FailedPrecondition, "CLOCK_BACKWARDS");
            assert_eq!(shows().await, cut);
        }
        // It stands still while things happen.
        client.grant(say::units("acme", "1")).await;
        assert_eq!(client.record(say::usage("acme", "e", "m", "1")).await.recorded_at, cut);
        assert_eq!(shows().await, cut);
        // As far as a timestamp goes.
        let last = prost_types::Timestamp { seconds: 253_402_300_799, nanos: 999_999_000 };
        assert_eq!(advance(Some(last)).await.expect("forward").time, Some(last));
        client.grant(say::units("acme", "1")).await;
        assert_eq!(client.record(say::usage("acme", "f", "m", "1")).await.covered, "1");
    })
    .await;
}

/// One jump books what each of its instants brings, of all customers, as many small steps would.
#[tokio::test(flavor = "multi_thread")]
async fn advancing_books_instant_by_instant() {
    World::run(async |world| {
        let client = world.client.clone();
        for customer in ["jump", "steps"] {
            // Consumed in another order than they expire in; two expire at the same instant.
            for (amount, hour, priority) in [("1", 3, 1), ("2", 1, 9), ("3", 2, 5), ("4", 2, 2)] {
                let asked = pb::CreateGrantRequest {
                    priority: Some(priority),
                    expires_at: say::hour(hour),
                    ..say::units(customer, amount)
                };
                client.grant(asked).await;
            }
        }
        for hour in 1..=3 {
            // Booked step by step by a refused event, hour by hour, for one of the two.
            world.only_clock_to(t0() + TimeDelta::hours(hour));
            let event = pb::RecordUsageRequest {
                insufficient_credits: pb::InsufficientCredits::Reject.into(),
                ..say::usage("steps", "e", "m", "100")
            };
            client.try_record(event).await.expect_err("not enough");
        }
        world.advance(TimeDelta::days(10)).await;
        let plain = |mut entries: Vec<pb::LedgerEntry>| {
            for entry in &mut entries {
                (entry.customer_id, entry.grant_id) = Default::default();
            }
            entries
        };
        let (jump, steps) = (client.ledger("jump").await, client.ledger("steps").await);
        let lines =
            ["5 EXPIRED -2 -> 0", "6 EXPIRED -3 -> 0", "7 EXPIRED -4 -> 0", "8 EXPIRED -1 -> 0"];
        assert_eq!(say::lines(&jump[4..]), lines);
        assert_eq!(plain(jump), plain(steps));
        // Booked, not only shown.
        let rows = world.database.counts().await;
        assert!(rows.contains(&("ledger_entries".to_owned(), 16)), "{rows:?}");
    })
    .await;
}

/// A service without a test clock has no service to move it, and uses the database's clock.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_test_clock_there_is_no_clock_service() {
    World::run_with(Options::real(), async |world| {
        let client = world.client.clone();
        let refused = client.try_advance(pb::AdvanceToRequest { time: say::hour(0) }).await;
        assert_eq!(refused.expect_err("no such service").code(), Code::Unimplemented);
        let refused = client.clock.clone().get_time(pb::GetTimeRequest {}).await;
        assert_eq!(refused.expect_err("no such service").code(), Code::Unimplemented);
        let database = world.database.connect().await;
        let read = async || {
            let clock = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
            let row = database.query_one(clock, &[]).await.expect("a time");
            row.get::<_, i64>(0)
        };
        let before = read().await;
        let grant = client.grant(say::units("acme", "1")).await;
        let event = client.record(say::usage("acme", "e1", "m", "1")).await;
        let after = read().await;
        let made = say::instant(grant.created_at.as_ref()).timestamp_micros();
        let recorded = say::instant(event.recorded_at.as_ref()).timestamp_micros();
        assert!(before <= made && made <= recorded && recorded <= after);
        assert_eq!((grant.effective_at, event.timestamp), (grant.created_at, event.recorded_at));
        assert_eq!(event.covered, "1");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversized_message_is_refused_and_the_server_lives_on() {
    World::run(async |world| {
        let client = world.client.clone();
        let huge = "x".repeat(limits::MESSAGE_BYTES_MAX + 1);
        let asked = pb::CreateGrantRequest { description: huge.clone(), ..say::units("acme", "1") };
        let status = client.try_grant(asked).await.expect_err("too large");
        assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
        let event = pb::RecordUsageRequest {
            metadata: say::pairs(&[("k", &huge)]),
            ..say::usage("acme", "e1", "m", "1")
        };
        let good = pb::StreamUsageRequest { events: vec![say::usage("acme", "e0", "m", "1")] };
        let requests = [good, pb::StreamUsageRequest { events: vec![event] }];
        let answers = client.usage.clone().stream_usage(tokio_stream::iter(requests)).await;
        let mut answers = answers.expect("a stream").into_inner();
        let first = answers.message().await.expect("an answer").expect("an answer");
        assert_eq!(first.results.len(), 1);
        let status = answers.message().await.expect_err("too large");
        assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
        // Just under the limit it is looked at, and refused for what it says.
        let large = "x".repeat(limits::MESSAGE_BYTES_MAX - 1_000);
        let asked = pb::CreateGrantRequest { description: large, ..say::units("acme", "1") };
        let status = client.try_grant(asked).await.expect_err("too long");
        assert_eq!(say::bad_fields(&status), ["description"]);
        client.grant(say::units("acme", "1")).await;
        assert_eq!(client.events("acme").await.len(), 1);
    })
    .await;
}

/// The role that the service uses cannot change what is written.
#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_is_append_only() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "10")).await;
        client.record(say::usage("acme", "e1", "m", "1")).await;
        let before = client.ledger("acme").await;
        let database = world.database.connect().await;
        for statement in [
            "UPDATE ledger_entries SET amount = 1",
            "UPDATE ledger_entries SET reason = 'r' WHERE false",
            "DELETE FROM ledger_entries",
            "TRUNCATE ledger_entries",
            "TRUNCATE customers, grants, usage_events, ledger_entries, requests CASCADE",
            "UPDATE requests SET request_id = 'r'",
            "DELETE FROM requests",
            "TRUNCATE requests",
            "DELETE FROM usage_events",
            "TRUNCATE usage_events",
            "DELETE FROM grants",
            "TRUNCATE grants",
            "DELETE FROM customers",
        ] {
            let error = database.batch_execute(statement).await.expect_err(statement);
            let code = error.code().expect("a code");
            let denied = &tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE;
            assert_eq!(code, denied, "{statement}: {error}");
        }
        assert_eq!(client.ledger("acme").await, before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_can_be_turned_off() {
    World::run_with(Options { reflection: false, ..Options::default() }, async |world| {
        for version in ["v1", "v1alpha"] {
            let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
            let status = crate::identity::call(world, &path, None).await;
            assert_eq!(status.code(), Code::Unimplemented, "{version}");
        }
        world.client.grant(say::units("acme", "1")).await;
    })
    .await;
}

/// What is said to PostgreSQL of every connection that serves.
#[tokio::test(flavor = "multi_thread")]
async fn connections_have_timeouts() {
    World::run(async |world| {
        let address = Address::parse(&world.database.url).expect("a URL");
        let mut conn = address.connect().await.expect("a connection");
        for (name, limit) in [
            ("statement_timeout", limits::STATEMENT_TIMEOUT),
            ("lock_timeout", limits::LOCK_TIMEOUT),
            ("idle_in_transaction_session_timeout", limits::IDLE_IN_TRANSACTION_TIMEOUT),
        ] {
            let setting = format!("(SELECT setting FROM pg_settings WHERE name = '{name}')");
            let setting = diesel::select(diesel::dsl::sql::<Text>(&setting));
            let setting: String = setting.get_result(&mut conn).await.expect("a setting");
            assert_eq!(setting, limit.as_millis().to_string(), "{name}");
        }
    })
    .await;
}
