//! Reads the house as it runs and says which promises hold in it, signed. It changes nothing but the
//! list of such reports.

use std::time::Duration;

use db::on;
use domain::ids::AuditId;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::inventory::{Stored, TABLES};
use super::log::audit::Restored;
use super::log::checkpoint::Checkpoint;
use super::log::witness::asking;
use super::log::{self, Event, Kind};
use super::restriction::child;
use super::{
    breaches, canonical, disclosures, duty, fence, keeping, keys, notice, policies, requests,
    retention,
};
use crate::credits::ledger;
use crate::jobs::worker::Stop;
use crate::terms;
use crate::{Failure, Studio, orphans, visits};

/// Says what a document is, and which edition of its fields it has.
pub const KIND: &str = "pinhole/audit/1";
/// Within what time an erasure is over that nothing holds.
const ERASED_WITHIN_MS: i64 = 3 * 24 * 60 * 60 * 1_000;
/// Reports that are kept.
const KEPT: i64 = 100;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub name: &'static str,
    /// What it shows where nothing is wrong.
    pub shows: &'static str,
    /// Of PROMISES.md: what rests on it.
    pub promises: &'static [&'static str],
    pub wrong: Vec<String>,
}

/// What an audit found.
#[derive(Clone, Debug)]
pub struct Report {
    pub seconds: i64,
    pub checks: Vec<Check>,
    /// Leaves of the log.
    pub leaves: u64,
    /// The log's newest checkpoint, signed.
    pub checkpoint: Option<String>,
    /// Each time that the log was put back with a backup.
    pub restorations: Vec<Restored>,
}

impl Report {
    #[must_use]
    pub fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.wrong.is_empty())
    }

    /// As everybody may see it: how much is wrong, and not with whom.
    fn document(&self) -> Value {
        let checks = self.checks.iter().map(|check| {
            json!({
                "name": check.name,
                "shows": check.shows,
                "promises": check.promises,
                "wrong": check.wrong.len(),
            })
        });
        let restorations = self.restorations.iter().map(|one| {
            json!({
                "time": one.seconds,
                "backup_made": one.made,
                "entries_kept": one.kept,
                "entries_before": one.had,
            })
        });
        json!({
            "kind": KIND,
            "time": self.seconds,
            "holds": self.holds(),
            "checks": checks.collect::<Vec<_>>(),
            "log": { "leaves": self.leaves, "checkpoint": self.checkpoint },
            "restorations": restorations.collect::<Vec<_>>(),
            "inventory_sha256": inventory_hash(),
        })
    }
}

/// Names what is collected: it changes with the inventory.
#[must_use]
pub fn inventory_hash() -> String {
    let text = canonical::text(&notice::inventory_json());
    log::hex(&Sha256::digest(text).into())
}

/// Logs that something else is collected than before, where it is.
pub async fn declare_inventory(studio: &Studio) -> Result<(), Failure> {
    let what = json!({ "sha256": inventory_hash() });
    let known = log::last_of_house(studio, Kind::InventoryChanged).await?;
    if known.as_ref() == Some(&what) {
        return Ok(());
    }
    let event = Event {
        kind: Kind::InventoryChanged,
        person: None,
        what,
    };
    log::note_alone(studio, &event).await?;
    Ok(())
}

