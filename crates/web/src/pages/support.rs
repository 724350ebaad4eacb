//! Help: a form with an account or without, and the page of each ticket, which needs no account either.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::clock::Moment;
use domain::ids::AttachmentId;
use domain::personal::Address;
use domain::secret::Token;
use studio::accounts::{Known, Means};
use studio::pictures::File;
use studio::support::{
    self, About, MAX_SUBJECT_CHARS, MAX_WORDS_CHARS, Question, Side, State as Standing,
    SupportError, Ticket,
};

use super::door::told;
use super::sent::SentWithFiles;
use super::{Frame, Shown, ok, onward, render};
use crate::Site;
use crate::caller::{MaybeAsker, Visiting};
use crate::problem::Problem;
use crate::texts::Texts;

const HERE: &str = "/support";

/// What is wrong, with the field that it is in.
type Mistake = Option<(&'static str, String)>;

fn is_wrong(mistake: &Mistake, field: &str) -> bool {
    mistake.as_ref().is_some_and(|(wrong, _)| *wrong == field)
}

fn status(mistake: &Mistake) -> StatusCode {
    match mistake {
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    }
}

/// Where a mistake is put right on the form itself; anything else is a page of its own.
fn mistake(error: SupportError) -> Result<(&'static str, String), Problem> {
    let field = match &error {
        SupportError::Subject => "subject",
        SupportError::Words | SupportError::TooMany | SupportError::TooLong => "words",
        SupportError::Files | SupportError::FilesOfTicket | SupportError::File(_) => "file",
        _ => return Err(problem(error)),
    };
    // What has no words in the language of the form is a page in English.
    match Texts::get().known(&error) {
        Some(says) => Ok((field, says)),
        None => Err(problem(error)),
    }
}

pub(super) fn problem(error: SupportError) -> Problem {
    let message = error.to_string();
    match error {
        SupportError::Subject => Problem::field("subject", "invalid_value", message),
        SupportError::Words => Problem::field("words", "invalid_value", message),
        SupportError::Files | SupportError::FilesOfTicket | SupportError::File(_) => {
            Problem::field("file", "invalid_value", message)
        }
        SupportError::TooMany | SupportError::TooLong => {
            Problem::new(StatusCode::CONFLICT, "too_many_open", message)
        }
        SupportError::Slow { retry_after_s } => Problem {
            retry_after_s: Some(retry_after_s),
            ..Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_tries", message)
        },
        SupportError::LinkEnded => Problem::new(StatusCode::GONE, "link_ended", message),
        SupportError::Unknown => Problem::nothing(),
        SupportError::Closed => Problem::new(StatusCode::CONFLICT, "ticket_closed", message),
        SupportError::Failure(failure) => failure.into(),
    }
}

/// A ticket in a line.
pub(super) struct Line {
    pub(super) to: String,
    pub(super) subject: String,
    pub(super) state: &'static str,
    pub(super) facts: String,
}

impl Line {
    pub(super) fn new(to: String, ticket: Ticket, now: Moment) -> Self {
        let t = Texts::get();
        let changed = t.support.changed.fill(&t.ago(ticket.changed, now));
        Self {
            to,
            facts: format!("{} · {changed}", about(ticket.about)),
            state: state(ticket.state),
            subject: ticket.subject,
        }
    }
}

pub(super) fn about(about: About) -> &'static str {
    let words = &Texts::get().support;
    match about {
        About::Drawing => &words.about_drawing,
        About::Credits => &words.about_credits,
        About::Account => &words.about_account,
        About::Fault => &words.about_fault,
        About::Feedback => &words.about_feedback,
        About::Child => &words.about_child,
        About::Other => &words.about_other,
    }
}

fn state(state: Standing) -> &'static str {
    let words = &Texts::get().support;
    match state {
        Standing::Waiting => &words.state_waiting,
        Standing::Answered => &words.state_answered,
        Standing::Closed => &words.state_closed,
    }
}

#[derive(Template)]
#[template(path = "support.html")]
struct SupportPage {
    t: &'static Texts,
    frame: Frame,
    is_known: bool,
    tickets: Vec<Line>,
    chosen: String,
    subject: String,
    words: String,
    address: String,
    mistake: Mistake,
}

impl SupportPage {
    fn kinds(&self) -> Vec<(&'static str, &'static str)> {
        About::ALL.map(|one| (one.name(), about(one))).into()
    }

