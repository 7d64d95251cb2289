//! Figures beside their goals.

use std::fmt;

/// All figures so far.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Row>);

#[derive(Debug)]
struct Row {
    what: String,
    figure: f64,
    /// Below it is good.
    goal: f64,
}

// === impl Table ===

impl Table {
    /// Adds a figure.
    pub(crate) fn row(&mut self, what: &str, figure: f64, goal: f64) {
        self.0.push(Row {
            what: what.to_owned(),
            figure,
            goal,
        });
    }

    /// Whether all goals are met.
    pub(crate) fn is_met(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|row| row.figure < row.goal)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<52} {:>9} {:>9} {:>7}",
            "", "figure", "below", "ratio"
        )?;
        for Row { what, figure, goal } in &self.0 {
            let missed = if figure < goal { "" } else { "  missed" };
            let ratio = figure / goal;
            writeln!(
                f,
                "{what:<52} {figure:>9.1} {goal:>9.1} {ratio:>7.2}{missed}"
            )?;
        }
        Ok(())
    }
}
