//! Every cap on what creditd takes, keeps and waits for, named, with its reason. (What an amount may
//! be is in `domain::amount`, the private server's patience in `store::private`.)

mod connections;
mod identity;

use std::time::Duration;

pub use self::connections::*;
pub use self::identity::*;

use chrono::TimeDelta;

// --- What callers may send -------------------------------------------------------------------

/// Bytes of an id given by a caller (customer, event, request, metric …): room for any
/// composite key, small enough to sit in an index entry beside a UUID.
pub const ID_BYTES_MAX: usize = 255;
/// Characters of a grant's description: a paragraph, not a document.
pub const DESCRIPTION_CHARS_MAX: usize = 1_000;
/// Characters of the reason of a void: the same as a description.
pub const REASON_CHARS_MAX: usize = 1_000;
/// Metadata pairs on one object: what the field's other services allow.
pub const METADATA_PAIRS_MAX: usize = 50;
/// Characters of a metadata key.
pub const METADATA_KEY_CHARS_MAX: usize = 40;
/// Characters of a metadata value.
pub const METADATA_VALUE_CHARS_MAX: usize = 500;
/// Metrics that one unit grant may be tied to.
pub const METRICS_MAX: usize = 50;
/// Highest (that is, last consumed) priority of a grant.
pub const PRIORITY_MAX: u8 = 100;
/// Bytes of an amount as text: 16 digits, a point, 12 decimals, and generous trailing zeros.
pub const AMOUNT_BYTES_MAX: usize = 64;
/// Bytes of a webhook endpoint's URL: what browsers and proxies are known to take.
pub const URL_BYTES_MAX: usize = 2_000;
/// Items of a page where the caller names no number.
pub const PAGE_SIZE_DEFAULT: u32 = 100;
/// Items of a page at most: a response stays well under gRPC's 4 MiB default.
pub const PAGE_SIZE_MAX: u32 = 1_000;
/// Statuses or types that one filter names: more than there are, repetitions included, and few
/// enough to be looked up for every row.
pub const FILTER_VALUES_MAX: usize = 100;
/// Bytes of a page's items, of which there is always one: clients take messages of 4 MiB unless
/// told otherwise.
pub const PAGE_BYTES_MAX: usize = 3 * 1024 * 1024;
/// Bytes of a response of StreamUsage or ImportGrants, beyond which events are shown without their
/// allocations and metadata, and errors in short: clients take messages of 4 MiB unless told
/// otherwise, and a thousand results in short take up to 1.5 MiB.
pub const STREAM_RESPONSE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Bytes of an error's text where it is told in short: all of it, but for long names of fields.
pub const SHORT_MESSAGE_BYTES: usize = 500;
/// Usage events in one StreamUsage request: a batch the engine can take whole.
pub const STREAM_EVENTS_MAX: usize = 1_000;
/// Rows in one ImportGrants request: the same.
pub const IMPORT_ROWS_MAX: usize = 1_000;
/// Grants that VoidGrants takes at a time: enough to make a batch, often enough to show progress, and
/// 30 MB where their notes are as long as may be.
pub const VOID_GRANTS_AT_ONCE: i64 = 250;
/// Candidates that PreviewUsage lists: an answer of some 600 KB.
pub const PREVIEW_CANDIDATES_MAX: usize = 10_000;
/// Rows of one SummarizeUsage response: a year of days of 27 metrics, an answer of some 800 KB.
pub const SUMMARY_ROWS_MAX: usize = 10_000;
/// Bytes of one request message: 1,000 events of ordinary size, with room for metadata.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Faults that one INVALID_ARGUMENT names; a line that counts the others follows. Statuses travel
/// in HTTP/2 headers, of which some clients accept 16 KB.
pub const FIELD_FAULTS_MAX: usize = 60;
/// Bytes that the named faults may take together: with base64, and with the message, which is
/// percent-encoded, still under 16 KB.
pub const FIELD_FAULTS_BYTES_MAX: usize = 6_000;
/// Faults that the status's message spells out, for people; the details name them all.
pub const FIELD_FAULTS_SPELT: usize = 5;

// --- What a customer may have ----------------------------------------------------------------

