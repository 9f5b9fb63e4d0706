//! What memory a process holds, from /proc, in megabytes.

use std::fs;

use crate::Result;

/// The most that it has held since it began, or since [`reset_peak`].
pub fn peak(pid: u32) -> Result<f64> {
    megabytes(pid, "VmHWM:")
}

/// What it holds now.
pub fn resident(pid: u32) -> Result<f64> {
    megabytes(pid, "VmRSS:")
}

/// Lets the peak begin anew from what it holds now.
pub fn reset_peak(pid: u32) -> Result<()> {
    let file = format!("/proc/{pid}/clear_refs");
    Ok(fs::write(&file, "5").map_err(|error| format!("{file}: {error}"))?)
}

fn megabytes(pid: u32, name: &str) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes: Option<f64> =
        line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
    Ok(kilobytes.ok_or_else(|| format!("no {name}"))? / 1024.0)
}
