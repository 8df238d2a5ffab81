//! What was measured, as a section of `docs/benchmarks/README.md`.

use std::fmt;
use std::fs;
use std::path::PathBuf;

use crate::command::{Failed, root};

/// The folder of tables and charts.
pub(crate) fn folder() -> PathBuf {
    root().join("docs/benchmarks")
}

/// Puts `text` between the comments that mark a section, under a line that says where and when it was measured.
pub(crate) fn replace(section: &str, text: &str) -> Result<(), Failed> {
    let path = folder().join("README.md");
    let failed = |error| Failed(format!("{}: {error}", path.display()));
    let page = fs::read_to_string(&path).map_err(failed)?;
    let (begin, end) = (format!("<!-- begin {section} -->\n"), format!("<!-- end {section} -->"));
    let parts = page.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let Some((before, after)) = parts else {
        return Err(Failed(format!("{} has no section {section}", path.display())));
    };
    let page = format!("{before}{begin}{}\n\n{text}{end}{after}", conditions());
    fs::write(&path, page).map_err(failed)
}

/// The machine and the day.
fn conditions() -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models: Vec<&str> = processors.lines().filter_map(|line| line.strip_prefix("model name")).collect();
    let model = models.first().map_or("", |model| model.trim_start_matches([' ', '\t', ':']));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.split('-').next().unwrap_or_default().trim();
    let day = std::process::Command::new("date").arg("+%Y-%m-%d").output();
    let day = day.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    format!("{} processors ({model}), Linux {kernel}, {}.", models.len(), day.unwrap_or_default())
}

/// A table in Markdown.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { rows: vec![head.into_iter().map(Into::into).collect()] }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, row) in self.rows.iter().enumerate() {
            writeln!(f, "| {} |", row.join(" | "))?;
            if number == 0 {
                writeln!(f, "|{}", "---|".repeat(row.len()))?;
            }
        }
        Ok(())
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Three digits, more where there are more before the point.
pub(crate) fn digits(value: f64) -> String {
    match value {
        value if value >= 99.5 => format!("{value:.0}"),
        value if value >= 9.95 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}
