//! `POST /v1/images/generations`.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::credits::Credits;
use domain::ids::{BadId, PersonId, PictureId};
use domain::model::ModelName;
use domain::picture::{Background, Format, Size};
use serde_json::{Value, json};
use studio::accounts::Known;
use studio::accounts::standing::Standing;
use studio::jobs::line;
use studio::jobs::repeat::Name;
use studio::jobs::{self, Job, JobError, State as JobState};
use studio::order::{self, OrderForm, Placed, Prose, Quality};
use studio::pictures::{self, Picture, Wanted};

use super::fields::Fields;
use super::repeats::{self, HangUp};
use super::{Origin, credits, keeping, pictures as shown, streaming};
use crate::Site;
use crate::caller::{Asker, Lasting};
use crate::guard::visits::Happened;
use crate::problem::Problem;

pub(super) const MAX_PARTIAL_IMAGES: u32 = 3;
const PREFER: HeaderName = HeaderName::from_static("prefer");
const RESPOND_ASYNC: &str = "respond-async";
const RATE_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit-requests");
const RATE_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining-requests");
const RATE_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset-requests");

pub(super) async fn generate(
    State(site): State<Site>,
    Asker(known): Asker,
    Lasting(standing): Lasting,
    origin: Origin,
    headers: HeaderMap,
    fields: Fields,
) -> Response {
    let studio = site.studio.clone();
    let person = known.person;
    let answer = drawn(site, (known, standing), &origin, &headers, fields).await;
    let mut response = answer.unwrap_or_else(Problem::into_response);
    // Without a pace there is still an answer.
    if let Ok(pace) = line::pace(&studio, person).await {
        let told = response.headers_mut();
        told.insert(RATE_LIMIT, pace.limit.into());
        told.insert(RATE_REMAINING, pace.remaining.into());
        let reset = format!("{}ms", pace.reset_ms);
        told.extend(reset.parse().ok().map(|reset| (RATE_RESET, reset)));
    }
    response
}

async fn drawn(
    site: Site,
    (known, standing): (Known, Standing),
    origin: &Origin,
    headers: &HeaderMap,
    fields: Fields,
) -> Result<Response, Problem> {
    let (mut form, answer) = read(&fields)?;
    let person = known.person;
    form.key = known.key();
    let keeps_going = prefers_async(headers);
    let (placed, hang_up) = place(&site, person, form, fields.name).await?;
    let is_repeated = placed.is_repeated();
    let happened = Happened::ordered(&placed.job);
    let mut response = if answer.stream {
        // Asked to go on, it goes on when the client is gone.
        let hang_up = hang_up.unless(keeps_going);
        streaming::drawing(site, standing, placed, answer, hang_up)
    } else if keeps_going {
        hang_up.unless(true);
        accepted(&site, origin, &placed.job)
    } else {
        let whose = (person, standing);
        answered(&site, whose, origin, answer, placed, hang_up).await?
    };
    if is_repeated {
        response
            .headers_mut()
            .insert(repeats::REPLAYED, HeaderValue::from_static("true"));
    } else {
        happened.on(&mut response);
    }
    Ok(response)
}

fn accepted(site: &Site, origin: &Origin, job: &Job) -> Response {
    let location = (
        header::LOCATION,
        origin.url(&format!("/v1/jobs/{}", job.id)),
    );
    let applied = (
        HeaderName::from_static("preference-applied"),
        RESPOND_ASYNC.to_owned(),
    );
    let body = Json(super::jobs::job(&site.studio, origin, job));
    (StatusCode::ACCEPTED, [location, applied], body).into_response()
}

async fn answered(
    site: &Site,
    (person, standing): (PersonId, Standing),
    origin: &Origin,
    answer: Answer,
    Placed { job, live, .. }: Placed,
    hang_up: HangUp,
) -> Result<Response, Problem> {
    let over = tokio::select! {
        over = jobs::wait_with(&site.studio, person, job.id, live) => over?.ok_or_else(Problem::no_job)?,
        () = site.stop.set() => return Err(Problem::stopping()),
        () = standing.ended() => {
            hang_up.for_good();
            return Err(Problem::access_ended());
        }
    };
    hang_up.answered();
    whole(site, origin, &answer, &over).await
}

/// Places an order in a task of its own, so that a client who hangs up in the middle of it does
/// not leave a job behind that nobody cancels.
pub(super) async fn place(
    site: &Site,
    person: PersonId,
    form: OrderForm,
    name: Option<Name>,
) -> Result<(Placed, HangUp), Problem> {
    let site = site.clone();
    let placing = tokio::spawn(async move {
        let placed = order::place_once(&site.studio, person, form, name.as_ref()).await?;
        let hang_up = HangUp::cancels(&site, person, &placed);
        Ok((placed, hang_up))
    });
    match placing.await {
        Ok(placed) => placed,
        Err(broken) => std::panic::resume_unwind(broken.into_panic()),
    }
}

