//! The operator's terms: every version as it was, what changed, feeds, and the page on which they are accepted.

use askama::Template;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use studio::privacy::log::proof;
use studio::privacy::policies::{Line, compare, in_force};
use studio::terms::{self, AcceptError, Head, Version};

use super::policies::{Feed, From, Item, author, state};
use super::sent::Sent;
use super::{Frame, Shown, ok, onward, render};
use crate::Site;
use crate::api::Origin;
use crate::caller::{Asker, Caller, MaybeAsker};
use crate::problem::Problem;
use crate::texts::Texts;
use crate::when;

/// A piece of a text as it is shown. The template escapes it: nothing that an operator writes is HTML.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block {
    Heading(String),
    Paragraph(String),
    List(Vec<String>),
}

/// Headings begin with `#`, points with `-` or `*`, and an empty line ends a paragraph. Everything else is
/// words.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut goes_on = false;
    for line in text.lines().map(str::trim) {
        let point = line.strip_prefix("- ").or_else(|| line.strip_prefix("* "));
        match (line, point) {
            ("", _) => goes_on = false,
            (line, _) if line.starts_with('#') => {
                let words = line.trim_start_matches('#').trim();
                blocks.push(Block::Heading(words.to_owned()));
                goes_on = false;
            }
            (_, Some(point)) => {
                match blocks.last_mut() {
                    Some(Block::List(points)) => points.push(point.to_owned()),
                    _ => blocks.push(Block::List(vec![point.to_owned()])),
                }
                goes_on = true;
            }
            (line, None) => {
                let last = blocks.last_mut().filter(|_| goes_on);
                match last {
                    Some(Block::Paragraph(words)) => {
                        words.push(' ');
                        words.push_str(line);
                    }
                    Some(Block::List(points)) => {
                        if let Some(words) = points.last_mut() {
                            words.push(' ');
                            words.push_str(line);
                        }
                    }
                    _ => blocks.push(Block::Paragraph(line.to_owned())),
                }
                goes_on = true;
            }
        }
    }
    blocks
}

/// A version in a list.
struct Listed {
    number: i64,
    title: String,
    state: &'static str,
    dates: String,
    says: String,
    is_quoted: bool,
    hash: String,
}

fn says(head: &Head) -> String {
    let words = &Texts::get().terms;
    match (head.number, head.needs_acceptance, head.summary.is_empty()) {
        (_, _, false) => head.summary.clone(),
        (1, ..) => words.first.clone(),
        (_, true, _) => words.no_summary.clone(),
        (_, false, _) => words.wording.clone(),
    }
}

/// Whether `says` are the words of who published it, in whatever language those are.
fn is_quoted(head: &Head) -> bool {
    !head.summary.is_empty()
}

fn dates(head: &Head) -> String {
    let t = Texts::get();
    format!(
        "{} · {}",
        t.policies.published.fill(&t.exact(head.published)),
        t.policies.effective.fill(&t.exact(head.effective))
    )
}

#[derive(Template)]
#[template(path = "terms.html")]
struct TermsPage {
    t: &'static Texts,
    frame: Frame,
    title: String,
    state: &'static str,
    dates: String,
    hash: String,
    number: i64,
    blocks: Vec<Block>,
    versions: Vec<Listed>,
}

fn nothing() -> Problem {
    let message = "There are no terms of this number. All that there are stand at /terms.";
    Problem::new(StatusCode::NOT_FOUND, "not_found", message)
}

async fn find(site: &Site, number: &str) -> Result<Version, Problem> {
    let found = terms::find(&site.studio, number.parse().unwrap_or(0)).await?;
    found.ok_or_else(nothing)
}

