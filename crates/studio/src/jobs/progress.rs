//! How far jobs are that are drawn here, or that somebody here follows. In memory alone: a reload
//! asks again, a restart begins anew.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::clock::Moment;
use domain::ids::{JobId, NodeId};
use domain::picture::Pixels;
use domain::randomness::Randomness;
use tokio::sync::{Notify, watch};

use super::{Job, State};

/// Unfinished jobs that are drawn or followed in this process.
#[derive(Clone, Debug)]
pub struct Board(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    node: NodeId,
    live: Mutex<HashMap<JobId, Entry>>,
    arrived: Notify,
    moved: Notify,
}

#[derive(Debug)]
struct Entry {
    progress: watch::Sender<Progress>,
    /// Where this process draws it.
    drawing: Option<Drawing>,
    /// Its row may not be there yet.
    is_expected: bool,
}

#[derive(Debug)]
struct Drawing {
    unwanted: Arc<AtomicBool>,
    /// Something changed since others were told.
    is_news: bool,
    /// How many previews of each picture others were told of.
    told: Vec<usize>,
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

/// What other processes should hear of a drawing.
pub(crate) struct News {
    pub(crate) job: JobId,
    pub(crate) left_ms: Option<u64>,
    pub(crate) steps: Vec<(u32, u32)>,
    /// Ordinal of the picture, number of its preview, the preview.
    pub(crate) previews: Vec<(usize, usize, Arc<Pixels>)>,
}

impl Default for Board {
    /// For a process that shares its database with none.
    fn default() -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let seed = (u64::from(std::process::id()) << 32) | MADE.fetch_add(1, Ordering::Relaxed);
        Self::of(NodeId::new(
            Moment::from_millis(0),
            &Randomness::seeded(seed),
        ))
    }
}

impl Board {
    /// The board of the process that other processes know under this name.
    #[must_use]
    pub fn of(node: NodeId) -> Self {
        Self(Arc::new(Inner {
            node,
            live: Mutex::default(),
            arrived: Notify::new(),
            moved: Notify::new(),
        }))
    }

    #[must_use]
    pub fn node(&self) -> NodeId {
        self.0.node
    }

    /// Follows a job of so many pictures that is about to be written down: from before anybody can
    /// draw it, so that nothing of it is missed.
    pub(crate) fn expect(&self, id: JobId, count: u32) -> Expected {
        let mut entry = Entry::new(State::Queued, 0, count);
        entry.is_expected = true;
        let live = entry.progress.subscribe();
        self.live().insert(id, entry);
        Expected {
            board: self.clone(),
            id,
            live: Some(live),
        }
    }

    /// Follows an unfinished job, wherever it is drawn.
    pub(crate) fn follow(&self, job: &Job) -> watch::Receiver<Progress> {
        let mut live = self.live();
        if let Some(entry) = live.get(&job.id) {
            return entry.progress.subscribe();
        }
        let entry = Entry::of(job);
        let receiver = entry.progress.subscribe();
        live.insert(job.id, entry);
        drop(live);
        // The row may have changed since it was read.
        self.look();
        receiver
    }

    /// How far an unfinished job is, as far as this process knows.
    #[must_use]
    pub fn glance(&self, id: JobId) -> Option<Progress> {
        let live = self.live();
        live.get(&id).map(|entry| entry.progress.borrow().clone())
    }

    /// Wakes the worker: perhaps there is something to claim.
    pub(crate) fn announce(&self) {
        self.0.arrived.notify_one();
    }

    /// Returns once something was announced since the last call.
    pub(crate) async fn arrived(&self) {
        self.0.arrived.notified().await;
    }

    /// Has the line read anew: somebody may stand elsewhere in it.
    pub(crate) fn look(&self) {
        self.0.moved.notify_one();
    }

    pub(crate) async fn moved(&self) {
        self.0.moved.notified().await;
    }

    /// This process draws the job from now on.
    pub(crate) fn begin(&self, job: &Job) {
        let mut live = self.live();
        let entry = live.entry(job.id).or_insert_with(|| Entry::of(job));
        entry.drawing = Some(Drawing {
            unwanted: Arc::default(),
            is_news: true,
            told: vec![0; job.count as usize],
        });
        entry.progress.send_modify(|progress| {
            progress.state = State::Drawing;
            progress.pictures = vec![Sketch::default(); job.count as usize];
        });
        drop(live);
        self.look();
    }

    /// Set once nobody wants the drawing any more. A job that is no longer drawn here was
    /// cancelled already.
    pub(crate) fn unwanted(&self, id: JobId) -> Arc<AtomicBool> {
        let live = self.live();
        let drawing = live.get(&id).and_then(|entry| entry.drawing.as_ref());
        drawing.map_or_else(
            || Arc::new(AtomicBool::new(true)),
            |drawing| Arc::clone(&drawing.unwanted),
        )
    }

