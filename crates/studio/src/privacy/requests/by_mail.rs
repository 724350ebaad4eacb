//! A request that came as mail, as the mail server hands it over. Who sent it is not proven by that, so a
//! letter with a link goes to the sender, as to whoever asks on the page; the clock runs from the day on
//! which the mail came.

use db::{Tx, on};
use domain::personal::Address;
use mail_parser::{HeaderName, HeaderValue, Message, MessageParser};

use super::asking::detail;
use super::{Asked, MAX_WORDS_CHARS, RequestError};
use crate::accounts::proof::{self, About, Kind as Proof};
use crate::letters::{self, Letter};
use crate::{Failure, Studio};

/// Links that wait, of one mailbox and of all: who writes in others' names fills no mailbox with them.
const MAX_LINKS_EACH: usize = 3;
const MAX_LINKS: usize = 1_000;

/// What became of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// A letter with a link is on its way.
    Asked(Asked),
    /// Nothing: it has no sender who could be answered.
    NoSender,
    /// Nothing: a program sent it by itself, and would answer the answer (RFC 3834).
    Automatic,
    /// Nothing: it says nothing.
    Empty,
    /// Nothing: letters with links are on their way to this mailbox, and it has opened none of them.
    Enough,
}

/// Reads a mail and asks its sender whether it is theirs.
pub async fn by_mail(studio: &Studio, mail: &[u8]) -> Result<Came, RequestError> {
    let Some(message) = MessageParser::default().parse(mail) else {
        return Ok(Came::NoSender);
    };
    let Some(address) = sender(&message) else {
        return Ok(Came::NoSender);
    };
    if is_automatic(&message, &address) {
        return Ok(Came::Automatic);
    }
    let subject = message.subject().unwrap_or_default().trim().to_owned();
    let words = words(&subject, &message.body_text(0).unwrap_or_default());
    if words.is_empty() {
        return Ok(Came::Empty);
    }
    let asked = Asked::in_subject(&subject);
    let detail = detail(asked, &words, Some(studio.clock.now()));
    let mut tx = studio.db.write().await?;
    let waiting = waiting(studio, &mut tx).await?;
    let of_this = waiting
        .iter()
        .filter(|known| known.folded() == address.folded());
    if of_this.count() >= MAX_LINKS_EACH {
        return Ok(Came::Enough);
    }
    if waiting.len() >= MAX_LINKS {
        // The mail server tries again later.
        return Err(RequestError::Slow {
            retry_after_s: 60 * 60,
        });
    }
    let about = About {
        address: Some(&address),
        detail: Some(&detail),
        ..About::default()
    };
    let token = proof::give(studio, &mut tx, Proof::Request, &about).await?;
    let letter = Letter::RequestConfirm {
        token: token.expose().to_owned(),
    };
    letters::enqueue(studio, &mut tx, None, Some(&address), &letter).await?;
    tx.commit().await?;
    Ok(Came::Asked(asked))
}

/// Who is answered: the one author, and nobody else whom the mail names.
fn sender(message: &Message<'_>) -> Option<Address> {
    let mut from = message.from()?.iter();
    let (first, others) = (from.next()?, from.next());
    if others.is_some() {
        return None;
    }
    Address::new(first.address()?).ok()
}

fn is_automatic(message: &Message<'_>, address: &Address) -> bool {
    let header = |name: HeaderName<'static>| {
        let text = message.header_raw(name).unwrap_or_default();
        text.trim().to_lowercase()
    };
    let submitted = header(HeaderName::AutoSubmitted);
    let precedence = header(HeaderName::Other("Precedence".into()));
    let is_list = !matches!(message.list_id(), HeaderValue::Empty);
    // What could not be delivered comes back with an empty one.
    let is_returned = message
        .header_raw(HeaderName::ReturnPath)
        .is_some_and(|path| path.trim() == "<>");
    let local = address.folded();
    let local = local.split('@').next().unwrap_or_default();
    !(submitted.is_empty() || submitted.starts_with("no"))
        || matches!(precedence.as_str(), "bulk" | "junk" | "list")
        || is_list
        || is_returned
        || matches!(
            local,
            "mailer-daemon" | "postmaster" | "no-reply" | "noreply"
        )
}

/// Subject and text, without what no eye sees, cut where they are too long.
fn words(subject: &str, text: &str) -> String {
    const CUT: &str = "\n[…]";
    let whole = format!("{subject}\n\n{text}");
    let seen = whole.replace("\r\n", "\n");
    let seen: String = seen
        .chars()
        .filter(|c| *c == '\n' || *c == '\t' || !c.is_control())
        .collect();
    let seen = seen.trim();
    if seen.chars().count() <= MAX_WORDS_CHARS {
        return seen.to_owned();
    }
    let kept = MAX_WORDS_CHARS - CUT.chars().count();
    seen.chars().take(kept).chain(CUT.chars()).collect()
}

/// The mailboxes that have a link which nobody opened.
async fn waiting(studio: &Studio, tx: &mut Tx) -> Result<Vec<Address>, Failure> {
    let rows: Vec<(String, String)> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT token_hash, address FROM proof WHERE kind = $1 AND ends_ms > $2 \
             AND person_id IS NULL AND address IS NOT NULL LIMIT $3",
        )
        .bind(Proof::Request.name())
        .bind(studio.clock.now().as_millis())
        .bind(i64::try_from(MAX_LINKS).unwrap_or(i64::MAX))
        .fetch_all(conn)
        .await
    })?;
    let mut found = Vec::new();
    for (token_hash, stored) in rows {
        found.push(proof::open_nobodys_address(studio, &token_hash, &stored)?);
    }
    Ok(found)
}

impl Asked {
    /// What the subject of a mail names, where it names one thing: `Deletion of my account`.
    fn in_subject(subject: &str) -> Self {
        const NAMED: &[(&str, Asked)] = &[
            ("access", Asked::Access),
            ("copy", Asked::Access),
            ("correct", Asked::Correct),
            ("rectif", Asked::Correct),
            ("delet", Asked::Erase),
            ("eras", Asked::Erase),
            ("restrict", Asked::Restrict),
            ("object", Asked::Object),
            ("export", Asked::Portability),
            ("portab", Asked::Portability),
            ("complain", Asked::Complaint),
        ];
        let subject = subject.to_lowercase();
        let words = || subject.split(|c: char| !c.is_alphabetic());
        let mut found = NAMED
            .iter()
            .filter(|(stem, _)| words().any(|word| word.starts_with(stem)))
            .map(|(_, asked)| *asked);
        match found.next() {
            Some(one) if found.all(|other| other == one) => one,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_names_one_thing_or_none() {
        for (subject, asked) in [
            ("Deletion of my account", Asked::Erase),
            ("please ERASE everything, delete it", Asked::Erase),
            ("A copy, and then delete it", Asked::Other),
            ("Objection", Asked::Object),
            ("hello", Asked::Other),
            ("", Asked::Other),
        ] {
            assert_eq!(Asked::in_subject(subject), asked, "{subject}");
        }
    }

    #[test]
    fn words_fit_and_show_what_an_eye_sees() {
        assert_eq!(words("", " \r\n"), "");
        assert_eq!(words("a\u{0}b", "c\r\nd\u{1b}[2J"), "ab\n\nc\nd[2J");
        let long = words("x", &"ä".repeat(MAX_WORDS_CHARS));
        assert_eq!(long.chars().count(), MAX_WORDS_CHARS);
        assert!(long.ends_with("[…]"));
    }
}
