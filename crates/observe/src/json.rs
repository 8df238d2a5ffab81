//! [`JsonLines`]: an audit log.

use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use secure_download_core::{AuditId, Event, Observer, is_invisible};
use time::OffsetDateTime;

use crate::running::Running;
use crate::words;
use crate::{redact, redact_id};

/// How many lines may wait for the writer.
const QUEUE: usize = 8192;

/// Writes an audit log: one JSON object (RFC 8259) a line, in the order of the events.
///
/// | field | in | what |
/// |---|---|---|
/// | `time` | all | when it was told, RFC 3339 in UTC |
/// | `event` | all | `granted`, `declined`, `delivered`, `refused` |
/// | `audit_id` | all | the request, 32 hexadecimal digits |
/// | `subject` | granted, delivered, refused | what the gate's subject label says, `null` without one |
/// | `id` | granted, delivered, refused | what the client asked for; left out if it is as long as a token |
/// | `key` | granted, delivered, refused once granted | the record's file |
/// | `strategy` | declined, delivered | its name |
/// | `method` | granted | GET or HEAD |
/// | `status` | delivered, refused | what the client was told; left out if it was gone before, 499 if nothing was granted either |
/// | `cause`, `reason` | refused | why in a word, why in a sentence |
/// | `reason` | declined | why |
/// | `outcome`, `bytes` | delivered | `sent` or `cut` with the bytes released; `handed-off`, `redirected` |
/// | `duration_ms` | delivered | from the request to the end |
///
/// A thread of its own writes, so that a slow disk delays no download. Should 8192 lines be waiting, further ones are
/// lost, and a line `{"event":"lost","lines":N}` says how many. What waits is written when the last clone is dropped.
///
/// ```
/// use secure_download_observe::JsonLines;
///
/// # let folder = std::env::temp_dir();
/// # let path = folder.join(format!("secure-download-audit-{}", std::process::id()));
/// let file = std::fs::OpenOptions::new().create(true).append(true).open(&path)?;
/// let audit = JsonLines::new(file);
/// # drop(audit);
/// # std::fs::remove_file(path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct JsonLines {
    log: Arc<Log>,
}

struct Log {
    queue: Option<SyncSender<Message>>,
    lost: Arc<AtomicU64>,
    running: Running<Granted>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

enum Message {
    Line(String),
    /// Answered once everything before it is written.
    Flush(SyncSender<()>),
}

/// What the end of a download repeats, so that one line tells all of it.
struct Granted {
    subject: Option<String>,
    id: Option<String>,
    key: String,
}

impl JsonLines {
    /// Writes to `out`, such as a file that is appended to. A line that cannot be written is lost, and counted.
    #[must_use]
    pub fn new(out: impl Write + Send + 'static) -> Self {
        let (queue, lines) = sync_channel(QUEUE);
        let lost = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&lost);
        let name = "secure-download-audit".to_owned();
        let writer = std::thread::Builder::new().name(name).spawn(move || write_all(out, &lines, &counter));
        Self {
            log: Arc::new(Log {
                queue: Some(queue),
                lost,
                running: Running::default(),
                // Without a thread every line counts as lost.
                writer: Mutex::new(writer.ok()),
            }),
        }
    }

    /// Waits until every line so far is written. Blocks: for the end of a program, not for requests.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if let Some(queue) = &self.log.queue
            && queue.send(Message::Flush(done)).is_ok()
        {
            let _ = wait.recv();
        }
    }

    /// How many lines are lost and not yet told of.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.log.lost.load(Ordering::Relaxed)
    }
}

