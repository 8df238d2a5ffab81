//! The thread that writes.

use std::io::{self, Write};
use std::time::SystemTime;

use super::line::{Line, rfc3339};
use super::queue::{Queue, Summary, Task};

/// Writes until the queue is closed and empty.
pub(super) fn write_all(out: impl Write, queue: &Queue) {
    let _end = End(queue);
    let mut out = Lines { out, torn: false };
    loop {
        match queue.next() {
            Task::Write(line) => match out.write(&line.text) {
                Ok(()) => queue.written(&line),
                Err(error) => queue.not_written(line, &error),
            },
            Task::Summarise(summary) if summary.counts.is_empty() => {}
            Task::TellLost(0) => {}
            Task::Summarise(summary) => match out.write(&summary_line(&summary)) {
                Ok(()) => queue.summarised(),
                Err(error) => queue.not_summarised(summary, &error),
            },
            Task::TellLost(lines) => {
                let line = Line::new(SystemTime::now(), "lost").number("lines", lines).end();
                match out.write(&line) {
                    Ok(()) => queue.told_lost(),
                    Err(error) => queue.not_told_lost(lines, &error),
                }
            }
            // As much as there is, and then once to the disk.
            Task::Flush => queue.flushed(out.out.flush()),
            Task::End => return,
        }
    }
}

fn summary_line(summary: &Summary) -> String {
    let counts = summary.counts.iter().map(|(&(status, cause), &count)| {
        Line::part().number("status", u64::from(status)).text("cause", Some(cause)).number("count", count)
    });
    Line::new(SystemTime::now(), "refused-summary")
        .text("since", Some(&rfc3339(summary.since())))
        .number("refusals", summary.counts.values().sum())
        .objects("counts", counts)
        .end()
}

/// The writer ended, or panicked.
struct End<'a>(&'a Queue);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.writer_gone();
    }
}

struct Lines<W> {
    out: W,
    /// A part of a line was written.
    torn: bool,
}

impl<W: Write> Lines<W> {
    /// On a line of its own, whatever became of the one before.
    fn write(&mut self, line: &str) -> io::Result<()> {
        if self.torn {
            self.out.write_all(b"\n")?;
            self.torn = false;
        }
        let mut left = line.as_bytes();
        while !left.is_empty() {
            match self.out.write(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => left = &left[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            self.torn = !left.is_empty();
        }
        Ok(())
    }
}
