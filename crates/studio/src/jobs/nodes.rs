//! Several processes, one house. What one of them does the others hear at once, through notices
//! of the database; what they miss they find by looking, every other second.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use db::{MAX_NOTICE_BYTES, on};
use domain::ids::{JobId, NodeId};
use domain::picture::{Format, Pixels};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::lease::{self, Abandoned};
use super::worker::Stop;
use super::{State, line, repeat};
use crate::{Failure, Studio, orphans};

/// How soon a lost notice, or a dead process, is noticed without one.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often others are told how far a drawing is.
const TELL_EVERY: Duration = Duration::from_millis(150);
/// The whole line is read at most this often, however fast it moves.
const READ_LINE_EVERY: Duration = Duration::from_millis(200);
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Alone, a process does this when it starts.
const SWEEP_FILES_EVERY: Duration = Duration::from_secs(10 * 60);
const LISTEN_AGAIN_AFTER: Duration = Duration::from_secs(2);
/// Notices that wait to be understood; what comes on top is found by looking.
const MAX_UNREAD: usize = 256;
/// Previews travel small.
const PREVIEW_JPEG_QUALITY: u8 = 75;
/// A preview that takes more notices than this is not sent.
const MAX_PARTS: usize = 32;
/// Previews of which some parts are still missing.
const MAX_UNFINISHED_PREVIEWS: usize = 64;

/// What processes tell each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Notice {
    /// Somebody may do less than before.
    Rights,
    /// A job waits.
    Arrived,
    /// A job left the line.
    Begun(JobId),
    /// A job is done, or failed.
    Over(JobId),
    Cancelled(JobId),
    Progress {
        node: NodeId,
        job: JobId,
        left_ms: Option<u64>,
        /// Step and steps of each picture.
        pictures: Vec<(u32, u32)>,
    },
    /// A part of a JPEG in base64.
    Preview {
        node: NodeId,
        job: JobId,
        ordinal: usize,
        number: usize,
        part: usize,
        parts: usize,
        data: String,
    },
}

impl Notice {
    pub(crate) fn text(&self) -> String {
        // Ids, numbers and base64 always make JSON.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Keeps this process in step with the others, until told to stop. Runs in every process that
/// shows or draws jobs.
pub async fn attend(studio: &Studio, stop: &Stop) {
    let (heard, mut hearing) = mpsc::channel(MAX_UNREAD);
    let ear = listen(studio.clone(), heard);
    let mut previews = Unfinished::default();
    let mut look = interval(LOOK_EVERY);
    let mut tell = interval(TELL_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tell.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sweep = interval(SWEEP_EVERY);
    let mut files = interval(SWEEP_FILES_EVERY);
    let mut line_read = Instant::now();
    loop {
        let done = tokio::select! {
            () = stop.set() => break,
            Some(notice) = hearing.recv() => {
                hear(studio, notice, &mut previews);
                Ok(())
            }
            () = studio.board.moved() => {
                sleep(READ_LINE_EVERY.saturating_sub(line_read.elapsed())).await;
                let read = read_line(studio).await;
                line_read = Instant::now();
                read
            }
            _ = tell.tick(), if studio.db.is_shared() => tell_news(studio).await,
            _ = look.tick() => look_around(studio).await,
            _ = sweep.tick() => repeat::sweep(studio).await.map(|_| ()),
            _ = files.tick(), if studio.db.is_shared() => orphans::sweep(studio).await.map(|_| ()),
        };
        if let Err(error) = done {
            tracing::warn!(%error, "the state of the queue could not be read; trying again");
        }
    }
    ear.abort();
}

/// Hears in a task of its own, so that no notice is torn in the middle.
fn listen(studio: Studio, heard: mpsc::Sender<Option<String>>) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            match studio.db.listen().await {
                Ok(None) => return,
                Ok(Some(mut ear)) => {
                    while let Ok(notice) = ear.next().await {
                        // Where too many wait, the next look finds what this one would have told.
                        let _ = heard.try_send(notice);
                    }
                }
                Err(error) => tracing::warn!(%error, "the other processes can't be heard"),
            }
            sleep(LISTEN_AGAIN_AFTER).await;
        }
    })
}

fn hear(studio: &Studio, notice: Option<String>, previews: &mut Unfinished) {
    let board = &studio.board;
    let Some(text) = notice else {
        // The connection was away: anything may have happened.
        board.announce();
        board.look();
        studio.gate.watched().look();
        return;
    };
    match serde_json::from_str(&text) {
        Ok(Notice::Rights) => studio.gate.watched().look(),
        Ok(Notice::Arrived) => {
            board.announce();
            board.look();
        }
        Ok(Notice::Begun(_)) => board.look(),
        Ok(Notice::Over(job)) => {
            // A running job that ended may let the next of its person begin.
            board.announce();
            if board.is_followed(job) {
                board.look();
            }
        }
        Ok(Notice::Cancelled(job)) => {
            board.cancel(job);
            board.announce();
        }
        Ok(Notice::Progress {
            node,
            job,
            left_ms,
            pictures,
        }) if node != board.node() => {
            board.hear(job, |progress| {
                progress.state = State::Drawing;
                progress.left_ms = left_ms;
                for (sketch, (step, steps)) in progress.pictures.iter_mut().zip(pictures) {
                    (sketch.step, sketch.steps) = (step, steps);
                }
            });
        }
        Ok(Notice::Preview {
            node,
            job,
            ordinal,
            number,
            part,
            parts,
            data,
        }) if node != board.node() && board.is_followed(job) => {
            let Some(pixels) = previews.add((job, ordinal, number), part, parts, data) else {
                return;
            };
            board.hear(job, |progress| {
                if let Some(sketch) = progress.pictures.get_mut(ordinal) {
                    sketch.previews.push(Arc::new(pixels));
                }
            });
        }
        Ok(Notice::Progress { .. } | Notice::Preview { .. }) => {}
        Err(error) => tracing::warn!(%error, "another process speaks another version"),
    }
}

