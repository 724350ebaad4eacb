//! Everything that is kept of somebody: counted, explained, and to be taken along.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use studio::privacy::access::{self, Holding};
use studio::privacy::consent::{self, Verdict};
use studio::privacy::correction::{self, Way};
use studio::privacy::export::{self, By};
use studio::privacy::holds::{self, Hold};
use studio::privacy::inventory::Holds;
use studio::privacy::recipients::Used;
use studio::privacy::requests::{self, Request, State as Progress};
use studio::privacy::restriction::Mode;
use studio::privacy::{notice, objection, recipients};

use super::super::{Frame, Shown, ok, onward};
use super::confirm;
use crate::Site;
use crate::api::fetched;
use crate::caller::Member;
use crate::texts::Texts;

#[derive(Template)]
#[template(path = "account_data.html")]
struct DataPage {
    t: &'static Texts,
    frame: Frame,
    tab: &'static str,
    holdings: Vec<Holding>,
    is_restricted: bool,
    objections: usize,
    agreed: usize,
    open_requests: usize,
    /// What a law or a court wants kept, as far as it may be told.
    holds: Vec<Hold>,
    /// Who else got something, and what.
    recipients: Vec<(String, String)>,
}

impl DataPage {
    fn kinds(&self) -> String {
        let there = self.holdings.iter().filter(|holding| holding.rows > 0);
        self.t.rights.rows.fill(&there.count())
    }

    fn objects(&self) -> Option<String> {
        let count = self.objections;
        (count > 0).then(|| self.t.rights.objects.fill(&count))
    }

    fn agrees(&self) -> String {
        self.t.rights.agreed.fill(&self.agreed)
    }

    fn open(&self) -> String {
        self.t.rights.open.fill(&self.open_requests)
    }

    /// What the person entered, grouped by how it is corrected.
    fn corrected(&self, holding: &Holding) -> Vec<(String, Way)> {
        let mut ways: Vec<(String, Way)> = Vec::new();
        for column in holding.table.columns {
            let (Some(way), Holds::Datum(datum)) =
                (correction::way(holding.table, column), column.holds)
            else {
                continue;
            };
            match ways.iter_mut().find(|(_, known)| *known == way) {
                Some((words, _)) => {
                    words.push_str("; ");
                    words.push_str(self.t.say(datum.what));
                }
                None => ways.push((self.t.say(datum.what).to_owned(), way)),
            }
        }
        ways
    }

    fn count(&self, holding: &Holding) -> String {
        match u32::try_from(holding.rows) {
            Ok(0) => self.t.account.data_nothing.clone(),
            Ok(rows) => self.t.account.data_rows.of(rows),
            Err(_) => holding.rows.to_string(),
        }
    }

    /// Everything that a row says, in words.
    fn says(&self, holding: &Holding) -> String {
        let data = holding.table.data();
        let words: Vec<&str> = data.map(|(_, datum)| self.t.say(datum.what)).collect();
        words.join("; ")
    }

    fn held(&self, hold: &Hold) -> String {
        let until = self.t.exact(hold.ends);
        let says = &self.t.account.hold;
        let why = match &hold.law {
            Some(law) => format!("{law}; {}", hold.reason),
            None => hold.reason.clone(),
        };
        says.fill_all(&[&until, self.t.say(hold.class.words()), &why])
    }

    fn kept(&self, holding: &Holding) -> String {
        notice::kept_in_words(self.t.tongue(), holding.table.kept)
    }
}

pub(super) async fn show(State(site): State<Site>, member: Member) -> Result<Response, Shown> {
    let (studio, person) = (&site.studio, member.known.person);
    let requests = requests::of_person(studio, person).await?;
    let is_open = |request: &&Request| request.state == Progress::Open;
    let letters = recipients::letters_offered(studio, person).await?;
    let used = recipients::used(Texts::get().tongue(), &studio.recipients, letters).into_iter();
    Ok(ok(&DataPage {
        recipients: used.map(|used| (named(&used), used.says)).collect(),
        is_restricted: member.known.mode != Mode::Open,
        objections: objection::of_person(studio, person).await?.len(),
        agreed: consent::of_person(studio, person)
            .await?
            .iter()
            .filter(|one| one.verdict() == Some(Verdict::Given))
            .count(),
        open_requests: requests.iter().filter(is_open).count(),
        t: Texts::get(),
        frame: Frame::member("account"),
        tab: "data",
        holdings: access::holdings(studio, person).await?,
        holds: holds::told(studio, person).await?,
    }))
}

/// `The mail server (Example Post)`
fn named(used: &Used<'_>) -> String {
    let stated = used.entry.recipient.map(|who| {
        let name = who.stated().name.as_deref();
        name.unwrap_or_else(|| who.host()).to_owned()
    });
    format!(
        "{} ({})",
        Texts::get().say(used.entry.declared.who),
        stated.unwrap_or_default()
    )
}

/// Whoever finds a browser open must not take all of it along: the person proves who they are. The
/// archive has an address of its own, which no page shows, so that a download can be taken up again.
pub(super) async fn take(State(site): State<Site>, member: Member) -> Result<Response, Shown> {
    if let Some(first) = confirm::first(&site, &member, "/account/data") {
        return Ok(first);
    }
    let made = export::begin(&site.studio, member.known.person, By::Session).await?;
    Ok(onward(&format!("/account/data/export/{}", made.id)))
}

pub(super) async fn fetch(
    State(site): State<Site>,
    member: Member,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Shown> {
    Ok(fetched(&site.studio, member.known.person, &id, &headers).await?)
}