/// Open grants of one customer: every decision may look at all of them.
pub const OPEN_GRANTS_MAX: usize = 10_000;
/// Open holds of one customer: each batch looks whether one of them has fallen due.
pub const OPEN_HOLDS_MAX: usize = 10_000;
/// How long a hold lasts unless told otherwise: a request to another service, with retries.
pub const HOLD_TTL_DEFAULT: TimeDelta = TimeDelta::minutes(15);
/// Longest time from now to a hold's deadline: credits that nobody comes back for are free again
/// within a day.
pub const HOLD_TTL_MAX: TimeDelta = TimeDelta::hours(24);
/// How far ahead of the clock an event's timestamp may lie: the skew of a caller's clock.
pub const TIMESTAMP_AHEAD_MAX: TimeDelta = TimeDelta::minutes(5);
/// Events of a customer that are rolled up together, at least, and half of how many at most: summaries
/// look at the newest one by one, which takes milliseconds, and more at once would hold up the batch
/// that does it.
pub const ROLLUP_EVENTS: i64 = 1_024;
/// Longest configurable window: keys are kept for 13 months, and an event's must outlive it.
pub const WINDOW_MAX: Duration = Duration::from_secs(395 * 24 * 3_600);

/// Ledger entries of a customer from one point of the balance to the next; more where more grants
/// have something left. A past balance reads so many at most, which takes a third of a millisecond,
/// and the points of a customer with twenty grants cost an entry a byte and a half.
pub const POINT_EVERY: usize = 1_024;

/// Longest time before its end at which a grant is warned of: a year and a month.
pub const EXPIRY_WARNING_MAX: TimeDelta = TimeDelta::days(400);

/// Periods of which each grant is warned: each is looked at with every grant.
pub const EXPIRY_WARNINGS_MAX: usize = 10;
/// Lines that balances are compared with: each after every command.
pub const BALANCE_THRESHOLDS_MAX: usize = 20;
/// Webhook endpoints: whatever happens is written once for each that hears of it.
pub const WEBHOOK_ENDPOINTS_MAX: usize = 16;
/// Secrets that sign beside the present one: each adds a signature to every request's headers.
pub const OLD_SECRETS_MAX: usize = 5;
/// How long a secret signs on after another has taken its place: a receiver changes over within a
/// working day, and a secret that got lost is soon worth nothing.
pub const OLD_SECRET_SIGNS_FOR: TimeDelta = TimeDelta::hours(24);

/// Segments that one customer may be in.
pub const SEGMENTS_MAX: usize = 50;
/// Characters of a customer's name: the same as a description.
pub const NAME_CHARS_MAX: usize = 1_000;
/// Profiles in one UpsertCustomers request: a transaction of some ten milliseconds.
pub const PROFILES_MAX: usize = 1_000;
/// Customers that a campaign may name one by one: more of them are a segment.
pub const CAMPAIGN_CUSTOMERS_MAX: usize = 10_000;
/// Customers who were refused a campaign's grant, that the campaign shows: enough to see the pattern.
pub const CAMPAIGN_REJECTIONS_SHOWN: i32 = 100;

// --- The engine ------------------------------------------------------------------------------

/// Lanes, unless configured: measured on two cores, one is too few and four gain little.
pub const LANES_DEFAULT: u16 = 2;
/// Commands in one batch, unless configured: 100 costs a third of the throughput.
pub const BATCH_COMMANDS_DEFAULT: u16 = 2_000;
/// Links of a batch's span: as many as a batch has callers, unless it was made larger than it is by
/// default.
pub const BATCH_LINKS_MAX: u32 = 2_000;
/// Unary commands that may wait in one lane, unless configured: well under a second of work;
/// beyond it a call is told OVERLOADED.
pub const LANE_QUEUE_DEFAULT: u32 = 10_000;
/// Commands of streams (and of the sweeper) that may wait in one lane, beside the unary ones, which
/// they must not crowd out: a full batch to follow the one that is under way, and another. A
/// stream that finds no room waits.
pub const LANE_STREAM_QUEUE: u32 = 4_000;
/// Grants kept in one lane's cache between batches, long notes counting as several: about 25 MB.
pub const LANE_CACHE_GRANTS: usize = 50_000;
/// Open grants from which on an account that only imports and time have asked for is kept in the
/// cache: about where loading them costs as much as all else that a row of an import takes.
pub const UNUSED_ACCOUNT_GRANTS_KEPT: usize = 8;
/// How long a batch is retried while the database is away, before its callers get UNAVAILABLE:
/// longer than a restart of PostgreSQL, shorter than a caller's patience.
pub const BATCH_RETRY_FOR: Duration = Duration::from_secs(10);
/// How long one try of a batch may take before its connection is given up: longer than the
/// statement timeout, so that only a peer that vanished without a word is cut off by it, and
/// shorter than [`BATCH_RETRY_FOR`], so that there is another.
pub const BATCH_TIMEOUT: Duration = Duration::from_secs(6);
/// How often a batch may fail for reasons the database does not class, over fresh connections,
/// before its commands are run one by one to find the guilty one.
pub const UNCLASSED_FAILURES_MAX: u32 = 2;
/// First pause before a lane connects again; it doubles up to [`RECONNECT_PAUSE_MAX`].
pub const RECONNECT_PAUSE_MIN: Duration = Duration::from_millis(20);
/// Longest pause between two attempts to connect.
pub const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(1);
/// How often a batch that lost a race (deadlock, serialization failure, a customer or a row of an
/// import that another batch inserted first) is tried again before it is halved, where others were
/// first to insert, or else its callers get ABORTED.
pub const CONFLICT_RETRIES_MAX: u32 = 5;
/// Requests of one stream (StreamUsage, ImportGrants) that may be in flight: enough to keep every lane busy,
/// little enough that a stream's memory stays small.
pub const STREAM_IN_FLIGHT: usize = 8;
/// What callers are told to wait before they try again.
pub const RETRY_AFTER: Duration = Duration::from_millis(250);

