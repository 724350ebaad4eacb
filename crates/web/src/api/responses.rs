//! `POST /v1/responses` with the tool `image_generation`: how agents and their frameworks ask for a
//! picture. What is drawn is the last thing that the user said; no language model stands between.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::ids::PersonId;
use serde_json::{Map, Value, json};
use studio::accounts::standing::Standing;
use studio::jobs::progress::Progress;
use studio::jobs::{self, Job};
use studio::pictures;
use studio::routing;

use super::credits;
use super::fields::Fields;
use super::images::{self, Answer};
use super::repeats::HangUp;
use super::streaming::{Events, Gone, open, send};
use crate::Site;
use crate::caller::{Asker, Lasting};
use crate::guard::visits::Happened;
use crate::problem::Problem;

const TOOL: &str = "image_generation";
/// What a tool says about its picture; the rest of it is about things that are not drawn here.
const TOOL_FIELDS: [&str; 10] = [
    "model",
    "size",
    "quality",
    "output_format",
    "output_compression",
    "background",
    "moderation",
    "partial_images",
    "seed",
    "max_credits",
];

pub(super) async fn create(
    State(site): State<Site>,
    Asker(known): Asker,
    Lasting(standing): Lasting,
    fields: Fields,
) -> Result<Response, Problem> {
    let asked = Asked::read(&site, &fields)?;
    let (mut form, answer) = images::read(&asked.drawing)?;
    let person = known.person;
    form.key = known.key();
    let (placed, hang_up) = images::place(&site, person, form, fields.name).await?;
    let happened = (!placed.is_repeated()).then(|| Happened::ordered(&placed.job));
    let turn = Turn {
        site,
        person,
        job: placed.job,
        answer,
        asked,
    };
    let mut response = if turn.answer.stream {
        turn.stream(standing, hang_up)
    } else {
        turn.answered(standing, hang_up).await?
    };
    if let Some(happened) = happened {
        happened.on(&mut response);
    }
    Ok(response)
}

/// What was asked for, in the words of this endpoint.
struct Asked {
    /// The same as an order of `/v1/images/generations`.
    drawing: Fields,
    model: Value,
    instructions: Value,
    tools: Value,
    metadata: Value,
}

impl Asked {
    fn read(site: &Site, fields: &Fields) -> Result<Self, Problem> {
        let tools = fields.given("tools").cloned().unwrap_or_else(|| json!([]));
        let tool = image_tool(&tools)?;
        let prompt = last_words(fields.given("input"))?;
        let mut drawing = Map::new();
        for name in TOOL_FIELDS {
            if let Some(value) = tool.get(name) {
                drawing.insert(name.to_owned(), value.clone());
            }
        }
        drawing.insert("prompt".to_owned(), prompt.into());
        let model = fields.text("model")?;
        // Frameworks name the language model here; it counts where it is one that draws.
        if let Some(name) = model.filter(|name| draws(site, name)) {
            drawing.entry("model").or_insert_with(|| name.into());
        }
        let stream = fields.flag("stream")?.unwrap_or(false);
        drawing.insert("stream".to_owned(), stream.into());
        if !stream {
            drawing.remove("partial_images");
        }
        if fields.given("previous_response_id").is_some() {
            let message = "Nothing is kept of a conversation here. Leave previous_response_id out and say in input what to draw.";
            return Err(Problem::field(
                "previous_response_id",
                "unsupported_parameter",
                message,
            ));
        }
        let whole = |name: &str| fields.given(name).cloned().unwrap_or(Value::Null);
        Ok(Self {
            drawing: Fields::of(drawing),
            model: model.map_or(Value::Null, Value::from),
            instructions: whole("instructions"),
            tools,
            metadata: match whole("metadata") {
                Value::Null => json!({}),
                given => given,
            },
        })
    }
}

fn draws(site: &Site, name: &str) -> bool {
    let cards = routing::models(&site.studio);
    cards.iter().any(|card| card.name.as_str() == name)
}

fn image_tool(tools: &Value) -> Result<&Map<String, Value>, Problem> {
    let objects = tools
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_object);
    let mut image = objects.filter(|tool| tool.get("type").is_some_and(|kind| kind == TOOL));
    image.next().ok_or_else(|| {
        let message =
            "Only pictures are made here. Add the tool: tools: [{\"type\": \"image_generation\"}].";
        Problem::field("tools", "invalid_value", message)
    })
}

