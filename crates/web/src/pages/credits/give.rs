//! Credits that an operator gives, and the books at a glance.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::clock::Moment;
use domain::credits::Credits;
use domain::ids::{GrantId, PersonId};
use domain::personal::Address;
use domain::role::Role;
use studio::Studio;
use studio::accounts::person;
use studio::credits::grants::{self, Gift, GrantError, NewGrant};
use studio::credits::ledger::{self, House};
use studio::privacy::looking::Staff;

use super::super::desk::{self, Tab};
use super::super::sent::Sent;
use super::super::{Shown, onward, render};
use crate::caller::Asker;
use crate::pages::Frame;
use crate::texts::Texts;
use crate::when;

const GIFTS_SHOWN: u32 = 50;

/// A field that is wrong, and what to do.
type Mistake = (&'static str, String);

#[derive(Template)]
#[template(path = "grants.html")]
struct GrantsPage {
    t: &'static Texts,
    frame: Frame,
    tabs: Vec<Tab>,
    /// Names the grant to be, so that a form that is sent twice gives once.
    id: GrantId,
    address: String,
    credits: String,
    reason: String,
    until: String,
    mistake: Option<Mistake>,
    is_given: bool,
    gifts: Vec<Gift>,
    house: House,
}

impl GrantsPage {
    fn is_wrong(&self, field: &str) -> bool {
        let wrong = self.mistake.as_ref();
        wrong.is_some_and(|(wrong, _)| *wrong == field)
    }

    fn whose<'a>(&'a self, gift: &'a Gift) -> &'a str {
        let address = gift.address.as_ref();
        address.map_or(&self.t.grants.nobody, |address| address.expose())
    }

    fn more(&self, gift: &Gift) -> String {
        let left = self
            .t
            .grants
            .left
            .fill(&self.t.number(gift.grant.remaining));
        match gift.grant.ends {
            Some(ends) => format!(
                "{left}, {}",
                self.t.credits.until.fill(&self.t.last_day(ends))
            ),
            None => left,
        }
    }

    fn iso(&self, at: &Moment) -> String {
        when::iso(*at)
    }

    fn exact(&self, at: &Moment) -> String {
        self.t.exact(*at)
    }

    /// Each account of the house, and what is in it.
    fn accounts(&self) -> [(&str, Credits); 5] {
        let words = &self.t.grants;
        let house = self.house;
        [
            (&words.issued, -house.issued),
            (&words.available, house.available),
            (&words.held, house.held),
            (&words.revenue, house.revenue),
            (&words.expired, house.expired),
        ]
    }
}

async fn page(
    studio: &Studio,
    staff: &Staff,
    sent: Option<&Sent>,
    mistake: Option<Mistake>,
    is_given: bool,
) -> Result<Response, Shown> {
    let text = |name| sent.map_or_else(String::new, |sent| sent.text(name).to_owned());
    let status = if mistake.is_some() {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::OK
    };
    let page = GrantsPage {
        t: Texts::get(),
        frame: Frame::member("desk"),
        // The page is the operator's.
        tabs: desk::tabs(Role::Operator, "/credits/grants"),
        id: text("id").parse().unwrap_or_else(|_| fresh(studio)),
        address: text("address"),
        credits: text("credits"),
        reason: text("reason"),
        until: text("until"),
        mistake,
        is_given,
        gifts: desk::or_asked(
            grants::gifts(studio, staff, GIFTS_SHOWN).await,
            "/credits/grants",
        )?,
        house: ledger::house(studio).await?,
    };
    Ok(render(status, &page))
}

fn fresh(studio: &Studio) -> GrantId {
    GrantId::new(studio.clock.now(), &studio.randomness)
}

pub(super) async fn show(
    State(studio): State<Studio>,
    Asker(known): Asker,
    RawQuery(query): RawQuery,
) -> Result<Response, Shown> {
    let staff = Staff::on_page(&known);
    page(
        &studio,
        &staff,
        None,
        None,
        query.as_deref() == Some("given"),
    )
    .await
}

pub(super) async fn give(
    State(studio): State<Studio>,
    Asker(known): Asker,
    sent: Sent,
) -> Result<Response, Shown> {
    let mistake = match read(&studio, &sent).await? {
        Err(mistake) => mistake,
        Ok((person, grant)) => {
            let error = match grants::give(&studio, person, &grant, Some(known.person)).await {
                Ok(()) => return Ok(onward("/credits/grants?given")),
                Err(GrantError::Failure(failure)) => return Err(failure.into()),
                Err(error) => error,
            };
            let field = match error {
                GrantError::Reason => "reason",
                GrantError::Ended => "until",
                GrantError::NoAccount => "address",
                _ => "credits",
            };
            (field, error.to_string())
        }
    };
    let staff = Staff::on_page(&known);
    page(&studio, &staff, Some(&sent), Some(mistake), false).await
}

/// Whom to give what.
async fn read(
    studio: &Studio,
    sent: &Sent,
) -> Result<Result<(PersonId, NewGrant), Mistake>, Shown> {
    let address = match Address::new(sent.text("address")) {
        Ok(address) => address,
        Err(bad) => return Ok(Err(("address", bad.to_string()))),
    };
    let Some(person) = person::id_by_address(studio, &address).await? else {
        let message = Texts::get().grants.no_account.clone();
        return Ok(Err(("address", message)));
    };
    let Ok(credits) = sent.text("credits").parse() else {
        return Ok(Err(("credits", GrantError::Credits.to_string())));
    };
    let ends = match sent.text("until") {
        "" => None,
        day => match Moment::end_of_day(day) {
            Ok(ends) => Some(ends),
            Err(bad) => return Ok(Err(("until", bad.to_string()))),
        },
    };
    let grant = NewGrant {
        id: sent.text("id").parse().unwrap_or_else(|_| fresh(studio)),
        credits,
        reason: sent.text("reason").to_owned(),
        ends,
    };
    Ok(Ok((person, grant)))
}
