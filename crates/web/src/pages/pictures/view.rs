//! One picture with everything about it.

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use domain::clock::Moment;
use domain::credits::Credits;
use domain::ids::PictureId;
use domain::model::{ModelCard, Place};
use domain::picture::{Background, Format};
use studio::accounts::Means;
use studio::jobs::{self, Job};
use studio::pictures::{self, Kind, Picture};
use studio::privacy::consent::{self, Optional, Standing, Subject, Verdict};
use studio::privacy::keeping::Keep;
use studio::{Studio, order, routing};

use super::super::account::{consent_means, consent_problem, consent_read};
use super::super::credits::Purse;
use super::super::draw::VARIATIONS;
use super::super::sent::Sent;
use super::super::{Frame, Shown, ok, onward, wants_part};
use super::keeping::{self, Choice};
use crate::api::content_path;
use crate::caller::{Asker, Signalled};
use crate::problem::Problem;
use crate::texts::Texts;
use crate::when;

/// What the address of a page says on which these choices are open.
const ASKED: &str = "consent";

#[derive(Template)]
#[template(path = "picture.html")]
struct PicturePage {
    t: &'static Texts,
    frame: Frame,
    view: PictureView,
}

/// The picture with everything about it: a page, or what the light box shows.
#[derive(Template)]
#[template(path = "picture_view.html")]
struct PictureView {
    t: &'static Texts,
    picture: Picture,
    job: Job,
    now: Moment,
    /// The model's card; absent where the model is gone.
    card: Option<ModelCard>,
    /// What its order would cost again, and what its variations; absent where nothing is metered.
    again: Option<Credits>,
    vary: Option<Credits>,
    /// What can be agreed to about this one; empty in a house without others.
    consents: Vec<Standing>,
    /// Somebody came for these.
    is_asked: bool,
}

impl PictureView {
    fn content(&self) -> String {
        content_path(self.picture.id)
    }

    fn formats(&self) -> [Format; 3] {
        Format::ALL
    }

    fn label(&self, format: &Format) -> &'static str {
        match format {
            Format::Png => "PNG",
            Format::Jpeg => "JPEG",
            Format::Webp => "WebP",
        }
    }

    fn kilobytes(&self) -> String {
        self.t
            .picture
            .kilobytes
            .fill(&self.picture.size_bytes.div_ceil(1000))
    }

    /// `Draw again · 4 credits`
    fn again_label(&self) -> String {
        let label = &self.t.picture.again;
        match self.again {
            Some(cost) => self
                .t
                .credits
                .button
                .fill_all(&[label, &self.t.credits(cost)]),
            None => label.clone(),
        }
    }

    /// `Variations · 4 credits`
    fn vary_label(&self) -> String {
        let label = &self.t.picture.vary;
        match self.vary {
            Some(cost) => self
                .t
                .credits
                .button
                .fill_all(&[label, &self.t.credits(cost)]),
            None => label.clone(),
        }
    }

    /// Whether it can be varied: its model is here, and it is not too far from its first ancestor.
    fn can_vary(&self) -> bool {
        self.card.is_some() && self.job.ancestors.len() < order::MAX_ANCESTORS
    }

    fn model(&self) -> String {
        let card = self.card.as_ref();
        card.map_or_else(|| self.picture.model.to_string(), |card| card.title.clone())
    }

    /// Where it was drawn.
    fn place(&self) -> Option<String> {
        let words = &self.t.about;
        Some(match &self.card.as_ref()?.place {
            Place::Here => words.place_here.clone(),
            Place::Provider { name, country } => words.place_provider.fill_two(name, country),
        })
    }

    /// Absent where the model takes none.
    fn guidance(&self) -> Option<f32> {
        self.card.as_ref()?.guidance.map(|_| self.job.guidance)
    }

    fn exact(&self) -> String {
        self.t.exact(self.picture.created)
    }

    fn iso(&self) -> String {
        when::iso(self.picture.created)
    }

    fn end(&self) -> Option<(String, String, String)> {
        let end = self.picture.ends?;
        let left = (end.as_millis() - self.now.as_millis()).max(0);
        let left = self.t.left(left.unsigned_abs());
        Some((when::iso(end), self.t.exact(end), left))
    }

    fn is_on(&self, one: &Standing) -> bool {
        one.verdict() == Some(Verdict::Given)
    }

    fn stands(&self, one: &Standing) -> String {
        let words = &self.t.consents;
        match &one.newest {
            Some(newest) if self.is_on(one) => words.on.fill(&self.t.exact(newest.when)),
            Some(newest) if one.is_outdated() => words.outdated.fill(&self.t.exact(newest.when)),
            Some(_) | None => words.off.clone(),
        }
    }

    /// The title and the text that it is asked with.
    fn words(&self, optional: &Optional) -> (&'static str, &'static str) {
        optional.edition().words(self.t.tongue())
    }

    fn ways(&self) -> Vec<Choice> {
        keeping::choices(self.t, self.keep())
    }

    /// As it was ordered, unless that was changed since.
    fn keep(&self) -> Keep {
        match self.picture.ends {
            None => Keep::UntilDeleted,
            Some(_) => self.job.keep,
        }
    }
}

