//! Several names in one cell, separated by `;`. A name with a `;` or a quote in it is quoted, as a
//! cell would be: `tokens;"a;b"`.

use csv::{ReaderBuilder, WriterBuilder};

const SEPARATOR: u8 = b';';

/// The cell for some names.
pub fn put(names: &[String]) -> String {
    if !names.iter().any(|name| name.contains([';', '"', '\r', '\n'])) {
        return names.join(";");
    }
    let mut writer = WriterBuilder::new().delimiter(SEPARATOR).from_writer(Vec::new());
    let written = writer.write_record(names).ok().and_then(|()| writer.into_inner().ok());
    let text = written.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    text.trim_end_matches('\n').to_owned()
}

/// The names in a cell; spaces around them do not count. None where they do not read as one list.
pub fn read(cell: &str) -> Option<Vec<String>> {
    if !cell.contains(['"', '\r', '\n']) {
        return Some(cell.split(';').map(|name| name.trim().to_owned()).collect());
    }
    let mut reader = ReaderBuilder::new()
        .delimiter(SEPARATOR)
        .has_headers(false)
        .flexible(true)
        .from_reader(cell.as_bytes());
    let mut lines = reader.records();
    let names = lines.next()?.ok()?.iter().map(|name| name.trim().to_owned()).collect();
    lines.next().is_none().then_some(names)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_separated_by_semicolons() {
        assert_eq!(put(&["tokens".into(), "a;b".into()]), "tokens;\"a;b\"");
        assert_eq!(read(" tokens ; images").unwrap(), ["tokens", "images"]);
        assert_eq!(read("tokens;;").unwrap(), ["tokens", "", ""]);
        assert_eq!(read("say \"hi\";x").unwrap(), ["say \"hi\"", "x"]);
        assert_eq!(read("tokens\nimages"), None);
    }

    proptest! {
        #[test]
        fn reading_undoes_writing(
            names in prop::collection::vec("[a-c;\",']{1,6}|[^\\pC\\s]{1,9}", 1..5),
        ) {
            prop_assert_eq!(read(&put(&names)), Some(names));
        }
    }
}
