//! [`Report`]: what an examination found.

use std::fmt;

use serde_json::{Value, json};

use super::Fault;

/// Every row of an examination.
#[derive(Debug)]
pub struct Report {
    rows: Vec<Row>,
}

/// One probe, of one root or of the whole site.
#[derive(Debug)]
pub struct Row {
    /// What was looked for.
    pub probe: &'static str,
    /// The internal location of the root, if it was about one.
    pub root: Option<String>,
    /// What was found.
    pub verdict: Verdict,
}

/// What one probe found.
#[derive(Debug)]
pub enum Verdict {
    /// As it must be.
    Pass,
    /// Not looked for, and why.
    NotRun(String),
    /// Something is wrong. One of the faults is the cause, as far as can be told from outside.
    Faults {
        /// What came back.
        seen: String,
        /// Three at most.
        faults: Vec<Fault>,
    },
}

impl Report {
    pub(super) fn new(rows: Vec<Row>) -> Self {
        Self { rows }
    }

    /// Every row.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Whether no fault was found.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.faults().next().is_none()
    }

    /// Every fault that may be there.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.rows.iter().flat_map(|row| match &row.verdict {
            Verdict::Faults { faults, .. } => faults.as_slice(),
            _ => &[],
        })
    }

    /// The report for programs.
    #[must_use]
    pub fn to_json(&self) -> String {
        let rows = self.rows.iter().map(|row| {
            let (verdict, detail, faults) = match &row.verdict {
                Verdict::Pass => ("pass", None, None),
                Verdict::NotRun(why) => ("not-run", Some(why), None),
                Verdict::Faults { seen, faults } => ("fault", Some(seen), Some(faults)),
            };
            let faults = faults.map(|faults| {
                let fault = |fault: &Fault| json!({"id": fault.id, "what": fault.what, "mend": fault.mend});
                faults.iter().map(fault).collect::<Vec<Value>>()
            });
            json!({"probe": row.probe, "root": row.root, "verdict": verdict, "detail": detail, "faults": faults})
        });
        let rows: Vec<Value> = rows.collect();
        format!("{:#}\n", json!({"healthy": self.is_healthy(), "rows": rows}))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            let root = row.root.as_ref().map_or_else(String::new, |root| format!(" ({root})"));
            let name = format!("{}{root}", row.probe);
            match &row.verdict {
                Verdict::Pass => writeln!(f, "pass     {name}")?,
                Verdict::NotRun(why) => writeln!(f, "not run  {name}: {why}")?,
                Verdict::Faults { seen, faults } => {
                    writeln!(f, "FAULT    {name}: {seen}")?;
                    let one_of = if faults.len() > 1 { "one of " } else { "" };
                    for (number, fault) in faults.iter().enumerate() {
                        let label = if number == 0 { one_of } else { "or " };
                        writeln!(f, "         {label}{}: {}", fault.id, fault.what)?;
                        for line in fault.mend.lines() {
                            writeln!(f, "             {line}")?;
                        }
                    }
                }
            }
        }
        let verdict = if self.is_healthy() { "No fault was found." } else { "The deployment is not right." };
        writeln!(f, "{verdict}")
    }
}