/// The text of the user's last message.
fn last_words(input: Option<&Value>) -> Result<String, Problem> {
    let wrong = |message: &str| Problem::field("input", "invalid_value", message);
    let messages = match input {
        Some(Value::String(text)) => return Ok(text.clone()),
        Some(Value::Array(messages)) => messages,
        _ => {
            let message = "input is missing. Say in a few words what to draw.";
            return Err(Problem::field(
                "input",
                "missing_required_parameter",
                message,
            ));
        }
    };
    let users = messages
        .iter()
        .rev()
        .find(|message| message["role"].as_str().is_none_or(|role| role == "user"));
    match users.map(|message| &message["content"]) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(parts)) => {
            if parts.iter().any(|part| part["type"] == "input_image") {
                return Err(wrong(
                    "Pictures can't be changed here yet. Send text alone, as input_text.",
                ));
            }
            let texts: Vec<&str> = parts
                .iter()
                .filter_map(|part| part["text"].as_str())
                .collect();
            Ok(texts.join("\n"))
        }
        _ => Err(wrong(
            "input holds no message of the user. Add {\"role\": \"user\", \"content\": \"a red apple\"}.",
        )),
    }
}

/// One answer that is being made.
struct Turn {
    site: Site,
    person: PersonId,
    job: Job,
    answer: Answer,
    asked: Asked,
}

impl Turn {
    /// The whole response, once everything is drawn.
    async fn answered(self, standing: Standing, hang_up: HangUp) -> Result<Response, Problem> {
        let over = tokio::select! {
            over = jobs::wait(&self.site.studio, self.person, self.job.id) => over?.ok_or_else(Problem::no_job)?,
            () = self.site.stop.set() => return Err(Problem::stopping()),
            () = standing.ended() => {
                hang_up.for_good();
                return Err(Problem::access_ended());
            }
        };
        hang_up.answered();
        let items = self.items(&over).await?;
        Ok(Json(self.response("completed", &items, Some(&over))).into_response())
    }

    /// `ig_…` of the job's only picture; a response is named after its job, too.
    fn item_id(&self) -> String {
        self.name("ig_")
    }

    fn name(&self, prefix: &str) -> String {
        let id = self.job.id.to_string();
        format!("{prefix}{}", id.trim_start_matches("job_"))
    }

    fn response(&self, status: &str, output: &[Value], over: Option<&Job>) -> Value {
        let usage = over.map(|job| {
            let counted = images::usage(job, job.pictures.len());
            json!({
                "input_tokens": counted["input_tokens"],
                "input_tokens_details": { "cached_tokens": 0 },
                "output_tokens": counted["output_tokens"],
                "output_tokens_details": { "reasoning_tokens": 0 },
                "total_tokens": counted["total_tokens"],
            })
        });
        json!({
            "id": self.name("resp_"),
            "object": "response",
            "created_at": self.job.created.as_seconds(),
            "status": status,
            "model": if self.asked.model.is_null() { json!(self.job.model) } else { self.asked.model.clone() },
            "output": output,
            "tools": self.asked.tools,
            "tool_choice": "auto",
            "parallel_tool_calls": false,
            "instructions": self.asked.instructions,
            "metadata": self.asked.metadata,
            "error": null,
            "incomplete_details": null,
            "temperature": null,
            "top_p": null,
            "usage": usage,
            "credits": credits::of_job(over.unwrap_or(&self.job)),
        })
    }

    fn item(&self, status: &str) -> Value {
        json!({ "id": self.item_id(), "type": "image_generation_call", "status": status, "result": null })
    }

    async fn items(&self, over: &Job) -> Result<Vec<Value>, Problem> {
        if let Some(problem) = images::fruitless(over) {
            return Err(problem);
        }
        let mut items = Vec::new();
        for picture in &over.pictures {
            let mut item = self.item("completed");
            item["result"] = images::encoded(&self.site, &self.answer, picture)
                .await?
                .into();
            item["picture_id"] = json!(picture.id);
            item["seed"] = json!(picture.seed);
            let look = images::look(&self.answer, picture.size, over.background);
            images::extend(&mut item, look);
            items.push(item);
        }
        Ok(items)
    }

