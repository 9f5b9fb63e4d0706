//! Imports: grants made in bulk, whose idempotency keys are the rows of a file.

use std::collections::HashMap;

use uuid::Uuid;

use super::command::Command;
use super::ids::ImportId;
use super::refusal::Refusal;

/// A row of an import: unique among all customers, because the row's customer is a part of what it
/// says and not of what names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImportRow {
    /// Which import.
    pub import_id: ImportId,
    /// The data record's number in its file, from 1.
    pub row: i64,
}

/// The rows that one batch has made grants of.
///
/// An account knows what its own customer did in the batch. A row that comes twice with different
/// customers is two accounts' business, and this is where they meet.
#[derive(Debug, Default)]
pub struct Claims<'a>(HashMap<&'a ImportRow, Uuid>);

impl<'a> Claims<'a> {
    /// Whether the command may be decided as far as its row is concerned.
    ///
    /// # Errors
    /// [`Refusal::ImportRowReused`] where another customer has the row.
    pub fn check(&self, command: &Command) -> Result<(), Refusal> {
        let claimed = command.import_row().and_then(|row| self.0.get(row));
        match claimed {
            Some(customer) if *customer != command.customer.key => Err(Refusal::ImportRowReused),
            _ => Ok(()),
        }
    }

    /// Notes that the command was carried out.
    pub fn note(&mut self, command: &'a Command) {
        if let Some(row) = command.import_row() {
            self.0.insert(row, command.customer.key);
        }
    }
}
