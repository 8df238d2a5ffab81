//! [`Queue`]: the lines that wait for the writer.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use secure_download_core::BoxError;

/// How many lines of granted downloads may wait.
const GRANTED: usize = 8192;

/// How many lines of refusals may wait.
const REFUSALS: usize = 4096;

/// From how many waiting refusals on the lines of granted downloads go ahead of them.
const IN_ORDER: usize = 256;

/// How long refusals are summed up at most before their line is due.
const SUMMARY: Duration = Duration::from_secs(1);

/// How long the writer rests before it tries a line again.
const PAUSE: Duration = Duration::from_millis(100);

/// Lines of granted downloads and of refusals, each with room of its own.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// There is something to do for the writer.
    filled: Condvar,
    /// The writer has done something.
    progress: Condvar,
}

#[derive(Default)]
struct State {
    granted: Lane,
    refusals: Lane,
    summary: Summary,
    /// Summaries that were written or lost.
    summaries: u64,
    /// Lines that are lost and not yet told of.
    lost: u64,
    /// How long a line of a grant may wait, if no download may do without.
    required: Option<Duration>,
    /// Since when the writer has been busy with one line.
    busy: Option<Instant>,
    /// Something was written since the last flush.
    unflushed: bool,
    /// Why the last write failed; `None` once a later line is written and flushed.
    failing: Option<String>,
    /// A line was written since the last write that failed.
    recovers: bool,
    failures: u64,
    closed: bool,
    /// What is told last was tried.
    farewells: u8,
    writer_gone: bool,
    next: u64,
}

#[derive(Default)]
struct Lane {
    lines: VecDeque<Line>,
    /// Lines that came, and those of them that are written or lost.
    came: u64,
    done: u64,
}

pub(super) struct Line {
    pub(super) text: String,
    refusal: bool,
    /// The order in which they came.
    number: u64,
    since: Instant,
}

/// Refusals that found no room, by status and cause.
#[derive(Default)]
pub(super) struct Summary {
    pub(super) counts: BTreeMap<(u16, &'static str), u64>,
    begun: Option<(Instant, SystemTime)>,
}

/// What the writer does next.
pub(super) enum Task {
    Write(Line),
    Summarise(Summary),
    TellLost(u64),
    Flush,
    End,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn require(&self, patience: Duration) {
        self.lock().required = Some(patience);
    }

    /// Takes a line of a granted download, if there is room. The end of a download whose grant was told always has room: no
    /// more of them can come than downloads run.
    pub(super) fn push(&self, text: String, ends_what_was_told: bool) -> bool {
        let mut state = self.lock();
        let room = state.granted.lines.len() < GRANTED || ends_what_was_told || state.required.is_some();
        if !room || state.writer_gone {
            state.lost += 1;
            return false;
        }
        state.push(text, false);
        drop(state);
        self.filled.notify_one();
        true
    }

    /// Is there room for a line about a refusal? If not, the refusal is summed up.
    pub(super) fn has_room_for_refusal(&self, status: u16, cause: &'static str) -> bool {
        let mut state = self.lock();
        let room = state.refusals.lines.len() < REFUSALS;
        if !room {
            state.summary.add(status, cause, 1);
        }
        room
    }

    pub(super) fn push_refusal(&self, text: String) {
        let mut state = self.lock();
        if state.writer_gone {
            state.lost += 1;
            return;
        }
        state.push(text, true);
        drop(state);
        self.filled.notify_one();
    }

    /// Can the line of one more grant be taken, so that it will be written?
    pub(super) fn ready(&self) -> Result<(), BoxError> {
        let state = self.lock();
        let Some(patience) = state.required else { return Ok(()) };
        if state.writer_gone {
            return Err("the audit log has no writer any more".into());
        }
        if let Some(why) = &state.failing {
            return Err(format!("the audit log cannot be written: {why}").into());
        }
        if state.granted.lines.len() >= GRANTED {
            return Err(format!("{GRANTED} lines of the audit log wait to be written").into());
        }
        let oldest = state.granted.lines.front().map(|line| line.since);
        if state.busy.into_iter().chain(oldest).any(|since| since.elapsed() > patience) {
            return Err(format!("a line of the audit log has waited for more than {patience:?}").into());
        }
        Ok(())
    }

    pub(super) fn lost(&self) -> u64 {
        self.lock().lost
    }