    fn stream(self, standing: Standing, hang_up: HangUp) -> Response {
        let mut last = Problem::access_ended().body()["error"].take();
        last["type"] = "error".into();
        let (events, response) = open(&standing, &last);
        tokio::spawn(async move {
            let mut told = Told {
                turn: &self,
                events,
                sequence: 0,
                shown: 0,
            };
            if told.tell().await.is_ok() {
                hang_up.answered();
            } else if standing.has_ended() {
                hang_up.for_good();
            }
        });
        response
    }
}

/// The events of a stream so far.
struct Told<'a> {
    turn: &'a Turn,
    events: Events,
    sequence: u32,
    /// Previews that were sent.
    shown: usize,
}

impl Told<'_> {
    async fn tell(&mut self) -> Result<(), Gone> {
        let turn = self.turn;
        let begun = turn.response("in_progress", &[], None);
        for name in ["response.created", "response.in_progress"] {
            self.send(name, json!({ "response": begun })).await?;
        }
        let item = json!({ "output_index": 0, "item": turn.item("in_progress") });
        self.send("response.output_item.added", item).await?;
        self.step("in_progress", json!({})).await?;
        self.follow().await?;
        let over = jobs::find(&turn.site.studio, turn.person, turn.job.id).await;
        let over = over.map_err(Problem::from);
        let over = over.and_then(|over| over.ok_or_else(Problem::no_job));
        let made = match over {
            Ok(over) => turn.items(&over).await.map(|items| (over, items)),
            Err(problem) => Err(problem),
        };
        let (over, items) = match made {
            Ok(made) => made,
            Err(problem) => return self.fail(&problem).await,
        };
        self.step("completed", json!({})).await?;
        for item in &items {
            let done = json!({ "output_index": 0, "item": item });
            self.send("response.output_item.done", done).await?;
        }
        let whole = turn.response("completed", &items, Some(&over));
        self.send("response.completed", json!({ "response": whole }))
            .await
    }

    /// Tells of the drawing until it is over.
    async fn follow(&mut self) -> Result<(), Gone> {
        let turn = self.turn;
        let Some(mut live) = jobs::follow(&turn.site.studio, &turn.job) else {
            return Ok(());
        };
        let mut is_drawing = false;
        loop {
            let progress = live.borrow_and_update().clone();
            if progress.state == jobs::State::Drawing && !is_drawing {
                is_drawing = true;
                self.step("generating", json!({})).await?;
            }
            self.partials(&progress).await?;
            if progress.state.is_final() {
                return Ok(());
            }
            tokio::select! {
                changed = live.changed() => if changed.is_err() { return Ok(()) },
                () = self.events.closed() => return Err(Gone),
                () = turn.site.stop.set() => return Err(Gone),
            }
        }
    }

    async fn partials(&mut self, progress: &Progress) -> Result<(), Gone> {
        let Some(sketch) = progress.pictures.first() else {
            return Ok(());
        };
        let Answer {
            format,
            compression,
            ..
        } = self.turn.answer;
        while let Some(preview) = sketch.previews.get(self.shown) {
            let index = self.shown;
            self.shown += 1;
            let file = pictures::encode(Arc::clone(preview), format, compression);
            let Ok(file) = file.await else { continue };
            let mut partial = json!({
                "partial_image_index": index,
                "partial_image_b64": BASE64.encode(file.bytes),
            });
            images::extend(
                &mut partial,
                images::look(&self.turn.answer, preview.size(), preview.background()),
            );
            self.step("partial_image", partial).await?;
        }
        Ok(())
    }

    async fn fail(&mut self, problem: &Problem) -> Result<(), Gone> {
        let body = problem.body();
        let mut failed = self.turn.response("failed", &[], None);
        failed["error"] = json!({
            "code": body["error"]["code"],
            "message": body["error"]["message"],
        });
        self.send("response.failed", json!({ "response": failed }))
            .await
    }

    /// An event about the picture.
    async fn step(&mut self, name: &str, mut data: Value) -> Result<(), Gone> {
        images::extend(
            &mut data,
            json!({ "output_index": 0, "item_id": self.turn.item_id() }),
        );
        self.send(&format!("response.image_generation_call.{name}"), data)
            .await
    }

    async fn send(&mut self, name: &str, mut data: Value) -> Result<(), Gone> {
        images::extend(
            &mut data,
            json!({ "type": name, "sequence_number": self.sequence }),
        );
        self.sequence += 1;
        send(&self.events, name, &data).await
    }
}
