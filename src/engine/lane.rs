//! A lane: one task, one connection, one batch after another.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use super::cache::Cache;
use super::{DueHint, Failure, Job, Reply, Stats};
use crate::domain::account::Standing;
use crate::domain::command::Command;
use crate::domain::import::Claims;
use crate::limits;
use crate::spans;
use crate::store::batch::{Accounts, Batch, KnownInterests, Opened, Wanted};
use crate::store::{Clock, Connection, Error, Result, Store};

pub(super) struct Lane {
    store: Store,
    cap: usize,
    stats: Arc<Stats>,
    due: Arc<DueHint>,
    /// Told when something was written that is to be delivered.
    outbox: Arc<Notify>,
    conn: Option<Connection>,
    cache: Cache,
    interests: KnownInterests,
    /// Since when the database has not answered.
    away_since: Option<Instant>,
}

impl Lane {
    pub(super) fn new(
        store: Store,
        cap: usize,
        stats: Arc<Stats>,
        due: Arc<DueHint>,
        outbox: Arc<Notify>,
    ) -> Self {
        let cache = Cache::new(limits::LANE_CACHE_GRANTS);
        let interests = KnownInterests::default();
        Self { store, cap, stats, due, outbox, conn: None, cache, interests, away_since: None }
    }

    /// Works until the queue is closed and empty.
    pub(super) async fn run(
        mut self,
        mut queue: mpsc::UnboundedReceiver<Job>,
        closing: CancellationToken,
    ) {
        loop {
            let job = tokio::select! {
                biased;
                () = closing.cancelled(), if !queue.is_closed() => {
                    queue.close();
                    continue;
                }
                job = queue.recv() => job,
            };
            let Some(job) = job else { return };
            let mut batch = Formed::default();
            batch.take(job, &self.stats);
            while batch.commands.len() < self.cap {
                let Ok(job) = queue.try_recv() else { break };
                batch.take(job, &self.stats);
            }
            let span = spans::batch(&batch.asking, batch.commands.len());
            let replies = self.carry_out(&batch.commands).instrument(span).await;
            batch.reply(replies, &self.stats);
        }
    }

    /// Carries out a batch, come what may: every command gets a reply.
    async fn carry_out(&mut self, commands: &[Command]) -> Vec<Reply> {
        if commands.is_empty() {
            return Vec::new();
        }
        let tried = AssertUnwindSafe(self.try_together(commands)).catch_unwind().await;
        let tried = tried.unwrap_or_else(|_| {
            // The panic's text is in the log already. What was in hand is not to be trusted.
            self.disconnect();
            Err(Verdict::Guilty(Error::corrupt("a panic")))
        });
        let failure = match tried {
            Ok(replies) => return replies,
            Err(Verdict::All(failure)) => failure,
            Err(Verdict::Overtaken) if commands.len() == 1 => Failure::ConcurrentUpdate,
            Err(Verdict::Overtaken) => return self.in_halves(commands).await,
            Err(Verdict::Guilty(error)) if commands.len() == 1 => {
                let id = Uuid::now_v7();
                tracing::error!(%id, %error, "a command failed for a reason of its own");
                Failure::Internal(id)
            }
            Err(Verdict::Guilty(error)) => {
                // Whoever is at fault is told of below.
                tracing::debug!(%error, commands = commands.len(), "running a batch one by one");
                return self.one_by_one(commands).await;
            }
        };
        vec![Err(failure); commands.len()]
    }

    /// Smaller batches were faster, again and again. A half has less to lose and is faster, too;
    /// and a single command is overtaken at most once in each of its keys.
    async fn in_halves(&mut self, commands: &[Command]) -> Vec<Reply> {
        let (first, second) = commands.split_at(commands.len() / 2);
        let mut replies = Box::pin(self.carry_out(first)).await;
        replies.extend(Box::pin(self.carry_out(second)).await);
        replies
    }

    /// One of them is at fault: alone, only it fails. If finding it takes too long, the rest are
    /// told to come again.
    async fn one_by_one(&mut self, commands: &[Command]) -> Vec<Reply> {
        let begun = Instant::now();
        let mut replies = Vec::with_capacity(commands.len());
        for command in commands {
            if begun.elapsed() > limits::BATCH_RETRY_FOR {
                replies.push(Err(Failure::Unavailable));
                continue;
            }
            let alone = Box::pin(self.carry_out(std::slice::from_ref(command)));
            replies.extend(alone.await);
        }
        replies
    }

