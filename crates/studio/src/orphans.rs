//! Files without a row: left behind by a process that ended between the one and the other.

use std::collections::HashSet;

use db::on;
use domain::clock::Moment;
use domain::ids::{PictureId, PortraitId};
use futures::TryStreamExt;
use sqlx::QueryBuilder;

use crate::accounts::portrait;
use crate::{Failure, Studio, pictures};

/// From a file to its row it takes seconds.
const AGE_MS: i64 = 10 * 60_000;
/// Files that are looked up together.
const AT_ONCE: usize = 500;

/// A folder of the shelf, and where its files are named.
struct Folder {
    name: &'static str,
    /// Ends where the values follow that [`Folder::by`] gives.
    query: &'static str,
    by: fn(&str) -> Option<String>,
    made: fn(&str) -> Option<Moment>,
}

const FOLDERS: [Folder; 2] = [
    Folder {
        name: pictures::FOLDER,
        query: "SELECT blob FROM picture WHERE id IN (",
        // By id, since that has an index.
        by: |key| Some(stem(key)?.to_owned()),
        made: |key| Some(stem(key)?.parse::<PictureId>().ok()?.made()),
    },
    Folder {
        name: portrait::FOLDER,
        query: "SELECT portrait FROM account WHERE portrait IN (",
        by: |key| Some(key.to_owned()),
        made: |key| Some(stem(key)?.parse::<PortraitId>().ok()?.made()),
    },
];

fn stem(key: &str) -> Option<&str> {
    key.rsplit('/').next()?.split('.').next()
}

/// Deletes every file that no row knows, whole or half written. Where other processes may be about to write the row of a
/// file, only files that are old enough for that to be long over.
pub(crate) async fn sweep(studio: &Studio) -> Result<usize, Failure> {
    let found = find(studio, studio.db.is_shared()).await?;
    for key in &found.half_written {
        studio.shelf.drop_half_written(key).await?;
    }
    for key in &found.whole {
        studio.shelf.delete(key).await?;
    }
    Ok(found.half_written.len() + found.whole.len())
}

/// How many files there are that no row knows, and that no process is about to write a row for.
pub(crate) async fn count(studio: &Studio) -> Result<usize, Failure> {
    let found = find(studio, true).await?;
    Ok(found.half_written.len() + found.whole.len())
}

/// Names of files without a row.
#[derive(Default)]
struct Found {
    half_written: Vec<String>,
    whole: Vec<String>,
}

async fn find(studio: &Studio, spares_young: bool) -> Result<Found, Failure> {
    let youngest = studio.clock.now().plus_millis(-AGE_MS);
    let is_young = |made: Moment| spares_young && made > youngest;
    let mut found = Found::default();
    for folder in FOLDERS {
        let is_old = |key: &String| !(folder.made)(key).is_some_and(is_young);
        let half = studio.shelf.half_written(folder.name).await?;
        found.half_written.extend(half.into_iter().filter(is_old));
        let mut listed = studio.shelf.keys_by_many(folder.name, AT_ONCE);
        while let Some(mut keys) = listed.try_next().await? {
            let known = known(studio, &folder, &keys).await?;
            keys.retain(|key| !known.contains(key) && is_old(key));
            found.whole.append(&mut keys);
        }
    }
    Ok(found)
}

/// Those of the files that have a row.
async fn known(
    studio: &Studio,
    folder: &Folder,
    keys: &[String],
) -> Result<HashSet<String>, Failure> {
    let values: Vec<String> = keys.iter().filter_map(|key| (folder.by)(key)).collect();
    if values.is_empty() {
        return Ok(HashSet::new());
    }
    let mut tx = studio.db.read().await?;
    let known: Vec<String> = on!(tx, conn => {
        let mut query = QueryBuilder::new(folder.query);
        let mut list = query.separated(", ");
        for value in &values {
            list.push_bind(value);
        }
        list.push_unseparated(")");
        query.build_query_scalar().fetch_all(conn).await
    })?;
    Ok(known.into_iter().collect())
}