    pub(crate) fn update(&self, id: JobId, change: impl FnOnce(&mut Progress)) {
        if let Some(entry) = self.live().get_mut(&id) {
            entry.progress.send_modify(change);
            if let Some(drawing) = &mut entry.drawing {
                drawing.is_news = true;
            }
        }
    }

    /// What another process tells of a job that is not drawn here.
    pub(crate) fn hear(&self, id: JobId, change: impl FnOnce(&mut Progress)) {
        let live = self.live();
        if let Some(entry) = live.get(&id).filter(|entry| entry.drawing.is_none()) {
            entry.progress.send_modify(change);
        }
    }

    /// Tells everyone that a job is over, and lets it go.
    pub(crate) fn end(&self, id: JobId, state: State) {
        let ended = self.live().remove(&id);
        if let Some(entry) = ended {
            entry
                .progress
                .send_modify(|progress| progress.state = state);
        }
        self.look();
    }

    pub(crate) fn heard_over(&self, id: JobId, state: State) {
        let is_drawn_here = {
            let live = self.live();
            live.get(&id).is_some_and(|entry| entry.drawing.is_some())
        };
        // A drawing of this process tells its end by itself, once its pictures are recorded.
        if !is_drawn_here {
            self.end(id, state);
        }
    }

    pub(crate) fn cancel(&self, id: JobId) {
        self.lose(id);
        self.end(id, State::Cancelled);
    }

    /// This process may no longer draw the job, whoever does.
    pub(crate) fn lose(&self, id: JobId) {
        let mut live = self.live();
        let Some(entry) = live.get_mut(&id) else {
            return;
        };
        if let Some(drawing) = entry.drawing.take() {
            drawing.unwanted.store(true, Ordering::SeqCst);
        }
        drop(live);
        self.look();
    }

    pub(crate) fn is_followed(&self, id: JobId) -> bool {
        let live = self.live();
        live.get(&id).is_some_and(|entry| entry.drawing.is_none())
    }

    /// Jobs that somebody follows and others draw. Those that nobody follows any more are let go.
    pub(crate) fn followed(&self) -> Vec<JobId> {
        let mut live = self.live();
        live.retain(|_, entry| entry.drawing.is_some() || entry.progress.receiver_count() > 0);
        let elsewhere = live
            .iter()
            .filter(|(_, entry)| entry.drawing.is_none() && !entry.is_expected);
        elsewhere.map(|(id, _)| *id).collect()
    }

    /// What changed, since the last call, in the drawings of this process.
    pub(crate) fn news(&self) -> Vec<News> {
        let mut news = Vec::new();
        for (id, entry) in self.live().iter_mut() {
            let Some(drawing) = entry.drawing.as_mut().filter(|drawing| drawing.is_news) else {
                continue;
            };
            drawing.is_news = false;
            let progress = entry.progress.borrow();
            let mut previews = Vec::new();
            let sketches = progress.pictures.iter().zip(&mut drawing.told);
            for (ordinal, (sketch, told)) in sketches.enumerate() {
                for (number, preview) in sketch.previews.iter().enumerate().skip(*told) {
                    previews.push((ordinal, number, Arc::clone(preview)));
                }
                *told = sketch.previews.len();
            }
            let steps = progress.pictures.iter();
            news.push(News {
                job: *id,
                left_ms: progress.left_ms,
                steps: steps.map(|sketch| (sketch.step, sketch.steps)).collect(),
                previews,
            });
        }
        news
    }

    fn live(&self) -> MutexGuard<'_, HashMap<JobId, Entry>> {
        self.0.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn of(job: &Job) -> Self {
        Self::new(job.state, job.ahead, job.count)
    }

    fn new(state: State, ahead: u32, count: u32) -> Self {
        let progress = Progress {
            state,
            ahead,
            pictures: vec![Sketch::default(); count as usize],
            left_ms: None,
        };
        Self {
            progress: watch::Sender::new(progress),
            drawing: None,
            is_expected: false,
        }
    }
}

/// A job that is about to be written down. Dropped, it is expected no more.
#[derive(Debug)]
pub(crate) struct Expected {
    board: Board,
    id: JobId,
    live: Option<watch::Receiver<Progress>>,
}

impl Expected {
    /// The job is in the line, behind `ahead` others.
    pub(crate) fn arrived(mut self, ahead: u32) -> Option<watch::Receiver<Progress>> {
        if let Some(entry) = self.board.live().get_mut(&self.id) {
            entry.is_expected = false;
            entry.progress.send_if_modified(|progress| {
                let waits = progress.state == State::Queued;
                progress.ahead = ahead;
                waits && ahead > 0
            });
        }
        self.live.take()
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        if self.live.is_some() {
            self.board.live().remove(&self.id);
        }
    }
}