    fn is_wrong(&self, field: &str) -> bool {
        is_wrong(&self.mistake, field)
    }

    const fn max_subject(&self) -> usize {
        MAX_SUBJECT_CHARS
    }

    const fn max_words(&self) -> usize {
        MAX_WORDS_CHARS
    }
}

/// Somebody at a page; a key is nobody here.
fn at_page(known: Option<Known>) -> Option<Known> {
    known.filter(|known| !matches!(known.means, Means::Key { .. }))
}

async fn page(
    site: &Site,
    known: Option<Known>,
    sent: Option<&SentWithFiles>,
    mistake: Mistake,
) -> Result<Response, Shown> {
    let studio = &site.studio;
    let now = studio.clock.now();
    let tickets = match known {
        Some(known) => support::of_person(studio, known.person).await?,
        None => Vec::new(),
    };
    let given = |name| sent.map_or("", |sent| sent.text(name)).to_owned();
    let status = status(&mistake);
    let page = SupportPage {
        t: Texts::get(),
        frame: Frame::of(known.as_ref(), ""),
        is_known: known.is_some(),
        tickets: tickets
            .into_iter()
            .map(|ticket| {
                let reference = support::reference(studio, ticket.id);
                Line::new(format!("{HERE}/{reference}"), ticket, now)
            })
            .collect(),
        chosen: given("about"),
        subject: given("subject"),
        words: given("words"),
        address: given("address"),
        mistake,
    };
    Ok(render(status, &page))
}

pub(super) async fn show(
    State(site): State<Site>,
    MaybeAsker(known): MaybeAsker,
) -> Result<Response, Shown> {
    page(&site, at_page(known), None, None).await
}

/// Of somebody who is signed in at once; of anybody else once their mailbox says so.
pub(super) async fn ask(
    State(site): State<Site>,
    MaybeAsker(known): MaybeAsker,
    Visiting(visit): Visiting,
    mut sent: SentWithFiles,
) -> Result<Response, Shown> {
    let (studio, known) = (&site.studio, at_page(known));
    let files = sent.take_files();
    let question = Question {
        about: About::named(sent.text("about")).unwrap_or(About::Other),
        subject: sent.text("subject"),
        words: sent.text("words"),
    };
    let asked = match known {
        Some(known) => support::open(studio, known.person, &question, files)
            .await
            .map(Some),
        None => match Address::new(sent.text("address")) {
            Ok(address) => support::ask_by_mailbox(studio, &visit, &address, &question)
                .await
                .map(|()| None),
            Err(bad) => {
                let wrong = Some(("address", Texts::get().mistake(&bad)));
                return page(&site, known, Some(&sent), wrong).await;
            }
        },
    };
    match asked {
        Ok(Some(id)) => {
            let reference = support::reference(studio, id);
            Ok(onward(&format!("{HERE}/{reference}")))
        }
        Ok(None) => {
            let t = &Texts::get().support;
            Ok(told(&t.sent, &t.sent_what, None))
        }
        Err(error) => page(&site, known, Some(&sent), Some(mistake(error)?)).await,
    }
}

#[derive(Template)]
#[template(path = "support_confirm.html")]
struct ConfirmPage {
    t: &'static Texts,
    frame: Frame,
    subject: String,
    words: String,
    link: String,
}

fn token(link: &str) -> Result<Token, Problem> {
    Token::read(link).ok_or_else(|| problem(SupportError::LinkEnded))
}

pub(super) async fn open(
    State(site): State<Site>,
    Path(link): Path<String>,
) -> Result<Response, Shown> {
    let found = support::is_confirmable(&site.studio, &token(&link)?).await?;
    let (subject, words) = found.ok_or_else(|| problem(SupportError::LinkEnded))?;
    Ok(ok(&ConfirmPage {
        t: Texts::get(),
        frame: Frame::anyone(),
        subject,
        words,
        link,
    }))
}

pub(super) async fn confirm(
    State(site): State<Site>,
    Path(link): Path<String>,
) -> Result<Response, Shown> {
    let made = support::confirm(&site.studio, &token(&link)?).await;
    let id = made.map_err(problem)?;
    let reference = support::reference(&site.studio, id);
    Ok(onward(&format!("{HERE}/{reference}")))
}

/// A message as a page shows it.
pub(super) struct Said {
    pub(super) is_house: bool,
    pub(super) who: &'static str,
    pub(super) when: String,
    pub(super) words: String,
    pub(super) files: Vec<String>,
}

