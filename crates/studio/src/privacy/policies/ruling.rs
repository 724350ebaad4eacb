//! Whether a build may run: it does nothing that the version in force does not tell of, and what it does
//! was published.

use db::Db;
use domain::clock::Moment;

use super::difference::{Change, between};
use super::{Declaration, Head, declaration_in, heads_in, in_force};
use crate::Failure;
use crate::privacy::backup::in_words;

/// Changes that a message lists.
const MAX_LISTED: usize = 12;

/// Why a build may not run now, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No version says what it does.
    NotPublished { in_force: i64, changes: Vec<Change> },
    /// One does, and its day has not come.
    Waits {
        number: i64,
        from: Moment,
        in_force: i64,
        changes: Vec<Change>,
    },
    /// One did, and the one in force says less.
    Outdated {
        number: i64,
        in_force: i64,
        changes: Vec<Change>,
    },
    /// A shell can't say by itself who answers or who gets letters: only that more is done than was told.
    More { in_force: i64, changes: Vec<Change> },
}

impl std::error::Error for Refusal {}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |changes: &[Change], f: &mut std::fmt::Formatter<'_>| {
            for change in changes.iter().take(MAX_LISTED) {
                write!(f, "\n  {}: {}", change.sort.words(), change.says)?;
            }
            match changes.len().saturating_sub(MAX_LISTED) {
                0 => Ok(()),
                more => write!(f, "\n  and {more} more"),
            }
        };
        match self {
            Self::NotPublished { in_force, changes } => {
                write!(
                    f,
                    "this build and its settings are not what version {in_force} of the privacy notice says, \
                     which is in force:"
                )?;
                list(changes, f)?;
                if changes.iter().any(|change| change.sort.is_material()) {
                    f.write_str(
                        "\nSome of that matters to people, who have to be told 30 days before. Publish it with \
                         this build, and run the previous build with its settings until its day: pinhole \
                         privacy publish (--preview shows it first). The database was not changed.",
                    )
                } else {
                    f.write_str(
                        "\nNothing of that has to wait. Publish it with this build, then start again: pinhole \
                         privacy publish (--preview shows it first). The database was not changed.",
                    )
                }
            }
            Self::Waits {
                number,
                from,
                in_force,
                changes,
            } => {
                write!(
                    f,
                    "version {number} of the privacy notice, which tells of what this build does, is in force \
                     from {}. Until then version {in_force} is, and it does not tell of this:",
                    in_words(*from)
                )?;
                list(changes, f)?;
                f.write_str(
                    "\nRun the previous build with its settings until that day. The database was not changed.",
                )
            }
            Self::Outdated {
                number,
                in_force,
                changes,
            } => {
                write!(
                    f,
                    "this build is the one of version {number} of the privacy notice, but version {in_force} is \
                     in force, and does not tell of this:"
                )?;
                list(changes, f)?;
                write!(
                    f,
                    "\nStart the build and the settings with which version {in_force} was published."
                )
            }
            Self::More { in_force, changes } => {
                write!(
                    f,
                    "this build does more than version {in_force} of the privacy notice says, which is in \
                     force:"
                )?;
                list(changes, f)?;
                f.write_str(
                    "\nUse the build that runs this house, or publish a version first: pinhole privacy publish \
                     --preview. The database was not changed.",
                )
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum RulingError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Failure(#[from] Failure),
}

failures!(RulingError);

/// Whether a build that does this may serve others now. Where there is no version yet, there is none to
/// break.
pub async fn rule(db: &Db, now: Moment, mine: &Declaration) -> Result<(), RulingError> {
    let mut tx = db.read().await?;
    let heads = heads_in(&mut tx).await?;
    let Some(force) = in_force(&heads, now) else {
        return Ok(());
    };
    let hash = mine.sha256();
    if force.declaration_sha256 == hash {
        return Ok(());
    }
    let changes = between(&declaration_in(&mut tx, force.number).await?, mine);
    Ok(judge(&heads, force, now, &hash, changes)?)
}

fn judge(
    heads: &[Head],
    force: &Head,
    now: Moment,
    hash: &str,
    changes: Vec<Change>,
) -> Result<(), Refusal> {
    let in_force = force.number;
    let published = heads.iter().rfind(|head| head.declaration_sha256 == hash);
    let Some(head) = published else {
        return Err(Refusal::NotPublished { in_force, changes });
    };
    let changes: Vec<Change> = changes
        .into_iter()
        .filter(|change| change.sort.waits())
        .collect();
    if changes.is_empty() {
        return Ok(());
    }
    let number = head.number;
    if head.effective > now && number > in_force {
        let from = head.effective;
        return Err(Refusal::Waits {
            number,
            from,
            in_force,
            changes,
        });
    }
    Err(Refusal::Outdated {
        number,
        in_force,
        changes,
    })
}

/// Whether a build may open a house in which versions hold, for somebody at a shell or to draw: it does no
/// more than the one in force says.
pub async fn rule_for_a_shell(db: &Db, now: Moment, mine: &Declaration) -> Result<(), RulingError> {
    let mut tx = db.read().await?;
    let heads = heads_in(&mut tx).await?;
    let Some(force) = in_force(&heads, now) else {
        return Ok(());
    };
    let changes = between(&declaration_in(&mut tx, force.number).await?, mine);
    let changes: Vec<Change> = changes
        .into_iter()
        .filter(|change| change.sort.waits())
        .collect();
    match changes.is_empty() {
        true => Ok(()),
        false => Err(Refusal::More {
            in_force: force.number,
            changes,
        }
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::LogId;
    use domain::randomness::Randomness;

    use super::super::Sort;
    use super::*;

    fn head(number: i64, effective_ms: i64, hash: &str) -> Head {
        let moment = Moment::from_millis(effective_ms);
        Head {
            number,
            published: Moment::from_millis(0),
            effective: moment,
            is_material: false,
            declaration_sha256: hash.to_owned(),
            body_sha256: String::new(),
            page_sha256: String::new(),
            translations_sha256: String::new(),
            before_sha256: String::new(),
            sha256: String::new(),
            log: LogId::new(moment, &Randomness::seeded(1)),
            changes: Vec::new(),
        }
    }

    /// What a build may do, from what the versions say and when: the whole table.
    #[test]
    fn promise_pol_01_what_a_build_does_was_published_and_its_day_has_come() {
        let heads = [
            head(1, 0, "old"),
            head(2, 100, "new"),
            head(3, 50, "hotfix"),
        ];
        let change = |sort| {
            vec![Change {
                sort,
                says: "x".to_owned(),
            }]
        };
        let at = |now: i64, hash: &str, sort| {
            let now = Moment::from_millis(now);
            let force = in_force(&heads, now).expect("one is");
            judge(&heads, force, now, hash, change(sort))
        };
        // Not published: not even where it does less.
        for sort in [Sort::NewPurpose, Sort::NewDatum, Sort::Less] {
            let refused = at(10, "unknown", sort).expect_err("is not published");
            assert!(matches!(refused, Refusal::NotPublished { in_force: 1, .. }));
        }
        // Published, and its day has not come: it may run where it does no more.
        let waits = at(10, "new", Sort::NewDatum).expect_err("waits");
        assert!(matches!(
            waits,
            Refusal::Waits {
                number: 2,
                in_force: 1,
                ..
            }
        ));
        assert_eq!(at(10, "new", Sort::Less), Ok(()));
        assert_eq!(at(10, "new", Sort::Words), Ok(()));
        // The third overtook the second, whose day comes and changes nothing.
        assert_eq!(
            in_force(&heads, Moment::from_millis(100)).map(|one| one.number),
            Some(3)
        );
        assert!(super::super::waiting(&heads, Moment::from_millis(60)).is_empty());
        let outdated = at(60, "old", Sort::LongerRetention).expect_err("is outdated");
        assert!(matches!(
            outdated,
            Refusal::Outdated {
                number: 1,
                in_force: 3,
                ..
            }
        ));
        assert_eq!(at(60, "old", Sort::Less), Ok(()));
        for refusal in [waits, outdated] {
            assert!(refusal.to_string().contains("build"));
        }
    }
}
