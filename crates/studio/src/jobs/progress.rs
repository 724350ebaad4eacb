//! How far each unfinished job is. In memory alone: a reload asks again, a restart begins anew.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::ids::JobId;
use domain::picture::Pixels;
use tokio::sync::{Notify, watch};

use super::State;

/// Every unfinished job, in the order of the queue.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    entries: Mutex<Entries>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Entries {
    live: HashMap<JobId, Entry>,
    /// Jobs that wait, oldest first.
    waiting: Vec<JobId>,
}

#[derive(Debug)]
struct Entry {
    progress: watch::Sender<Progress>,
    cancelled: Arc<AtomicBool>,
}

#[derive(Clone, Debug)]
pub struct Progress {
    pub state: State,
    /// Jobs that come before this one while it waits.
    pub ahead: u32,
    /// One for each picture of the job.
    pub pictures: Vec<Sketch>,
    /// Estimated from the steps so far, once there is one.
    pub left_ms: Option<u64>,
}

/// A picture that is being drawn.
#[derive(Clone, Debug, Default)]
pub struct Sketch {
    /// Sampler steps done, of `steps`.
    pub step: u32,
    pub steps: u32,
    /// Each preview so far, the clearest last.
    pub previews: Vec<Arc<Pixels>>,
}

impl Board {
    /// Puts a job at the end of the line, before its row is written, so that whoever claims the
    /// row finds it here.
    pub(crate) fn add(&self, id: JobId, count: u32) {
        let mut entries = self.entries();
        let ahead = u32::try_from(entries.waiting.len()).unwrap_or(u32::MAX);
        let pictures = vec![Sketch::default(); count as usize];
        let waiting = Progress {
            state: State::Queued,
            ahead,
            pictures,
            left_ms: None,
        };
        let entry = Entry {
            progress: watch::Sender::new(waiting),
            cancelled: Arc::default(),
        };
        entries.live.insert(id, entry);
        entries.waiting.push(id);
    }

    /// Wakes the worker, once the row of a new job is written.
    pub(crate) fn announce(&self) {
        self.0.arrived.notify_one();
    }

    /// Follows an unfinished job; `None` where it is over.
    #[must_use]
    pub fn watch(&self, id: JobId) -> Option<watch::Receiver<Progress>> {
        self.entries()
            .live
            .get(&id)
            .map(|entry| entry.progress.subscribe())
    }

    /// Returns once a job was announced since the last call.
    pub(crate) async fn arrived(&self) {
        self.0.arrived.notified().await;
    }

    pub(crate) fn begin(&self, id: JobId) -> Arc<AtomicBool> {
        let mut entries = self.entries();
        entries.leave_line(id);
        // A job that left the board between claim and here was cancelled.
        let Some(entry) = entries.live.get(&id) else {
            return Arc::new(AtomicBool::new(true));
        };
        entry
            .progress
            .send_modify(|progress| progress.state = State::Drawing);
        Arc::clone(&entry.cancelled)
    }

    pub(crate) fn update(&self, id: JobId, change: impl FnOnce(&mut Progress)) {
        if let Some(entry) = self.entries().live.get(&id) {
            entry.progress.send_modify(change);
        }
    }

    /// Tells everyone that a job is over, and lets it go.
    pub(crate) fn end(&self, id: JobId, state: State) {
        let mut entries = self.entries();
        entries.leave_line(id);
        if let Some(entry) = entries.live.remove(&id) {
            entry
                .progress
                .send_modify(|progress| progress.state = state);
        }
    }

    pub(crate) fn cancel(&self, id: JobId) {
        if let Some(entry) = self.entries().live.get(&id) {
            entry.cancelled.store(true, Ordering::SeqCst);
        }
        self.end(id, State::Cancelled);
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0
            .entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn leave_line(&mut self, id: JobId) {
        let Some(place) = self.waiting.iter().position(|waiting| *waiting == id) else {
            return;
        };
        self.waiting.remove(place);
        for (ahead, behind) in self.waiting.iter().enumerate().skip(place) {
            if let Some(entry) = self.live.get(behind) {
                let ahead = u32::try_from(ahead).unwrap_or(u32::MAX);
                entry
                    .progress
                    .send_modify(|progress| progress.ahead = ahead);
            }
        }
    }
}
