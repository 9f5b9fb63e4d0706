//! The columns that creditd knows.

/// A column of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// A field of a grant.
    Field(Field),
    /// One key of a grant's metadata.
    Metadata(String),
    /// The row's number.
    Row,
    /// The import that the row belongs to, where it has a number.
    ImportId,
    /// Of a file of rejected rows: why.
    Error,
    /// Of an export: what a new grant does not have yet.
    Figure,
}

/// A field of a grant that callers give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    CustomerId,
    Type,
    Amount,
    Currency,
    Metrics,
    Priority,
    Category,
    EffectiveAt,
    ExpiresAt,
    Description,
    Metadata,
}

/// What callers give, in the order in which an export writes it.
pub const FIELDS: [(&str, Field); 11] = [
    ("customer_id", Field::CustomerId),
    ("type", Field::Type),
    ("amount", Field::Amount),
    ("currency", Field::Currency),
    ("metrics", Field::Metrics),
    ("priority", Field::Priority),
    ("category", Field::Category),
    ("effective_at", Field::EffectiveAt),
    ("expires_at", Field::ExpiresAt),
    ("description", Field::Description),
    ("metadata", Field::Metadata),
];

/// What creditd adds to it, in the order in which an export writes it.
pub const FIGURES: [&str; 15] = [
    "id",
    "status",
    "remaining",
    "held",
    "consumed",
    "expired",
    "voided",
    "created_at",
    "updated_at",
    "voided_at",
    "void_reason",
    "created_by",
    IMPORT_ID,
    "import_row",
    "campaign_id",
];

/// Columns without which a row is no grant.
const REQUIRED: [&str; 3] = ["customer_id", "type", "amount"];

/// The number of a row in the file that it was rejected from.
pub const ROW: &str = "row";
/// Why it was rejected.
pub const ERROR: &str = "error";
/// The import that the row belongs to, or that made the grant.
pub const IMPORT_ID: &str = "import_id";
/// Before a key of metadata.
const METADATA: &str = "metadata.";

/// Reads a header, or says everything that is wrong with it.
pub fn read<'a>(header: impl Iterator<Item = &'a str> + Clone) -> Result<Vec<Column>, String> {
    let names: Vec<&str> = header.map(str::trim).collect();
    let has_row = names.contains(&ROW);
    let columns: Vec<Option<Column>> = names.iter().map(|name| column(name, has_row)).collect();
    if columns.iter().all(Option::is_none) {
        return Err(no_header(&names));
    }
    let mut faults = Vec::new();
    for (index, (name, column)) in names.iter().zip(&columns).enumerate() {
        if name.is_empty() {
            faults.push(format!("column {} has no name", index + 1));
        } else if column.is_none() {
            let nearest = nearest(name);
            faults.push(format!(
                "column {} is not known; the nearest that is: {nearest}",
                super::shown(name)
            ));
        } else if names[..index].contains(name) {
            faults.push(format!("column {name} is there twice"));
        }
    }
    let missing = REQUIRED.iter().filter(|required| !names.contains(required));
    faults.extend(missing.map(|required| format!("column {required} is missing")));
    if faults.is_empty() {
        Ok(columns.into_iter().flatten().collect())
    } else {
        Err(faults.join("; "))
    }
}

fn column(name: &str, has_row: bool) -> Option<Column> {
    if let Some((_, field)) = FIELDS.iter().find(|(known, _)| *known == name) {
        return Some(Column::Field(*field));
    }
    match name {
        ROW => Some(Column::Row),
        ERROR => Some(Column::Error),
        IMPORT_ID if has_row => Some(Column::ImportId),
        _ if FIGURES.contains(&name) => Some(Column::Figure),
        _ => {
            let key = name.strip_prefix(METADATA).filter(|key| !key.is_empty())?;
            Some(Column::Metadata(key.to_owned()))
        }
    }
}

fn no_header(names: &[&str]) -> String {
    let line = names.join(",");
    let other = [(';', "semicolons"), ('\t', "tabs"), ('|', "bars")]
        .into_iter()
        .find(|(separator, _)| line.split(*separator).any(|name| column(name, true).is_some()));
    match other {
        Some((_, others)) => {
            format!("the columns are separated by {others}: creditd reads commas")
        }
        None => format!(
            "this is no header: expected names of columns such as {}, found {}",
            REQUIRED.join(","),
            super::shown(&line)
        ),
    }
}

/// The known name that takes the fewest changes.
fn nearest(name: &str) -> String {
    let lower = name.to_lowercase();
    let known = FIELDS.iter().map(|(known, _)| *known).chain(FIGURES).chain([ROW, ERROR]);
    let mut known: Vec<String> = known.map(str::to_owned).collect();
    if let Some((_, key)) = name.split_once(['.', '_', ':']).filter(|(_, key)| !key.is_empty()) {
        known.push(format!("{METADATA}{key}"));
    }
    let distance = |known: &String| strsim::damerau_levenshtein(&known.to_lowercase(), &lower);
    known.into_iter().min_by_key(distance).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(header: &str) -> String {
        read(header.split(',')).unwrap_err()
    }

    #[test]
    fn columns_come_in_any_order() {
        let columns = read("amount,metadata.Plan A,customer_id, type ".split(',')).unwrap();
        let field = Column::Field;
        let plan = Column::Metadata("Plan A".into());
        assert_eq!(
            columns,
            [field(Field::Amount), plan, field(Field::CustomerId), field(Field::Type)]
        );
    }

    #[test]
    fn an_export_can_be_imported() {
        let names = FIELDS.iter().map(|(name, _)| *name).chain(FIGURES);
        let columns = read(names).unwrap();
        assert_eq!(
            columns.iter().filter(|column| **column == Column::Figure).count(),
            FIGURES.len()
        );
    }

    #[test]
    fn the_import_counts_where_rows_are_numbered() {
        let columns = read("row,import_id,error,customer_id,type,amount".split(',')).unwrap();
        assert_eq!(columns[..3], [Column::Row, Column::ImportId, Column::Error]);
    }

    #[test]
    fn every_fault_is_named() {
        for (header, said) in [
            (
                "customer,type,amont,amount,amount,",
                "column \"customer\" is not known; the nearest that is: customer_id; \
                 column \"amont\" is not known; the nearest that is: amount; \
                 column amount is there twice; column 6 has no name; \
                 column customer_id is missing",
            ),
            (
                "Customer_ID,type,amount",
                "column \"Customer_ID\" is not known; the nearest that is: customer_id; \
                 column customer_id is missing",
            ),
            (
                "customer_id,type,amount,metdata.plan,metadata_tier,metadata.",
                "column \"metdata.plan\" is not known; the nearest that is: metadata.plan; \
                 column \"metadata_tier\" is not known; the nearest that is: metadata.tier; \
                 column \"metadata.\" is not known; the nearest that is: metadata",
            ),
            (
                "customer_id;type;amount",
                "the columns are separated by semicolons: creditd reads commas",
            ),
            (
                "acme,units,100",
                "this is no header: expected names of columns such as customer_id,type,amount, \
                 found \"acme,units,100\"",
            ),
        ] {
            assert_eq!(fault(header), said);
        }
    }
}