/// The version in force, or the first that waits, and all of them.
pub(super) async fn show(
    State(site): State<Site>,
    MaybeAsker(known): MaybeAsker,
) -> Result<Response, Shown> {
    let heads = terms::heads(&site.studio).await?;
    let force = in_force(&heads, site.studio.clock.now());
    let shown = force.or(heads.first()).ok_or_else(nothing)?;
    let version = find(&site, &shown.number.to_string()).await?;
    Ok(page(
        &site,
        &heads,
        &version,
        Frame::of(known.as_ref(), "terms"),
    ))
}

pub(super) async fn version(
    State(site): State<Site>,
    MaybeAsker(known): MaybeAsker,
    Path(number): Path<String>,
) -> Result<Response, Shown> {
    let heads = terms::heads(&site.studio).await?;
    let version = find(&site, &number).await?;
    Ok(page(
        &site,
        &heads,
        &version,
        Frame::of(known.as_ref(), "terms"),
    ))
}

fn page(site: &Site, heads: &[Head], version: &Version, frame: Frame) -> Response {
    let t = Texts::get();
    let now = site.studio.clock.now();
    let head = &version.head;
    let listed = |head: &Head| Listed {
        number: head.number,
        title: t.terms.version.fill(&head.number),
        state: state(heads, head, now).listed(),
        dates: dates(head),
        says: says(head),
        is_quoted: is_quoted(head),
        hash: head.body_sha256.clone(),
    };
    ok(&TermsPage {
        t,
        frame,
        title: t.terms.version.fill(&head.number),
        state: state(heads, head, now).says(),
        dates: dates(head),
        hash: head.body_sha256.clone(),
        number: head.number,
        blocks: blocks(&version.body),
        versions: heads.iter().rev().map(listed).collect(),
    })
}

/// Byte for byte what its hash is of.
pub(super) async fn text(
    State(site): State<Site>,
    Path(number): Path<String>,
) -> Result<Response, Problem> {
    let version = find(&site, &number).await?;
    let plain = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((plain, version.body).into_response())
}

/// That the log knows it, for whoever checks that without trusting the house.
pub(super) async fn proven(
    State(site): State<Site>,
    Path(number): Path<String>,
) -> Result<Response, Problem> {
    let head = find(&site, &number).await?.head;
    let proven = proof::of_house(&site.studio, head.log).await?;
    let proven = proven.ok_or_else(|| {
        let message = "It has no place in the log yet. Try again in a second.";
        Problem::new(StatusCode::NOT_FOUND, "not_yet", message)
    })?;
    let version = json!({
        "number": head.number,
        "published_ms": head.published.as_millis(),
        "effective_ms": head.effective.as_millis(),
        "needs_acceptance": head.needs_acceptance,
        "summary": head.summary,
        "body_sha256": head.body_sha256,
        "before_sha256": head.before_sha256,
        "sha256": head.sha256,
        "log_entry": head.log,
    });
    Ok(Json(json!({ "version": version, "inclusion": proven })).into_response())
}

#[derive(Template)]
#[template(path = "terms_changes.html")]
struct ChangesPage {
    t: &'static Texts,
    frame: Frame,
    title: String,
    from: i64,
    to: i64,
    others: Vec<(i64, bool)>,
    says: String,
    is_quoted: bool,
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
    let heads = terms::heads(&site.studio).await?;
    let t = Texts::get();
    let (old, new) = (from.head.number, to.head.number);
    let others = heads.iter().map(|head| head.number);
    Ok(ok(&ChangesPage {
        t,
        frame: Frame::of(known.as_ref(), "terms"),
        title: t.policies.between.fill_two(&old, &new),
        from: old,
        to: new,
        others: others
            .filter(|number| *number != new)
            .map(|number| (number, number == old))
            .collect(),
        says: says(&to.head),
        is_quoted: is_quoted(&to.head),
        lines: compare(&from.body, &to.body),
    }))
}

