//! Everything that is kept of somebody: counted, explained, and to be taken along.

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::TryStreamExt;
use serde_json::json;
use studio::privacy::access::{self, Holding};
use studio::privacy::log::{self, Event, Kind};
use studio::privacy::notice;

use super::super::{Frame, Shown, ok};
use super::confirm;
use crate::Site;
use crate::caller::Member;
use crate::texts::Texts;

#[derive(Template)]
#[template(path = "account_data.html")]
struct DataPage {
    t: &'static Texts,
    frame: Frame,
    tab: &'static str,
    holdings: Vec<Holding>,
}

impl DataPage {
    fn count(&self, holding: &Holding) -> String {
        match u32::try_from(holding.rows) {
            Ok(0) => self.t.account.data_nothing.clone(),
            Ok(rows) => self.t.account.data_rows.of(rows),
            Err(_) => holding.rows.to_string(),
        }
    }

    /// Everything that a row says, in words.
    fn says(&self, holding: &Holding) -> String {
        let words: Vec<&str> = holding.table.data().map(|(_, datum)| datum.what).collect();
        words.join("; ")
    }

    fn kept(&self, holding: &Holding) -> String {
        notice::kept_in_words(holding.table.kept)
    }
}

pub(super) async fn show(State(site): State<Site>, member: Member) -> Result<Response, Shown> {
    Ok(ok(&DataPage {
        t: Texts::get(),
        frame: Frame::member("account"),
        tab: "data",
        holdings: access::holdings(&site.studio, member.known.person).await?,
    }))
}

/// Whoever finds a browser open must not take all of it along: the person proves who they are.
pub(super) async fn archive(State(site): State<Site>, member: Member) -> Result<Response, Shown> {
    if let Some(first) = confirm::first(&site, &member, "/account/data") {
        return Ok(first);
    }
    let event = Event {
        kind: Kind::TakenAlong,
        person: Some(member.known.person),
        what: json!({ "as": "archive" }),
    };
    log::note_alone(&site.studio, &event).await?;
    let parts = access::archive(site.studio.clone(), member.known.person);
    let parts = parts.inspect_err(|error| tracing::error!(%error, "an archive broke off"));
    let headers = [
        (header::CONTENT_TYPE, "application/zip"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"pinhole-data.zip\"",
        ),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::from_stream(parts)).into_response())
}
