//! [`JsonLines`]: an audit log.

mod line;
mod queue;
mod writer;

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use secure_download_core::{BoxError, Event, Observer};

use self::line::Line;
use self::queue::Queue;
use crate::RedactionKey;
use crate::running::Running;
use crate::words;

/// Writes an audit log: one JSON object (RFC 8259) a line, in the order of the events while few lines wait.
///
/// | field | in | what |
/// |---|---|---|
/// | `time` | all | when it was told, RFC 3339 in UTC |
/// | `event` | all | `granted`, `declined`, `delivered`, `refused`; `refused-summary` and `lost`, see below |
/// | `audit_id` | all four | the request, 32 hexadecimal digits |
/// | `subject` | granted, delivered, refused | what the gate's subject label says, `null` without one |
/// | `id` | granted, delivered, refused | what the client asked for; length and hash of one as long as a token |
/// | `key` | granted, delivered, refused once granted | the record's file |
/// | `strategy` | declined, delivered | its name |
/// | `method` | granted | GET or HEAD |
/// | `status` | delivered, refused | what the client was told; left out if it was gone before, 499 if nothing was granted either |
/// | `cause`, `reason` | refused | why in a word, why in a sentence |
/// | `reason` | declined | why |
/// | `outcome`, `bytes` | delivered | `sent` or `cut` with the bytes released; `handed-off`, `redirected` |
/// | `duration_ms` | delivered | from the request to the end |
///
/// A thread of its own writes, so that a slow disk delays no download. What waits is written when the last clone is dropped.
///
/// Memory is bounded when the writer does not keep up:
///
/// - 4096 refusals wait. Further ones are summed up in one line:
///   `{"event":"refused-summary","since":TIME,"refusals":N,"counts":[{"status":401,"cause":"not-admitted","count":N},...]}`.
/// - 8192 lines of granted downloads wait, and beyond them the ends of the downloads whose grant was told. Refusals take none of
///   this room, and once 256 refusals wait, the lines of granted downloads go ahead of them.
/// - Further lines are lost, and a line `{"event":"lost","lines":N}` says how many. With [`JsonLines::required`] none is lost:
///   the gate refuses the downloads.
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
    key: RedactionKey,
}

struct Log {
    queue: Arc<Queue>,
    running: Running<Granted>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What the end of a download repeats, so that one line tells all of it.
struct Granted {
    subject: Option<String>,
    id: Option<String>,
    key: String,
    /// The line of the grant waits or is written.
    told: bool,
}

impl JsonLines {
    /// Writes to `out`, such as a file that is appended to. A line that cannot be written is lost, and counted.
    #[must_use]
    pub fn new(out: impl Write + Send + 'static) -> Self {
        let queue = Arc::new(Queue::default());
        let lines = Arc::clone(&queue);
        let name = "secure-download-audit".to_owned();
        let writer = std::thread::Builder::new().name(name).spawn(move || writer::write_all(out, &lines));
        if writer.is_err() {
            queue.writer_gone();
        }
        let log = Log { queue, running: Running::default(), writer: Mutex::new(writer.ok()) };
        Self { log: Arc::new(log), key: RedactionKey::default() }
    }

    /// No audit, no file: the gate refuses downloads with 503 while the log cannot take them. That is so while a write
    /// fails, when 8192 lines of grants and ends wait, and once such a line has waited for `patience`, as behind a disk that
    /// hangs. No line is lost then: the writer tries again until it succeeds, or until the last clone is dropped. Holds for
    /// all clones.
    ///
    /// ```
    /// use secure_download_observe::JsonLines;
    /// use std::time::Duration;
    ///
    /// let audit = JsonLines::new(std::io::sink()).required(Duration::from_secs(5));
    /// # drop(audit);
    /// ```
    #[must_use]
    pub fn required(self, patience: Duration) -> Self {
        self.log.queue.require(patience);
        self
    }

    /// Hashes ids and words as long as a token under `key`, in place of a key of this process.
    #[must_use]
    pub fn redaction_key(mut self, key: RedactionKey) -> Self {
        self.key = key;
        self
    }

    /// Waits until every line so far is written or lost; with [`JsonLines::required`] until a write fails, too. Blocks: for
    /// the end of a program, not for requests.
    pub fn flush(&self) {
        self.log.queue.flush();
    }

    /// How many lines are lost and not yet told of.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.log.queue.lost()
    }
}

impl Observer for JsonLines {
    fn observe(&self, event: &Event<'_>) {
        let now = SystemTime::now();
        let queue = &self.log.queue;
        match event {
            Event::Granted { audit_id, subject, id, key, method, .. } => {
                let mut granted = Granted {
                    subject: subject.map(str::to_owned),
                    id: id.map(|id| self.key.id(id).into_owned()),
                    key: key.to_string(),
                    told: false,
                };
                let line = granted.add_to(Line::of(now, "granted", *audit_id));
                granted.told = queue.push(line.text("method", Some(method.as_str())).end(), false);
                self.log.running.begin(*audit_id, granted);
            }
            Event::Declined { audit_id, strategy, reason, .. } => {
                let line = Line::of(now, "declined", *audit_id)
                    .text("strategy", Some(strategy))
                    .text("reason", Some(&self.key.text(reason)));
                queue.push(line.end(), false);
            }
            Event::Delivered { audit_id, strategy, status, outcome, duration, .. } => {
                let mut line = Line::of(now, "delivered", *audit_id);
                let granted = self.log.running.end(*audit_id);
                if let Some(granted) = &granted {
                    line = granted.add_to(line);
                }
                let (outcome, bytes) = words::outcome(*outcome);
                line = line.text("strategy", Some(strategy)).text("outcome", Some(outcome));
                if let Some(status) = status {
                    line = line.number("status", u64::from(status.as_u16()));
                }
                if let Some(bytes) = bytes {
                    line = line.number("bytes", bytes);
                }
                queue.push(line.milliseconds(*duration).end(), granted.is_some_and(|granted| granted.told));
            }
            Event::Refused { audit_id, subject, id, status, reason, .. } => {
                let granted = self.log.running.end(*audit_id);
                let (status, cause) = (status.as_u16(), words::cause(reason));
                if granted.is_none() && !queue.has_room_for_refusal(status, cause) {
                    return;
                }
                let mut line = Line::of(now, "refused", *audit_id);
                line = match &granted {
                    Some(granted) => granted.add_to(line),
                    None => {
                        line.text("subject", *subject).text("id", id.map(|id| self.key.id(id)).as_deref())
                    }
                };
                let line = line
                    .number("status", u64::from(status))
                    .text("cause", Some(cause))
                    .text("reason", Some(&self.key.text(&reason.to_string())))
                    .end();
                match granted {
                    Some(granted) => _ = queue.push(line, granted.told),
                    None => queue.push_refusal(line),
                }
            }
            _ => {}
        }
    }

    fn ready(&self) -> Result<(), BoxError> {
        self.log.queue.ready()
    }
}

impl Granted {
    fn add_to(&self, line: Line) -> Line {
        line.text("subject", self.subject.as_deref())
            .text("id", self.id.as_deref())
            .text("key", Some(&self.key))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.queue.close();
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
