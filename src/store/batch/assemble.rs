//! Rows into the accounts that a batch decides on.

use std::collections::HashMap;

use uuid::Uuid;

use super::super::error::{Error, Result};
use super::super::notification::read_thresholds;
use super::Accounts;
use super::load::{Known, Loaded, Named, Wanted};
use crate::domain::account::{Account, KeyRecord, Made};
use crate::domain::command::Key;
use crate::domain::grant::Grant;
use crate::domain::hold::Hold;
use crate::domain::ids::GrantId;
use crate::domain::time::Windows;

/// Puts together the accounts that a batch decides on.
pub(super) fn assemble(
    wanted: &Wanted,
    standings: Vec<Known>,
    loaded: Loaded,
    mut cached: Accounts,
    windows: Windows,
) -> Result<Accounts> {
    let mut open: HashMap<Uuid, Vec<Grant>> = HashMap::new();
    let mut due = HashMap::new();
    for row in loaded.open {
        due.extend(row.due_at.map(|at| (GrantId(row.id), at)));
        open.entry(row.customer_id).or_default().push(row.try_into()?);
    }
    let mut open_holds: HashMap<Uuid, Vec<Hold>> = HashMap::new();
    for row in loaded.open_holds {
        open_holds.entry(row.customer_id).or_default().push(row.try_into()?);
    }
    let mut accounts = Accounts::with_capacity(wanted.customers.len());
    for (key, external_id, standing, low) in standings {
        let customer = wanted.customers.get(&key).ok_or_else(|| Error::corrupt("customer"))?;
        if *customer.external_id != *external_id {
            return Err(Error::corrupt("two customers share a key"));
        }
        let standing = standing.into();
        let account = match cached.remove(&key) {
            Some(mut account) => {
                account.resume(standing);
                account
            }
            None => {
                let grants = open.remove(&key).unwrap_or_default();
                let holds = open_holds.remove(&key).unwrap_or_default();
                let mut account =
                    Account::known(customer.clone(), windows, standing, grants, holds);
                account.remember_due(&due);
                if let Some(low) = low {
                    account.remember_low(read_thresholds(&low)?);
                }
                Box::new(account)
            }
        };
        accounts.insert(key, account);
    }
    for (key, customer) in &wanted.customers {
        accounts
            .entry(*key)
            .or_insert_with(|| Box::new(Account::unknown(customer.clone(), windows)));
    }
    remember(&mut accounts, wanted, loaded.named)?;
    Ok(accounts)
}

/// Adds what the commands name to the accounts.
fn remember(accounts: &mut Accounts, wanted: &Wanted, named: Named) -> Result<()> {
    for row in named.grants {
        account_of(accounts, row.customer_id)?.name_grant(row.try_into()?);
    }
    for row in named.holds {
        account_of(accounts, row.customer_id)?.name_hold(row.try_into()?);
    }
    for row in named.applications {
        account_of(accounts, row.customer_id)?.remember_application(row.try_into()?);
    }
    for row in named.events {
        account_of(accounts, row.customer_id)?.remember_event(row.try_into()?);
    }
    for (request, grant) in named.requests {
        let account = account_of(accounts, request.customer_id)?;
        account.remember_key(request.record()?);
        if let Some(grant) = grant {
            account.name_grant(grant.try_into()?);
        }
    }
    for ((place, customer, payload, effective_at, grant_id), grant) in named.import_rows {
        let (asking, row) = asked(&wanted.import_rows, place)?;
        let account = account_of(accounts, *asking)?;
        account.remember_key(KeyRecord {
            key: Key::Import(row.clone()),
            customer,
            payload,
            effective_at,
            made: Made::Grant(GrantId(grant_id)),
        });
        if customer == *asking {
            account.name_grant(grant.try_into()?);
        }
    }
    for ((place, payload, effective_at, grant_id), grant) in named.campaign_grants {
        let (customer, campaign_id) = asked(&wanted.campaigns, place)?;
        let account = account_of(accounts, *customer)?;
        account.remember_key(KeyRecord {
            key: Key::Campaign(campaign_id.clone()),
            customer: *customer,
            payload,
            effective_at,
            made: Made::Grant(GrantId(grant_id)),
        });
        account.name_grant(grant.try_into()?);
    }
    Ok(())
}

/// What was asked for at this place. (PostgreSQL counts from 1.)
fn asked<T>(wanted: &[T], place: i64) -> Result<&T> {
    let asked = usize::try_from(place - 1).ok().and_then(|place| wanted.get(place));
    asked.ok_or_else(|| Error::corrupt("something nobody asked for"))
}

/// The keys were looked up for these customers, so that a row of another is impossible.
fn account_of(accounts: &mut Accounts, key: Uuid) -> Result<&mut Account> {
    accounts
        .get_mut(&key)
        .map(|account| &mut **account)
        .ok_or_else(|| Error::corrupt("a row of another customer"))
}