    /// Tries a batch until it is done or hopeless.
    async fn try_together(
        &mut self,
        commands: &[Command],
    ) -> std::result::Result<Vec<Reply>, Verdict> {
        let wanted = Wanted::by(commands);
        let mut conflicts = 0;
        let mut unclassed = 0;
        let mut pause = limits::RECONNECT_PAUSE_MIN;
        let mut unresolved = None;
        loop {
            let begun = Instant::now();
            let error = match self.try_once(&wanted, commands, &mut unresolved).await {
                Ok(replies) => {
                    self.away_since = None;
                    return Ok(replies);
                }
                Err(error) => error,
            };
            self.stats.retry();
            self.leave_transaction(&error).await;
            match error {
                Error::Conflict(_) | Error::Overtaken(_) => {
                    self.away_since = None;
                    conflicts += 1;
                    if conflicts > limits::CONFLICT_RETRIES_MAX {
                        let overtaken = matches!(error, Error::Overtaken(_));
                        let all = Verdict::All(Failure::ConcurrentUpdate);
                        return Err(if overtaken { Verdict::Overtaken } else { all });
                    }
                }
                Error::Constraint { .. } | Error::Corrupt(_) => {
                    self.away_since = None;
                    return Err(Verdict::Guilty(error));
                }
                Error::Other(_) if self.is_reachable().await => {
                    self.away_since = None;
                    unclassed += 1;
                    if unclassed > limits::UNCLASSED_FAILURES_MAX {
                        return Err(Verdict::Guilty(error));
                    }
                }
                Error::Other(_) | Error::Unusable(_) | Error::Away(_) => {
                    if self.gave_up(begun, &error) {
                        return Err(Verdict::All(Failure::Unavailable));
                    }
                    pause = wait(pause).await;
                }
            }
        }
    }

    /// One try: load, decide, save. `unresolved` is a try before it whose commit may or may not
    /// have come through.
    async fn try_once(
        &mut self,
        wanted: &Wanted,
        commands: &[Command],
        unresolved: &mut Option<Unresolved>,
    ) -> Result<Vec<Reply>> {
        let begun = Instant::now();
        let conn = match &mut self.conn {
            Some(conn) => conn,
            none => none.insert(connect(&self.store, &self.stats).await?),
        };
        let cached: Accounts =
            wanted.customers().filter_map(|key| Some((key, self.cache.take(key)?))).collect();
        let (windows, clock) = (self.store.windows(), self.store.clock());
        let work = async {
            let known = &mut self.interests;
            let Opened { batch, mut accounts, clock, interests } =
                Batch::open(conn, wanted, cached, windows, clock, known).await?;
            if let Some(before) = unresolved.take()
                && before.came_through(&accounts)
            {
                batch.close().await?;
                return Ok((accounts, before.replies));
            }
            for account in accounts.values_mut() {
                account.heed(Arc::clone(&interests));
                account.begin(clock)?;
            }
            let replies = decide(commands, &mut accounts)?;
            if accounts.values().any(|account| account.is_dirty()) {
                *unresolved = Unresolved::before_saving(&accounts, &replies, self.store.clock());
                batch.save(&accounts).await?;
            } else {
                batch.close().await?;
            }
            Ok::<_, Error>((accounts, replies))
        };
        let (accounts, replies) = timeout(limits::BATCH_TIMEOUT, work)
            .await
            .map_err(|_| Error::Away("a batch timed out".into()))??;
        self.stats.batch(commands.len(), begun.elapsed());
        self.due.leave(accounts.values().filter_map(|account| account.due_next()).min());
        if accounts.values().any(|account| !account.changes().notifications.is_empty()) {
            self.outbox.notify_one();
        }
        for (key, mut account) in accounts {
            account.committed();
            if account.is_worth_keeping() {
                self.cache.put(key, account);
            }
        }
        Ok(replies)
    }

    /// Leaves no transaction open behind a failed try.
    async fn leave_transaction(&mut self, error: &Error) {
        let left = match &mut self.conn {
            Some(conn) if !error.breaks_connection() => {
                timeout(limits::CONNECT_TIMEOUT, conn.rollback()).await
            }
            _ => return self.disconnect(),
        };
        if !matches!(left, Ok(Ok(()))) {
            self.disconnect();
        }
    }

    /// The next connection may lead to another server, promoted with less than this one had
    /// acknowledged, and versions count up from there: what is cached proves nothing on it.
    fn disconnect(&mut self) {
        self.conn = None;
        self.cache = Cache::new(limits::LANE_CACHE_GRANTS);
        self.interests = KnownInterests::default();
    }

    /// Whether the database answers at all, so that a failure without a class is not its absence.
    async fn is_reachable(&mut self) -> bool {
        match connect(&self.store, &self.stats).await {
            Ok(conn) => {
                self.conn = Some(conn);
                true
            }
            Err(_) => false,
        }
    }

