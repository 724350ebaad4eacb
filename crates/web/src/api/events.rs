//! Follows jobs while they are drawn, as server-sent events: `progress` whenever something
//! changed, `preview` for each clearer sight of a picture, `end` with the job as it ended.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::ids::JobId;
use domain::picture::Format;
use serde_json::json;
use studio::jobs::progress::Progress;
use studio::jobs::{self, Job};
use studio::pictures;

use super::Origin;
use super::fields::pairs;
use super::jobs::{job as whole, progress as changing};
use super::streaming::{Events, Gone, open, send};
use crate::Site;
use crate::caller::{Caller, Lasting};
use crate::problem::Problem;

/// Jobs that one stream follows.
const MAX_JOBS: usize = 50;
/// Previews are to be glanced at.
const PREVIEW_JPEG_QUALITY: u8 = 80;

pub(super) async fn of_one(
    State(site): State<Site>,
    Caller(person): Caller,
    Lasting(standing): Lasting,
    origin: Origin,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id: JobId = id.parse().map_err(|_| Problem::no_job())?;
    let job = jobs::find(&site.studio, person, id)
        .await?
        .ok_or_else(Problem::no_job)?;
    let (events, response) = open(&standing, &Problem::access_ended().body());
    tokio::spawn(follow(site, job, origin, events));
    Ok(response)
}

/// `?ids=job_…,job_…`: one stream for all, since browsers allow few streams to one server.
pub(super) async fn of_several(
    State(site): State<Site>,
    Caller(person): Caller,
    Lasting(standing): Lasting,
    origin: Origin,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let given = pairs(query.as_deref().unwrap_or("").as_bytes());
    let ids = given
        .iter()
        .filter(|(name, _)| name == "ids")
        .flat_map(|(_, ids)| ids.split(','));
    let bad = |_| {
        Problem::field(
            "ids",
            "invalid_value",
            "ids must be job ids, with commas between them.",
        )
    };
    let ids: Vec<JobId> = ids.map(str::parse).collect::<Result<_, _>>().map_err(bad)?;
    if ids.is_empty() || ids.len() > MAX_JOBS {
        let message = format!("ids must name 1 to {MAX_JOBS} jobs.");
        return Err(Problem::field("ids", "invalid_value", message));
    }
    let mut found = Vec::new();
    for id in ids {
        found.push(
            jobs::find(&site.studio, person, id)
                .await?
                .ok_or_else(Problem::no_job)?,
        );
    }
    let (events, response) = open(&standing, &Problem::access_ended().body());
    for job in found {
        tokio::spawn(follow(site.clone(), job, origin.clone(), events.clone()));
    }
    Ok(response)
}

/// Tells of one job until it is over, the client has gone, or the program stops.
async fn follow(site: Site, job: Job, origin: Origin, events: Events) {
    let _ = tell(&site, &job, &origin, &events).await;
}

async fn tell(site: &Site, job: &Job, origin: &Origin, events: &Events) -> Result<(), Gone> {
    if let Some(mut live) = jobs::follow(&site.studio, job) {
        let mut shown = vec![0; job.count as usize];
        loop {
            let progress = live.borrow_and_update().clone();
            if progress.state.is_final() {
                break;
            }
            send(events, "progress", &changing(job, Some(&progress))).await?;
            previews(job, &progress, &mut shown, events).await?;
            tokio::select! {
                changed = live.changed() => if changed.is_err() { break },
                () = events.closed() => return Err(Gone),
                () = site.stop.set() => return Ok(()),
            }
        }
    }
    match jobs::find(&site.studio, job.person, job.id).await {
        Ok(Some(over)) => send(events, "end", &whole(&site.studio, origin, &over)).await,
        Ok(None) => send(events, "error", &Problem::no_job().body()).await,
        Err(failure) => send(events, "error", &Problem::from(failure).body()).await,
    }
}

/// The clearest preview of each picture, where it was not shown yet.
async fn previews(
    job: &Job,
    progress: &Progress,
    shown: &mut [usize],
    events: &Events,
) -> Result<(), Gone> {
    for (ordinal, (sketch, shown)) in progress.pictures.iter().zip(shown).enumerate() {
        let Some(preview) = sketch
            .previews
            .last()
            .filter(|_| sketch.previews.len() > *shown)
        else {
            continue;
        };
        *shown = sketch.previews.len();
        let quality = Some(PREVIEW_JPEG_QUALITY);
        let file = pictures::encode(Arc::clone(preview), Format::Jpeg, quality);
        let Ok(file) = file.await else { continue };
        let event = json!({
            "id": job.id,
            "picture_index": ordinal,
            "step": sketch.step,
            "steps": sketch.steps,
            "media_type": Format::Jpeg.media_type(),
            "b64_json": BASE64.encode(file.bytes),
        });
        send(events, "preview", &event).await?;
    }
    Ok(())
}