/// How the client wants its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) format: Format,
    /// Of JPEG, 1 to 100.
    pub(super) compression: Option<u8>,
    pub(super) quality: Quality,
    as_url: bool,
    pub(super) stream: bool,
}

pub(super) fn read(fields: &Fields) -> Result<(OrderForm, Answer), Problem> {
    let missing = || {
        Problem::field(
            "prompt",
            "missing_required_parameter",
            "prompt is missing. Say in a few words what to draw.",
        )
    };
    let variation_of = read_variation(fields)?;
    let prompt = match (fields.text("prompt")?, variation_of) {
        (Some(words), _) => Prose(words.to_owned()),
        (None, Some(_)) => Prose::default(),
        (None, None) => return Err(missing()),
    };
    let answer = read_answer(fields)?;
    let partial_images = fields
        .whole("partial_images", MAX_PARTIAL_IMAGES)?
        .unwrap_or(0);
    if partial_images > 0 && !answer.stream {
        let message = "partial_images needs stream: true. Set that, or leave partial_images out.";
        return Err(Problem::field("partial_images", "invalid_value", message));
    }
    read_what_changes_nothing(fields)?;
    let background = read_background(fields, answer.format)?;
    let keep = keeping::read(fields)?;
    let form = OrderForm {
        prompt,
        negative_prompt: fields
            .text("negative_prompt")?
            .map(|words| Prose(words.to_owned())),
        model: fields.text("model")?.map(ModelName::new),
        size: read_size(fields)?,
        background,
        count: fields.whole("n", u32::MAX)?,
        quality: answer.quality,
        steps: fields.whole("steps", u32::MAX)?,
        guidance: fields.number("guidance")?,
        seed: fields.whole("seed", u32::MAX)?,
        variation_of,
        ancestors: Vec::new(),
        previews: partial_images,
        keep,
        is_private: fields.flag("private")?.unwrap_or(false),
        max_credits: fields
            .whole("max_credits", u32::MAX)?
            .map(|max| Credits::new(max.into())),
        key: None,
    };
    Ok((form, answer))
}

fn read_variation(fields: &Fields) -> Result<Option<PictureId>, Problem> {
    let id = fields.text("variation_of")?.map(str::parse).transpose();
    id.map_err(|bad: BadId| Problem::field("variation_of", "invalid_value", format!("{bad}.")))
}

fn read_answer(fields: &Fields) -> Result<Answer, Problem> {
    let formats = Format::ALL.map(|format| (format.name(), format));
    let format = fields.choice("output_format", &formats, Format::Png)?;
    let compression = fields.whole("output_compression", 100)?;
    if compression.is_some_and(|n| n < 100) && format != Format::Jpeg {
        let message = format!(
            "{} is written without loss here. Leave output_compression out, or set output_format to jpeg.",
            format.name()
        );
        return Err(Problem::field(
            "output_compression",
            "unsupported_value",
            message,
        ));
    }
    let qualities = [
        ("auto", Quality::Medium),
        ("low", Quality::Low),
        ("medium", Quality::Medium),
        ("standard", Quality::Medium),
        ("high", Quality::High),
        ("hd", Quality::High),
        ("xhigh", Quality::High),
        ("max", Quality::High),
    ];
    Ok(Answer {
        format,
        // The encoder's lowest quality is 1.
        compression: compression
            .and_then(|n| u8::try_from(n.max(1)).ok())
            .filter(|_| format == Format::Jpeg),
        quality: fields.choice("quality", &qualities, Quality::Medium)?,
        as_url: fields.choice(
            "response_format",
            &[("b64_json", false), ("url", true)],
            false,
        )?,
        stream: fields.flag("stream")?.unwrap_or(false),
    })
}

fn read_size(fields: &Fields) -> Result<Option<Size>, Problem> {
    match fields.text("size")? {
        None | Some("auto") => Ok(None),
        Some(text) => {
            let bad = |e: domain::picture::BadSize| {
                Problem::field("size", "invalid_value", e.to_string())
            };
            text.parse().map(Some).map_err(bad)
        }
    }
}

fn read_background(fields: &Fields, format: Format) -> Result<Option<Background>, Problem> {
    let known = [
        ("auto", None),
        ("opaque", Some(Background::Opaque)),
        ("transparent", Some(Background::Transparent)),
    ];
    let background = fields.choice("background", &known, None)?;
    if background == Some(Background::Transparent) && format == Format::Jpeg {
        let message = "JPEG knows no transparency. Use png or webp for output_format, or an opaque background.";
        return Err(Problem::field("background", "invalid_value", message));
    }
    Ok(background)
}

