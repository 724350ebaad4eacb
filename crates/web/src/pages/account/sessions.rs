//! Where somebody is signed in.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use domain::ids::SessionId;
use studio::accounts::session::{self, By, Session};

use super::super::sent::Sent;
use super::super::{Shown, ok, onward};
use crate::Site;
use crate::caller::Member;
use crate::pages::Frame;
use crate::texts::Texts;

#[derive(Template)]
#[template(path = "account_sessions.html")]
struct SessionsPage {
    t: &'static Texts,
    frame: Frame,
    tab: &'static str,
    own: SessionId,
    sessions: Vec<Session>,
    now: domain::clock::Moment,
}

impl SessionsPage {
    fn when(&self, session: &Session) -> String {
        let words = &self.t.account;
        let (since, used) = (
            self.t.exact(session.created),
            self.t.ago(session.used, self.now),
        );
        words.session_when.fill_two(&since, &used)
    }

    fn by(&self, session: &Session) -> String {
        let words = &self.t.account;
        match &session.by {
            By::Password => words.session_by_password.clone(),
            By::Passkey(Some(name)) => words.session_by_passkey.fill(name),
            By::Passkey(None) => words.session_by_removed.clone(),
        }
    }
}

pub(super) async fn list(State(site): State<Site>, member: Member) -> Result<Response, Shown> {
    Ok(ok(&SessionsPage {
        t: Texts::get(),
        frame: Frame::member("account"),
        tab: "sessions",
        own: member.session,
        sessions: session::list(&site.studio, member.known.person).await?,
        now: site.studio.clock.now(),
    }))
}

/// `session=ses_…` ends one; `others=1` ends all but this one.
pub(super) async fn end(
    State(site): State<Site>,
    member: Member,
    sent: Sent,
) -> Result<Response, Shown> {
    let person = member.known.person;
    if sent.is_checked("others") {
        session::end_others(&site.studio, person, member.session).await?;
    } else if let Ok(id) = sent.text("session").parse::<SessionId>() {
        session::end(&site.studio, person, id).await?;
    }
    Ok(onward("/account/sessions"))
}
