//! FLOOR 2: the one write path. Everything that changes a customer's credits is a command, and
//! every command goes through a lane.
//!
//! Customers hash to lanes; a lane is one task with one connection and a bounded queue. It takes
//! one command, then whatever else is waiting, up to a cap, and runs them as one transaction.
//! There is no timer: when idle a command goes out alone at once; under load the batch grows
//! while the previous commit is in flight.

mod cache;
mod due;
mod lane;
mod stats;

use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::Span;
use uuid::Uuid;

pub use self::due::{Booked, DueHint, Pass};
pub use self::stats::{Snapshot, Stats};
use crate::domain::command::{Command, Outcome};
use crate::domain::refusal::Refusal;
use crate::limits;
use crate::spans;
use crate::store::Store;

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// A rule said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The lane's queue is full.
    #[error("the queue is full")]
    Overloaded,
    /// The database is away, or creditd is going down; whether a command that was under way took
    /// effect is unknown, and its key makes asking again safe.
    #[error("unavailable")]
    Unavailable,
    /// It lost too many races in a row.
    #[error("lost too many races")]
    ConcurrentUpdate,
    /// Its deadline had passed when its batch formed; it was not executed.
    #[error("the deadline had passed")]
    DeadlineExceeded,
    /// Something that should not be; told in the log under this id.
    #[error("internal error {0}")]
    Internal(Uuid),
}

/// What came of a command.
pub type Reply = Result<Outcome, Failure>;

/// How the engine is sized.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Lanes, each with a connection.
    pub lanes: u16,
    /// Commands in a batch.
    pub batch_commands: u16,
    /// Unary commands that may wait in a lane.
    pub queue: u32,
}

/// Commands that wait in the lanes' queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queued {
    /// Of calls.
    pub calls: usize,
    /// Of streams, campaigns and watchers.
    pub streams: usize,
    /// Of the sweeper.
    pub sweeps: usize,
}

/// Commands that came together and are answered together.
struct Job {
    commands: Vec<Command>,
    deadline: Option<Instant>,
    arrived: Instant,
    /// Who asks for them, for who reads traces.
    asking: Span,
    reply: oneshot::Sender<Vec<Reply>>,
    /// Their room in the queue; given back when a batch takes them.
    room: OwnedSemaphorePermit,
}

impl Job {
    /// These commands, which have come in by this room, and where their replies come out.
    fn new(
        commands: Vec<Command>,
        deadline: Option<Instant>,
        arrived: Instant,
        room: OwnedSemaphorePermit,
    ) -> (Self, oneshot::Receiver<Vec<Reply>>) {
        let (reply, replied) = oneshot::channel();
        (Self { commands, deadline, arrived, asking: spans::asking(), reply, room }, replied)
    }
}

/// A lane's door. Unary commands and streams have room of their own, so that streams, which wait
/// for room, do not crowd out calls, which do not.
struct Door {
    jobs: mpsc::UnboundedSender<Job>,
    unary_room: Arc<Semaphore>,
    stream_room: Arc<Semaphore>,
}

impl Door {
    /// Queues commands, waiting for room.
    async fn enter(
        &self,
        commands: Vec<Command>,
        deadline: Option<Instant>,
    ) -> oneshot::Receiver<Vec<Reply>> {
        let arrived = Instant::now();
        let count = u32::try_from(commands.len()).unwrap_or(u32::MAX);
        match Arc::clone(&self.stream_room).acquire_many_owned(count).await {
            Ok(room) => {
                let (job, replied) = Job::new(commands, deadline, arrived, room);
                // A lane that has gone drops the reply's sender, which is the answer.
                drop(self.jobs.send(job));
                replied
            }
            Err(_) => oneshot::channel().1,
        }
    }
}

/// The way into the lanes. Cheap to share behind an `Arc`.
pub struct Engine {
    doors: Vec<Door>,
    /// A lane apart for what the sweeper books: a call never waits behind a thousand customers whose
    /// grants have ended, unless it is for one of them.
    sweeping: Door,
    /// Room that calls have in each door.
    queue: u32,
    stats: Arc<Stats>,
    due: Arc<DueHint>,
    outbox: Arc<Notify>,
    /// Counts those who wait for replies.
    waiting: TaskTracker,
}

/// The lanes' tasks, for who starts and stops them.
pub struct Lanes {
    tasks: Vec<JoinHandle<()>>,
    closing: CancellationToken,
}

impl Lanes {
    /// Refuses new commands, finishes those that wait, and ends.
    pub async fn drain(self) {
        self.closing.cancel();
        join_all(self.tasks).await;
    }
}

