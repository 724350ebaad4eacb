//! News: a letter to each person who said yes to them, once, however often the writing is broken off and
//! begun again.

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{LetterId, NewsId, PersonId};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::Letter;
use crate::accounts::person;
use crate::privacy::consent::{self, Optional, Signal};
use crate::privacy::log::{self, Event, Kind};
use crate::{Failure, Studio, failpoint};

pub const MAX_SUBJECT_CHARS: usize = 150;
pub const MAX_TEXT_CHARS: usize = 20_000;
/// News that were begun and never ended can be ended for so long: as long as it is known who got them.
const RESUMED_WITHIN_MS: i64 = 7 * 24 * 60 * 60 * 1_000;
/// People written to in one transaction.
const AT_ONCE: i64 = 10;

#[derive(Debug, thiserror::Error)]
pub enum NewsError {
    #[error("A subject is one line of at most {MAX_SUBJECT_CHARS} characters.")]
    Subject,
    #[error("News are plain text of at most {MAX_TEXT_CHARS} characters, and not empty.")]
    Text,
    #[error(
        "{link} leads elsewhere. Letters of this house link to its own pages alone, whose address is {home}."
    )]
    Link { link: String, home: String },
    #[error(
        "These very news were begun more than a week ago and never ended. Nobody knows any more who got them: change a word, and send them as others."
    )]
    Old,
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(NewsError);

/// News that went to everybody who wanted them.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    pub id: NewsId,
    /// Written, by this call and by those before it.
    pub letters: u64,
    /// Nothing was left to do: it had ended then.
    pub before: Option<Moment>,
}

/// Writes a letter to each person who wants news. Who is broken off calls it again with the same words.
pub async fn send(
    studio: &Studio,
    subject: &str,
    text: &str,
    home: &str,
) -> Result<Sent, NewsError> {
    let (subject, text) = (subject.trim(), text.trim());
    check(subject, text, home)?;
    let (id, ended) = begin(studio, subject, text).await?;
    if let Some(ended) = ended {
        let letters = written(&mut studio.db.read().await?, id).await?;
        let before = Some(ended);
        return Ok(Sent {
            id,
            letters,
            before,
        });
    }
    let mut after = String::new();
    loop {
        let people = next(studio, id, &after).await?;
        let Some(last) = people.last() else { break };
        after = last.to_string();
        let mut tx = studio.db.write().await?;
        for person in people {
            write(studio, &mut tx, id, person, (subject, text)).await?;
        }
        failpoint::here("news-uncommitted");
        tx.commit().await?;
        failpoint::here("news-committed");
    }
    let letters = end(studio, id).await?;
    let before = None;
    Ok(Sent {
        id,
        letters,
        before,
    })
}

fn check(subject: &str, text: &str, home: &str) -> Result<(), NewsError> {
    let is_line = !subject.is_empty() && !subject.contains(char::is_control);
    if !is_line || subject.chars().count() > MAX_SUBJECT_CHARS {
        return Err(NewsError::Subject);
    }
    let is_plain = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    if text.is_empty() || text.chars().count() > MAX_TEXT_CHARS || !text.chars().all(is_plain) {
        return Err(NewsError::Text);
    }
    for word in text.split_whitespace().chain(subject.split_whitespace()) {
        let lower = word.to_ascii_lowercase();
        // Mail programs make links of these by themselves.
        let begins = ["http:", "https:", "www.", "ftp:", "//"];
        let Some(at) = begins.iter().filter_map(|begin| lower.find(begin)).min() else {
            continue;
        };
        // Where a sentence ends behind it.
        let link = word[at..].trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '"']);
        let is_own = link
            .strip_prefix(home)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']));
        if !is_own {
            return Err(NewsError::Link {
                link: link.to_owned(),
                home: home.to_owned(),
            });
        }
    }
    Ok(())
}

async fn begin(
    studio: &Studio,
    subject: &str,
    text: &str,
) -> Result<(NewsId, Option<Moment>), NewsError> {
    let digest = log::hex(&Sha256::digest(format!("{subject}\n{text}")).into());
    let now = studio.clock.now();
    let mut tx = studio.db.write().await?;
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO news (id, digest, created_ms) VALUES ($1, $2, $3) \
             ON CONFLICT (digest) DO NOTHING",
        )
        .bind(NewsId::new(now, &studio.randomness).to_string())
        .bind(&digest)
        .bind(now.as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    let (id, created_ms, ended_ms): (String, i64, Option<i64>) = on!(tx, conn => {
        sqlx::query_as("SELECT id, created_ms, ended_ms FROM news WHERE digest = $1")
            .bind(&digest)
            .fetch_one(conn)
            .await
    })?;
    tx.commit().await?;
    if ended_ms.is_none() && created_ms < now.as_millis() - RESUMED_WITHIN_MS {
        return Err(NewsError::Old);
    }
    let id = id
        .parse()
        .map_err(|_| Failure::Row("id of news".to_owned()))?;
    Ok((id, ended_ms.map(Moment::from_millis)))
}

