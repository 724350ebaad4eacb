//! How long pictures are kept: one, or all from now on.

use axum::extract::{Path, State};
use axum::response::Response;
use domain::ids::PictureId;
use studio::Studio;
use studio::privacy::keeping::{self, Keep};

use super::super::sent::Sent;
use super::super::{Shown, onward};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::texts::Texts;

const DAY_S: i64 = 24 * 60 * 60;
/// Days that the pages offer; the API takes any time.
const DAYS: [u32; 5] = [1, 7, 30, 90, 365];

/// One way to keep pictures.
pub(super) struct Choice {
    /// Days; empty until they are deleted.
    pub(super) value: String,
    pub(super) label: String,
    pub(super) chosen: bool,
}

/// `chosen` is offered as well where it is another.
pub(super) fn choices(t: &Texts, chosen: Keep) -> Vec<Choice> {
    let ways = std::iter::once(None).chain(DAYS.into_iter().map(Some));
    let mut choices: Vec<Choice> = ways
        .map(|days| Choice {
            value: days.map_or_else(String::new, |days| days.to_string()),
            label: match days {
                None => t.pictures.kept_until_deleted.clone(),
                Some(days) => t.pictures.kept_days.of(days),
            },
            chosen: chosen == days.map_or(Keep::UntilDeleted, of_days),
        })
        .collect();
    if let Keep::For(ms) = chosen
        && !choices.iter().any(|choice| choice.chosen)
    {
        let millis = ms.unsigned_abs();
        choices.push(Choice {
            value: format!("{}s", ms / 1_000),
            label: t.left(millis),
            chosen: true,
        });
    }
    choices
}

fn of_days(days: u32) -> Keep {
    Keep::seconds(i64::from(days) * DAY_S).unwrap_or(Keep::UntilDeleted)
}

fn read(sent: &Sent) -> Result<Keep, Problem> {
    let wrong = || {
        let message = "Choose for how long: one of those that are offered.";
        Problem::field("kept", "invalid_value", message)
    };
    let text = sent.text("kept");
    if text.is_empty() {
        return Ok(Keep::UntilDeleted);
    }
    let seconds = match text.strip_suffix('s') {
        Some(seconds) => seconds.parse().ok(),
        None => text
            .parse::<i64>()
            .ok()
            .and_then(|days| days.checked_mul(DAY_S)),
    };
    let bad = |bad: keeping::BadTime| Problem::field("kept", "invalid_value", bad.to_string());
    Keep::seconds(seconds.ok_or_else(wrong)?).map_err(bad)
}

/// For what is ordered from now on, and where that is ticked, for what is there as well.
pub(in crate::pages) async fn choose(
    State(studio): State<Studio>,
    Caller(person): Caller,
    sent: Sent,
) -> Result<Response, Shown> {
    let keep = read(&sent)?;
    if sent.is_checked("all") {
        keeping::choose_for_all(&studio, person, keep).await?;
    } else {
        keeping::choose(&studio, person, keep).await?;
    }
    Ok(onward("/pictures#keeping"))
}

/// For one picture, counted from now.
pub(in crate::pages) async fn choose_one(
    State(studio): State<Studio>,
    Caller(person): Caller,
    Path(id): Path<String>,
    sent: Sent,
) -> Result<Response, Shown> {
    let id: PictureId = id.parse().map_err(|_| Problem::no_picture())?;
    let keep = read(&sent)?;
    if keeping::choose_for(&studio, person, &[id], keep).await? == 0 {
        return Err(Problem::no_picture().into());
    }
    Ok(onward(&format!("/pictures/{id}")))
}
