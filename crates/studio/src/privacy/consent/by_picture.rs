//! What is agreed to picture by picture. A picture without an answer of its own is neither shown nor learned
//! from, whatever was said of others.

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{ConsentId, PersonId, PictureId};

use super::deciding::{ConsentError, write};
use super::{Means, Optional, Signal, Standing, Subject, Verdict, newest};
use crate::jobs::line;
use crate::{Failure, Studio};

/// Somebody agreed, and has not taken it back: found in the transaction that does it, and made nowhere else.
/// Whatever shows a picture to others or learns from it takes one by value, so without it nothing compiles.
#[derive(Debug)]
pub struct Proof {
    person: PersonId,
    subject: Subject,
    receipt: ConsentId,
}

impl Proof {
    /// The decision that proves it, by which a receipt is found.
    #[must_use]
    pub const fn receipt(&self) -> ConsentId {
        self.receipt
    }

    #[must_use]
    pub const fn person(&self) -> PersonId {
        self.person
    }

    #[must_use]
    pub const fn subject(&self) -> Subject {
        self.subject
    }
}

/// A condition for rows whose columns name a person and a picture of theirs of which they say yes now: their
/// newest decision about it says so to the words of today, and their account is not restricted.
///
/// A yes to one picture is said on its own page, so a browser that objects in general is no answer to it.
pub(crate) fn allows_picture(optional: Optional, person: &str, picture: &str) -> String {
    let (name, version) = (optional.name(), optional.edition().version);
    let refused = optional.operation().is_refused_to(person);
    format!(
        "(EXISTS (SELECT 1 FROM consent newest WHERE newest.picture_id = {picture} AND \
         newest.person_id = {person} AND newest.purpose = '{name}' AND newest.decision = 'given' \
         AND newest.version = {version} AND NOT EXISTS (SELECT 1 FROM consent later WHERE \
         later.picture_id = newest.picture_id AND later.person_id = newest.person_id AND \
         later.purpose = newest.purpose AND later.number > newest.number)) AND NOT ({refused}))"
    )
}

/// The proof that this may be done with a picture now; `None` where it may not, or where there is no such
/// picture of theirs.
pub(crate) async fn prove(
    tx: &mut Tx,
    person: PersonId,
    optional: Optional,
    picture: PictureId,
) -> Result<Option<Proof>, Failure> {
    let condition = allows_picture(optional, "picture.person_id", "picture.id");
    let statement =
        format!("SELECT COUNT(*) FROM picture WHERE id = $1 AND person_id = $2 AND {condition}");
    let allowed: i64 = on!(tx, conn => {
        sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
            .bind(picture.to_string())
            .bind(person.to_string())
            .fetch_one(conn)
            .await
    })?;
    if allowed == 0 {
        return Ok(None);
    }
    let subject = Subject::picture(optional, picture);
    let said = newest(tx, person, subject).await?;
    Ok(said.map(|said| Proof {
        person,
        subject,
        receipt: said.id,
    }))
}

/// There is such a picture of theirs, and it was not drawn in private.
pub(super) async fn must_be_open(
    tx: &mut Tx,
    person: PersonId,
    picture: PictureId,
) -> Result<(), ConsentError> {
    let private: Option<i64> = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT job.private FROM picture JOIN job ON job.id = picture.job_id \
             WHERE picture.id = $1 AND picture.person_id = $2",
        )
        .bind(picture.to_string())
        .bind(person.to_string())
        .fetch_optional(conn)
        .await
    })?;
    match private {
        None => Err(ConsentError::NoPicture),
        Some(0) => Ok(()),
        Some(_) => Err(ConsentError::Private),
    }
}

/// How it stands with each purpose of one picture.
pub async fn of_picture(
    studio: &Studio,
    person: PersonId,
    picture: PictureId,
) -> Result<Vec<Standing>, Failure> {
    let mut tx = studio.db.read().await?;
    let mut all = Vec::new();
    for optional in Optional::ALL.into_iter().filter(|one| one.is_by_picture()) {
        let newest = newest(&mut tx, person, Subject::picture(optional, picture)).await?;
        all.push(Standing { optional, newest });
    }
    Ok(all)
}

/// Pictures of somebody of which they say yes, and how many there are in all.
#[derive(Clone, Debug)]
pub struct Shown {
    pub optional: Optional,
    pub count: i64,
    /// The last ones, at most 24.
    pub pictures: Vec<PictureId>,
}