async fn feed(site: &Site, origin: &Origin) -> Result<Feed, Problem> {
    let heads = terms::heads(&site.studio).await?;
    let last = heads.last().ok_or_else(nothing)?;
    let t = Texts::get();
    let item = |head: &Head| Item {
        number: head.number,
        title: t
            .terms
            .feed_item
            .fill_two(&head.number, &t.exact(head.effective)),
        published: when::iso(head.published),
        says: says(head),
    };
    let list = origin.url("/terms");
    Ok(Feed {
        t,
        title: &t.terms.editions,
        each: list.clone(),
        feeds: format!("{list}/versions"),
        list,
        author: author(site),
        updated: when::iso(last.published),
        items: heads.iter().rev().map(item).collect(),
    })
}

pub(super) async fn atom(State(site): State<Site>, origin: Origin) -> Result<Response, Problem> {
    Ok(feed(&site, &origin).await?.into_atom())
}

pub(super) async fn json_feed(
    State(site): State<Site>,
    origin: Origin,
) -> Result<Response, Problem> {
    Ok(feed(&site, &origin).await?.into_json())
}

#[derive(Template)]
#[template(path = "terms_accept.html")]
struct AcceptPage {
    t: &'static Texts,
    frame: Frame,
    /// What was wrong with what was sent.
    mistake: Option<String>,
    asked: Option<Asked>,
    accepted: Vec<String>,
}

struct Asked {
    number: i64,
    title: String,
    dates: String,
    says: String,
    is_quoted: bool,
    shown: String,
    waits: bool,
    blocks: Vec<Block>,
}

/// What somebody is asked to accept, with its text.
pub(super) async fn ask(State(site): State<Site>, Asker(known): Asker) -> Result<Response, Shown> {
    asking(&site, known.person, None).await
}

async fn asking(
    site: &Site,
    person: domain::ids::PersonId,
    mistake: Option<String>,
) -> Result<Response, Shown> {
    let t = Texts::get();
    let now = site.studio.clock.now();
    let asked = match terms::offered(&site.studio, person).await? {
        None => None,
        Some(head) => {
            let version = find(site, &head.number.to_string()).await?;
            Some(Asked {
                number: head.number,
                title: t.terms.version.fill(&head.number),
                dates: dates(&head),
                says: says(&head),
                is_quoted: is_quoted(&head),
                waits: head.effective > now,
                blocks: blocks(&version.body),
                shown: head.sha256,
            })
        }
    };
    let accepted = terms::of_person(&site.studio, person).await?.into_iter();
    let accepted = accepted.map(|one| t.terms.accepted.fill_two(&one.number, &t.exact(one.when)));
    let status = match mistake {
        Some(_) => StatusCode::CONFLICT,
        None => StatusCode::OK,
    };
    let page = AcceptPage {
        t,
        frame: Frame::member("terms"),
        mistake,
        asked,
        accepted: accepted.collect(),
    };
    Ok(render(status, &page))
}

pub(super) async fn accept(
    State(site): State<Site>,
    Caller(person): Caller,
    sent: Sent,
) -> Result<Response, Shown> {
    if sent.text("accept") != "yes" {
        let words = Texts::get().terms.unticked.clone();
        return asking(&site, person, Some(words)).await;
    }
    match terms::accept(&site.studio, person, sent.text("terms")).await {
        Ok(_) => Ok(onward("/")),
        Err(other @ AcceptError::Other) => {
            let says = Texts::get().mistake(&other);
            asking(&site, person, Some(says)).await
        }
        Err(AcceptError::Failure(failure)) => Err(failure.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_headings_points_and_paragraphs_and_nothing_else() {
        let text = "# Terms\nBe kind\nto others.\n\n- one\n  more\n- <b>two</b>\n\nEnd";
        let words = |text: &str| text.to_owned();
        assert_eq!(
            blocks(text),
            [
                Block::Heading(words("Terms")),
                Block::Paragraph(words("Be kind to others.")),
                Block::List(vec![words("one more"), words("<b>two</b>")]),
                Block::Paragraph(words("End")),
            ]
        );
    }
}
