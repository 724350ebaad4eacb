//! Has everything forgotten that was ordered, or the whole account: what goes and what stays is shown
//! first, and nothing goes before the person has typed that it shall.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use studio::accounts::{Known, Means};
use studio::privacy::erasure::{self, AskedBy, EraseError, Fate, Part, Plan, Scope};
use studio::privacy::inventory::{Erased, Kept, TABLES, Table};
use studio::privacy::notice::kept_in_words;

use super::super::sent::Sent;
use super::super::{Frame, Shown, onward, render};
use super::confirm;
use crate::Site;
use crate::caller::Asker;
use crate::cookies::{self, Cookie};
use crate::problem::Problem;
use crate::texts::Texts;

const HERE: &str = "/account/delete";

#[derive(Template)]
#[template(path = "account_delete.html")]
struct DeletePage {
    t: &'static Texts,
    frame: Frame,
    tab: &'static str,
    history: Plan,
    /// Absent in a house without accounts.
    account: Option<Plan>,
    mistake: Option<(Scope, String)>,
}

impl DeletePage {
    fn files(&self, plan: &Plan) -> String {
        files(self.t, plan.files, plan.file_bytes)
    }

    fn rows(&self, part: &Part) -> String {
        let rows = u32::try_from(part.rows).unwrap_or(u32::MAX);
        self.t.forget.rows.of(rows)
    }

    fn credits(&self, plan: &Plan) -> Option<String> {
        let left = plan.credits.filter(|left| *left > 0)?;
        let amount = self.t.credits(domain::credits::Credits::new(left));
        Some(self.t.forget.credits_end.fill(&amount))
    }

    /// What goes, where there is some of it.
    fn goes<'a>(&self, plan: &'a Plan) -> Vec<&'a Part> {
        plan.that(Fate::Deleted)
            .filter(|part| part.rows > 0)
            .collect()
    }

    /// What stays, by why it does.
    fn stays<'a>(&self, plan: &'a Plan) -> Vec<(String, Vec<&'a Part>)> {
        let mut stays: Vec<(String, Vec<&Part>)> = Vec::new();
        for part in plan.parts.iter() {
            if part.fate == Fate::Deleted || part.rows == 0 {
                continue;
            }
            let why = why(part);
            match stays.iter_mut().find(|(known, _)| *known == why) {
                Some((_, parts)) => parts.push(part),
                None => stays.push((why, vec![part])),
            }
        }
        stays
    }

    fn is_empty(&self) -> bool {
        self.history.that(Fate::Deleted).all(|part| part.rows == 0)
    }

    fn mistake(&self, scope: &str) -> Option<&str> {
        let (wrong, says) = self.mistake.as_ref()?;
        (wrong.name() == scope).then_some(says.as_str())
    }
}

/// `12 files, 3.4 MB`
pub(crate) fn files(t: &Texts, files: u64, bytes: u64) -> String {
    let count = t.forget.files.of(u32::try_from(files).unwrap_or(u32::MAX));
    if bytes == 0 {
        return count;
    }
    t.forget.files_size.fill_two(&count, &size(bytes))
}

/// `3.4 MB`
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let mut tenths = bytes.div_ceil(100);
    let mut unit = 0;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths = tenths.div_ceil(1000);
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

fn table(part: &Part) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == part.table)
}

/// Why something stays, and until when.
fn why(part: &Part) -> String {
    table(part).map_or_else(String::new, |table| {
        let t = Texts::get();
        let words = &t.forget;
        match table.erased {
            Erased::Severed(_) if table.kept == Kept::Books => words.books_stay.clone(),
            Erased::Severed(_) => words.log_stays.clone(),
            Erased::Owed(_) => words
                .invoices_stay
                .fill(&kept_in_words(t.tongue(), table.kept)),
            _ => words
                .receipts_stay
                .fill(&kept_in_words(t.tongue(), table.kept)),
        }
    })
}

async fn page(
    site: &Site,
    known: &Known,
    mistake: Option<(Scope, String)>,
) -> Result<Response, Shown> {
    let studio = &site.studio;
    let account = match known.means {
        Means::Local => None,
        _ => Some(erasure::preview(studio, known.person, Scope::Account).await?),
    };
    let status = match mistake {
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    let page = DeletePage {
        t: Texts::get(),
        frame: Frame::member("account"),
        tab: "data",
        history: erasure::preview(studio, known.person, Scope::History).await?,
        account,
        mistake,
    };
    Ok(render(status, &page))
}

pub(super) async fn show(State(site): State<Site>, Asker(known): Asker) -> Result<Response, Shown> {
    if let Some(first) = prove(&site, &known) {
        return Ok(first);
    }
    page(&site, &known, None).await
}

/// Whoever finds a browser open must not delete anything: the person proves who they are.
fn prove(site: &Site, known: &Known) -> Option<Response> {
    confirm::first_of(site, known, HERE)
}

/// `what=account` or `what=history`, with the words of the page in `typed`.
pub(super) async fn ask(
    State(site): State<Site>,
    Asker(known): Asker,
    sent: Sent,
) -> Result<Response, Shown> {
    if let Some(first) = prove(&site, &known) {
        return Ok(first);
    }
    let words = &Texts::get().forget;
    let Some(scope) = Scope::named(sent.text("what")) else {
        return Ok(onward(HERE));
    };
    let expected = match scope {
        Scope::Account => &words.type_account,
        Scope::History => &words.type_history,
    };
    if sent.text("typed").trim().to_lowercase() != *expected {
        return page(&site, &known, Some((scope, words.typed_wrong.clone()))).await;
    }
    let by = match known.means {
        Means::Local => AskedBy::Local,
        _ => AskedBy::Session,
    };
    match erasure::ask(&site.studio, known.person, scope, by).await {
        Ok(begun) => {
            let mut response = onward(&format!("/receipts/{}", begun.receipt.expose()));
            if scope == Scope::Account {
                for cookie in [Cookie::Session, Cookie::Device] {
                    cookies::forget(response.headers_mut(), &site, cookie);
                }
            }
            Ok(response)
        }
        Err(error @ (EraseError::LastOperator | EraseError::UnderWay(_))) => {
            match Texts::get().known(&error) {
                Some(says) => page(&site, &known, Some((scope, says))).await,
                None => Err(problem(error).into()),
            }
        }
        Err(error) => Err(problem(error).into()),
    }
}

pub(crate) fn problem(error: EraseError) -> Problem {
    let message = error.to_string();
    match error {
        EraseError::LastOperator => Problem::new(StatusCode::CONFLICT, "last_operator", message),
        EraseError::UnderWay(_) => Problem::new(StatusCode::CONFLICT, "under_way", message),
        EraseError::NoAccount => Problem::new(StatusCode::CONFLICT, "no_account", message),
        EraseError::NotDue => Problem::new(StatusCode::CONFLICT, "not_due", message),
        EraseError::Failure(failure) => failure.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_up_to_a_tenth() {
        for (bytes, says) in [
            (1, "0.1 kB"),
            (1_000, "1.0 kB"),
            (999_950, "1.0 MB"),
            (1_234_567, "1.3 MB"),
            (5_000_000_000, "5.0 GB"),
        ] {
            assert_eq!(size(bytes), says);
        }
    }
}