// --- Watchers --------------------------------------------------------------------------------

/// Customers that one WatchBalance stream may name: a request of some 250 KB at most.
pub const WATCH_CUSTOMERS_MAX: usize = 1_000;
/// WatchBalance streams on one replica, unless configured: some 20 KB each.
pub const WATCHERS_DEFAULT: u32 = 20_000;
/// Customers that the streams of one replica watch, each counted once for every stream, unless
/// configured: a balance of a few grants and its place in the hub take some 2 KB.
pub const WATCHED_CUSTOMERS_DEFAULT: u32 = 200_000;
/// Customers that are read together for those who watch them: the statement takes a few
/// milliseconds, so that whoever changes meanwhile does not wait for long.
pub const WATCH_READ_CUSTOMERS: usize = 250;
/// How long a new stream waits for the present state before UNAVAILABLE: longer than a restart of
/// PostgreSQL, shorter than a caller's patience.
pub const WATCH_FIRST_STATE: Duration = Duration::from_secs(10);
/// How often the clock is looked at while somebody waits for what time will bring: between two
/// looks it may have been set.
pub const CLOCK_LOOK_EVERY: Duration = Duration::from_secs(30);
/// How often a connection that only listens is asked for a sign of life.
pub const LISTEN_PING_EVERY: Duration = Duration::from_secs(5);

// --- Webhooks --------------------------------------------------------------------------------

/// Attempts that one endpoint may have in flight on one replica: enough to tell a receiver that
/// takes 10 ms of more than a thousand things a second, few enough that it is not overrun.
pub const DELIVERIES_IN_FLIGHT: usize = 16;
/// Connections over which webhooks are claimed and noted: while one waits for its commit, the other
/// goes on.
pub const DELIVERY_CONNECTIONS: usize = 2;
/// How long an attempt may take, unless configured: receivers are to answer first and work then.
pub const WEBHOOK_TIMEOUT_DEFAULT: &str = "10s";
/// The shortest that can be configured: half of it is for the way there.
pub const WEBHOOK_TIMEOUT_MIN: Duration = Duration::from_millis(100);
/// The longest that can be configured: what a replica had in hand when it died waits as long.
pub const WEBHOOK_TIMEOUT_MAX: Duration = Duration::from_secs(60);
/// How much longer than an attempt its claim lasts: time to write down what came of it, while the
/// database is well.
pub const DELIVERY_CLAIM_MARGIN: Duration = Duration::from_secs(5);
/// How often endpoints and what waits for them are looked at: other replicas leave no word.
pub const DELIVERY_LOOK_EVERY: Duration = Duration::from_secs(1);
/// Shortest pause between two such looks: every batch leaves word, and one look serves many.
pub const DELIVERY_LOOK_PAUSE: Duration = Duration::from_millis(20);
/// Bytes of a response that are read, to use its connection again: what receivers say besides the
/// status is nobody's, and not worth more.
pub const DELIVERY_RESPONSE_BYTES: usize = 16 * 1024;
/// Deliveries that one statement makes due when their endpoint is enabled again: a fraction of a second,
/// during which the workers wait for none of the others.
pub const DELIVERIES_RENEWED_AT_ONCE: i64 = 5_000;
/// Pause after the first failure; it doubles up to [`DELIVERY_PAUSE_MAX`].
pub const DELIVERY_PAUSE_MIN: TimeDelta = TimeDelta::seconds(5);
/// Longest pause between two attempts, whatever a receiver asks for: it is noticed within half a
/// working day that it is well again.
pub const DELIVERY_PAUSE_MAX: TimeDelta = TimeDelta::hours(4);
/// How long an endpoint may fail without a success until it is disabled: a weekend.
pub const ENDPOINT_FAILS_MAX: TimeDelta = TimeDelta::days(3);