/// What is accepted and changes nothing.
fn read_what_changes_nothing(fields: &Fields) -> Result<(), Problem> {
    fields.choice("moderation", &[("auto", ()), ("low", ())], ())?;
    for accepted in ["style", "user", "safety_identifier"] {
        fields.text(accepted)?;
    }
    Ok(())
}

fn prefers_async(headers: &HeaderMap) -> bool {
    let preferences = headers
        .get_all(PREFER)
        .iter()
        .filter_map(|value| value.to_str().ok());
    preferences
        .flat_map(|text| text.split(','))
        .any(|one| one.trim().eq_ignore_ascii_case(RESPOND_ASYNC))
}

async fn whole(
    site: &Site,
    origin: &Origin,
    answer: &Answer,
    job: &Job,
) -> Result<Response, Problem> {
    if let Some(problem) = fruitless(job) {
        return Err(problem);
    }
    let mut data = Vec::new();
    for picture in &job.pictures {
        data.push(item(site, origin, answer, picture).await?);
    }
    let mut body = json!({
        "created": job.finished.unwrap_or(job.created).as_seconds(),
        "data": data,
        "usage": usage(job, job.pictures.len()),
        "job_id": job.id,
        "model": job.model,
        "unknown_words": job.unknown_words,
        "credits": credits::of_job(job),
        "error": job.error.as_ref().map(|error| json!({ "code": error.code, "message": error.message })),
    });
    extend(&mut body, look(answer, job.size, job.background));
    Ok(Json(body).into_response())
}

/// Why a job that is over has nothing to show.
pub(super) fn fruitless(job: &Job) -> Option<Problem> {
    match (job.state, &job.error) {
        (JobState::Cancelled, _) => {
            let (code, message) = (
                "cancelled".to_owned(),
                "The job was cancelled. Order it again if you still want it.".to_owned(),
            );
            Some(Problem::of_job(&JobError { code, message }))
        }
        (_, Some(error)) if job.pictures.is_empty() => Some(Problem::of_job(error)),
        _ => None,
    }
}

async fn item(
    site: &Site,
    origin: &Origin,
    answer: &Answer,
    picture: &Picture,
) -> Result<Value, Problem> {
    let mut item = json!({ "picture_id": picture.id, "seed": picture.seed });
    if answer.as_url {
        let mut path = shown::content_path(picture.id);
        if answer.format != Format::Png {
            path = format!("{path}?format={}", answer.format.name());
        }
        if let Some(compression) = answer.compression {
            path = format!("{path}&output_compression={compression}");
        }
        item["url"] = origin.url(&path).into();
    } else {
        item["b64_json"] = encoded(site, answer, picture).await?.into();
    }
    Ok(item)
}

pub(super) async fn encoded(
    site: &Site,
    answer: &Answer,
    picture: &Picture,
) -> Result<String, Problem> {
    let Answer {
        format,
        compression,
        ..
    } = *answer;
    let file = pictures::file(&site.studio, picture, Wanted::plain(format, compression)).await?;
    Ok(BASE64.encode(file.bytes))
}

/// The fields that the answer and each event of a stream have in common.
pub(super) fn look(answer: &Answer, size: Size, background: Background) -> Value {
    let quality = match answer.quality {
        Quality::Low => "low",
        Quality::Medium => "medium",
        Quality::High => "high",
    };
    json!({
        // JPEG has no alpha.
        "background": match answer.format {
            Format::Jpeg => Background::Opaque,
            Format::Png | Format::Webp => background,
        },
        "output_format": answer.format.name(),
        "quality": quality,
        "size": size,
    })
}

/// Counts words in and pictures out: that is what there is to count, as there are no tokens to pay.
pub(super) fn usage(job: &Job, pictures: usize) -> Value {
    let negative = job
        .negative_prompt
        .as_ref()
        .map_or("", |words| words.expose());
    let prompt = job.prompt.as_ref().map_or("", |words| words.expose());
    let words = prompt.split_whitespace().count() + negative.split_whitespace().count();
    json!({
        "input_tokens": words,
        "input_tokens_details": { "text_tokens": words, "image_tokens": 0 },
        "output_tokens": pictures,
        "total_tokens": words + pictures,
    })
}

pub(super) fn extend(body: &mut Value, more: Value) {
    if let (Value::Object(body), Value::Object(more)) = (body, more) {
        body.extend(more);
    }
}
