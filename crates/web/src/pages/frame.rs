//! What stands around every page: who is there, and where they are.

use studio::accounts::{Known, Means};

use crate::guard::{self, Banner};
use crate::language::{self, Tongue};
use crate::texts::Texts;

/// The frame of one page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    who: Who,
    /// The place in the navigation that this page belongs to.
    place: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// Signed in, or alone in a house without accounts.
    Member,
    /// Not signed in.
    Visitor,
    /// It doesn't matter, or can't be told.
    Anyone,
}

/// One link of the navigation.
pub(crate) struct Link {
    pub(crate) to: &'static str,
    pub(crate) label: &'static str,
    pub(crate) is_here: bool,
}

impl Frame {
    pub(crate) const fn member(place: &'static str) -> Self {
        Self {
            who: Who::Member,
            place,
        }
    }

    pub(crate) const fn visitor(place: &'static str) -> Self {
        Self {
            who: Who::Visitor,
            place,
        }
    }

    pub(crate) const fn anyone() -> Self {
        Self {
            who: Who::Anyone,
            place: "",
        }
    }

    /// Of a page that is open to everybody.
    pub(crate) fn of(known: Option<&Known>, place: &'static str) -> Self {
        let who = match known {
            Some(known) if !matches!(known.means, Means::Key { .. }) => Who::Member,
            _ => Who::Visitor,
        };
        Self { who, place }
    }

    /// The organisation for which whoever reads this draws, where they do.
    pub(crate) fn acts_for(&self) -> Option<String> {
        guard::acts_for()
    }

    /// What is told above the page.
    pub(crate) fn banner(&self) -> Option<Banner> {
        Banner::here()
    }

    /// In which languages the page is told, where there are several.
    pub(crate) fn tongues(&self) -> Vec<Tongue> {
        language::tongues()
    }

    /// Where whoever chooses a language comes back to.
    pub(crate) fn back(&self) -> String {
        language::back()
    }

    /// Whether the page leads to the operator's terms.
    pub(crate) fn has_terms(&self) -> bool {
        guard::has_terms()
    }

    pub(crate) fn links(&self, t: &'static Texts) -> Vec<Link> {
        let link = |to, label: &'static str, place| Link {
            to,
            label,
            is_here: self.place == place,
        };
        let about = link("/about", &t.frame.about, "about");
        match self.who {
            Who::Member => vec![
                link("/", &t.frame.studio, "studio"),
                link("/pictures", &t.frame.pictures, "pictures"),
                link("/account", &t.account.title, "account"),
                about,
            ],
            Who::Visitor => vec![
                about,
                link("/sign-in", &t.door.sign_in, "sign-in"),
                link("/sign-up", &t.frame.sign_up, "sign-up"),
            ],
            Who::Anyone => vec![about],
        }
    }
}
