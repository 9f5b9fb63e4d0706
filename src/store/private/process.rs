//! The postmaster as a child process that ends with its parent, however that one ends.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, getpid, getppid};
use tokio::sync::watch;

use super::Options;
use super::account::Account;
use super::cluster::Cluster;
use super::error::Error;
use super::find::Server;
use super::pidfile;

/// How long a start may take: some progress soon, and recovery from a crash (which a restart would only begin
/// again) in the end.
const LAUNCH_LIMIT: Duration = Duration::from_secs(60);
const RECOVERY_LIMIT: Duration = Duration::from_secs(900);
const READY_POLL: Duration = Duration::from_millis(4);

/// Fast shutdown, immediate shutdown, the end; each with the time it gets.
const FAREWELL: [(Signal, Duration); 3] = [
    (Signal::SIGINT, Duration::from_secs(30)),
    (Signal::SIGQUIT, Duration::from_secs(5)),
    (Signal::SIGKILL, Duration::from_secs(5)),
];
const DROP_POLL: Duration = Duration::from_millis(5);

/// A running postmaster; stopped when dropped.
pub(super) struct Postmaster {
    pid: Pid,
    /// True once the process is reaped and its number may belong to another.
    reaped: Arc<Mutex<bool>>,
    exit: watch::Receiver<Option<ExitStatus>>,
}

impl Postmaster {
    /// Starts the server. It is not ready yet when this returns.
    pub(super) fn spawn(
        options: &Options,
        server: &Server,
        account: &Account,
        cluster: &Cluster,
        port: u16,
    ) -> Result<Self, Error> {
        let program = server.bin.join("postgres");
        let log = cluster.new_log(account)?;
        let errors = log.try_clone().map_err(Error::file("use", &cluster.log()))?;
        let mut command = account.command(&program, Signal::SIGINT);
        command
            .current_dir(&cluster.dir)
            // Its own group, so that Ctrl-C in a terminal reaches creditd alone, which stops it when it is done.
            .process_group(0)
            .stdout(log)
            .stderr(errors)
            .arg("-D")
            .arg(cluster.data());
        for (name, value) in settings(options, port) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        launch(command).map_err(|error| Error::Program { program, why: error.to_string() })
    }

    pub(super) fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Waits until it accepts connections, by what it writes into its pid file, as pg_ctl does: unlike an open
    /// port, that cannot be another server's.
    pub(super) async fn ready(&self, cluster: &Cluster) -> Result<(), Error> {
        let begun = Instant::now();
        let (log, data) = (cluster.log(), cluster.data());
        let mut limit = LAUNCH_LIMIT;
        loop {
            let exited = *self.exit.borrow();
            if let Some(status) = exited {
                let tail = cluster.log_tail();
                return Err(Error::Exited { status, log, tail });
            }
            let ours = pidfile::read(&data)?.filter(|found| found.pid == self.pid());
            if ours.as_ref().is_some_and(pidfile::PidFile::is_ready) {
                return Ok(());
            }
            if begun.elapsed() > limit {
                if ours.is_none() || limit == RECOVERY_LIMIT {
                    let tail = cluster.log_tail();
                    return Err(Error::NotReady { limit, log, tail });
                }
                tracing::info!(log = %log.display(), "PostgreSQL is still starting, perhaps recovering from a crash");
                limit = RECOVERY_LIMIT;
            }
            tokio::time::sleep(READY_POLL).await;
        }
    }

    /// Completes when it has ended.
    pub(super) async fn exited(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        let ended = exit.wait_for(Option::is_some).await;
        ended.ok().and_then(|status| *status).unwrap_or_default()
    }

    /// Ends it, more and more firmly.
    pub(super) async fn stop(self) {
        for (signal, patience) in FAREWELL {
            self.signal(signal);
            if tokio::time::timeout(patience, self.exited()).await.is_ok() {
                return;
            }
            tracing::warn!(pid = self.pid(), %signal, "PostgreSQL does not stop");
        }
    }

    /// Under the lock, so that it cannot be reaped, and its number given away, between the look and the signal.
    fn signal(&self, signal: Signal) {
        let reaped = self.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        if !*reaped && let Err(error) = kill(self.pid, signal) {
            tracing::warn!(pid = self.pid(), %signal, %error, "cannot signal PostgreSQL");
        }
    }
}

impl Drop for Postmaster {
    #[allow(clippy::disallowed_methods, reason = "a destructor cannot await")]
    fn drop(&mut self) {
        for (signal, patience) in FAREWELL {
            if self.exit.borrow().is_some() {
                return;
            }
            self.signal(signal);
            let begun = Instant::now();
            while self.exit.borrow().is_none() && begun.elapsed() < patience {
                thread::sleep(DROP_POLL);
            }
        }
    }
}

/// For a small machine, with PostgreSQL's own durability. Errors are not logged there: whoever caused one is told,
/// and a client's mistakes must not fill the disk.
fn settings(options: &Options, port: u16) -> Vec<(String, String)> {
    let mut all: Vec<(&str, &str)> = vec![
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", ""),
        ("max_connections", "100"),
        ("max_wal_size", "4GB"),
        ("timezone", "UTC"),
        ("log_timezone", "UTC"),
        ("log_min_messages", "log"),
    ];
    if options.durable {
        all.push(("shared_buffers", "256MB"));
    } else {
        all.push(("shared_buffers", "128MB"));
        all.push(("fsync", "off"));
        all.push(("synchronous_commit", "off"));
        all.push(("full_page_writes", "off"));
    }
    let mut all: Vec<(String, String)> =
        all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    all.extend(options.settings.iter().cloned());
    all.push(("port".to_owned(), port.to_string()));
    all
}

/// Starts the command on a thread that lives as long as the child: the parent-death signal is sent when the *thread*
/// that started it ends, so none that may end earlier will do.
fn launch(mut command: Command) -> io::Result<Postmaster> {
    let (started, start) = mpsc::channel();
    thread::Builder::new().name("postgres".to_owned()).spawn(move || {
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                started.send(Err(error)).ok();
                return;
            }
        };
        let pid = Pid::from_raw(child.id().cast_signed());
        let reaped = Arc::new(Mutex::new(false));
        let (ended, exit) = watch::channel(None);
        let postmaster = Postmaster { pid, reaped: Arc::clone(&reaped), exit };
        started.send(Ok(postmaster)).ok();

        // First see that it ended, then reap it under the lock.
        let see = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        while waitid(Id::Pid(pid), see) == Err(nix::errno::Errno::EINTR) {}
        let mut reaped = reaped.lock().unwrap_or_else(PoisonError::into_inner);
        let status = child.wait().unwrap_or_default();
        *reaped = true;
        ended.send(Some(status)).ok();
    })?;
    start.recv().map_err(io::Error::other)?
}

/// Makes the child end with us: the kernel sends it `signal` when the thread that starts it ends. Its files are open
/// to other accounts whatever our umask (PostgreSQL sets its own).
#[allow(unsafe_code, reason = "pre_exec is the only way to PR_SET_PDEATHSIG")]
pub(super) fn tie_to_parent(command: &mut Command, signal: Signal) {
    let parent = getpid();
    let in_child = move || {
        umask(Mode::from_bits_truncate(0o022));
        set_pdeathsig(signal)?;
        if getppid() != parent {
            return Err(nix::errno::Errno::ESRCH.into()); // we died before it was set
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes three system calls (umask, prctl, getppid), all
    // async-signal-safe, and neither allocates nor locks: the errors are plain numbers. It runs after std has
    // changed the user id, which would clear the signal.
    unsafe { command.pre_exec(in_child) };
}