impl Engine {
    /// Starts the lanes. They connect when they first have something to do.
    #[must_use]
    pub fn start(store: &Store, sizes: Sizes, stats: Arc<Stats>) -> (Self, Lanes) {
        let due = Arc::new(DueHint::default());
        let outbox = Arc::new(Notify::new());
        let closing = CancellationToken::new();
        let mut tasks = Vec::new();
        let mut open = |batch_commands: u16| {
            #[allow(clippy::disallowed_methods, reason = "bounded by the semaphore beside it")]
            let (jobs, queue) = mpsc::unbounded_channel();
            let lane = lane::Lane::new(
                store.clone(),
                usize::from(batch_commands.max(1)),
                Arc::clone(&stats),
                Arc::clone(&due),
                Arc::clone(&outbox),
            );
            tasks.push(tokio::spawn(lane.run(queue, closing.clone())));
            let unary_room = room(sizes.queue);
            Door { jobs, unary_room, stream_room: room(limits::LANE_STREAM_QUEUE) }
        };
        let doors = (0..sizes.lanes.max(1)).map(|_| open(sizes.batch_commands)).collect();
        let sweeping = open(sizes.batch_commands.min(limits::SWEEP_BATCH));
        let (queue, waiting) = (sizes.queue, TaskTracker::new());
        let engine = Self { doors, sweeping, queue, stats, due, outbox, waiting };
        (engine, Lanes { tasks, closing })
    }

    /// What the lanes have done so far.
    #[must_use]
    pub fn stats(&self) -> Snapshot {
        self.stats.snapshot()
    }

    /// What waits in the lanes' queues.
    #[must_use]
    pub fn queued(&self) -> Queued {
        let waits = |room: &Semaphore, size: u32| {
            usize::try_from(size).unwrap_or_default().saturating_sub(room.available_permits())
        };
        let of_calls = |door: &Door| waits(&door.unary_room, self.queue);
        let of_streams = |door: &Door| waits(&door.stream_room, limits::LANE_STREAM_QUEUE);
        Queued {
            calls: self.doors.iter().map(of_calls).sum(),
            streams: self.doors.iter().map(of_streams).sum(),
            sweeps: of_streams(&self.sweeping),
        }
    }

    /// Where batches leave word of the earliest thing that will fall due.
    #[must_use]
    pub fn due_hint(&self) -> &DueHint {
        &self.due
    }

    /// Where batches leave word that there is something to deliver.
    #[must_use]
    pub fn outbox(&self) -> &Arc<Notify> {
        &self.outbox
    }

    /// Carries out one command. A caller that hangs up does not stop it.
    ///
    /// # Errors
    /// A [`Failure`]; [`Failure::Overloaded`] at once where the lane's queue is full.
    pub async fn execute(&self, command: Command, deadline: Option<Instant>) -> Reply {
        let door = &self.doors[self.lane_of(&command)];
        let room =
            Arc::clone(&door.unary_room).try_acquire_owned().map_err(|_| Failure::Overloaded)?;
        let (job, replied) = Job::new(vec![command], deadline, Instant::now(), room);
        door.jobs.send(job).map_err(|_| Failure::Unavailable)?;
        let replies = replied.await.map_err(|_| Failure::Unavailable)?;
        replies.into_iter().next().unwrap_or(Err(Failure::Unavailable))
    }

    /// Queues commands, at most [`limits::LANE_STREAM_QUEUE`], waiting for room, and returns what will be their replies, in their order.
    /// Commands of one customer are carried out in the order in which they were queued.
    pub async fn enqueue(&self, commands: Vec<Command>, deadline: Option<Instant>) -> Pending {
        let total = commands.len();
        let mut by_lane: Vec<(Vec<usize>, Vec<Command>)> = Vec::new();
        by_lane.resize_with(self.doors.len(), Default::default);
        for (index, command) in commands.into_iter().enumerate() {
            let (indexes, commands) = &mut by_lane[self.lane_of(&command)];
            indexes.push(index);
            commands.push(command);
        }
        let mut pending = Pending { total, parts: Vec::new(), _waits: self.waiting.token() };
        for (door, (indexes, commands)) in self.doors.iter().zip(by_lane) {
            if !commands.is_empty() {
                pending.parts.push((indexes, door.enter(commands, deadline).await));
            }
        }
        pending
    }

    /// The same for what the sweeper books.
    async fn enqueue_swept(&self, commands: Vec<Command>) -> Pending {
        let total = commands.len();
        let indexes = (0..total).collect();
        let parts = vec![(indexes, self.sweeping.enter(commands, None).await)];
        Pending { total, parts, _waits: self.waiting.token() }
    }

    /// Resolves once nobody waits for replies to what was [queued](Self::enqueue).
    pub async fn answered(&self) {
        self.waiting.close();
        self.waiting.wait().await;
    }

    fn lane_of(&self, command: &Command) -> usize {
        // The end of a UUIDv5 is a hash already.
        let end = command.customer.key.as_bytes().last_chunk();
        end.map_or(0, |bytes| usize::from_be_bytes(*bytes)) % self.doors.len()
    }
}

fn room(commands: u32) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(usize::try_from(commands).unwrap_or(Semaphore::MAX_PERMITS)))
}

/// Replies to come.
pub struct Pending {
    total: usize,
    parts: Vec<(Vec<usize>, oneshot::Receiver<Vec<Reply>>)>,
    _waits: TaskTrackerToken,
}

impl Pending {
    /// Waits for all of them; in the order of the commands.
    pub async fn replies(self) -> Vec<Reply> {
        let mut replies: Vec<Reply> = vec![Err(Failure::Unavailable); self.total];
        for (indexes, replied) in self.parts {
            if let Ok(part) = replied.await {
                for (index, reply) in indexes.into_iter().zip(part) {
                    replies[index] = reply;
                }
            }
        }
        replies
    }
}
