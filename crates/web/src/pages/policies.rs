//! Every version of the privacy notice as it was, what changed between two, and feeds of them.

use askama::Template;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use domain::clock::Moment;
use serde::Deserialize;
use serde_json::{Value, json};
use studio::privacy::log::proof;
use studio::privacy::policies::{
    self, Change, Dated, Declaration, Head, Line, Sort, Version, compare, in_force,
};

use super::{Frame, Shown, ok, onward};
use crate::Site;
use crate::api::Origin;
use crate::caller::MaybeAsker;
use crate::language;
use crate::problem::Problem;
use crate::texts::Texts;
use crate::when;

/// Changes that a list of versions shows of each.
const MAX_LISTED: usize = 20;

/// What stands at the top of a version.
pub(super) struct Top {
    pub(super) number: i64,
    pub(super) title: String,
    pub(super) published: String,
    pub(super) effective: String,
    pub(super) body_sha256: String,
    /// Leads to what is other than in the version before.
    compares: Option<String>,
}

impl Top {
    pub(super) fn of(head: &Head) -> Self {
        let texts = Texts::get();
        let words = &texts.policies;
        Self {
            number: head.number,
            title: words.version.fill(&head.number),
            published: words.published.fill(&texts.exact(head.published)),
            effective: words.effective.fill(&texts.exact(head.effective)),
            body_sha256: head.body_sha256.clone(),
            compares: (head.number > 1).then(|| words.compare.fill(&(head.number - 1))),
        }
    }

    /// With the checksum of the text that the page tells.
    pub(super) fn of_text(self, body: &str) -> Self {
        Self {
            body_sha256: policies::sha256(body),
            ..self
        }
    }
}

/// How a version stands now.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    InForce,
    Waits,
    Overtaken,
    Past,
}

pub(super) fn state<V: Dated>(heads: &[V], head: &V, now: Moment) -> Stands {
    let force = in_force(heads, now).map_or(0, Dated::number);
    let was_ever =
        in_force(heads, head.effective()).is_some_and(|one| one.number() == head.number());
    match head.number().cmp(&force) {
        std::cmp::Ordering::Equal => Stands::InForce,
        std::cmp::Ordering::Greater => Stands::Waits,
        std::cmp::Ordering::Less if was_ever && head.effective() <= now => Stands::Past,
        std::cmp::Ordering::Less => Stands::Overtaken,
    }
}

impl Stands {
    /// As a sentence above the version.
    pub(super) fn says(self) -> &'static str {
        let words = &Texts::get().policies;
        match self {
            Self::InForce => &words.state_in_force,
            Self::Waits => &words.state_waits,
            Self::Overtaken => &words.state_overtaken,
            Self::Past => &words.state_past,
        }
    }

    /// In a list.
    pub(super) fn listed(self) -> &'static str {
        let words = &Texts::get().policies;
        match self {
            Self::InForce => &words.in_force,
            Self::Waits => &words.waits,
            Self::Overtaken => &words.overtaken,
            Self::Past => &words.past,
        }
    }
}

/// A version in a list.
pub(super) struct Listed {
    pub(super) head: Top,
    pub(super) state: &'static str,
    pub(super) changes: Vec<String>,
    more: usize,
    without: &'static str,
}

/// The newest first.
pub(super) fn listed(heads: &[Head], now: Moment) -> Vec<Listed> {
    let words = &Texts::get().policies;
    let one = |head: &Head| Listed {
        head: Top::of(head),
        state: state(heads, head, now).listed(),
        changes: in_words(&head.changes, MAX_LISTED),
        more: head.changes.len().saturating_sub(MAX_LISTED),
        without: match head.number {
            1 => &words.first,
            _ => &words.only_words,
        },
    };
    heads.iter().rev().map(one).collect()
}

pub(super) fn in_words(changes: &[Change], at_most: usize) -> Vec<String> {
    let words = &Texts::get().policies;
    let changes = changes.iter().take(at_most);
    changes
        .map(|change| words.change.fill_two(change.sort.words(), &change.says))
        .collect()
}

#[derive(Template)]
#[template(path = "policies.html")]
struct PoliciesPage {
    t: &'static Texts,
    frame: Frame,
    versions: Vec<Listed>,
}

pub(super) async fn list(
    State(site): State<Site>,
    MaybeAsker(known): MaybeAsker,
) -> Result<Response, Shown> {
    let heads = policies::heads(&site.studio).await?;
    Ok(ok(&PoliciesPage {
        t: Texts::get(),
        frame: Frame::of(known.as_ref(), "privacy"),
        versions: listed(&heads, site.studio.clock.now()),
    }))
}

async fn find(site: &Site, number: &str) -> Result<Version, Problem> {
    let number = number.parse().unwrap_or(0);
    let found = policies::find(&site.studio, number).await?;
    found.ok_or_else(|| {
        let message = "There is no version of this number. All of them are at /privacy/versions.";
        Problem::new(StatusCode::NOT_FOUND, "not_found", message)
    })
}