    pub(super) fn flush(&self) {
        let mut state = self.lock();
        let (granted, refusals, summaries) = (state.granted.came, state.refusals.came, state.summaries);
        let failures = state.failures;
        let over = |state: &State| {
            let lines = state.granted.done >= granted && state.refusals.done >= refusals;
            let told = state.lost == 0 && (state.summary.counts.is_empty() || state.summaries > summaries);
            let gives_up = state.required.is_some() && state.failures > failures;
            lines && !state.unflushed && (told || state.failing.is_some()) || gives_up || state.writer_gone
        };
        while !over(&state) {
            state = self.progress.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Nothing more will come.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_one();
    }

    /// Nothing more will be written.
    pub(super) fn writer_gone(&self) {
        self.lock().writer_gone = true;
        self.progress.notify_all();
    }

    /// Waits for the writer's next task.
    pub(super) fn next(&self) -> Task {
        let mut state = self.lock();
        if state.failing.is_some() && state.required.is_some() {
            let rest = self.filled.wait_timeout_while(state, PAUSE, |state| !state.closed);
            state = rest.unwrap_or_else(PoisonError::into_inner).0;
        }
        loop {
            if let Some(task) = state.task() {
                state.busy = Some(Instant::now());
                return task;
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A line is written.
    pub(super) fn written(&self, line: &Line) {
        let mut state = self.lock();
        state.lane(line.refusal).done += 1;
        self.works(state);
    }

    /// A line is not written: it is lost or, if none may be, comes again.
    pub(super) fn not_written(&self, line: Line, error: &io::Error) {
        let mut state = self.lock();
        if state.may_lose() {
            state.lane(line.refusal).done += 1;
            state.lost += 1;
        } else {
            state.lane(line.refusal).lines.push_front(line);
        }
        state.recovers = false;
        self.fails(state, error);
    }

    pub(super) fn summarised(&self) {
        let mut state = self.lock();
        state.summaries += 1;
        self.works(state);
    }

    pub(super) fn not_summarised(&self, summary: Summary, error: &io::Error) {
        let mut state = self.lock();
        state.summaries += 1;
        for ((status, cause), count) in summary.counts {
            state.summary.add(status, cause, count);
        }
        state.summary.begun = summary.begun;
        state.recovers = false;
        self.fails(state, error);
    }

    pub(super) fn told_lost(&self) {
        self.works(self.lock());
    }

    pub(super) fn not_told_lost(&self, lines: u64, error: &io::Error) {
        let mut state = self.lock();
        state.lost += lines;
        state.recovers = false;
        self.fails(state, error);
    }

    pub(super) fn flushed(&self, outcome: io::Result<()>) {
        let mut state = self.lock();
        match outcome {
            Ok(()) => {
                state.unflushed = false;
                if state.recovers {
                    state.failing = None;
                }
                self.idle(state);
            }
            Err(error) => {
                // What the writer itself still holds is tried again with the next line, or after a while.
                state.unflushed = !state.may_lose();
                self.fails(state, &error);
            }
        }
    }

    /// Something is written. If writes failed before, a flush shows whether it is on its way.
    fn works(&self, mut state: MutexGuard<'_, State>) {
        state.unflushed = true;
        state.recovers = true;
        self.idle(state);
    }

    fn fails(&self, mut state: MutexGuard<'_, State>, error: &io::Error) {
        state.failing = Some(error.to_string());
        state.failures += 1;
        self.idle(state);
    }

    fn idle(&self, mut state: MutexGuard<'_, State>) {
        state.busy = None;
        drop(state);
        self.progress.notify_all();
    }
}

impl State {
    fn push(&mut self, text: String, refusal: bool) {
        let line = Line { text, refusal, number: self.next, since: Instant::now() };
        self.next += 1;
        let lane = self.lane(refusal);
        lane.came += 1;
        lane.lines.push_back(line);
    }

    fn lane(&mut self, refusal: bool) -> &mut Lane {
        if refusal { &mut self.refusals } else { &mut self.granted }
    }

    /// At the end each line is tried once.
    fn may_lose(&self) -> bool {
        self.required.is_none() || self.closed
    }

    fn task(&mut self) -> Option<Task> {
        if self.unflushed && self.recovers && self.failing.is_some() {
            return Some(Task::Flush);
        }
        let works = self.failing.is_none();
        if works && self.lost > 0 {
            return Some(Task::TellLost(std::mem::take(&mut self.lost)));
        }
        if works && self.summary.is_due(self.refusals.lines.is_empty()) {
            return Some(Task::Summarise(std::mem::take(&mut self.summary)));
        }
        let (granted, refused) = (self.granted.lines.front(), self.refusals.lines.front());
        let refusal_first = match (granted, refused) {
            (Some(granted), Some(refused)) => {
                self.refusals.lines.len() < IN_ORDER && refused.number < granted.number
            }
            (granted, _) => granted.is_none(),
        };
        if let Some(line) = self.lane(refusal_first).lines.pop_front() {
            return Some(Task::Write(line));
        }
        if self.unflushed {
            return Some(Task::Flush);
        }
        if !self.closed {
            // What is summed up while nothing can be written is tried again after a while.
            let tries = self.required.is_some() && !works && !self.summary.counts.is_empty();
            return tries.then(|| Task::Summarise(std::mem::take(&mut self.summary)));
        }
        self.farewells += 1;
        Some(match self.farewells {
            1 => Task::TellLost(std::mem::take(&mut self.lost)),
            2 => Task::Summarise(std::mem::take(&mut self.summary)),
            _ => Task::End,
        })
    }
}

impl Summary {
    fn add(&mut self, status: u16, cause: &'static str, count: u64) {
        *self.counts.entry((status, cause)).or_default() += count;
        self.begun.get_or_insert_with(|| (Instant::now(), SystemTime::now()));
    }

    fn is_due(&self, refusals_are_written: bool) -> bool {
        self.begun.is_some_and(|(begun, _)| refusals_are_written || begun.elapsed() >= SUMMARY)
    }

    /// When the first of them was refused.
    pub(super) fn since(&self) -> SystemTime {
        self.begun.map_or(SystemTime::UNIX_EPOCH, |(_, time)| time)
    }
}
