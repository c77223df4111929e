//! Tables for people: columns as wide as their widest cell.

use tidegate_domain::text::shown;

/// A table: a heading and rows of as many cells.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with this heading.
    pub(crate) fn new<const N: usize>(heading: [&str; N]) -> Self {
        Self { rows: vec![heading.map(str::to_owned).to_vec()] }
    }

    /// Adds a row. A cell is one line of harmless text, whoever wrote it.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| shown(&cell).into_owned()).into());
    }

    /// Whether it has a heading alone.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() < 2
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count()) + 2));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A cell of what may be missing.
pub(crate) fn cell(value: Option<&String>) -> String {
    value.filter(|text| !text.is_empty()).cloned().unwrap_or_else(|| "-".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["NAME", "N"]);
        table.row(["grüße".to_owned(), "1".to_owned()]);
        table.row(["a".to_owned(), "23".to_owned()]);
        assert_eq!(table.to_string(), "NAME   N\ngrüße  1\na      23\n");
    }

    #[test]
    fn what_others_wrote_stays_in_its_cell() {
        let mut table = Table::new(["NAME", "N"]);
        table.row(["a\nb \u{1b}[2J".to_owned(), "\u{202e}1\r".to_owned()]);
        assert_eq!(table.to_string(), "NAME            N\na\\nb \\u{1b}[2J  \\u{202e}1\\r\n");
    }
}
