//! A request as whoever made it sees it.

use askama::Template;
use domain::clock::Moment;
use studio::Studio;
use studio::privacy::authorities::{self, Authority};
use studio::privacy::requests::{self, Asked, Identity, Request, State};

use crate::texts::Texts;

#[derive(Template)]
#[template(path = "request_card.html")]
pub(super) struct RequestCard {
    t: &'static Texts,
    request: Request,
    /// Where the signed status is.
    signed: String,
    is_signed_in: bool,
}

impl RequestCard {
    pub(super) fn new(studio: &Studio, request: Request, is_signed_in: bool) -> Self {
        let reference = requests::reference(studio, request.id);
        Self {
            t: Texts::get(),
            signed: format!("/privacy/request/{reference}.json"),
            request,
            is_signed_in,
        }
    }

    fn asked(&self) -> &'static str {
        asked(self.request.asked)
    }

    fn state(&self) -> &'static str {
        state(self.request.state)
    }

    fn is_refused(&self) -> bool {
        self.request.state == State::Refused
    }

    fn may_withdraw(&self) -> bool {
        self.is_signed_in && self.request.state == State::Open
    }

    fn authority(&self) -> Option<&'static Authority> {
        self.request.country.as_deref().and_then(authorities::of)
    }

    fn received(&self) -> String {
        let on = self.t.exact(self.request.received);
        self.t.requests.received.fill(&on)
    }

    fn due(&self) -> String {
        let day = self.t.last_day(self.request.due);
        let words = &self.t.requests;
        match self.request.ended {
            None => words.due.fill(&day),
            Some(_) => words.was_due.fill(&day),
        }
    }

    fn ended(&self) -> Option<String> {
        let say = |ended: Moment| self.t.requests.ended.fill(&self.t.exact(ended));
        self.request.ended.map(say)
    }

    fn how(&self) -> &'static str {
        let words = &self.t.requests;
        match self.request.identity {
            Identity::Session => &words.by_session,
            Identity::Key => &words.by_key,
            Identity::Local => &words.by_local,
            Identity::Mailbox => &words.by_mailbox,
            Identity::Operator => &words.by_operator,
            Identity::Unproven => &words.by_unproven,
        }
    }
}

pub(super) fn state(state: State) -> &'static str {
    let words = &Texts::get().requests;
    match state {
        State::Open => &words.state_open,
        State::Answered => &words.state_answered,
        State::Refused => &words.state_refused,
        State::Withdrawn => &words.state_withdrawn,
    }
}

pub(super) fn asked(asked: Asked) -> &'static str {
    let words = &Texts::get().requests;
    match asked {
        Asked::Access => &words.asked_access,
        Asked::Correct => &words.asked_correct,
        Asked::Erase => &words.asked_erase,
        Asked::Restrict => &words.asked_restrict,
        Asked::Object => &words.asked_object,
        Asked::Portability => &words.asked_portability,
        Asked::Complaint => &words.asked_complaint,
        Asked::Other => &words.asked_other,
    }
}

/// What a form offers, by name and in words.
pub(super) fn kinds() -> Vec<(&'static str, &'static str)> {
    Asked::ALL.map(|one| (one.name(), asked(one))).into()
}