    /// Whether the database has been away for so long that callers should hear of it. Counted from
    /// the beginning of the first try that failed: later batches do not wait all over again.
    fn gave_up(&mut self, begun: Instant, error: &Error) -> bool {
        let since = *self.away_since.get_or_insert_with(|| {
            tracing::warn!(%error, "the database is away; commands wait for it");
            begun
        });
        since.elapsed() >= limits::BATCH_RETRY_FOR
    }
}

/// Why a batch as a whole cannot be carried out.
enum Verdict {
    /// All of its commands fail like this.
    All(Failure),
    /// One of its commands is at fault.
    Guilty(Error),
    /// Others were always first to insert what it meant to.
    Overtaken,
}

/// A try that was about to be committed. If its connection died, nobody was told whether it was.
///
/// Keys alone would tell the second try what the first one did, but updates have none: done again
/// behind one another, they would leave entries that nobody asked for.
struct Unresolved {
    standings: Vec<(Uuid, Standing)>,
    replies: Vec<Reply>,
}

impl Unresolved {
    /// None under a test clock: the proof needs a clock that moves on.
    fn before_saving(accounts: &Accounts, replies: &[Reply], clock: &Clock) -> Option<Self> {
        let dirty = accounts.iter().filter(|(_, account)| account.is_dirty());
        let standings = dirty.map(|(key, account)| (*key, account.standing())).collect();
        let moves = matches!(clock, Clock::Database);
        moves.then(|| Self { standings, replies: replies.to_vec() })
    }

    /// Whether the customers' rows, now locked, are as that try meant to leave them. Nobody else
    /// can have left them so: who comes later reads the clock after the lock was free again, and
    /// so records a later instant.
    fn came_through(&self, accounts: &Accounts) -> bool {
        self.standings.iter().all(|(key, meant)| {
            accounts.get(key).is_some_and(|found| found.is_known() && found.standing() == *meant)
        })
    }
}

/// Decides every command, in the order of arrival. Pure but for the accounts.
fn decide(commands: &[Command], accounts: &mut Accounts) -> Result<Vec<Reply>> {
    let mut replies = Vec::with_capacity(commands.len());
    let mut claims = Claims::default();
    for command in commands {
        let account = accounts
            .get_mut(&command.customer.key)
            .ok_or_else(|| Error::corrupt("a command without an account"))?;
        let decided = claims.check(command).and_then(|()| account.apply(command));
        if decided.is_ok() {
            claims.note(command);
        }
        replies.push(decided.map_err(Failure::Refused));
    }
    for account in accounts.values_mut() {
        account.seal();
    }
    Ok(replies)
}

async fn connect(store: &Store, stats: &Arc<Stats>) -> Result<Connection> {
    let stats = Arc::clone(stats);
    store.connect(move || stats.statement()).await
}

async fn wait(pause: Duration) -> Duration {
    sleep(pause).await;
    (pause * 2).min(limits::RECONNECT_PAUSE_MAX)
}

/// A batch as it forms: the commands of several jobs, and where their replies go.
#[derive(Default)]
struct Formed {
    commands: Vec<Command>,
    replies_to: Vec<ReplyTo>,
    /// Who asks for them, of those whose traces are recorded.
    asking: Vec<Span>,
}

/// Where the replies to commands that came together go.
struct ReplyTo {
    commands: usize,
    arrived: Instant,
    reply: oneshot::Sender<Vec<Reply>>,
}

impl Formed {
    fn take(&mut self, job: Job, stats: &Stats) {
        drop(job.room);
        let now = Instant::now();
        stats.waited(now - job.arrived);
        if job.deadline.is_some_and(|deadline| deadline <= now) {
            let late = vec![Err(Failure::DeadlineExceeded); job.commands.len()];
            drop(job.reply.send(late));
            return;
        }
        let (commands, arrived, reply) = (job.commands.len(), job.arrived, job.reply);
        self.replies_to.push(ReplyTo { commands, arrived, reply });
        self.asking.extend(Some(job.asking).filter(|asking| !asking.is_disabled()));
        self.commands.extend(job.commands);
    }

    /// A caller that has hung up is no concern: its command is done.
    fn reply(self, replies: Vec<Reply>, stats: &Stats) {
        let now = Instant::now();
        let mut replies = replies.into_iter();
        for ReplyTo { commands, arrived, reply } in self.replies_to {
            stats.answered(now - arrived);
            drop(reply.send(replies.by_ref().take(commands).collect()));
        }
    }
}
