//! A row of the file as the request that it stands for.

use std::collections::BTreeMap;

use csv::StringRecord;

use super::super::csv::columns::{Column, FIELDS, Field};
use super::super::csv::{guard, list, shown};
use super::super::{time, words};
use crate::pb::{CreateGrantRequest, GrantCategory, GrantType};

/// The grant to create, or everything that is wrong with the cells alone. Amounts, ids and limits
/// are creditd's to judge. An empty cell says nothing.
pub fn request(columns: &[Column], cells: &StringRecord) -> Result<CreateGrantRequest, String> {
    if cells.len() != columns.len() {
        let (found, expected) = (cells.len(), columns.len());
        return Err(format!("the row has {found} fields, and the header {expected}"));
    }
    let mut request = CreateGrantRequest::default();
    let mut faults = Vec::new();
    for (column, cell) in columns.iter().zip(cells) {
        let text = guard::strip(cell);
        if text.is_empty() {
            continue;
        }
        let read = match column {
            Column::Field(field) => {
                set(&mut request, *field, text).map_err(|what| format!("{} {what}", name(*field)))
            }
            Column::Metadata(key) => add(&mut request.metadata, key.clone(), text.to_owned()),
            Column::Row | Column::ImportId | Column::Error | Column::Figure => Ok(()),
        };
        faults.extend(read.err());
    }
    if faults.is_empty() { Ok(request) } else { Err(faults.join("; ")) }
}

fn name(field: Field) -> &'static str {
    FIELDS.iter().find(|(_, known)| *known == field).map_or("", |(name, _)| name)
}

fn set(request: &mut CreateGrantRequest, field: Field, text: &str) -> Result<(), String> {
    match field {
        Field::CustomerId => text.clone_into(&mut request.customer_id),
        Field::Type => request.set_type(words::read::<GrantType>("GRANT_TYPE_", text)?),
        Field::Amount => text.clone_into(&mut request.amount),
        Field::Currency => text.clone_into(&mut request.currency),
        Field::Metrics => {
            let names = list::read(text);
            request.metrics = names.ok_or("must be names separated by semicolons, on one line")?;
        }
        Field::Priority => {
            let number = text.trim().parse();
            let rule = |_| format!("must be a whole number, not {}", shown(text));
            request.priority = Some(number.map_err(rule)?);
        }
        Field::Category => {
            request.set_category(words::read::<GrantCategory>("GRANT_CATEGORY_", text)?);
        }
        Field::EffectiveAt => {
            request.effective_at = Some(time::to_wire(time::instant(text.trim())?));
        }
        Field::ExpiresAt => request.expires_at = Some(time::to_wire(time::end_of(text.trim())?)),
        Field::Description => text.clone_into(&mut request.description),
        Field::Metadata => {
            let pairs: BTreeMap<String, String> = serde_json::from_str(text)
                .map_err(|_| "must be a JSON object of texts, such as {\"plan\":\"pro\"}")?;
            for (key, value) in pairs {
                add(&mut request.metadata, key, value)?;
            }
        }
    }
    Ok(())
}

fn add(metadata: &mut BTreeMap<String, String>, key: String, value: String) -> Result<(), String> {
    match metadata.get(&key) {
        Some(other) if *other != value => {
            Err(format!("metadata.{key} is given twice: {} and {}", shown(other), shown(&value)))
        }
        _ => {
            metadata.insert(key, value);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::csv::columns;
    use super::*;

    fn read(header: &[&str], cells: &[&str]) -> Result<CreateGrantRequest, String> {
        let columns = columns::read(header.iter().copied()).unwrap();
        request(&columns, &StringRecord::from(cells))
    }

    const HEADER: [&str; 12] = [
        "customer_id",
        "type",
        "amount",
        "currency",
        "metrics",
        "priority",
        "category",
        "effective_at",
        "expires_at",
        "description",
        "metadata.plan",
        "metadata",
    ];

    #[test]
    fn every_field_is_read() {
        let cells = [
            "acme",
            "Units",
            "1.50",
            "",
            "tokens; images",
            " 7 ",
            "promotional",
            "2026-01-31",
            "2026-01-31",
            "'=a",
            "pro",
            "{\"tier\":\"\"}",
        ];
        let request = read(&HEADER, &cells).unwrap();
        let day = |text| Some(time::to_wire(time::instant(text).unwrap()));
        let expected = CreateGrantRequest {
            customer_id: "acme".into(),
            r#type: GrantType::Units.into(),
            amount: "1.50".into(),
            metrics: vec!["tokens".into(), "images".into()],
            priority: Some(7),
            category: GrantCategory::Promotional.into(),
            effective_at: day("2026-01-31"),
            expires_at: day("2026-02-01"),
            description: "=a".into(),
            metadata: [("plan", "pro"), ("tier", "")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            ..Default::default()
        };
        assert_eq!(request, expected);
    }

    #[test]
    fn empty_cells_say_nothing() {
        assert_eq!(read(&HEADER, &[""; 12]), Ok(CreateGrantRequest::default()));
    }

    #[test]
    fn every_bad_cell_is_named() {
        let twice = "{\"plan\":\"free\"}";
        let cells = [
            "acme",
            "unit",
            "x",
            "",
            "a\nb",
            "high",
            "gift",
            "31.1.2026",
            "soon",
            "",
            "pro",
            twice,
        ];
        let faults = read(&HEADER, &cells).unwrap_err();
        for said in [
            "type must be one of units, monetary, not \"unit\"",
            "metrics must be names separated by semicolons",
            "priority must be a whole number, not \"high\"",
            "category must be one of promotional, purchased, loyalty, service, not \"gift\"",
            "effective_at expected a time",
            "expires_at expected a time",
            "metadata metadata.plan is given twice: \"pro\" and \"free\"",
        ] {
            assert!(faults.contains(said), "{said}: {faults}");
        }
        assert_eq!(faults.split("; ").count(), 7, "{faults}");
    }

    #[test]
    fn a_row_with_another_number_of_fields_is_told() {
        let header = &HEADER[..3];
        for cells in [&["acme", "units"][..], &["acme", "units", "1", "2"]] {
            let fields = cells.len();
            let said = format!("the row has {fields} fields, and the header 3");
            assert_eq!(read(header, cells), Err(said));
        }
    }
}