/// Some who want them and have none yet.
async fn next(studio: &Studio, id: NewsId, after: &str) -> Result<Vec<PersonId>, Failure> {
    let wants = consent::allows(Optional::News, Signal::Absent, "person.id");
    let statement = format!(
        "SELECT id FROM person WHERE id > $1 AND {wants} AND NOT EXISTS (SELECT 1 FROM news_letter \
         WHERE news_letter.news_id = $2 AND news_letter.person_id = person.id) ORDER BY id LIMIT {AT_ONCE}"
    );
    let mut tx = studio.db.read().await?;
    let ids: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
            .bind(after)
            .bind(id.to_string())
            .fetch_all(conn)
            .await
    })?;
    let bad = |_| Failure::Row("id of who wants news".to_owned());
    ids.iter().map(|id| id.parse().map_err(bad)).collect()
}

/// Writes one letter, unless somebody else did, or it is not wanted any more.
async fn write(
    studio: &Studio,
    tx: &mut Tx,
    id: NewsId,
    person: PersonId,
    (subject, text): (&str, &str),
) -> Result<(), Failure> {
    let wants = consent::allows(Optional::News, Signal::Absent, "person.id");
    let statement = format!(
        "INSERT INTO news_letter (news_id, person_id, created_ms) \
         SELECT $1, person.id, $3 FROM person WHERE person.id = $2 AND {wants} \
         ON CONFLICT (news_id, person_id) DO NOTHING"
    );
    let written = on!(tx, conn => {
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(id.to_string())
            .bind(person.to_string())
            .bind(studio.clock.now().as_millis())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    if written == 0 {
        return Ok(());
    }
    let address = person::address_for_news(studio, tx, person).await?;
    let letter = Letter::News {
        subject: subject.to_owned(),
        text: text.to_owned(),
        leave: consent::reference(studio, person),
    };
    super::enqueue(studio, tx, Some(person), address.as_ref(), &letter).await?;
    Ok(())
}

async fn written(tx: &mut Tx, id: NewsId) -> Result<u64, Failure> {
    let letters: i64 = on!(tx, conn => {
        sqlx::query_scalar("SELECT COUNT(*) FROM news_letter WHERE news_id = $1")
            .bind(id.to_string())
            .fetch_one(conn)
            .await
    })?;
    Ok(letters.unsigned_abs())
}

async fn end(studio: &Studio, id: NewsId) -> Result<u64, Failure> {
    let mut tx = studio.db.write().await?;
    let letters = written(&mut tx, id).await?;
    let ended = on!(tx, conn => {
        sqlx::query("UPDATE news SET ended_ms = $2 WHERE id = $1 AND ended_ms IS NULL")
            .bind(id.to_string())
            .bind(studio.clock.now().as_millis())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    if ended == 1 {
        let event = Event {
            kind: Kind::NewsSent,
            person: None,
            what: json!({ "news": id, "letters": letters }),
        };
        log::note(studio, &mut tx, &event).await?;
    }
    tx.commit().await?;
    Ok(letters)
}

/// Takes a letter with news out of the line in the moment in which it goes; `false` where its person does
/// not want it any more, and then it is gone. Whoever dies before the mail server has it loses it: nobody
/// gets news twice.
pub(super) async fn may_go(studio: &Studio, id: LetterId) -> Result<bool, Failure> {
    let wants = consent::allows(Optional::News, Signal::Absent, "letter.person_id");
    let statement = format!(
        "UPDATE letter SET state = 'sent', ended_ms = $2 WHERE id = $1 AND state = 'waiting' AND {wants}"
    );
    let mut tx = studio.db.write().await?;
    let goes = on!(tx, conn => {
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(id.to_string())
            .bind(studio.clock.now().as_millis())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    if goes == 0 {
        super::delete(&mut tx, id).await?;
    }
    tx.commit().await?;
    Ok(goes == 1)
}

/// Deletes what waits to be sent because somebody wanted news.
pub(crate) async fn drop_waiting(tx: &mut Tx, person: PersonId) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query(
            "DELETE FROM letter WHERE person_id = $1 AND state = 'waiting' \
             AND kind IN ('news', 'news_confirm')",
        )
        .bind(person.to_string())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_cns_06_news_are_plain_words_that_link_to_this_house_alone() {
        const HOME: &str = "https://pictures.example.org";
        let verdict = |text: &str| check("News", text, HOME).map_err(|error| error.to_string());
        for fine in [
            "A larger model is here.",
            "See https://pictures.example.org/about, or https://pictures.example.org.",
            "(https://pictures.example.org/about?model=large#size)",
        ] {
            assert_eq!(verdict(fine), Ok(()), "{fine}");
        }
        for elsewhere in [
            "https://evil.example/x.gif",
            "<img src=\"https://evil.example/x.gif\">",
            "HTTPS://evil.example",
            "https://pictures.example.org.evil.example/",
            "https://pictures.example.org@evil.example/",
            "www.evil.example",
            "//evil.example",
        ] {
            assert!(verdict(elsewhere).is_err(), "{elsewhere}");
        }
        for subject in ["", "a\r\nBcc: all@example.org"] {
            assert!(check(subject, "words", HOME).is_err());
        }
        assert!(check("News", "", HOME).is_err() && check("News", "\u{7}", HOME).is_err());
    }
}
