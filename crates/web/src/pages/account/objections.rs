//! What is done by somebody's interest, weighed in words, and objecting to it.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use studio::privacy::inventory::Purpose;
use studio::privacy::objection::{self, Balance, Effect, ObjectError, Objection};

use super::super::request_card;
use super::super::sent::Sent;
use super::super::{Frame, Shown, ok, onward};
use super::requests;
use crate::Site;
use crate::caller::Asker;
use crate::problem::Problem;
use crate::texts::Texts;

const HERE: &str = "/account/objections";

#[derive(Template)]
#[template(path = "account_objections.html")]
struct ObjectionsPage {
    t: &'static Texts,
    frame: Frame,
    tab: &'static str,
    objections: Vec<Objection>,
}

impl ObjectionsPage {
    fn weighed(&self) -> Vec<(Purpose, Balance)> {
        let all = Purpose::ALL.into_iter();
        all.filter_map(|purpose| Some((purpose, purpose.balance()?)))
            .collect()
    }

    /// What rests on something else, by what it rests on.
    fn others(&self) -> Vec<(Purpose, Vec<Purpose>)> {
        let all = Purpose::ALL.into_iter();
        let mut groups: Vec<(Purpose, Vec<Purpose>)> = Vec::new();
        for purpose in all.filter(|purpose| purpose.balance().is_none()) {
            let mut known = groups.iter_mut();
            match known.find(|(first, _)| first.basis() == purpose.basis()) {
                Some((_, purposes)) => purposes.push(purpose),
                None => groups.push((purpose, vec![purpose])),
            }
        }
        groups
    }

    /// `To give everybody their turn`
    fn heading(&self, purpose: &Purpose) -> String {
        self.t.objections.heading.fill(self.t.say(purpose.words()))
    }

    fn objection(&self, purpose: &Purpose) -> Option<&Objection> {
        self.objections.iter().find(|one| one.purpose == *purpose)
    }

    fn is_at_once(&self, balance: &Balance) -> bool {
        balance.effect == Effect::AtOnce
    }

    fn since(&self, one: &Objection) -> String {
        self.t.objections.since.fill(&self.t.exact(one.since))
    }

    fn stands(&self, one: &Objection) -> String {
        self.t
            .objections
            .weighed
            .fill(request_card::state(one.state))
    }
}

pub(super) async fn show(State(site): State<Site>, Asker(known): Asker) -> Result<Response, Shown> {
    Ok(ok(&ObjectionsPage {
        t: Texts::get(),
        frame: Frame::member("account"),
        tab: "data",
        objections: objection::of_person(&site.studio, known.person).await?,
    }))
}

/// `purpose`, with `why`, or with `do=withdraw`.
pub(super) async fn set(
    State(site): State<Site>,
    Asker(known): Asker,
    sent: Sent,
) -> Result<Response, Shown> {
    let purpose = Purpose::named(sent.text("purpose")).ok_or_else(Problem::nothing)?;
    let (studio, person) = (&site.studio, known.person);
    let done = match sent.text("do") {
        "withdraw" => objection::withdraw(studio, person, purpose).await,
        _ => {
            let by = requests::identity(&known);
            let asked = objection::object(studio, person, purpose, sent.text("why"), by).await;
            asked.map(|_| ())
        }
    };
    match done {
        Ok(()) | Err(ObjectError::Already | ObjectError::None) => Ok(onward(HERE)),
        Err(error) => Err(problem(error).into()),
    }
}

pub(crate) fn problem(error: ObjectError) -> Problem {
    let message = error.to_string();
    match error {
        ObjectError::NotByInterest(_) => {
            Problem::new(StatusCode::CONFLICT, "no_objection", message)
        }
        ObjectError::Already => Problem::new(StatusCode::CONFLICT, "objected_already", message),
        ObjectError::None => Problem::new(StatusCode::CONFLICT, "not_objected", message),
        ObjectError::Request(error) => requests::problem(error),
        ObjectError::Failure(failure) => failure.into(),
    }
}
