//! What is kept of people, made from the inventory: as a page, as text, and for programs.

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use domain::controller::Controller;
use domain::language::Language;
use domain::recipient::Register;
use serde_json::Value;
use studio::privacy::assessment::{self, Risk};
use studio::privacy::inventory::{BY_RIGHT, Citation, Purpose};
use studio::privacy::looking;
use studio::privacy::notice::{self, Activity, Chapter};
use studio::privacy::objection::Balance;
use studio::privacy::policies;
use studio::privacy::recipients;
use studio::privacy::wording;

use super::policies::Top;
use super::{Frame, Shown, ok, onward};
use crate::Site;
use crate::caller::MaybeAsker;
use crate::language;
use crate::problem::Problem;
use crate::texts::Texts;

#[derive(Template)]
#[template(path = "privacy.html")]
struct PrivacyPage {
    t: &'static Texts,
    frame: Frame,
    /// Of the version that is shown; absent where none was published, and the notice is that of this build.
    head: Option<Top>,
    waiting: Vec<Soon>,
    part: String,
}

/// A version that waits for its day.
struct Soon {
    number: i64,
    says: String,
}

/// What a version of the notice says.
#[derive(Template)]
#[template(path = "privacy_part.html")]
struct Part<'a> {
    t: &'static Texts,
    controller: Option<&'a Controller>,
    chapters: Vec<Chapter>,
    recipients: Vec<Party>,
}

/// A recipient, or somebody who is one elsewhere, as the page tells of it.
struct Party {
    who: &'static str,
    lines: Vec<(&'static str, String)>,
    purposes: Vec<Purpose>,
}

fn parties(language: Language, register: &Register) -> Vec<Party> {
    let all = recipients::entries(register).into_iter();
    all.map(|entry| Party {
        who: wording::say(language, entry.declared.who),
        lines: entry.lines(language),
        purposes: entry.declared.purposes(),
    })
    .collect()
}

impl<'a> Part<'a> {
    fn new(language: Language, register: &Register, controller: Option<&'a Controller>) -> Self {
        Self {
            recipients: parties(language, register),
            t: Texts::of(language),
            controller,
            chapters: notice::chapters(language),
        }
    }

    /// What rests on an interest, and why it may.
    fn weighed(&self) -> Vec<(Purpose, Balance)> {
        let all = Purpose::ALL.into_iter();
        all.filter_map(|purpose| Some((purpose, purpose.balance()?)))
            .collect()
    }

    /// With what of the chapter serves it, where that is not everything.
    fn why(&self, chapter: &Chapter, purpose: &Purpose) -> String {
        let why = self.in_words(purpose);
        match chapter.serving(*purpose) {
            Some(data) => format!("{why} ({data})"),
            None => why,
        }
    }

    fn in_words(&self, purpose: &Purpose) -> String {
        self.t.privacy.why.fill_two(
            self.t.say(purpose.words()),
            self.t.say(purpose.basis().words()),
        )
    }

    /// What a law obliges to.
    fn obliged(&self) -> Vec<(Purpose, Citation)> {
        let all = Purpose::ALL.into_iter();
        all.filter_map(|purpose| Some((purpose, purpose.citation()?)))
            .collect()
    }

    /// Who of those who run the house reads what serves each purpose.
    fn readers(&self) -> Vec<(Purpose, String)> {
        let all = looking::matrix().into_iter();
        all.map(|(purpose, roles)| (purpose, looking::roles_in_words(self.t.tongue(), roles)))
            .collect()
    }

    fn heading(&self, purpose: &Purpose) -> String {
        let words = self.t.say(purpose.words());
        self.t.objections.heading.fill(words)
    }

    fn kept(&self, chapter: &Chapter) -> String {
        notice::kept_in_words(self.t.tongue(), chapter.kept)
    }
}

impl PrivacyPage {
    /// Of this very build.
    fn of_this_build(frame: Frame, register: &Register, controller: Option<&Controller>) -> Self {
        Self {
            t: Texts::get(),
            frame,
            head: None,
            waiting: Vec::new(),
            part: part(language::here(), register, controller),
        }
    }
}

pub(super) async fn show(
    State(site): State<Site>,
    MaybeAsker(known): MaybeAsker,
) -> Result<Response, Shown> {
    let frame = Frame::of(known.as_ref(), "privacy");
    let studio = &site.studio;
    let Some(version) = policies::now_in_force(studio).await? else {
        let controller = site.controller.as_deref();
        let page = PrivacyPage::of_this_build(frame, &studio.recipients, controller);
        return Ok(ok(&page));
    };
    let t = Texts::get();
    let Some((body, part)) = version.told_in(t.tongue()) else {
        return Ok(onward(&language::in_english()));
    };
    let heads = policies::heads(studio).await?;
    let waiting = policies::waiting(&heads, studio.clock.now()).into_iter();
    let waiting = waiting.map(|head| Soon {
        number: head.number,
        says: t.policies.soon.fill(&t.exact(head.effective)),
    });
    Ok(ok(&PrivacyPage {
        t,
        frame,
        head: Some(Top::of(&version.head).of_text(&body)),
        waiting: waiting.collect(),
        part,
    }))
}

/// The notice as a part of a page.
pub(crate) fn part(
    language: Language,
    register: &Register,
    controller: Option<&Controller>,
) -> String {
    Part::new(language, register, controller)
        .render()
        .unwrap_or_else(|error| error.to_string())
}

/// The page as a file of its own.
pub(crate) fn as_file(register: &Register) -> String {
    PrivacyPage::of_this_build(Frame::anyone(), register, None)
        .render()
        .unwrap_or_else(|error| error.to_string())
}

/// The impact assessment, for who runs the house.
#[derive(Template)]
#[template(path = "assessment.html")]
struct AssessmentPage {
    t: &'static Texts,
    frame: Frame,
    activities: Vec<Activity>,
    recipients: Vec<Party>,
    risks: &'static [Risk],
    open: &'static [&'static str],
}

pub(crate) fn assessment_as_file(register: &Register) -> String {
    let page = AssessmentPage {
        t: Texts::get(),
        frame: Frame::anyone(),
        activities: notice::record(register),
        recipients: parties(Language::English, register),
        risks: assessment::RISKS,
        open: assessment::OPEN,
    };
    page.render().unwrap_or_else(|error| error.to_string())
}

pub(super) async fn text(State(site): State<Site>, uri: Uri) -> Result<Response, Problem> {
    let asked = language::named(&uri).unwrap_or_default();
    let plain = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    let text = match policies::now_in_force(&site.studio).await? {
        Some(version) => version.told_in(asked).ok_or_else(Problem::nothing)?.0,
        None => notice::text(asked, &site.studio.recipients),
    };
    Ok((plain, text).into_response())
}

pub(super) async fn json(State(site): State<Site>) -> Response {
    Json(inventory(&site.studio.recipients)).into_response()
}

/// Everything that is kept, and everybody who gets something of it.
pub(crate) fn inventory(register: &Register) -> Value {
    let mut all = notice::inventory_json();
    all["recipients"] = recipients::json(register);
    all
}

pub(super) async fn json_ld(State(site): State<Site>) -> Response {
    let linked = [(header::CONTENT_TYPE, "application/ld+json")];
    (linked, notice::json_ld(&site.studio.recipients).to_string()).into_response()
}