impl Observer for JsonLines {
    fn observe(&self, event: &Event<'_>) {
        let now = SystemTime::now();
        let line = match event {
            Event::Granted { audit_id, subject, id, key, method, .. } => {
                let granted = Granted {
                    subject: subject.map(str::to_owned),
                    id: id.map(|id| redact_id(id).to_owned()),
                    key: key.to_string(),
                };
                let line = Line::new(now, "granted", *audit_id).who(&granted);
                let line = line.text("method", Some(method.as_str())).end();
                self.log.running.begin(*audit_id, granted);
                line
            }
            Event::Declined { audit_id, strategy, reason, .. } => Line::new(now, "declined", *audit_id)
                .text("strategy", Some(strategy))
                .text("reason", Some(&redact(reason)))
                .end(),
            Event::Delivered { audit_id, strategy, status, outcome, duration, .. } => {
                let mut line = Line::new(now, "delivered", *audit_id);
                if let Some(granted) = self.log.running.end(*audit_id) {
                    line = line.who(&granted);
                }
                let (outcome, bytes) = words::outcome(*outcome);
                line = line.text("strategy", Some(strategy)).text("outcome", Some(outcome));
                if let Some(status) = status {
                    line = line.number("status", u64::from(status.as_u16()));
                }
                if let Some(bytes) = bytes {
                    line = line.number("bytes", bytes);
                }
                line.milliseconds(*duration).end()
            }
            Event::Refused { audit_id, subject, id, status, reason, .. } => {
                let mut line = Line::new(now, "refused", *audit_id);
                line = match self.log.running.end(*audit_id) {
                    Some(granted) => line.who(&granted),
                    None => line.text("subject", *subject).text("id", id.map(redact_id)),
                };
                line.number("status", u64::from(status.as_u16()))
                    .text("cause", Some(words::cause(reason)))
                    .text("reason", Some(&redact(&reason.to_string())))
                    .end()
            }
            _ => return,
        };
        let sent = self.log.queue.as_ref().map(|queue| queue.try_send(Message::Line(line)));
        if let Some(Err(TrySendError::Full(_) | TrySendError::Disconnected(_))) = sent {
            self.log.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn write_all(out: impl Write, lines: &Receiver<Message>, lost: &AtomicU64) {
    let mut out = Lines { out, torn: false };
    while let Ok(first) = lines.recv() {
        let mut next = Some(first);
        // As much as there is, and then once to the disk.
        while let Some(message) = next {
            match message {
                Message::Line(line) => {
                    if out.write(&line).is_err() {
                        lost.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Message::Flush(done) => {
                    let _ = out.out.flush();
                    let _ = done.try_send(());
                }
            }
            let missing = lost.swap(0, Ordering::Relaxed);
            if missing > 0 {
                let mut line = format!("{{\"time\":\"{}\"", rfc3339(SystemTime::now()));
                let _ = writeln!(line, ",\"event\":\"lost\",\"lines\":{missing}}}");
                if out.write(&line).is_err() {
                    lost.fetch_add(missing, Ordering::Relaxed);
                }
            }
            next = lines.try_recv().ok();
        }
        let _ = out.out.flush();
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

impl Drop for Log {
    fn drop(&mut self) {
        self.queue = None;
        let writer = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            let _ = writer.join();
        }
    }
}

impl fmt::Debug for JsonLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonLines").field("lost", &self.lost()).finish_non_exhaustive()
    }
}

/// An object in the making.
struct Line(String);

impl Line {
    fn new(now: SystemTime, event: &str, audit_id: AuditId) -> Self {
        let mut line = String::with_capacity(256);
        let _ =
            write!(line, "{{\"time\":\"{}\",\"event\":\"{event}\",\"audit_id\":\"{audit_id}\"", rfc3339(now));
        Self(line)
    }

    fn who(self, granted: &Granted) -> Self {
        self.text("subject", granted.subject.as_deref())
            .text("id", granted.id.as_deref())
            .text("key", Some(&granted.key))
    }

    fn text(mut self, name: &str, value: Option<&str>) -> Self {
        let _ = write!(self.0, ",\"{name}\":");
        match value {
            Some(value) => push_string(&mut self.0, value),
            None => self.0.push_str("null"),
        }
        self
    }

    fn number(mut self, name: &str, value: u64) -> Self {
        let _ = write!(self.0, ",\"{name}\":{value}");
        self
    }

    fn milliseconds(mut self, duration: Duration) -> Self {
        let (whole, rest) = (duration.as_millis(), duration.as_micros() % 1000);
        let _ = write!(self.0, ",\"duration_ms\":{whole}.{rest:03}");
        self
    }

    fn end(mut self) -> String {
        self.0.push_str("}\n");
        self.0
    }
}

/// RFC 8259 section 7. What could end a line, move a cursor, turn its direction or hide is escaped too.
fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() || is_invisible(c) || matches!(c, '\u{2028}' | '\u{2029}') => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// With milliseconds, in UTC.
fn rfc3339(time: SystemTime) -> String {
    let time = OffsetDateTime::from(time);
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    let (hour, minute, second, milli) = time.to_hms_milli();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}
