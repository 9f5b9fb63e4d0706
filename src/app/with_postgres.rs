//! `creditd with-postgres`: a command on a temporary server.

use std::path::PathBuf;
use std::process::ExitCode;

use tokio::process::Command;

use super::Error;
use crate::store::private::{Options, PrivateServer};

/// `creditd with-postgres`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Where to keep the server's data meanwhile. Default: a fresh folder in the system's
    /// temporary one.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Never download a PostgreSQL server; say how to get one instead.
    #[arg(long, env = "CREDITD_NO_FETCH")]
    pub no_fetch: bool,

    /// The command and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<String>,
}

/// Runs the command; its exit code is the answer.
pub(super) async fn run(args: Args) -> Result<ExitCode, Error> {
    let temporary = args.data_dir.is_none();
    let data_dir = args.data_dir.unwrap_or_else(|| {
        std::env::temp_dir().join(format!("creditd-{}", uuid::Uuid::now_v7().simple()))
    });
    let options = Options {
        fetch: !args.no_fetch,
        durable: false,
        settings: vec![("max_connections".into(), "400".into())],
        ..Options::new(&data_dir)
    };
    let server = PrivateServer::start(&options).await?;
    let ended = child(&args.command, server.url()).await;
    server.stop().await;
    if temporary && let Err(error) = std::fs::remove_dir_all(&data_dir) {
        tracing::warn!(%error, dir = %data_dir.display(), "a temporary folder is left behind");
    }
    ended
}

async fn child(command: &[String], url: &str) -> Result<ExitCode, Error> {
    let Some((program, args)) = command.split_first() else { return Ok(ExitCode::SUCCESS) };
    let failed = |error| Error::Run { command: program.clone(), error };
    let mut child = Command::new(program)
        .args(args)
        .env("DATABASE_URL", url)
        .env("CREDITD_TEST_DATABASE_URL", url)
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    // Ctrl-C reaches the whole foreground group: the child ends, and then we do.
    let status = tokio::select! {
        status = child.wait() => status.map_err(failed)?,
        () = super::stop_signal() => {
            drop(child.kill().await);
            return Ok(ExitCode::FAILURE);
        }
    };
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(ExitCode::from(code))
}
