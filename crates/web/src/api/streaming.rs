//! An order whose answer comes in pieces: each picture on its way, then each picture.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use studio::accounts::standing::Standing;
use studio::jobs::progress::Progress;
use studio::jobs::{self, Job};
use studio::order::Placed;
use studio::pictures;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;

use super::credits;
use super::images::{self, Answer};
use super::repeats::HangUp;
use crate::Site;
use crate::problem::Problem;

/// Events that wait for a slow client; the drawing itself never waits.
const EVENTS_AHEAD: usize = 16;
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(super) type Events = mpsc::Sender<Result<Event, Infallible>>;

/// A stream, and where to send its events. Sending fails once the client has hung up, or may not see
/// more: then `last` is told, and nothing that waited to be sent.
pub(super) fn open(standing: &Standing, last: &Value) -> (Events, Response) {
    let (events, stream) = mpsc::channel(EVENTS_AHEAD);
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE).text("still here");
    let last = Event::default().event("error").data(last.to_string());
    let whose = standing.clone();
    let last = stream::once(async move { whose.has_ended().then_some(Ok(last)) });
    let told = ReceiverStream::new(stream)
        .take_until(standing.clone().ended())
        .chain(last.filter_map(std::future::ready));
    let sse = Sse::new(told).keep_alive(keep_alive);
    (events, sse.into_response())
}

/// The client went away.
pub(super) struct Gone;

pub(super) async fn send(events: &Events, name: &str, data: &Value) -> Result<(), Gone> {
    let event = Event::default().event(name).data(data.to_string());
    events.send(Ok(event)).await.map_err(|_| Gone)
}

/// Streams an order.
pub(super) fn drawing(
    site: Site,
    standing: Standing,
    placed: Placed,
    answer: Answer,
    hang_up: HangUp,
) -> Response {
    let (events, response) = open(&standing, &Problem::access_ended().body());
    let Placed { job, live, .. } = placed;
    tokio::spawn(async move {
        if tell(&site, &job, live, &answer, &events).await.is_ok() {
            hang_up.answered();
        } else if standing.has_ended() {
            hang_up.for_good();
        }
    });
    response
}

async fn tell(
    site: &Site,
    job: &Job,
    live: Option<watch::Receiver<Progress>>,
    answer: &Answer,
    events: &Events,
) -> Result<(), Gone> {
    let mut sent = Partials {
        job,
        answer,
        shown: vec![0; job.count as usize],
    };
    if let Some(mut live) = live.or_else(|| jobs::follow(&site.studio, job)) {
        loop {
            let progress = live.borrow_and_update().clone();
            sent.send(&progress, events).await?;
            if progress.state.is_final() {
                break;
            }
            tokio::select! {
                changed = live.changed() => if changed.is_err() { break },
                () = events.closed() => return Err(Gone),
                () = site.stop.set() => return send(events, "error", &Problem::stopping().body()).await,
            }
        }
    }
    let over = jobs::find(&site.studio, job.person, job.id)
        .await
        .map_err(Problem::from);
    match over.and_then(|over| over.ok_or_else(Problem::no_job)) {
        Ok(over) => completed(site, &over, answer, events).await,
        Err(problem) => send(events, "error", &problem.body()).await,
    }
}

/// What of each picture was shown already.
struct Partials<'a> {
    job: &'a Job,
    answer: &'a Answer,
    shown: Vec<usize>,
}

impl Partials<'_> {
    async fn send(&mut self, progress: &Progress, events: &Events) -> Result<(), Gone> {
        for (ordinal, (sketch, shown)) in progress.pictures.iter().zip(&mut self.shown).enumerate()
        {
            for preview in &sketch.previews[*shown..] {
                let Answer {
                    format,
                    compression,
                    ..
                } = *self.answer;
                let file = pictures::encode(Arc::clone(preview), format, compression);
                let Ok(file) = file.await else { continue };
                let mut event = json!({
                    "type": "image_generation.partial_image",
                    "partial_image_index": *shown,
                    "picture_index": ordinal,
                    "b64_json": BASE64.encode(file.bytes),
                    "created_at": self.job.created.as_seconds(),
                });
                let look = images::look(self.answer, preview.size(), preview.background());
                images::extend(&mut event, look);
                send(events, "image_generation.partial_image", &event).await?;
                *shown += 1;
            }
        }
        Ok(())
    }
}

async fn completed(site: &Site, job: &Job, answer: &Answer, events: &Events) -> Result<(), Gone> {
    for picture in &job.pictures {
        let encoded = match images::encoded(site, answer, picture).await {
            Ok(encoded) => encoded,
            Err(problem) => return send(events, "error", &problem.body()).await,
        };
        let mut event = json!({
            "type": "image_generation.completed",
            "b64_json": encoded,
            "created_at": picture.created.as_seconds(),
            "usage": images::usage(job, 1),
            "picture_index": picture.ordinal,
            "picture_id": picture.id,
            "seed": picture.seed,
            "unknown_words": job.unknown_words,
            "credits": credits::of_job(job),
        });
        images::extend(
            &mut event,
            images::look(answer, picture.size, job.background),
        );
        send(events, "image_generation.completed", &event).await?;
    }
    // Also where only some of the pictures are missing.
    let missing = images::fruitless(job).or_else(|| job.error.as_ref().map(Problem::of_job));
    match missing {
        Some(problem) => send(events, "error", &problem.body()).await,
        None => Ok(()),
    }
}
