//! Numbers as people read them.

use std::time::Duration;

/// How long many repetitions of the same thing took.
pub struct Samples(Vec<Duration>);

impl Samples {
    pub fn new(mut samples: Vec<Duration>) -> Self {
        samples.sort_unstable();
        Self(samples)
    }

    /// The value that this share of the samples does not exceed.
    pub fn quantile(&self, share: f64) -> Duration {
        let last = self.0.len() - 1;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let index = (last as f64 * share).round() as usize;
        self.0[index]
    }

    pub fn p50(&self) -> Duration {
        self.quantile(0.5)
    }

    pub fn p99(&self) -> Duration {
        self.quantile(0.99)
    }
}

pub fn ms(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1000.0)
}

#[expect(clippy::cast_precision_loss)]
pub fn mb(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1_000_000.0)
}

/// What was measured, a line each: most often work, aim and figures.
pub struct Table<const COLUMNS: usize = 3> {
    heads: [&'static str; COLUMNS],
    rows: Vec<[String; COLUMNS]>,
}

impl Table {
    pub fn new() -> Self {
        Self::with_heads(["work", "aim", "measured"])
    }

    pub fn row(&mut self, work: impl Into<String>, aim: impl Into<String>, measured: impl Into<String>) {
        let row = [work.into(), aim.into(), measured.into()];
        // Also at once: the whole takes minutes.
        eprintln!("{}: {}", row[0], row[2]);
        self.rows.push(row);
    }
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    pub fn with_heads(heads: [&'static str; COLUMNS]) -> Self {
        Self { heads, rows: Vec::new() }
    }

    pub fn cells(&mut self, row: [String; COLUMNS]) {
        eprintln!("{}", row.join(" | "));
        self.rows.push(row);
    }

    pub fn print(&self) {
        let heads = self.heads.map(str::to_owned);
        let widths: [usize; COLUMNS] = std::array::from_fn(|column| {
            let cells = self.rows.iter().chain([&heads]).map(|row| row[column].chars().count());
            cells.max().unwrap_or_default()
        });
        let line = |row: &[String; COLUMNS]| {
            let cells: [String; COLUMNS] =
                std::array::from_fn(|column| format!("{:width$}", row[column], width = widths[column]));
            println!("| {} |", cells.join(" | "));
        };
        println!();
        line(&heads);
        println!("|{}|", widths.map(|width| "-".repeat(width + 2)).join("|"));
        self.rows.iter().for_each(line);
    }
}
