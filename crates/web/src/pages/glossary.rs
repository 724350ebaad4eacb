//! What the words of the notice mean.

use askama::Template;
use axum::response::Response;
use studio::privacy::inventory::{Category, PARTIES};
use studio::privacy::notice;

use super::{Frame, ok};
use crate::caller::MaybeAsker;
use crate::texts::Texts;

#[derive(Template)]
#[template(path = "glossary.html")]
struct GlossaryPage {
    t: &'static Texts,
    frame: Frame,
    words: Vec<Word>,
}

/// A category that something of people has here.
struct Word {
    category: Category,
    data: String,
}

pub(super) async fn show(MaybeAsker(known): MaybeAsker) -> Response {
    let t = Texts::get();
    let chapters = notice::chapters(t.tongue());
    let of = |category: Category| {
        let data = chapters.iter().flat_map(|chapter| &chapter.data);
        let mut what: Vec<&str> = data
            .filter(|(_, datum)| datum.category == category)
            .map(|(_, datum)| datum.what)
            .collect();
        what.sort_unstable();
        what.dedup();
        Word {
            category,
            data: what.join("; "),
        }
    };
    let words = Category::ALL.into_iter().map(of);
    ok(&GlossaryPage {
        t,
        frame: Frame::of(known.as_ref(), "privacy"),
        words: words.filter(|word| !word.data.is_empty()).collect(),
    })
}