/// Looks at everything. `brought` are checkpoints that somebody kept: the log must hold them too.
pub async fn run(studio: &Studio, brought: &[Checkpoint]) -> Result<Report, Failure> {
    let checkpoint = log::settle(studio).await?;
    let read = log::audit::read(studio, brought).await?;
    let overdue = retention::left_by_sweeps(studio).await?;
    let overdue =
        (overdue > 0).then(|| format!("{overdue} rows are kept for longer than they may be"));
    let late = requests::overdue(studio).await?;
    let late =
        (late > 0).then(|| format!("{late} requests are overdue: pinhole admin request list"));
    let children = child::overdue(studio).await?;
    let children = (children > 0).then(|| {
        format!(
            "{children} accounts of children are there for more than three days: /desk/children"
        )
    });
    let unreviewed = disclosures::overdue(studio).await?;
    let unreviewed = (unreviewed > 0).then(|| {
        format!("{unreviewed} emergencies were not looked at again: pinhole admin disclosure list")
    });
    let untold = disclosures::untold(studio).await?;
    let untold = (untold > 0)
        .then(|| format!("{untold} people were not told what was handed out of theirs"));
    let unreported = breaches::overdue(studio).await?;
    let unreported = (unreported > 0)
        .then(|| format!("{unreported} breaches were not reported: pinhole admin breach list"));
    let strays = orphans::count(studio).await?;
    let strays = (strays > 0).then(|| {
        format!("{strays} files belong to nothing: start the house again, which deletes them")
    });
    let gaps = match fence::check(studio).await {
        Ok(()) => Vec::new(),
        Err(fence::FenceError::Gaps(gaps)) => gaps.iter().map(ToString::to_string).collect(),
        Err(fence::FenceError::Failure(failure)) => return Err(failure),
    };
    let exposed = studio.keys.source().is_open_to_others().then(|| {
        let place = studio.keys.source().place();
        format!("others on this machine can read {place}: chmod 600 {place}")
    });
    let checks = vec![
        Check {
            name: "inventory",
            shows: "Nothing is stored in the database that the notice does not tell of.",
            promises: &["GOV-05"],
            wrong: gaps,
        },
        Check {
            name: "sealed",
            shows: "What tells of people lies encrypted in every row.",
            promises: &["ACC-01", "GEN-02", "SEC-02"],
            wrong: legible(unsealed(studio).await)?,
        },
        Check {
            name: "key",
            shows: "The key that opens the others can be read by the program alone.",
            promises: &["SEC-02"],
            wrong: exposed.into_iter().collect(),
        },
        Check {
            name: "retention",
            shows: "Nothing is kept for longer than the notice says.",
            promises: &["RET-01"],
            wrong: overdue.into_iter().collect(),
        },
        Check {
            name: "files",
            shows: "No picture's file is left of a picture that was deleted.",
            promises: &["GEN-02", "RGT-04"],
            wrong: strays.into_iter().collect(),
        },
        Check {
            name: "erasures",
            shows: "Whoever asked to be forgotten is, and nobody came back.",
            promises: &["ACC-07", "RGT-04"],
            wrong: legible(unforgotten(studio).await)?,
        },
        Check {
            name: "duties",
            shows: "Nobody of the staff looks for longer than a working day, or an hour where two had to agree.",
            promises: &["SEC-04"],
            wrong: legible(long_duties(studio).await)?,
        },
        Check {
            name: "visits",
            shows: "What is counted of visits is about ten people at least.",
            promises: &["USE-03"],
            wrong: legible(small_crowds(studio).await)?,
        },
        Check {
            name: "requests",
            shows: "What people ask for by their rights is answered in time.",
            promises: &["RGT-11"],
            wrong: late.into_iter().collect(),
        },
        Check {
            name: "children",
            shows: "Whoever is known to be too young for this house is forgotten within three days.",
            promises: &["CHD-02"],
            wrong: children.into_iter().collect(),
        },
        Check {
            name: "disclosures",
            shows: "What was handed out in an emergency was looked at again within seven days, and whoever may know of theirs was told.",
            promises: &["LEG-01", "LEG-02"],
            wrong: unreviewed.into_iter().chain(untold).collect(),
        },
        Check {
            name: "breaches",
            shows: "Each breach that puts people at risk was reported within 72 hours.",
            promises: &["SEC-08", "X-03"],
            wrong: unreported.into_iter().collect(),
        },
        Check {
            name: "books",
            shows: "The credits add up.",
            promises: &["PAY-02"],
            wrong: legible(ledger::audit(studio).await)?,
        },
        Check {
            name: "log",
            shows: "The log is what it was: nothing in it was changed or taken out, and it was turned back only where that is told.",
            promises: &["SEC-07", "X-08"],
            wrong: read.wrong,
        },
        Check {
            name: "notice",
            shows: "Every version of the privacy notice is as it was published.",
            promises: &["GOV-03", "POL-01"],
            wrong: legible(policies::complaints(studio).await)?,
        },
        Check {
            name: "terms",
            shows: "Every version of the terms is as it was published.",
            promises: &["OWN-06"],
            wrong: legible(terms::complaints(studio).await)?,
        },
        Check {
            name: "witnesses",
            shows: "Whoever else watches the log has seen it grow, and lose nothing.",
            promises: &["SEC-07", "X-08"],
            wrong: legible(asking::complaints(studio, &read.restorations).await)?,
        },
    ];
    Ok(Report {
        seconds: studio.clock.now().as_seconds(),
        checks,
        leaves: read.leaves,
        checkpoint,
        restorations: read.restorations,
    })
}

