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
    let youngest = studio.clock.now().plus_millis(-AGE_MS);
    let is_young = |made: Moment| studio.db.is_shared() && made > youngest;
    let mut swept = 0;
    for folder in FOLDERS {
        for key in studio.shelf.half_written(folder.name).await? {
            if !(folder.made)(&key).is_some_and(is_young) {
                studio.shelf.drop_half_written(&key).await?;
                swept += 1;
            }
        }
        let mut listed = studio.shelf.keys_by_many(folder.name, AT_ONCE);
        while let Some(keys) = listed.try_next().await? {
            let known = known(studio, &folder, &keys).await?;
            for key in keys {
                if !known.contains(&key) && !(folder.made)(&key).is_some_and(is_young) {
                    studio.shelf.delete(&key).await?;
                    swept += 1;
                }
            }
        }
    }
    Ok(swept)
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