#[derive(Template)]
#[template(path = "policy.html")]
struct PolicyPage {
    t: &'static Texts,
    frame: Frame,
    head: Top,
    state: &'static str,
    part: String,
}

pub(super) async fn show(
    State(site): State<Site>,
    MaybeAsker(known): MaybeAsker,
    Path(number): Path<String>,
) -> Result<Response, Shown> {
    let version = find(&site, &number).await?;
    let heads = policies::heads(&site.studio).await?;
    let t = Texts::get();
    let Some((body, part)) = version.told_in(t.tongue()) else {
        return Ok(onward(&language::in_english()));
    };
    Ok(ok(&PolicyPage {
        t,
        frame: Frame::of(known.as_ref(), "privacy"),
        state: state(&heads, &version.head, site.studio.clock.now()).says(),
        head: Top::of(&version.head).of_text(&body),
        part,
    }))
}

/// A version in the language that an address names: its text, and its part of a page.
fn told(version: &Version, uri: &Uri) -> Result<(String, String), Problem> {
    let told = version.told_in(language::named(uri).unwrap_or_default());
    told.ok_or_else(Problem::nothing)
}

/// Byte for byte what its hash is of; in another language with `?lang=`.
pub(super) async fn text(
    State(site): State<Site>,
    Path(number): Path<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    let version = find(&site, &number).await?;
    let plain = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((plain, told(&version, &uri)?.0).into_response())
}

pub(super) async fn part(
    State(site): State<Site>,
    Path(number): Path<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    let version = find(&site, &number).await?;
    let html = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    Ok((html, told(&version, &uri)?.1).into_response())
}

pub(super) async fn facts(
    State(site): State<Site>,
    Path(number): Path<String>,
) -> Result<Response, Problem> {
    let version = find(&site, &number).await?;
    let kind = [(header::CONTENT_TYPE, "application/json")];
    Ok((kind, version.declaration).into_response())
}

/// That the log knows it, for whoever checks that without trusting the house.
pub(super) async fn proven(
    State(site): State<Site>,
    Path(number): Path<String>,
) -> Result<Response, Problem> {
    let version = find(&site, &number).await?;
    let proven = proof::of_house(&site.studio, version.head.log).await?;
    let proven = proven.ok_or_else(|| {
        let message = "It has no place in the log yet. Try again in a second.";
        Problem::new(StatusCode::NOT_FOUND, "not_yet", message)
    })?;
    Ok(Json(json!({ "version": shape(&version.head, ""), "inclusion": proven })).into_response())
}

#[derive(Deserialize)]
pub(super) struct From {
    pub(super) from: Option<String>,
}

/// A version to compare with.
struct Other {
    number: i64,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "policy_changes.html")]
struct ChangesPage {
    t: &'static Texts,
    frame: Frame,
    title: String,
    from: i64,
    to: i64,
    others: Vec<Other>,
    changes: Vec<String>,
    lines: Vec<Line>,
}

pub(super) async fn changes(
    State(site): State<Site>,
    MaybeAsker(known): MaybeAsker,
    Path(number): Path<String>,
    Query(asked): Query<From>,
) -> Result<Response, Shown> {
    let to = find(&site, &number).await?;
    let before = (to.head.number - 1).max(1).to_string();
    let from = find(&site, &asked.from.unwrap_or(before)).await?;
    let heads = policies::heads(&site.studio).await?;
    let t = Texts::get();
    let texts = from.told_in(t.tongue()).zip(to.told_in(t.tongue()));
    let Some(((old_text, _), (new_text, _))) = texts else {
        return Ok(onward(&language::in_english()));
    };
    let (old, new) = (from.head.number, to.head.number);
    let others = heads.iter().map(|head| head.number);
    let read = |version: &Version| Declaration::read(&version.declaration);
    let changes = match (read(&from), read(&to)) {
        (Some(from), Some(to)) => policies::between(&from, &to),
        _ => Vec::new(),
    };
    Ok(ok(&ChangesPage {
        t,
        frame: Frame::of(known.as_ref(), "privacy"),
        title: t.policies.between.fill_two(&old, &new),
        from: old,
        to: new,
        others: others
            .filter(|number| *number != new)
            .map(|number| Other {
                number,
                is_chosen: number == old,
            })
            .collect(),
        changes: in_words(&changes, usize::MAX),
        lines: compare(&old_text, &new_text),
    }))
}

/// One version in a feed.
pub(super) struct Item {
    pub(super) number: i64,
    pub(super) title: String,
    pub(super) published: String,
    pub(super) says: String,
}

#[derive(Template)]
#[template(path = "policies_feed.xml")]
pub(super) struct Feed {
    pub(super) t: &'static Texts,
    pub(super) title: &'static str,
    /// Where the versions are listed, where each of them is, and where the feeds are.
    pub(super) list: String,
    pub(super) each: String,
    pub(super) feeds: String,
    pub(super) author: String,
    pub(super) updated: String,
    pub(super) items: Vec<Item>,
}

