//! The outbox, for the operator: where no mail is set up, letters are read here and handed on.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use studio::letters::{self, LetterState, Posted};
use studio::privacy::looking::Staff;

use super::desk::{self, Tab};
use super::{Shown, ok};
use crate::Site;
use crate::api::Origin;
use crate::caller::Asker;
use crate::letters::{Written, write};
use crate::pages::Frame;
use crate::texts::Texts;

const LETTERS: u32 = 100;

#[derive(Template)]
#[template(path = "letters.html")]
struct LettersPage {
    t: &'static Texts,
    frame: Frame,
    tabs: Vec<Tab>,
    letters: Vec<(Posted, Option<Written>)>,
    now: domain::clock::Moment,
}

impl LettersPage {
    fn state(&self, letter: &Posted) -> &str {
        let words = &self.t.letters;
        match letter.state {
            LetterState::Waiting => &words.waiting,
            LetterState::Sent => &words.sent,
            LetterState::Failed => &words.failed,
        }
    }
}

pub(super) async fn list(
    State(site): State<Site>,
    Asker(known): Asker,
    origin: Origin,
) -> Result<Response, Shown> {
    let staff = Staff::on_page(&known);
    let posted = letters::recent(&site.studio, &staff, LETTERS).await;
    let posted = desk::or_asked(posted, "/letters")?;
    let home = origin.url("");
    let letters = posted.into_iter().map(|posted| {
        let written = posted.letter.as_ref().map(|letter| write(letter, &home));
        (posted, written)
    });
    Ok(ok(&LettersPage {
        t: Texts::get(),
        frame: Frame::member("desk"),
        tabs: desk::tabs(known.role, "/letters"),
        letters: letters.collect(),
        now: site.studio.clock.now(),
    }))
}
