//! Everybody to whom something can leave this house.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use domain::language::Language;
use studio::privacy::recipients;

use super::super::{Frame, Shown, ok};
use super::{Tab, tabs};
use crate::Site;
use crate::caller::Asker;
use crate::texts::Texts;

#[derive(Template)]
#[template(path = "desk_recipients.html")]
struct RecipientsPage {
    t: &'static Texts,
    frame: Frame,
    tabs: Vec<Tab>,
    entries: Vec<(&'static str, Vec<(&'static str, String)>)>,
}

pub(super) async fn show(State(site): State<Site>, Asker(known): Asker) -> Result<Response, Shown> {
    let entries = recipients::entries(&site.studio.recipients);
    let entries = entries
        .iter()
        .map(|one| (one.declared.who, one.lines(Language::English)));
    Ok(ok(&RecipientsPage {
        t: Texts::get(),
        frame: Frame::member("desk"),
        tabs: tabs(known.role, "/desk/recipients"),
        entries: entries.collect(),
    }))
}