/// A row that says nothing that this program could have written is wrong, and no reason to look no further.
fn legible(found: Result<Vec<String>, Failure>) -> Result<Vec<String>, Failure> {
    match found {
        Err(Failure::Row(what)) => Ok(vec![format!("a row can't be read: {what}")]),
        found => found,
    }
}

/// How many rows a statement counts.
async fn counted(studio: &Studio, statement: &'static str, values: &[i64]) -> Result<i64, Failure> {
    let mut tx = studio.db.read().await?;
    let rows: i64 = on!(tx, conn => {
        let mut query = sqlx::query_scalar(statement);
        for value in values {
            query = query.bind(*value);
        }
        query.fetch_one(conn).await
    })?;
    Ok(rows)
}

/// Erasures that take longer than they may, and accounts that are there again.
async fn unforgotten(studio: &Studio) -> Result<Vec<String>, Failure> {
    let slow = "SELECT COUNT(*) FROM erasure WHERE ended_ms IS NULL AND state <> 'held' AND requested_ms < $1";
    let since = studio.clock.now().plus_millis(-ERASED_WITHIN_MS);
    let slow = counted(studio, slow, &[since.as_millis()]).await?;
    let back = "SELECT COUNT(*) FROM erasure WHERE ended_ms IS NOT NULL AND scope = 'account' \
                AND EXISTS (SELECT 1 FROM person WHERE person.id = erasure.person_id)";
    let back = counted(studio, back, &[]).await?;
    let slow = (slow > 0).then(|| {
        format!(
            "{slow} erasures were begun three days ago and are not over: the program's log says why"
        )
    });
    let back = (back > 0).then(|| format!("{back} accounts are there that were erased"));
    Ok(slow.into_iter().chain(back).collect())
}

async fn long_duties(studio: &Studio) -> Result<Vec<String>, Failure> {
    let statement = "SELECT COUNT(*) FROM duty WHERE until_ms - begun_ms > $1 \
                     OR (agreed_by IS NOT NULL AND until_ms - begun_ms > $2)";
    let longest = duty::LENGTHS_MIN.into_iter().max().unwrap_or_default();
    let limits = [longest, duty::BREAK_GLASS_MIN].map(|minutes| i64::from(minutes) * 60_000);
    let long = counted(studio, statement, &limits).await?;
    let long =
        (long > 0).then(|| format!("{long} duties were longer than they may be: /desk/duties"));
    Ok(long.into_iter().collect())
}

async fn small_crowds(studio: &Studio) -> Result<Vec<String>, Failure> {
    let statement = "SELECT COUNT(*) FROM visit_count WHERE people < $1";
    let crowd = i64::try_from(visits::CROWD).unwrap_or(i64::MAX);
    let small = counted(studio, statement, &[crowd]).await?;
    let small = (small > 0).then(|| format!("{small} counts of visits are about fewer people"));
    Ok(small.into_iter().collect())
}