// --- The database ----------------------------------------------------------------------------

/// Connections that reads share, unless configured.
pub const READ_POOL_DEFAULT: u16 = 8;
/// How long data may stay unacknowledged by the database's host before a connection is dead.
pub const TCP_USER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a read waits for a connection of the pool before UNAVAILABLE.
pub const POOL_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long one attempt to connect may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the start looks whether the database is there, and its schema is the one.
pub const STARTUP_LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long `creditd migrate` waits for a database that is not there yet.
pub const MIGRATE_WAIT: Duration = Duration::from_secs(60);
/// Statement timeout of the service's connections: nothing that creditd asks takes this long on a
/// healthy database, and a stuck one must not hold a lane for ever.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a statement waits for a lock: another replica's batch takes milliseconds, and a row
/// that somebody else holds must not hold a lane up for long.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a transaction of the service may be left waiting for its next statement: as long as
/// [`BATCH_TIMEOUT`], after which nobody comes back for it. The customers that a machine had locked
/// when it lost power would stay locked until TCP notices.
pub const IDLE_IN_TRANSACTION_TIMEOUT: Duration = BATCH_TIMEOUT;

/// Rows of an export that are read at once, and customers looked at for them: beyond a thousand the
/// cost of asking is lost in that of the rows, and what is in memory stays small.
pub const EXPORT_PAGE: i64 = 1_000;
/// Statement timeout of an export: to take back what one busy customer recorded in months may take
/// longer than any call.
pub const EXPORT_STATEMENT_TIMEOUT: Duration = Duration::from_secs(60);
/// Pause between two looks whether the batches under way have ended, which takes milliseconds.
pub const SETTLE_PAUSE: Duration = Duration::from_millis(2);
/// How long ago an instant must be for nothing to be recorded by it any more: ten times
/// [`BATCH_TIMEOUT`], because a server whose client has given up may yet commit.
pub const SETTLED_AFTER: Duration = Duration::from_secs(60);

// --- Notifications ---------------------------------------------------------------------------

/// How long a delivery that fails is tried again before it is parked: longer than a weekend.
pub const DELIVERY_RETRY_FOR: TimeDelta = TimeDelta::days(3);

/// How long what was delivered can be looked up.
pub const DELIVERED_KEPT: TimeDelta = TimeDelta::days(7);
/// How long any other delivery can be looked up and sent again.
pub const UNDELIVERED_KEPT: TimeDelta = TimeDelta::days(30);
/// Old deliveries that one sweeper pass removes: some ten milliseconds of work.
pub const DELIVERIES_REMOVED_AT_ONCE: usize = 2_000;

// --- Tasks -----------------------------------------------------------------------------------

/// Customers that one sweeper pass books: bounds the commands it adds to the lanes' queues.
pub const SWEEP_CUSTOMERS_MAX: u32 = 1_000;
/// Customers in one batch of the sweeper: their rows are locked while it runs, which is some ten
/// milliseconds.
pub const SWEEP_BATCH: u16 = 200;
/// Longest sleep of the sweeper: another replica may have made a grant that is due sooner.
pub const SWEEP_SLEEP_MAX: Duration = Duration::from_secs(30);
/// How many bytes of a grant's notes weigh as much in a cache as a grant.
pub const NOTES_BYTES_PER_GRANT: usize = 400;
/// Shortest sleep of the sweeper: a pass that left work behind does not spin.
pub const SWEEP_SLEEP_MIN: Duration = Duration::from_millis(50);
/// Customers to whom a campaign's run comes at a time, before others have their turn: a batch for the
/// lanes, and so little beside their room for streams that imports find some, too.
pub const CAMPAIGN_STRETCH: i64 = 1_000;
/// How long a replica that has taken customers of a run has them to itself: many times what they
/// take, and little to wait where it has died. One that takes longer loses nothing but its work,
/// which the next one finds done.
pub const CAMPAIGN_LEASE: Duration = Duration::from_secs(5);
/// How often a replica with nothing to do looks for runs: those that another has left behind.
pub const CAMPAIGN_LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often a WatchCampaign stream looks at its campaign: for a progress bar, and one small read.
pub const CAMPAIGN_WATCH_EVERY: Duration = Duration::from_millis(250);
/// Differences that the audit lists of one rule: enough to see the pattern.
pub const AUDIT_DIFFERENCES_MAX: u32 = 1_000;
/// How often health asks the database.
pub const HEALTH_EVERY: Duration = Duration::from_secs(1);
/// How long the drain at the end may take before what is still open is left: longer than
/// [`BATCH_RETRY_FOR`], so that who waits for a database that is away hears of it, and shorter than
/// the 30 s after which Kubernetes kills.
pub const GRACE_DEFAULT: &str = "20s";
/// Shortest grace: a batch that is under way ends.
pub const GRACE_MIN: Duration = Duration::from_secs(1);
/// Longest grace: a deployment should not hang on one client.
pub const GRACE_MAX: Duration = Duration::from_secs(3_600);
/// The share of the grace, one in so many, that is kept for what goes on beside calls: calls that take
/// all of theirs leave tasks and lanes the time to end what they have begun.
pub const GRACE_KEPT: u32 = 10;
/// How long streams have, once every call is answered, to hear that creditd is going down: a caller
/// that does not read would never hear it.
pub const FAREWELL: Duration = Duration::from_secs(2);

