//! What the house has to tell a person, and that they read it.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use studio::privacy::policies::{self, Told};

use super::super::policies::in_words;
use super::super::sent::Sent;
use super::super::{Frame, Shown, ok, onward};
use crate::Site;
use crate::caller::Caller;
use crate::texts::Texts;
use studio::terms;

#[derive(Template)]
#[template(path = "account_notices.html")]
struct NoticesPage {
    t: &'static Texts,
    frame: Frame,
    tab: &'static str,
    notices: Vec<Notice>,
    terms: Vec<Changed>,
}

/// Terms that the person was told of.
struct Changed {
    number: i64,
    title: String,
    holds: String,
    told: String,
    says: String,
}

struct Notice {
    number: i64,
    title: String,
    holds: String,
    waits: bool,
    told: String,
    changes: Vec<String>,
    was_read: Option<String>,
}

pub(super) async fn show(
    State(site): State<Site>,
    Caller(person): Caller,
) -> Result<Response, Shown> {
    let t = Texts::get();
    let now = site.studio.clock.now();
    let told = policies::of_person(&site.studio, person).await?;
    let notice = |one: Told| {
        let waits = one.head.effective > now;
        let day = t.exact(one.head.effective);
        Notice {
            number: one.head.number,
            title: t.policies.version.fill(&one.head.number),
            holds: match waits {
                true => t.notices.from.fill(&day),
                false => t.notices.since.fill(&day),
            },
            waits,
            told: t.notices.told.fill(&t.exact(one.told)),
            changes: in_words(&one.head.changes, usize::MAX),
            was_read: one
                .acknowledged
                .map(|when| t.notices.was_read.fill(&t.exact(when))),
        }
    };
    let changed = terms::told(&site.studio, person).await?;
    let changed = changed.into_iter().map(|one| Changed {
        number: one.head.number,
        title: t.terms.version.fill(&one.head.number),
        holds: match one.head.effective > now {
            true => t.notices.from.fill(&t.exact(one.head.effective)),
            false => t.notices.since.fill(&t.exact(one.head.effective)),
        },
        told: t.notices.told.fill(&t.exact(one.told)),
        says: one.head.summary,
    });
    Ok(ok(&NoticesPage {
        t,
        frame: Frame::member("account"),
        tab: "notices",
        terms: changed.collect(),
        notices: told.into_iter().map(notice).collect(),
    }))
}

pub(super) async fn read(
    State(site): State<Site>,
    Caller(person): Caller,
    sent: Sent,
) -> Result<Response, Shown> {
    let number = sent.text("policy").parse().unwrap_or(0);
    policies::acknowledge(&site.studio, person, number).await?;
    Ok(onward("/account/notices"))
}
