//! Where the processors' time goes, from /proc.

use std::fs;

use crate::Result;

/// The kernel's USER_HZ, in which /proc counts: 100 on every Linux that we know.
const TICKS_PER_SECOND: f64 = 100.0;

/// Whose time is told apart.
#[derive(Debug, Clone, Copy)]
pub struct Watched {
    /// The creditd server, if one runs.
    pub server: Option<u32>,
    /// The postmaster.
    pub postgres: u32,
}

/// Seconds of processor time used since the start, or between two such readings.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    pub server: f64,
    pub postgres: f64,
    /// This process and the programs that it ran (pgbench).
    pub client: f64,
    /// All processors, everyone on the machine.
    pub machine: f64,
}

impl Used {
    /// The two together.
    pub fn and(self, other: Self) -> Self {
        Self {
            server: self.server + other.server,
            postgres: self.postgres + other.postgres,
            client: self.client + other.client,
            machine: self.machine + other.machine,
        }
    }

    pub fn until(self, later: Self) -> Self {
        Self {
            server: later.server - self.server,
            postgres: later.postgres - self.postgres,
            client: later.client - self.client,
            machine: later.machine - self.machine,
        }
    }

    /// What others used meanwhile: compilers, for example. The kernel's own threads count too.
    pub fn others(self) -> f64 {
        (self.machine - self.server - self.postgres - self.client).max(0.0)
    }
}

impl Watched {
    pub fn read(self) -> Result<Used> {
        let server = match self.server {
            Some(pid) => Process::read(pid)?.own,
            None => 0.0,
        };
        let client = Process::read(std::process::id())?;
        Ok(Used {
            server,
            postgres: family(self.postgres)?,
            // Of our children pgbench alone ends while we measure.
            client: client.own + client.ended,
            machine: machine()?,
        })
    }
}

/// A process's line in /proc.
struct Process {
    parent: u32,
    own: f64,
    /// Of its children that have ended.
    ended: f64,
}

impl Process {
    fn read(pid: u32) -> Result<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat"))
            .map_err(|error| format!("process {pid}: {error}"))?;
        Self::parse(&text).ok_or_else(|| format!("process {pid}: unreadable stat").into())
    }

    /// The name, in parentheses, may hold anything; what follows the last one is plain.
    fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let seconds = |from: usize| -> Option<f64> {
            let (user, system) = (fields.get(from)?, fields.get(from + 1)?);
            Some((user.parse::<f64>().ok()? + system.parse::<f64>().ok()?) / TICKS_PER_SECOND)
        };
        Some(Self { parent: fields.get(1)?.parse().ok()?, own: seconds(11)?, ended: seconds(13)? })
    }
}

/// A process with its children, the ended ones included.
fn family(pid: u32) -> Result<f64> {
    let head = Process::read(pid)?;
    let mut seconds = head.own + head.ended;
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(child) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        // One that ends meanwhile is counted at the next reading, among the ended.
        if let Ok(process) = Process::read(child)
            && process.parent == pid
        {
            seconds += process.own;
        }
    }
    Ok(seconds)
}

/// All but idle and waiting for the disk.
fn machine() -> Result<f64> {
    let text = fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<f64> =
        line.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; guests are counted in user.
    let busy: f64 = ticks.iter().take(8).sum::<f64>() - ticks.iter().skip(3).take(2).sum::<f64>();
    Ok(busy / TICKS_PER_SECOND)
}
