//! What is done only with a yes, the settings to begin with, and the cookies: everything that can be
//! chosen, on one page.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::language::Language;
use domain::model::ModelName;
use studio::accounts::{Known, Means as Asking};
use studio::order::Quality;
use studio::order::beginning::{self, Settings};
use studio::privacy::consent::{
    self, ConsentError, Decision, Means, Optional, Read, Shown as Given, Signal, Standing, Verdict,
    receipt,
};
use studio::privacy::inventory::{ELSEWHERE, Medium};
use studio::privacy::notice;

use super::super::form::{Controls, Written};
use super::super::sent::Sent;
use super::super::studio::chosen_card;
use super::super::{Frame, Shown, onward, render};
use crate::Site;
use crate::caller::{Asker, Signalled};
use crate::problem::Problem;
use crate::texts::Texts;

const HERE: &str = "/account/choices";

#[derive(Template)]
#[template(path = "account_choices.html")]
struct ChoicesPage {
    t: &'static Texts,
    frame: Frame,
    tab: &'static str,
    signal: Signal,
    has_address: bool,
    standings: Vec<Standing>,
    /// Purpose by purpose, of which pictures they say yes.
    given: Vec<Given>,
    decisions: Vec<Decision>,
    has_saved: bool,
    /// `None` where no model is loaded.
    controls: Option<Controls>,
    mistake: Option<String>,
}

impl ChoicesPage {
    fn is_signalled(&self) -> bool {
        self.signal == Signal::Objects
    }

    fn has_nowhere(&self, one: &Standing) -> bool {
        one.optional.asks_by_letter() && !self.has_address
    }

    /// Title and text of what is asked.
    fn words(&self, optional: &Optional) -> (&'static str, &'static str) {
        optional.edition().words(self.t.tongue())
    }

    /// Whether it is done in this browser; letters are written in none.
    fn is_on(&self, one: &Standing) -> bool {
        one.verdict() == Some(Verdict::Given) && !self.yields(one)
    }

    /// Neither holds while a letter asks.
    fn is_off(&self, one: &Standing) -> bool {
        !self.is_on(one) && one.verdict() != Some(Verdict::Asked)
    }

    fn yields(&self, one: &Standing) -> bool {
        !one.optional.asks_by_letter() && one.yields_to(self.signal)
    }

    fn stands(&self, one: &Standing) -> String {
        let words = &self.t.choices;
        let Some(newest) = &one.newest else {
            return words.never.clone();
        };
        let says = match one.verdict() {
            None => &words.outdated,
            Some(Verdict::Asked) => &words.asked,
            Some(Verdict::Given) if self.yields(one) => &words.given_yields,
            Some(Verdict::Given) => &words.given,
            Some(Verdict::Withdrawn) => &words.withdrawn,
        };
        says.fill(&self.t.exact(newest.when))
    }

    fn line(&self, one: &Decision) -> String {
        let words = &self.t.choices;
        let said = match one.verdict {
            Verdict::Asked => &words.said_asked,
            Verdict::Given => &words.said_given,
            Verdict::Withdrawn => &words.said_withdrawn,
        };
        let edition = one.optional.edition_of(one.version);
        let title = edition.map_or(one.optional.name(), |edition| {
            let (title, _) = edition.words(self.t.tongue());
            title
        });
        words.line.fill_two(title, said.as_str())
    }

    fn when(&self, one: &Decision) -> String {
        self.t.exact(one.when)
    }

    fn by(&self, one: &Decision) -> &str {
        let words = &self.t.choices;
        match one.means {
            Means::Session => &words.by_session,
            Means::Key => &words.by_key,
            Means::Local => &words.by_local,
            Means::Mailbox => &words.by_mailbox,
            Means::Letter => &words.by_letter,
            Means::Operator => &words.by_operator,
            Means::House => &words.by_house,
        }
    }

    fn has_given(&self) -> bool {
        self.given.iter().any(|one| one.count > 0)
    }

    fn count(&self, one: &Given) -> u32 {
        u32::try_from(one.count).unwrap_or(u32::MAX)
    }

    /// Name, what it is, and for how long.
    fn cookies(&self) -> Vec<(&'static str, &'static str, String)> {
        let all = ELSEWHERE.iter();
        let kept = |kept| notice::kept_in_words(self.t.tongue(), kept);
        all.filter(|spot| spot.medium == Medium::Cookie)
            .map(|spot| (spot.name, self.t.say(spot.datum.what), kept(spot.kept)))
            .collect()
    }
}

