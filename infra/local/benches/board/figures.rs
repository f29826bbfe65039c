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

/// Work, aim and measurement, a line each.
pub struct Table(Vec<[String; 3]>);

impl Table {
    pub fn new() -> Self {
        Self(Vec::new())
    }

    pub fn row(&mut self, work: impl Into<String>, aim: impl Into<String>, measured: impl Into<String>) {
        let row = [work.into(), aim.into(), measured.into()];
        // Also at once: the whole takes minutes.
        eprintln!("{}: {}", row[0], row[2]);
        self.0.push(row);
    }

    pub fn print(&self) {
        let heads = ["work", "aim", "measured"].map(str::to_owned);
        let widths = [0, 1, 2].map(|column| {
            let cells = self.0.iter().chain([&heads]).map(|row| row[column].chars().count());
            cells.max().unwrap_or_default()
        });
        let line = |row: &[String; 3]| {
            let [a, b, c] = [0, 1, 2].map(|column| format!("{:width$}", row[column], width = widths[column]));
            println!("| {a} | {b} | {c} |");
        };
        println!();
        line(&heads);
        println!("|{}|", widths.map(|width| "-".repeat(width + 2)).join("|"));
        self.0.iter().for_each(line);
    }
}