pub(in crate::pages) async fn show(
    State(studio): State<Studio>,
    Asker(known): Asker,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Shown> {
    let person = known.person;
    let id: PictureId = id.parse().map_err(|_| Problem::no_picture())?;
    let picture = pictures::find(&studio, person, id)
        .await?
        .ok_or_else(Problem::no_picture)?;
    let job = jobs::find(&studio, person, picture.job)
        .await?
        .ok_or_else(Problem::no_picture)?;
    let purse = Purse::of(&studio, person).await?;
    let purse = purse.as_ref();
    let consents = match known.means {
        // There is nobody to show anything to.
        Means::Local => Vec::new(),
        // An organisation agrees to nothing.
        _ if known.organisation().is_some() => Vec::new(),
        Means::Session { .. } | Means::Key { .. } => {
            consent::of_picture(&studio, person, id).await?
        }
    };
    let view = PictureView {
        t: Texts::get(),
        again: purse.and_then(|purse| purse.again(&studio, &job)),
        vary: purse.and_then(|purse| purse.of_pictures(&studio, &job, VARIATIONS)),
        card: routing::route(&studio, Some(&job.model)).map(|(_, card)| card),
        now: studio.clock.now(),
        picture,
        job,
        consents,
        is_asked: query.is_some_and(|query| query == ASKED),
    };
    if wants_part(&headers) {
        return Ok(ok(&view));
    }
    Ok(ok(&PicturePage {
        t: Texts::get(),
        frame: Frame::member("pictures"),
        view,
    }))
}

/// `purpose`, the `version` of the words that were read, and the `answer`, yes or no, about this one picture.
pub(in crate::pages) async fn consent(
    State(studio): State<Studio>,
    Asker(known): Asker,
    Signalled(signal): Signalled,
    Path(id): Path<String>,
    sent: Sent,
) -> Result<Response, Shown> {
    let id: PictureId = id.parse().map_err(|_| Problem::no_picture())?;
    let optional = Optional::named(sent.text("purpose")).filter(|one| one.is_by_picture());
    let about = Subject::picture(optional.ok_or_else(Problem::nothing)?, id);
    let (person, means) = (known.person, consent_means(&known));
    match sent.text("answer") {
        "yes" => {
            consent::give(&studio, person, about, consent_read(&sent), means, signal)
                .await
                .map_err(consent_problem)?;
        }
        "no" => consent::withdraw(&studio, person, about, means, signal).await?,
        _ => return Err(Problem::nothing().into()),
    }
    Ok(onward(&format!("/pictures/{id}?{ASKED}#consent")))
}