/// `wrong` is what was sent of the settings, and what is wrong with it.
async fn page(
    site: &Site,
    known: &Known,
    signal: Signal,
    wrong: Option<(Written, String)>,
) -> Result<Response, Shown> {
    let (studio, person, t) = (&site.studio, known.person, Texts::get());
    let saved = beginning::saved(studio, person).await?;
    let status = match wrong {
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    let has_saved = saved.is_some();
    let (written, mistake) = match wrong {
        Some((written, mistake)) => (written, Some(mistake)),
        None => (saved.as_ref().map(Written::of).unwrap_or_default(), None),
    };
    let models = studio::routing::models(studio);
    let controls =
        chosen_card(studio, &written).map(|card| Controls::new(t, &models, card, &written, None));
    let page = ChoicesPage {
        t,
        frame: Frame::member("account"),
        tab: "choices",
        signal,
        has_address: !matches!(known.means, Asking::Local),
        standings: consent::of_person(studio, person).await?,
        given: consent::given(studio, person).await?,
        decisions: consent::history(studio, person).await?,
        has_saved,
        controls,
        mistake,
    };
    Ok(render(status, &page))
}

pub(super) async fn show(
    State(site): State<Site>,
    Asker(known): Asker,
    Signalled(signal): Signalled,
) -> Result<Response, Shown> {
    page(&site, &known, signal, None).await
}

/// `purpose`, the `version` of the words that were read, and the `answer`: yes or no.
pub(super) async fn answer(
    State(site): State<Site>,
    Asker(known): Asker,
    Signalled(signal): Signalled,
    sent: Sent,
) -> Result<Response, Shown> {
    let optional = Optional::named(sent.text("purpose")).ok_or_else(Problem::nothing)?;
    let (studio, person, means) = (&site.studio, known.person, means(&known));
    match sent.text("answer") {
        "yes" => {
            let read = read(&sent);
            consent::give(studio, person, optional, read, means, signal)
                .await
                .map_err(problem)?;
        }
        "no" => consent::withdraw(studio, person, optional, means, signal).await?,
        _ => return Err(Problem::nothing().into()),
    }
    Ok(onward(&format!("{HERE}#{}", optional.name())))
}

/// The edition that was shown, in the language that it was shown in.
pub(in crate::pages) fn read(sent: &Sent) -> Read {
    Read {
        version: sent.text("version").parse().unwrap_or(0),
        language: Language::of_code(sent.text("language")).unwrap_or_default(),
    }
}

/// What was said of single pictures for a `purpose` is taken back for all of them.
pub(super) async fn take_back(
    State(site): State<Site>,
    Asker(known): Asker,
    Signalled(signal): Signalled,
    sent: Sent,
) -> Result<Response, Shown> {
    let optional = Optional::named(sent.text("purpose")).filter(|one| one.is_by_picture());
    let optional = optional.ok_or_else(Problem::nothing)?;
    let (person, means) = (known.person, means(&known));
    consent::withdraw_all(&site.studio, person, optional, means, signal).await?;
    Ok(onward(&format!("{HERE}#pictures")))
}

/// The settings with which the studio begins; `do=forget` for none.
pub(super) async fn settings(
    State(site): State<Site>,
    Asker(known): Asker,
    Signalled(signal): Signalled,
    sent: Sent,
) -> Result<Response, Shown> {
    let given = |name: &str| Some(sent.text(name)).filter(|text| !text.is_empty());
    let written = Written {
        model: sent.text("model").to_owned(),
        // Shapes of another model than the one that was chosen say nothing.
        size: match given("model").is_none_or(|model| model == sent.text("shown")) {
            true => sent.text("size").to_owned(),
            false => String::new(),
        },
        count: sent.text("count").to_owned(),
        quality: sent.text("quality").to_owned(),
        ..Written::default()
    };
    let chosen = match sent.text("do") {
        "forget" => Settings::default(),
        _ => Settings {
            model: given("model").map(ModelName::new),
            size: written.size.parse().ok(),
            count: given("count").and_then(|count| count.parse().ok()),
            quality: Quality::named(&written.quality),
        },
    };
    match beginning::save(&site.studio, known.person, &chosen).await {
        Ok(()) => Ok(onward(&format!("{HERE}#begin"))),
        Err(error) => {
            let problem = Problem::from(error);
            if problem.status.is_server_error() {
                return Err(problem.into());
            }
            match Texts::get().known(&problem.message) {
                Some(says) => page(&site, &known, signal, Some((written, says))).await,
                None => Err(problem.into()),
            }
        }
    }
}

/// The signed receipt of one decision, as a file.
pub(super) async fn fetch(
    State(site): State<Site>,
    Asker(known): Asker,
    Path(id): Path<String>,
) -> Result<Response, Shown> {
    let id = id.parse().map_err(|_| Problem::nothing())?;
    let signed = receipt::signed(&site.studio, known.person, id).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"pinhole-consent.json\"",
        ),
    ];
    Ok((headers, signed.ok_or_else(Problem::nothing)?).into_response())
}

/// How a decision of whoever asks comes.
pub(crate) const fn means(known: &Known) -> Means {
    match known.means {
        Asking::Local => Means::Local,
        Asking::Session { .. } => Means::Session,
        Asking::Key { .. } => Means::Key,
    }
}

pub(crate) fn problem(error: ConsentError) -> Problem {
    let message = error.to_string();
    let conflict = |code| Problem::new(StatusCode::CONFLICT, code, message.clone());
    match error {
        ConsentError::OtherWords => conflict("other_words"),
        ConsentError::NoAddress => conflict("no_address"),
        ConsentError::ByPicture => conflict("by_picture"),
        ConsentError::Private => conflict("private"),
        ConsentError::NoPicture => Problem::no_picture(),
        ConsentError::Restricted => Problem::new(StatusCode::FORBIDDEN, "restricted", message),
        ConsentError::Slow | ConsentError::TooMany => {
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_tries", message)
        }
        ConsentError::LinkEnded => Problem::new(StatusCode::GONE, "link_ended", message),
        ConsentError::Failure(failure) => failure.into(),
    }
}
