//! Tables without borders: columns as wide as what stands in them, figures to the right.

use std::iter::zip;

use console::{Alignment, measure_text_width, pad_str, style};

/// A column: its title, and to which side its cells are put.
#[derive(Clone, Copy, Debug)]
pub enum Column {
    /// Words.
    Left(&'static str),
    /// Figures.
    Right(&'static str),
}

/// A table that may grow: later rows widen columns, and leave earlier ones as they are.
#[derive(Debug)]
pub struct Table {
    columns: &'static [Column],
    widths: Vec<usize>,
    titled: bool,
}

impl Column {
    fn title(self) -> &'static str {
        match self {
            Self::Left(title) | Self::Right(title) => title,
        }
    }

    fn pad(self, cell: &str, width: usize) -> String {
        let side = match self {
            Self::Left(_) => Alignment::Left,
            Self::Right(_) => Alignment::Right,
        };
        pad_str(cell, width, side, None).into_owned()
    }
}

impl Table {
    pub fn new(columns: &'static [Column]) -> Self {
        let widths = columns.iter().map(|column| measure_text_width(column.title())).collect();
        Self { columns, widths, titled: false }
    }

    /// The next rows, below the titles where they are the first. No rows, no lines.
    pub fn lines(&mut self, rows: &[Vec<String>]) -> String {
        if rows.is_empty() {
            return String::new();
        }
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
        for row in &rows {
            for (width, cell) in zip(&mut self.widths, row) {
                *width = measure_text_width(cell).max(*width);
            }
        }
        let mut lines = String::new();
        if !std::mem::replace(&mut self.titled, true) {
            let titles = self.columns.iter().map(|column| column.title().to_owned());
            let titles = self.line(&titles.collect::<Vec<_>>());
            lines += &format!("{}\n", style(titles).bold());
        }
        for row in &rows {
            lines += &self.line(row);
            lines.push('\n');
        }
        lines
    }

    fn line(&self, cells: &[String]) -> String {
        let cells = zip(self.columns, zip(cells, &self.widths));
        let cells: Vec<String> =
            cells.map(|(column, (cell, width))| column.pad(cell, *width)).collect();
        cells.join("  ").trim_end().to_owned()
    }
}

/// Names and values below each other; those without a value are left out.
pub fn details<'a>(pairs: impl IntoIterator<Item = (&'a str, Option<String>)>) -> String {
    let pairs: Vec<(&str, String)> =
        pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let width = pairs.iter().map(|(name, _)| measure_text_width(name)).max().unwrap_or(0);
    let line = |(name, value): &(&str, String)| {
        format!("{}  {}\n", pad_str(name, width, Alignment::Left, None), printable(value))
    };
    pairs.iter().map(line).collect()
}

/// Text from others commands no terminal: control characters are spelt out.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::Column::{Left, Right};
    use super::*;

    fn row(name: &str, amount: &str) -> Vec<String> {
        vec![name.to_owned(), amount.to_owned()]
    }

    #[test]
    fn columns_are_aligned_and_grow() {
        // The tests' own output may be a terminal.
        console::set_colors_enabled(false);
        let mut table = Table::new(&[Left("NAME"), Right("AMOUNT")]);
        assert_eq!(
            table.lines(&[row("a", "1"), row("bbbbb", "1234567")]),
            "NAME    AMOUNT\na            1\nbbbbb  1234567\n"
        );
        assert_eq!(table.lines(&[row("日本", "12345678")]), "日本   12345678\n");
    }

    #[test]
    fn details_leave_out_what_is_not_there() {
        let told = details([("a", Some("1".into())), ("long", None), ("bb", Some("2".into()))]);
        assert_eq!(told, "a   1\nbb  2\n");
    }

    #[test]
    fn control_characters_are_spelt_out() {
        assert_eq!(printable("a\u{1b}[2J\nb"), "a\\u{1b}[2J\\nb");
    }
}