impl Feed {
    async fn of(site: &Site, origin: &Origin) -> Result<Self, Problem> {
        let heads = policies::heads(&site.studio).await?;
        let t = Texts::get();
        let item = |head: &Head| Item {
            number: head.number,
            title: t
                .policies
                .feed_item
                .fill_two(&head.number, &t.exact(head.effective)),
            published: when::iso(head.published),
            says: match (&head.changes[..], head.number) {
                ([], 1) => t.policies.first.clone(),
                ([], _) => t.policies.only_words.clone(),
                (changes, _) => in_words(changes, MAX_LISTED).join("\n"),
            },
        };
        let last = heads.last().map_or(site.opened, |head| head.published);
        let list = origin.url("/privacy/versions");
        Ok(Self {
            t,
            title: &t.policies.title,
            each: list.clone(),
            feeds: list.clone(),
            list,
            author: author(site),
            updated: when::iso(last),
            items: heads.iter().rev().map(item).collect(),
        })
    }
}

/// Who writes the versions.
pub(super) fn author(site: &Site) -> String {
    let author = site.controller.as_ref();
    author.map_or_else(|| Texts::get().frame.name.clone(), |one| one.name.clone())
}

impl Feed {
    pub(super) fn into_atom(self) -> Response {
        let kind = [(header::CONTENT_TYPE, "application/atom+xml; charset=utf-8")];
        match self.render() {
            Ok(xml) => (kind, xml).into_response(),
            Err(error) => {
                tracing::error!(%error, "a feed could not be written");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }

    /// JSON Feed 1.1.
    pub(super) fn into_json(self) -> Response {
        let items = self.items.iter().map(|item| {
            let at = format!("{}/{}", self.each, item.number);
            json!({
                "id": at,
                "url": at,
                "title": item.title,
                "content_text": item.says,
                "date_published": item.published,
            })
        });
        let document = json!({
            "version": "https://jsonfeed.org/version/1.1",
            "title": self.title,
            "home_page_url": self.list,
            "feed_url": format!("{}.json", self.feeds),
            "language": self.t.language,
            "authors": [{ "name": self.author }],
            "items": items.collect::<Vec<_>>(),
        });
        let kind = [(header::CONTENT_TYPE, "application/feed+json")];
        (kind, document.to_string()).into_response()
    }
}

pub(super) async fn atom(State(site): State<Site>, origin: Origin) -> Result<Response, Problem> {
    Ok(Feed::of(&site, &origin).await?.into_atom())
}

pub(super) async fn json_feed(
    State(site): State<Site>,
    origin: Origin,
) -> Result<Response, Problem> {
    Ok(Feed::of(&site, &origin).await?.into_json())
}

/// A version for programs.
fn shape(head: &Head, home: &str) -> Value {
    let number = head.number;
    let at = |what: &str| format!("{home}/privacy/versions/{number}{what}");
    json!({
        "number": number,
        "published": when::iso(head.published),
        "effective": when::iso(head.effective),
        "published_ms": head.published.as_millis(),
        "effective_ms": head.effective.as_millis(),
        "is_material": head.is_material,
        "body_sha256": head.body_sha256,
        "page_sha256": head.page_sha256,
        "translations_sha256": head.translations_sha256,
        "declaration_sha256": head.declaration_sha256,
        "before_sha256": head.before_sha256,
        "sha256": head.sha256,
        "log_entry": head.log,
        "changes": head.changes,
        "url": at(""),
        "text_url": at("/notice.txt"),
        "page_url": at("/notice.html"),
        "policy_url": at("/policy.json"),
        "proof_url": at("/proof.json"),
    })
}

/// What holds now, and what will, for programs.
pub(super) async fn machine(State(site): State<Site>, origin: Origin) -> Result<Response, Problem> {
    let studio = &site.studio;
    let home = origin.url("");
    let heads = policies::heads(studio).await?;
    let now = studio.clock.now();
    let force = policies::now_in_force(studio).await?;
    let policy = match &force {
        Some(version) => serde_json::from_str(&version.declaration).unwrap_or(Value::Null),
        // Nobody was told anything yet: what this build does.
        None => site.declaration().to_json(),
    };
    let waiting = policies::waiting(&heads, now).into_iter();
    Ok(Json(json!({
        "kind": "pinhole/policies/1",
        "in_force": force.map(|version| shape(&version.head, &home)),
        "policy": policy,
        "waiting": waiting.map(|head| shape(head, &home)).collect::<Vec<_>>(),
        "versions": heads.iter().map(|head| shape(head, &home)).collect::<Vec<_>>(),
        "feed": format!("{home}/privacy/versions.atom"),
    }))
    .into_response())
}

/// Whether something of these may not be done under the version that they differ from.
pub(super) fn is_more(changes: &[Change]) -> bool {
    changes.iter().map(|change| change.sort).any(Sort::waits)
}
