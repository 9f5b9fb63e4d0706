//! FLOOR 0: the rules. Pure: no async, no wire, no database, no clock.

pub mod account;
pub mod amount;
pub mod application;
pub mod as_of;
pub mod balance;
pub mod campaign;
pub mod command;
pub mod currency;
pub mod drawdown;
pub mod entry;
pub mod figures;
pub mod grant;
pub mod hold;
pub mod identity;
pub mod ids;
pub mod import;
pub mod notification;
pub mod order;
pub mod profile;
mod reach;
pub mod refusal;
pub mod reversal;
pub mod summary;
pub mod time;
pub mod url_policy;
pub mod usage;
pub mod webhook;
