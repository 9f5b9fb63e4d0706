//! `creditd keys`: who may call. It works on the database itself, so that no key can make others.

use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta};

use super::{Database, Error};
use crate::cli::table::{Column, Table};
use crate::config;
use crate::domain::identity::{ApiKey, KeyId, KeyName, KeyText, Role};
use crate::domain::time::Timestamp;
use crate::limits;
use crate::store::KeyBook;

/// `creditd keys`.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Command {
    /// Make a key, and print it: the only time that it is shown.
    ///
    /// To replace a key make another of the same name, give it to whoever uses the old one, and
    /// revoke that.
    Create(Create),

    /// List all keys, those that are no longer taken, too. Shows no secret.
    List(config::Database),

    /// Revoke a key: within seconds no replica takes it, and streams that it began end.
    Revoke(Revoke),
}

/// `creditd keys create`.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Create {
    /// What it may do: a reader reads; a meter also records usage and makes and ends holds; an
    /// admin does everything.
    #[arg(long, value_name = "reader|meter|admin")]
    pub role: Role,

    /// Whose it is: the actor that ledger entries name.
    #[arg(long)]
    pub name: KeyName,

    /// After how long it is no longer taken, such as "90d"; never, if not given.
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    pub expires_in: Option<TimeDelta>,

    /// Where the database is.
    #[command(flatten)]
    pub database: config::Database,
}

/// `creditd keys revoke`.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Revoke {
    /// Its id, as `creditd keys list` shows it: what is between "creditd_" and the next "_".
    pub id: KeyId,

    /// Where the database is.
    #[command(flatten)]
    pub database: config::Database,
}

fn lifetime(text: &str) -> Result<TimeDelta, String> {
    let read: Duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let most = limits::API_KEY_LIFETIME_MAX;
    let read = Some(read).filter(|read| !read.is_zero() && *read <= most);
    read.and_then(|read| TimeDelta::from_std(read).ok()).ok_or_else(|| {
        format!("must be more than nothing, and at most {}", humantime::format_duration(most))
    })
}

/// Runs one of them.
pub(super) async fn run(command: Command) -> Result<(), Error> {
    let config = match &command {
        Command::Create(Create { database, .. })
        | Command::List(database)
        | Command::Revoke(Revoke { database, .. }) => database,
    };
    let database = Database::join(config).await?;
    let done = in_book(&database, command).await;
    database.close().await;
    done
}

async fn in_book(database: &Database, command: Command) -> Result<(), Error> {
    let mut book = KeyBook::open(&database.address).await?;
    match command {
        Command::Create(create) => {
            let key = KeyText::fresh().map_err(|_| Error::NoRandomness)?;
            let Create { name, role, expires_in, .. } = create;
            let made = book.create(&key, &name, role, expires_in).await?;
            made.ok_or(Error::TooManyKeys)?;
            eprintln!("shown once; send it as `authorization: Bearer KEY`:");
            println!("{}", key.reveal());
        }
        Command::List(_) => {
            let (keys, now) = book.list().await?;
            let mut table = Table::new(&COLUMNS);
            let rows: Vec<_> = keys.iter().map(|key| row(key, now)).collect();
            print!("{}", table.lines(&rows));
        }
        Command::Revoke(revoke) => {
            let key = book.revoke(revoke.id).await?.ok_or(Error::NoSuchKey(revoke.id))?;
            println!("revoked: {} ({}, {})", key.id, key.name, key.role);
        }
    }
    Ok(())
}

const COLUMNS: [Column; 6] = [
    Column::Left("ID"),
    Column::Left("NAME"),
    Column::Left("ROLE"),
    Column::Left("STATE"),
    Column::Left("CREATED"),
    Column::Left("EXPIRES"),
];

fn row(key: &ApiKey, now: Timestamp) -> Vec<String> {
    let shown = |at: Timestamp| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let state = match (key.revoked_at, key.expires_at) {
        (Some(at), _) => format!("revoked {}", shown(at)),
        (None, Some(at)) if at <= now => "expired".to_owned(),
        _ => "taken".to_owned(),
    };
    vec![
        key.id.to_string(),
        key.name.clone(),
        key.role.to_string(),
        state,
        shown(key.created_at),
        key.expires_at.map_or_else(|| "never".to_owned(), shown),
    ]
}