/// All that was said, the files below `at`; `own` and `other` say who is who.
pub(super) fn conversation(
    ticket: &Ticket,
    at: &str,
    [own, other]: [&'static str; 2],
) -> Vec<Said> {
    let messages = ticket.messages.iter();
    messages
        .map(|message| {
            let is_house = message.side == Side::House;
            Said {
                is_house,
                who: if is_house { other } else { own },
                when: Texts::get().exact(message.written),
                words: message.words.clone(),
                files: message
                    .files
                    .iter()
                    .map(|file| format!("{at}/files/{file}"))
                    .collect(),
            }
        })
        .collect()
}

#[derive(Template)]
#[template(path = "support_ticket.html")]
struct TicketPage {
    t: &'static Texts,
    frame: Frame,
    at: String,
    subject: String,
    state: &'static str,
    facts: String,
    said: Vec<Said>,
    is_closed: bool,
    ends: String,
    words: String,
    mistake: Mistake,
}

impl TicketPage {
    fn is_wrong(&self, field: &str) -> bool {
        is_wrong(&self.mistake, field)
    }

    const fn max_words(&self) -> usize {
        MAX_WORDS_CHARS
    }
}

async fn ticket(
    site: &Site,
    known: Option<Known>,
    reference: &str,
    words: &str,
    mistake: Mistake,
) -> Result<Response, Shown> {
    let found = support::by_reference(&site.studio, reference).await?;
    let ticket = found.ok_or_else(Problem::nothing)?;
    let t = Texts::get();
    let at = format!("{HERE}/{reference}");
    let opened = t.support.opened.fill(&t.exact(ticket.opened));
    let ends = match (ticket.state, ticket.closed) {
        (Standing::Waiting, _) => t.support.waits.clone(),
        (Standing::Answered, _) => {
            let closes = ticket.changed.plus_millis(support::SILENT_MS);
            t.support.closes.fill(&t.exact(closes))
        }
        (Standing::Closed, closed) => {
            let goes = closed.unwrap_or(ticket.changed);
            let goes = goes.plus_millis(support::KEPT_MS);
            t.support.goes.fill(&t.exact(goes))
        }
    };
    let status = status(&mistake);
    let page = TicketPage {
        t,
        frame: Frame::of(known.as_ref(), ""),
        said: conversation(&ticket, &at, [&t.support.you, &t.support.we]),
        at,
        state: state(ticket.state),
        facts: format!("{} · {opened}", about(ticket.about)),
        is_closed: ticket.state == Standing::Closed,
        ends,
        subject: ticket.subject,
        words: words.to_owned(),
        mistake,
    };
    Ok(render(status, &page))
}

/// For who has the address, with an account or without.
pub(super) async fn standing(
    State(site): State<Site>,
    MaybeAsker(known): MaybeAsker,
    Path(reference): Path<String>,
) -> Result<Response, Shown> {
    ticket(&site, at_page(known), &reference, "", None).await
}

/// `do` says whether something is said, or it is enough.
pub(super) async fn reply(
    State(site): State<Site>,
    MaybeAsker(known): MaybeAsker,
    Path(reference): Path<String>,
    mut sent: SentWithFiles,
) -> Result<Response, Shown> {
    let studio = &site.studio;
    let found = support::by_reference(studio, &reference).await?;
    let id = found.ok_or_else(Problem::nothing)?.id;
    let files = sent.take_files();
    let done = match sent.text("do") {
        "close" => support::close(studio, id).await,
        _ => support::reply(studio, id, sent.text("words"), files).await,
    };
    match done {
        Ok(()) => Ok(onward(&format!("{HERE}/{reference}"))),
        Err(error) => {
            let wrong = Some(mistake(error)?);
            ticket(&site, at_page(known), &reference, sent.text("words"), wrong).await
        }
    }
}

pub(super) async fn file(
    State(site): State<Site>,
    Path((reference, id)): Path<(String, String)>,
) -> Result<Response, Shown> {
    let id: AttachmentId = id.parse().map_err(|_| Problem::nothing())?;
    let file = support::file(&site.studio, &reference, id).await?;
    Ok(picture(file.ok_or_else(Problem::nothing)?))
}

/// Kept nowhere on its way, since it goes when its ticket is closed.
pub(super) fn picture(file: File) -> Response {
    let headers = [
        (header::CONTENT_TYPE, file.format.media_type()),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, file.bytes).into_response()
}