/// Pictures that are listed for one purpose.
const MAX_LISTED: i64 = 24;

/// Of how many pictures somebody says yes, purpose by purpose.
pub async fn given(studio: &Studio, person: PersonId) -> Result<Vec<Shown>, Failure> {
    let mut tx = studio.db.read().await?;
    let mut all = Vec::new();
    for optional in Optional::ALL.into_iter().filter(|one| one.is_by_picture()) {
        let condition = allows_picture(optional, "picture.person_id", "picture.id");
        let of = format!("FROM picture WHERE person_id = $1 AND {condition}");
        let count: i64 = on!(tx, conn => {
            sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT COUNT(*) {of}")))
                .bind(person.to_string())
                .fetch_one(conn)
                .await
        })?;
        let last = format!("SELECT id {of} ORDER BY id DESC LIMIT {MAX_LISTED}");
        let ids: Vec<String> = on!(tx, conn => {
            sqlx::query_scalar(sqlx::AssertSqlSafe(last))
                .bind(person.to_string())
                .fetch_all(conn)
                .await
        })?;
        let bad = |_| Failure::Row(format!("picture of a decision of {person}"));
        let pictures: Result<Vec<PictureId>, _> = ids.iter().map(|id| id.parse()).collect();
        all.push(Shown {
            optional,
            count,
            pictures: pictures.map_err(bad)?,
        });
    }
    Ok(all)
}

/// Somebody takes back, for every picture at once, what they said of some; answers how many there were.
pub async fn withdraw_all(
    studio: &Studio,
    person: PersonId,
    optional: Optional,
    means: Means,
    signal: Signal,
) -> Result<u32, Failure> {
    let mut tx = studio.db.write().await?;
    line::lock(&mut tx, person).await?;
    // Also those of other words than today's, and of pictures that are gone: a no is a no.
    let ids: Vec<String> = on!(tx, conn => {
        sqlx::query_scalar(
            "SELECT newest.picture_id FROM consent newest WHERE newest.person_id = $1 AND \
             newest.purpose = $2 AND newest.picture_id IS NOT NULL AND newest.decision <> 'withdrawn' \
             AND NOT EXISTS (SELECT 1 FROM consent later WHERE later.person_id = newest.person_id \
             AND later.purpose = newest.purpose AND later.picture_id = newest.picture_id AND \
             later.number > newest.number) ORDER BY newest.number",
        )
        .bind(person.to_string())
        .bind(optional.name())
        .fetch_all(conn)
        .await
    })?;
    let bad = |_| Failure::Row(format!("picture of a decision of {person}"));
    for id in &ids {
        let about = Subject::picture(optional, id.parse().map_err(bad)?);
        let said = (Verdict::Withdrawn, means, signal);
        write(studio, &mut tx, person, about, said).await?;
    }
    tx.commit().await?;
    Ok(u32::try_from(ids.len()).unwrap_or(u32::MAX))
}

/// The proof that this very decision gives, and when it was taken; `None` where it does not hold any more.
pub(crate) async fn holder(
    tx: &mut Tx,
    optional: Optional,
    receipt: ConsentId,
) -> Result<Option<(Proof, Moment)>, Failure> {
    let row: Option<(String, String, i64)> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT person_id, picture_id, created_ms FROM consent \
             WHERE id = $1 AND purpose = $2 AND picture_id IS NOT NULL",
        )
        .bind(receipt.to_string())
        .bind(optional.name())
        .fetch_optional(conn)
        .await
    })?;
    let Some((person, picture, when)) = row else {
        return Ok(None);
    };
    let bad = || Failure::Row(format!("person or picture of {receipt}"));
    let person = person.parse().map_err(|_| bad())?;
    let picture = picture.parse().map_err(|_| bad())?;
    let proof = prove(tx, person, optional, picture).await?;
    let proof = proof.filter(|proof| proof.receipt == receipt);
    Ok(proof.map(|proof| (proof, Moment::from_millis(when))))
}

/// Those who run the house end what somebody agreed to.
pub(crate) async fn end_by_house(
    studio: &Studio,
    tx: &mut Tx,
    proof: &Proof,
) -> Result<(), Failure> {
    line::lock(tx, proof.person).await?;
    let said = (Verdict::Withdrawn, Means::House, Signal::Absent);
    write(studio, tx, proof.person, proof.subject, said).await
}