/// How often pending deliveries are counted for the metrics: as often as Prometheus mostly looks.
pub const OUTBOX_COUNT_EVERY: Duration = Duration::from_secs(15);
/// How many are counted: some milliseconds of work, and beyond it only the lag matters.
pub const OUTBOX_COUNTED_MAX: i64 = 10_000;

// --- Telemetry -------------------------------------------------------------------------------

/// How long it may take to send spans to the collector; meanwhile new ones wait, or are lost.
pub const TRACES_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the last spans may take to reach the collector when creditd ends: less than what
/// Kubernetes leaves after the drain.
pub const TRACES_FLUSH: Duration = Duration::from_secs(3);

// --- The command line ------------------------------------------------------------------------

/// Bytes of one answer that client commands take: a balance of 10,000 grants with long names.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How often client commands ask a silent connection whether it is there: a watch must notice a
/// server that vanished without a word.
pub const CLIENT_PING_EVERY: Duration = Duration::from_secs(10);
/// How long the answer to that may take.
pub const CLIENT_PING_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause before `creditd watch` asks a server that is away again.
pub const WATCH_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How often a spinner turns.
pub const SPINNER_EVERY: Duration = Duration::from_millis(100);
/// How long a client goes on trying while creditd does not answer: longer than a restart.
pub const CLIENT_PATIENCE: Duration = Duration::from_secs(30);
/// How often a client prints a line of progress where there is no terminal.
pub const PROGRESS_EVERY: Duration = Duration::from_secs(3);
/// Bytes of one CSV record: a grant with everything at its longest takes an eighth of it. What is
/// longer is no grant, but a quote that was never closed and swallows the rest of the file.
pub const CSV_RECORD_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of records at which a message of an import is full, below [`IMPORT_ROWS_MAX`] rows or
/// not: with one record more it stays far below [`MESSAGE_BYTES_MAX`].
pub const IMPORT_BATCH_BYTES: usize = 1024 * 1024;
/// Batches of an import that the client has read and not yet heard of: enough to keep the server
/// busy, little enough that the client's memory stays small.
pub const IMPORT_IN_FLIGHT: usize = 16;
/// Different reasons of rejection that an import tells apart; rows with yet others are counted
/// together.
pub const IMPORT_REASONS_MAX: usize = 1_000;
/// Reasons of rejection that the summary of an import spells out, the most frequent first.
pub const IMPORT_REASONS_SPELT: usize = 5;
/// Files of rejected rows that may lie beside one CSV: none is ever overwritten.
pub const REJECTED_FILES_MAX: u32 = 1_000;

// --- The demo --------------------------------------------------------------------------------

/// Customers that `creditd demo` may invent: some 500,000 grants, a few minutes of work.
pub const DEMO_CUSTOMERS_MAX: usize = 100_000;
/// Streams that `creditd demo` may open: more than this only queue behind the lanes.
pub const DEMO_STREAMS_MAX: usize = 64;
/// Bytes of a run's name: the ids derived from it stay far below [`ID_BYTES_MAX`].
pub const DEMO_RUN_BYTES_MAX: usize = 64;
/// CreateGrant calls that the demo keeps in flight: enough to fill batches.
pub const DEMO_GRANTS_IN_FLIGHT: usize = 64;
/// ListGrants calls that the demo keeps in flight: reads share a small pool.
pub const DEMO_READS_IN_FLIGHT: usize = 8;