/// Columns in which something lies open that should be sealed.
async fn unsealed(studio: &Studio) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    let mut tx = studio.db.read().await?;
    for table in TABLES {
        for column in table.columns {
            if matches!(column.stored, Stored::Plain | Stored::Blind(_)) {
                continue;
            }
            let (table, column) = (table.name, column.name);
            let statement = format!(
                "SELECT COUNT(*) FROM {table} WHERE {column} <> '' AND SUBSTR({column}, 1, 1) <> $1"
            );
            let rows: i64 = on!(tx, conn => {
                sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
                    .bind(keys::MARK.to_string())
                    .fetch_one(conn)
                    .await
            })?;
            if rows > 0 {
                found.push(format!("{table}.{column} lies open in {rows} rows"));
            }
        }
    }
    Ok(found)
}

/// Signs a report and shows it to everybody; gives what is shown.
pub async fn publish(studio: &Studio, report: &Report) -> Result<String, Failure> {
    let signed = canonical::signed(&studio.keys, "report", &report.document());
    let now = studio.clock.now();
    let mut tx = studio.db.write().await?;
    on!(tx, conn => {
        sqlx::query("INSERT INTO audit (id, created_ms, report) VALUES ($1, $2, $3)")
            .bind(AuditId::new(now, &studio.randomness).to_string())
            .bind(now.as_millis())
            .bind(&signed)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    on!(tx, conn => {
        sqlx::query("DELETE FROM audit WHERE id NOT IN (SELECT id FROM audit ORDER BY id DESC LIMIT $1)")
            .bind(KEPT)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    tx.commit().await?;
    Ok(signed)
}

/// How often the program audits itself, and how often it looks whether that is due.
const EVERY_MS: i64 = 24 * 60 * 60 * 1_000;
const LOOK_EVERY: Duration = Duration::from_secs(10 * 60);
/// A report that is older than this is overdue, and no proof of today.
pub const OVERDUE_MS: i64 = EVERY_MS + 60 * 60 * 1_000;

/// Audits the house where nobody has within a day; `None` where somebody did.
pub async fn run_if_due(studio: &Studio) -> Result<Option<Report>, Failure> {
    let mut tx = studio.db.read().await?;
    let last: Option<i64> = on!(tx, conn => {
        sqlx::query_scalar("SELECT MAX(created_ms) FROM audit").fetch_one(conn).await
    })?;
    drop(tx);
    let due = studio.clock.now().plus_millis(-EVERY_MS).as_millis();
    if last.is_some_and(|last| last > due) {
        return Ok(None);
    }
    let report = run(studio, &[]).await?;
    publish(studio, &report).await?;
    Ok(Some(report))
}

/// Audits the house once a day, until told to stop.
pub async fn keep_auditing(studio: Studio, stop: Stop) {
    // Nobody could delete what became due while the house was closed, and an audit would count it.
    for swept in [
        retention::sweep(&studio).await,
        keeping::sweep(&studio).await,
    ] {
        if let Err(error) = swept {
            tracing::error!(%error, "what was kept long enough could not be deleted before the audit");
        }
    }
    while !stop.is_set() {
        match run_if_due(&studio).await {
            Ok(Some(report)) if !report.holds() => {
                tracing::error!("an audit found something that does not hold. Run pinhole audit");
            }
            Ok(_) => {}
            Err(error) => {
                tracing::error!(%error, "the house could not be audited; trying again later");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.set() => {}
        }
    }
}

/// The newest report, as it was signed; `None` where nobody ever audited this house.
pub async fn newest(studio: &Studio) -> Result<Option<String>, Failure> {
    let mut tx = studio.db.read().await?;
    Ok(on!(tx, conn => {
        sqlx::query_scalar("SELECT report FROM audit ORDER BY id DESC LIMIT 1")
            .fetch_optional(conn)
            .await
    })?)
}
