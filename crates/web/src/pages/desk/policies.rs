//! What the house has told people, and what this build does.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use studio::privacy::policies::{self, Declaration, between};

use super::{Tab, tabs};
use crate::Site;
use crate::caller::Asker;
use crate::pages::policies::{Top, in_words, is_more, listed};
use crate::pages::{Frame, Shown, ok};
use crate::texts::Texts;
use studio::{Failure, Studio, terms};

#[derive(Template)]
#[template(path = "desk_policies.html")]
struct DeskPage {
    t: &'static Texts,
    frame: Frame,
    tabs: Vec<Tab>,
    running: String,
    differs: Vec<String>,
    versions: Vec<Line>,
    returned: Option<String>,
    terms: Vec<String>,
    /// To whom the house goes, and how far that is; empty where it does not.
    goes: Vec<String>,
}

struct Line {
    head: Top,
    state: &'static str,
    changes: Vec<String>,
    told: String,
}

pub(super) async fn show(State(site): State<Site>, Asker(known): Asker) -> Result<Response, Shown> {
    let studio = &site.studio;
    let t = Texts::get();
    let words = &t.desk_policies;
    let heads = policies::heads(studio).await?;
    let (running, differs) = match policies::now_in_force(studio).await? {
        None => (words.is_solo.clone(), Vec::new()),
        Some(force) => {
            let number = force.head.number;
            let said = Declaration::read(&force.declaration);
            let changes = said.map(|said| between(&said, &site.declaration()));
            let changes = changes.unwrap_or_default();
            let says = match (changes.is_empty(), is_more(&changes)) {
                (true, _) => &words.is_in_force,
                (false, false) => &words.is_less,
                (false, true) => &words.is_more,
            };
            (says.fill(&number), in_words(&changes, usize::MAX))
        }
    };
    let listed = listed(&heads, studio.clock.now()).into_iter();
    let counted = policies::counted(studio).await?;
    let told = |number: i64| match counted.get(&number) {
        Some((told, read)) => words.counted.fill_two(told, read),
        None => words.nobody.clone(),
    };
    let goes = match policies::transfer::announced(studio).await? {
        None => Vec::new(),
        Some(known) => vec![
            words.goes.fill_two(&known.from.name, &known.to.name),
            words.goes_untold.fill(&known.untold),
            words.goes_ready.fill(&t.exact(known.ready)),
        ],
    };
    let returned = policies::returned(studio).await?;
    let terms = terms_lines(studio).await?;
    let versions = listed.map(|one| Line {
        told: told(one.head.number),
        head: one.head,
        state: one.state,
        changes: one.changes,
    });
    Ok(ok(&DeskPage {
        t,
        frame: Frame::member("desk"),
        tabs: tabs(known.role, "/desk/policies"),
        running,
        differs,
        versions: versions.collect(),
        goes,
        terms,
        returned: (returned > 0).then(|| words.returned.fill(&returned)),
    }))
}

/// The terms in force, how many accepted them, and which wait.
async fn terms_lines(studio: &Studio) -> Result<Vec<String>, Failure> {
    let t = Texts::get();
    let now = studio.clock.now();
    let heads = terms::heads(studio).await?;
    let line = |head: &terms::Head| {
        let title = t.terms.version.fill(&head.number);
        let day = t.policies.effective.fill(&t.exact(head.effective));
        format!("{title} · {day}")
    };
    let mut lines: Vec<String> = policies::in_force(&heads, now)
        .map(line)
        .into_iter()
        .collect();
    if let Some((accepted, missing)) = terms::counted(studio).await? {
        lines.push(t.terms.counted.fill_two(&accepted, &missing));
    }
    lines.extend(policies::waiting(&heads, now).into_iter().map(line));
    Ok(lines)
}
