//! A CSV of customers.

use std::path::Path;

use super::super::Error;
use super::super::csv::{Table, guard, list};
use crate::pb::Customer;

/// A CSV with a column of customers' ids, record by record.
pub struct Sheet {
    table: Table,
    customer_id: usize,
    name: Option<usize>,
    segments: Option<usize>,
}

impl Sheet {
    /// A file whose columns are those of profiles; any other is refused.
    pub fn of_profiles(path: &Path) -> Result<Self, Error> {
        let sheet = Self::of_customers(path)?;
        let known = ["customer_id", "name", "segments"];
        let other = sheet.table.header().iter().find(|name| !known.contains(&name.trim()));
        match other {
            Some(other) => {
                let rule = format!("column {other:?} is not one of {}", known.join(", "));
                Err(sheet.table.fault(1, &rule))
            }
            None => Ok(sheet),
        }
    }

    /// A file with a column `customer_id`, whatever the others.
    pub fn of_customers(path: &Path) -> Result<Self, Error> {
        let table = Table::open(path)?;
        let place = |name: &str| table.header().iter().position(|column| column.trim() == name);
        let (name, segments) = (place("name"), place("segments"));
        let customer_id = place("customer_id")
            .ok_or_else(|| table.fault(1, "the column customer_id is missing"))?;
        Ok(Self { table, customer_id, name, segments })
    }

    /// The next customer, and the line where it begins.
    pub fn next(&mut self) -> Result<Option<(u64, Customer)>, Error> {
        let Some((line, record)) = self.table.next()? else { return Ok(None) };
        let columns = self.table.header().len();
        if record.len() != columns {
            let fields = record.len();
            let rule = format!("the row has {fields} fields, and the header {columns}");
            return Err(self.table.fault(line, &rule));
        }
        let cell = |column: usize| guard::strip(record.get(column).unwrap_or_default());
        let text = |column: Option<usize>| column.map(cell).unwrap_or_default();
        let segments = match text(self.segments) {
            "" => Vec::new(),
            cell => list::read(cell).ok_or_else(|| {
                let rule = "segments must be names separated by semicolons, on one line";
                self.table.fault(line, rule)
            })?,
        };
        let customer = Customer {
            customer_id: cell(self.customer_id).to_owned(),
            name: text(self.name).to_owned(),
            segments,
            ..Customer::default()
        };
        Ok(Some((line, customer)))
    }
}
