//! The real binary as a child process.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::Client;

/// `creditd` with nothing of this process's settings.
pub fn creditd() -> Command {
    cleaned(Command::new(env!("CARGO_BIN_EXE_creditd")))
}

fn cleaned(mut command: Command) -> Command {
    let settings = std::env::vars_os().map(|(name, _)| name).filter(|name| {
        name.to_str().is_some_and(|name| name.starts_with("CREDITD_") || name == "DATABASE_URL")
    });
    for name in settings {
        command.env_remove(name);
    }
    command.env("RUST_LOG", "info").stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// A `creditd serve` that is ready.
pub struct Serving {
    process: Child,
    pub address: SocketAddr,
    said: Log,
    reading: JoinHandle<()>,
}

/// What a child has said, and goes on to say.
#[derive(Clone)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().expect("a lock").clone()
    }
}

impl Serving {
    /// Starts it on this database and waits until it says that it is ready.
    pub async fn start(url: &str) -> Self {
        Self::start_with(url, &[]).await
    }

    /// The same with these flags.
    pub async fn start_with(url: &str, flags: &[&str]) -> Self {
        Self::run(creditd(), "127.0.0.1:0", url, flags).await
    }

    /// The same where only so many files may be open.
    pub async fn start_with_files(url: &str, files: u32) -> Self {
        let mut command = Command::new("sh");
        let limited = format!("ulimit -n {files}; exec \"$0\" \"$@\"");
        command.args(["-c", &limited, env!("CARGO_BIN_EXE_creditd")]);
        Self::run(cleaned(command), "127.0.0.1:0", url, &[]).await
    }

    /// The same at this address.
    pub async fn start_at(listen: &str, url: &str) -> Self {
        Self::listening(listen, url, &[]).await
    }

    /// The same at this address, with these flags.
    pub async fn listening(listen: &str, url: &str, flags: &[&str]) -> Self {
        Self::run(creditd(), listen, url, flags).await
    }

    async fn run(mut command: Command, listen: &str, url: &str, flags: &[&str]) -> Self {
        command.args(["serve", "--listen", listen, "--database-url", url]).args(flags);
        Self::ready(command).await
    }

    /// The same at any address, with these flags and variables.
    pub async fn start_in(url: &str, flags: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = creditd();
        command.args(["serve", "--listen", "127.0.0.1:0", "--database-url", url]).args(flags);
        command.envs(variables.iter().copied());
        Self::ready(command).await
    }

    async fn ready(mut command: Command) -> Self {
        let mut process = command.stderr(Stdio::piped()).spawn().expect("a child");
        let log = process.stderr.take().expect("its log");
        let mut log = BufReader::new(log).lines();
        let mut said = Vec::new();
        let address = loop {
            let line = log.next_line().await.expect("a log that reads");
            let line = line.unwrap_or_else(|| panic!("it ended:\n{}", said.join("\n")));
            if let Some((_, address)) = line.split_once("ready on ") {
                break address
                    .split('"')
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .parse()
                    .expect("an address");
            }
            said.push(line);
        };
        // Read on, so that the child never waits for room to write.
        let said = Log(Arc::new(Mutex::new(said)));
        let more = said.clone();
        let reading = tokio::spawn(async move {
            while let Ok(Some(line)) = log.next_line().await {
                more.0.lock().expect("a lock").push(line);
            }
        });
        Self { process, address, said, reading }
    }

    pub fn client(&self) -> Client {
        Client::to(self.address)
    }

    /// What it has said so far; the line that it is ready is left out.
    pub fn log(&self) -> Log {
        self.said.clone()
    }

    /// Where it has this: "health", or "metrics".
    pub fn address_of(&self, what: &str) -> SocketAddr {
        let lines = self.said.lines();
        let place = format!("{what} on ");
        let said = lines.iter().find_map(|line| line.split_once(&place));
        said.expect("where it is").1.trim().parse().expect("an address")
    }

    /// SIGKILL: no farewell.
    pub async fn kill(mut self) {
        self.process.kill().await.expect("a killed child");
    }

    /// SIGTERM: it drains and ends.
    pub async fn stop(mut self) -> ExitStatus {
        let id = self.process.id().expect("a running child");
        kill(Pid::from_raw(id.cast_signed()), Signal::SIGTERM).expect("a signal");
        let ended = self.process.wait().await.expect("its end");
        self.reading.await.expect("all that it said");
        ended
    }
}