/// Previews of which some parts came.
#[derive(Default)]
struct Unfinished(HashMap<(JobId, usize, usize), Vec<Option<String>>>);

impl Unfinished {
    fn add(
        &mut self,
        preview: (JobId, usize, usize),
        part: usize,
        parts: usize,
        data: String,
    ) -> Option<Pixels> {
        if parts > MAX_PARTS || part >= parts {
            return None;
        }
        if self.0.len() >= MAX_UNFINISHED_PREVIEWS && !self.0.contains_key(&preview) {
            self.0.clear();
        }
        let pieces = self.0.entry(preview).or_insert_with(|| vec![None; parts]);
        *pieces.get_mut(part)? = Some(data);
        let whole: String = pieces.iter().map(Option::as_deref).collect::<Option<_>>()?;
        self.0.remove(&preview);
        imaging::decode(&BASE64.decode(whole).ok()?).ok()
    }
}

/// Tells the others how far the drawings of this process are.
async fn tell_news(studio: &Studio) -> Result<(), Failure> {
    let node = studio.board.node();
    for news in studio.board.news() {
        let mut notices = vec![Notice::Progress {
            node,
            job: news.job,
            left_ms: news.left_ms,
            pictures: news.steps,
        }];
        for (ordinal, number, pixels) in news.previews {
            let jpeg = imaging::encode(&pixels, Format::Jpeg, Some(PREVIEW_JPEG_QUALITY))?;
            notices.extend(parts(node, news.job, ordinal, number, &jpeg));
        }
        let mut tx = studio.db.write().await?;
        for notice in notices {
            tx.tell(&notice.text()).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

fn parts(node: NodeId, job: JobId, ordinal: usize, number: usize, jpeg: &[u8]) -> Vec<Notice> {
    // Leaves room for the names around it.
    const DATA_BYTES: usize = MAX_NOTICE_BYTES - 400;
    let text = BASE64.encode(jpeg);
    let pieces: Vec<&[u8]> = text.as_bytes().chunks(DATA_BYTES).collect();
    let parts = pieces.len();
    if parts > MAX_PARTS {
        return Vec::new();
    }
    let notice = |(part, piece): (usize, &[u8])| Notice::Preview {
        node,
        job,
        ordinal,
        number,
        part,
        parts,
        data: String::from_utf8_lossy(piece).into_owned(),
    };
    pieces.into_iter().enumerate().map(notice).collect()
}

async fn look_around(studio: &Studio) -> Result<(), Failure> {
    lease::reclaim(studio, Abandoned::Expired).await?;
    studio.board.announce();
    read_line(studio).await
}

/// Tells whoever follows a job that this process does not draw how it stands.
pub async fn read_line(studio: &Studio) -> Result<(), Failure> {
    let followed = studio.board.followed();
    if followed.is_empty() {
        return Ok(());
    }
    let mut tx = studio.db.read().await?;
    let places: HashMap<JobId, u32> = line::all(&mut tx).await?.into_iter().zip(0..).collect();
    for job in followed {
        if let Some(ahead) = places.get(&job) {
            studio.board.hear(job, |progress| {
                progress.state = State::Queued;
                progress.ahead = *ahead;
            });
            continue;
        }
        let state: Option<String> = on!(tx, conn => {
            sqlx::query_scalar("SELECT state FROM job WHERE id = $1")
                .bind(job.to_string())
                .fetch_optional(conn)
                .await
        })?;
        match state.as_deref().map(str::parse).transpose()? {
            Some(State::Drawing) => {
                studio
                    .board
                    .hear(job, |progress| progress.state = State::Drawing);
            }
            // It came back into the line between the two statements.
            Some(State::Queued) => studio.board.look(),
            Some(over) => studio.board.heard_over(job, over),
            None => studio.board.heard_over(job, State::Cancelled),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use domain::clock::Moment;
    use domain::picture::Size;
    use domain::randomness::Randomness;

    use super::*;

    #[test]
    fn a_large_preview_travels_in_parts_that_fit_and_may_come_in_any_order() {
        let randomness = Randomness::seeded(3);
        let node = NodeId::new(Moment::from_millis(1), &randomness);
        let job = JobId::new(Moment::from_millis(1), &randomness);
        let size = Size::square(256);
        let noise = (0..size.pixels() * 3).map(|_| randomness.next_u32() as u8);
        let pixels = Pixels::new(size, noise.collect());
        let jpeg = imaging::encode(&pixels, Format::Jpeg, Some(75)).expect("encodes");
        let mut notices = parts(node, job, 9, 7, &jpeg);
        assert!(notices.len() > 3, "{}", notices.len());
        for notice in &notices {
            assert!(notice.text().len() <= MAX_NOTICE_BYTES);
        }
        notices.reverse();
        let mut unfinished = Unfinished::default();
        let mut came = Vec::new();
        for notice in notices {
            let read = serde_json::from_str(&notice.text()).expect("reads");
            let Notice::Preview {
                part, parts, data, ..
            } = read
            else {
                panic!("{read:?}");
            };
            came.extend(unfinished.add((job, 9, 7), part, parts, data));
        }
        assert_eq!(came, [imaging::decode(&jpeg).expect("decodes")]);
        assert!(unfinished.0.is_empty());
    }
}
