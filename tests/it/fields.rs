//! Bad input: every field of every RPC, missing and malformed. INVALID_ARGUMENT names exactly
//! what is bad, all of it at once, and nothing is written.

/// A call, as [`refuses`] wants it.
macro_rules! on {
    ($client:expr, $call:ident) => {
        |request| {
            let client = $client.clone();
            async move { client.$call(request).await }
        }
    };
}

mod campaigns;
mod credits;
mod exports;
mod holds;
mod invoices;
mod notifications;
mod pages;
mod usage;

use std::collections::BTreeMap;
use std::fmt::Debug;

use chrono::TimeDelta;
use creditd::pb;
use prost_types::{Duration, Timestamp};
use tonic::Status;

use crate::harness::{World, say, t0};

/// A field of a request, and what kind of thing it is.
enum Spot<R> {
    /// An id or a name that must be there.
    Id(&'static str, fn(&mut R) -> &mut String),
    /// One that may be left out.
    OptionalId(&'static str, fn(&mut R) -> &mut String),
    /// A grant's id that must be there.
    GrantId(&'static str, fn(&mut R) -> &mut String),
    /// One that may be left out.
    OptionalGrantId(&'static str, fn(&mut R) -> &mut String),
    /// A currency that may be left out.
    Currency(&'static str, fn(&mut R) -> &mut String),
    /// A quantity, 0 allowed.
    Quantity(&'static str, fn(&mut R) -> &mut String),
    /// An amount, 0 refused.
    Amount(&'static str, fn(&mut R) -> &mut String),
    /// One that may be left out.
    OptionalAmount(&'static str, fn(&mut R) -> &mut String),
    /// How long a hold lasts.
    Ttl(&'static str, fn(&mut R) -> &mut Option<Duration>),
    /// A text for people of at most 1,000 characters.
    Text(&'static str, fn(&mut R) -> &mut String),
    Time(&'static str, fn(&mut R) -> &mut Option<Timestamp>),
    /// An enum where 0 stands for something.
    Enum(&'static str, fn(&mut R) -> &mut i32),
    Metadata(fn(&mut R) -> &mut BTreeMap<String, String>),
    PageSize(fn(&mut R) -> &mut i32),
    /// What is particular to one field: the field named, the bad value.
    Case(&'static str, fn(&mut R)),
}

/// One way to spoil a request, and the field that must be named for it.
type Spoil<R> = (String, Box<dyn Fn(&mut R)>);

fn bad_ids() -> Vec<String> {
    let long = "x".repeat(256);
    let wide = "é".repeat(128);
    let bad = [" a", "a ", "a\u{a0}", "a\nb", "a\0b", "\u{7f}", "a\u{85}b", &long, &wide];
    say::names(&bad)
}

fn bad_quantities() -> Vec<String> {
    let endless = format!("1.{}", "0".repeat(63));
    say::names(&[
        "",
        "x",
        "1e3",
        "-1",
        "+1",
        " 1",
        "1 ",
        ".5",
        "5.",
        "1,5",
        "1_000",
        "0x10",
        "NaN",
        "١",
        "0.0000000000001",
        "1000000000000001",
        "1000000000000000.000000000001",
        "99999999999999999999999999999999999999999999999999",
        &endless,
    ])
}

fn bad_times() -> Vec<Timestamp> {
    let time = |seconds, nanos| Timestamp { seconds, nanos };
    vec![
        time(-62_135_596_801, 0),
        time(253_402_300_800, 0),
        time(i64::MAX, 0),
        time(i64::MIN, 0),
        time(0, -1),
        time(0, 1_000_000_000),
        time(0, i32::MIN),
    ]
}

fn bad_ttls() -> Vec<Duration> {
    let ttl = |seconds, nanos| Duration { seconds, nanos };
    vec![
        ttl(0, 0),
        // Cut to microseconds, nothing is left.
        ttl(0, 999),
        ttl(-1, 0),
        ttl(0, -1_000),
        ttl(86_400, 1_000),
        ttl(86_401, 0),
        ttl(i64::MAX, 0),
        ttl(i64::MIN, 0),
        // No duration at all.
        ttl(1, -1),
        ttl(-1, 1_000_000_000),
        ttl(0, 1_000_000_000),
        ttl(0, i32::MAX),
    ]
}

/// The field that is named, and the pairs that are bad.
fn bad_metadata() -> Vec<(String, BTreeMap<String, String>)> {
    let long = "k".repeat(41);
    let shown = format!("metadata[{}]", "k".repeat(40));
    let many = (0..51).map(|n| (format!("key {n}"), String::new())).collect();
    vec![
        ("metadata".to_owned(), many),
        (shown, say::pairs(&[(&long, "v")])),
        ("metadata[]".to_owned(), say::pairs(&[("", "v"), ("good", "v")])),
        ("metadata[k]".to_owned(), say::pairs(&[("k", &"é".repeat(501)), ("good", "v")])),
        ("metadata[k]".to_owned(), say::pairs(&[("k", "a\0b")])),
        ("metadata[a\\0b]".to_owned(), say::pairs(&[("a\0b", "v")])),
    ]
}

fn each<R: 'static, T: Clone + 'static>(
    field: &str,
    at: fn(&mut R) -> &mut T,
    values: Vec<T>,
) -> Vec<Spoil<R>> {
    let spoil = |value: T| -> Spoil<R> {
        (field.to_owned(), Box::new(move |request: &mut R| *at(request) = value.clone()))
    };
    values.into_iter().map(spoil).collect()
}

impl<R: 'static> Spot<R> {
    fn spoils(&self) -> Vec<Spoil<R>> {
        let missing_too = |mut bad: Vec<String>| {
            bad.insert(0, String::new());
            bad
        };
        let no_uuid = || say::names(&["nope", "0198", " ", "0198b6a0-0000-7000-8000-00000000000g"]);
        match *self {
            Self::Id(field, at) => each(field, at, missing_too(bad_ids())),
            Self::OptionalId(field, at) => each(field, at, bad_ids()),
            Self::GrantId(field, at) => each(field, at, missing_too(no_uuid())),
            Self::OptionalGrantId(field, at) => each(field, at, no_uuid()),
            Self::Currency(field, at) => {
                each(field, at, say::names(&["usd", "XYZ", "US", "USDX", "XAU", " USD", "$"]))
            }
            Self::Quantity(field, at) => each(field, at, bad_quantities()),
            Self::Amount(field, at) => {
                let mut bad = bad_quantities();
                bad.extend(say::names(&["0", "0.000", "000"]));
                each(field, at, bad)
            }
            Self::OptionalAmount(field, at) => {
                let mut bad = bad_quantities().split_off(1);
                bad.extend(say::names(&["0", "0.000", "000"]));
                each(field, at, bad)
            }
            Self::Ttl(field, at) => each(field, at, bad_ttls().into_iter().map(Some).collect()),
            Self::Text(field, at) => each(field, at, vec!["é".repeat(1_001), "nul \0".to_owned()]),
            Self::Time(field, at) => each(field, at, bad_times().into_iter().map(Some).collect()),
            Self::Enum(field, at) => each(field, at, vec![99, -1, i32::MAX]),
            Self::PageSize(at) => each("page_size", at, vec![-1, i32::MIN]),
            Self::Metadata(at) => {
                let spoil = |(field, bad): (String, _)| each(&field, at, vec![bad]);
                bad_metadata().into_iter().flat_map(spoil).collect()
            }
            Self::Case(field, spoil) => vec![(field.to_owned(), Box::new(spoil))],
        }
    }
}

fn sorted(mut fields: Vec<String>) -> Vec<String> {
    fields.sort();
    fields
}

/// Sends the request as it is, which must be good; then every single spoil of it; then all spots
/// spoilt at once. What is bad must be named, and nothing be written.
async fn refuses<R, A, F>(world: &World, good: R, spots: &[Spot<R>], call: impl Fn(R) -> F)
where
    R: Clone + Debug + 'static,
    A: Debug,
    F: Future<Output = Result<A, Status>>,
{
    call(good.clone()).await.expect("the request is good before it is spoilt");
    let before = world.database.counts().await;
    let mut all = (Vec::new(), good.clone());
    for spot in spots {
        let spoils = spot.spoils();
        for (field, spoil) in &spoils {
            let mut bad = good.clone();
            spoil(&mut bad);
            let Err(status) = call(bad.clone()).await else { panic!("{field}: taken: {bad:?}") };
            assert_eq!(say::bad_fields(&status), [field.as_str()], "{bad:?}");
            assert!(status.message().starts_with(field.as_str()), "{status:?}");
        }
        let (field, spoil) = &spoils[0];
        all.0.push(field.clone());
        spoil(&mut all.1);
    }
    let (fields, bad) = all;
    let status = call(bad.clone()).await.expect_err("all of it is bad");
    assert_eq!(sorted(say::bad_fields(&status)), sorted(fields), "{bad:?}");
    assert_eq!(world.database.counts().await, before, "something was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_is_told_a_time() {
    World::run(async |world| {
        let good = pb::AdvanceToRequest { time: Some(say::time(t0() + TimeDelta::hours(1))) };
        let spots: &[Spot<pb::AdvanceToRequest>] =
            &[Spot::Time("time", |r| &mut r.time), Spot::Case("time", |r| r.time = None)];
        let client = world.client.clone();
        // One field twice in the table: it is spoilt, and named, once.
        for spot in spots {
            refuses(world, good, std::slice::from_ref(spot), on!(client, try_advance)).await;
        }
        assert_eq!(world.now(), t0() + TimeDelta::hours(1));
    })
    .await;
}
