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
#[non_exhaustive]
pub enum Verdict {
    /// As it must be, by an answer that only a right deployment gives.
    Pass,
    /// The probe does not apply to this deployment, and why.
    DoesNotApply(String),
    /// Nothing follows from what came back: a rate limiter or a login page answered, or another row failed first. Says why.
    NotKnown(String),
    /// Something is wrong. One of the faults is the cause, as far as can be told from outside.
    Faults {
        /// What came back.
        seen: String,
        /// Three at most.
        faults: Vec<Fault>,
    },
}

pub(super) fn fault(seen: String, mut faults: Vec<Fault>) -> Verdict {
    faults.truncate(3);
    Verdict::Faults { seen, faults }
}

pub(super) fn not_known(why: impl Into<String>) -> Verdict {
    Verdict::NotKnown(why.into())
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

    /// Whether every row passed, those aside that do not apply.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.faults().next().is_none() && !self.has_unknown()
    }

    /// Whether a row is not known.
    #[must_use]
    pub fn has_unknown(&self) -> bool {
        self.rows.iter().any(|row| matches!(row.verdict, Verdict::NotKnown(_)))
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
                Verdict::DoesNotApply(why) => ("does-not-apply", Some(why), None),
                Verdict::NotKnown(why) => ("not-known", Some(why), None),
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
                Verdict::Pass => writeln!(f, "pass      {name}")?,
                Verdict::DoesNotApply(why) => writeln!(f, "n/a       {name}: {why}")?,
                Verdict::NotKnown(why) => writeln!(f, "not known {name}: {why}")?,
                Verdict::Faults { seen, faults } => {
                    writeln!(f, "FAULT     {name}: {seen}")?;
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
        let unknown = self.rows.iter().filter(|row| matches!(row.verdict, Verdict::NotKnown(_))).count();
        match (self.faults().next(), unknown) {
            (Some(_), _) => writeln!(f, "The deployment is not right."),
            (None, 0) => writeln!(f, "No fault was found."),
            (None, unknown) => writeln!(
                f,
                "Not known: {unknown} of {} rows. Let the doctor through, then ask again.",
                self.rows.len()
            ),
        }
    }
}
