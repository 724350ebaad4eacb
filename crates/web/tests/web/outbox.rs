//! Letters as they lie in the database. Whoever reads them as an operator leaves a leaf in the log of whom
//! they are to, so tests that look into the logs read them here.

use db::on;
use domain::personal::Address;
use studio::Studio;
use studio::letters::Letter;
use studio::privacy::inventory::Purpose;
use studio::privacy::keys::Place;

pub(crate) struct Posted {
    pub(crate) address: Address,
    /// `None` once it was sent.
    pub(crate) letter: Option<Letter>,
}

/// All of them that go anywhere, the newest first.
pub(crate) async fn letters(studio: &Studio) -> Vec<Posted> {
    let mut tx = studio.db.read().await.expect("reads");
    let rows: Vec<(String, Option<String>, String, String)> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT id, person_id, address, fields FROM letter WHERE address IS NOT NULL ORDER BY id DESC",
        )
        .fetch_all(conn)
        .await
    })
    .expect("letters");
    drop(tx);
    let mut all = Vec::new();
    for (id, person, address, fields) in rows {
        let person = person.map(|id| id.parse().expect("an id"));
        // To whom is being erased, nobody reads them.
        let Ok(cipher) = studio.keys.of_whom(person).await else {
            continue;
        };
        let open = |column, stored: &str| {
            let reading = Place::new("letter", column).reading(Purpose::Mail);
            let opened = cipher.open(reading.expect("listed"), &id, stored);
            opened.expect("opens").into_exposed()
        };
        all.push(Posted {
            address: Address::new(&open("address", &address)).expect("an address"),
            letter: (!fields.is_empty())
                .then(|| serde_json::from_str(&open("fields", &fields)).expect("a letter")),
        });
    }
    all
}
