//! What somebody who may take the house over gets to see, looked at by one of them who wants to know more.

use db::on;
use domain::clock::Moment;
use domain::ids::PersonId;
use serde_json::Value;
use studio::privacy::aggregates;

use crate::stage::Stage;

/// The month before the one that it is.
fn month_before(stage: &Stage) -> (String, i64) {
    let civil = stage.studio.clock.now().civil();
    let index = civil.year * 12 + i64::from(civil.month) - 2;
    let name = format!(
        "{:04}-{:02}",
        index.div_euclid(12),
        index.rem_euclid(12) + 1
    );
    let day = Moment::start_of_day(&format!("{name}-10")).expect("a day");
    (name, day.as_millis())
}

async fn write_tickets(stage: &Stage, person: PersonId, opened_ms: i64, tickets: usize) {
    let mut tx = stage.studio.db.write().await.expect("begins");
    for ticket in 0..tickets {
        on!(tx, conn => {
            sqlx::query(
                "INSERT INTO ticket (id, person_id, kind, state, subject, opened_ms, changed_ms) \
                 VALUES ($1, $2, 'other', 'closed', '', $3, $3)",
            )
            .bind(format!("{person}-{ticket}"))
            .bind(person.to_string())
            .bind(opened_ms)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })
        .expect("writes");
    }
    tx.commit().await.expect("commits");
}

async fn leave(stage: &Stage, person: PersonId) {
    let mut tx = stage.studio.db.write().await.expect("begins");
    on!(tx, conn => {
        sqlx::query("DELETE FROM ticket WHERE person_id = $1")
            .bind(person.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })
    .expect("writes");
    tx.commit().await.expect("commits");
}

async fn told(stage: &Stage) -> Value {
    aggregates::document(&stage.studio).await.expect("reads")
}

fn tickets(document: &Value) -> &Value {
    let counts = document["counts"].as_array().expect("counts");
    let found = counts.iter().find(|one| one["what"] == "tickets");
    found.expect("tickets are told")
}

fn month<'a>(document: &'a Value, name: &str) -> &'a Value {
    let months = tickets(document)["months"].as_array().expect("months");
    let found = months.iter().find(|one| one["month"] == name);
    &found.expect("each month is there")["told"]
}

#[tokio::test]
async fn promise_leg_03_bidders_can_not_tell_that_one_of_few_left() {
    let stage = Stage::new().await;
    let (name, day) = month_before(&stage);
    let empty = told(&stage).await;
    assert!(month(&empty, &name).is_string());
    let mut people = Vec::new();
    for number in 1..=9 {
        let person = stage.somebody().await;
        write_tickets(&stage, person, day, number).await;
        people.push(person);
        // From nobody to nine: every file is the same, to the byte.
        assert_eq!(told(&stage).await.to_string(), empty.to_string());
    }
    leave(&stage, people[8]).await;
    assert_eq!(told(&stage).await.to_string(), empty.to_string());
}

#[tokio::test]
async fn promise_leg_03_bidders_reckon_nobody_from_sums_and_from_differences() {
    const MONTH_MS: i64 = 31 * 24 * 60 * 60 * 1_000;
    let stage = Stage::new().await;
    let (last, day) = month_before(&stage);
    let mut crowd = Vec::new();
    for number in 0..25 {
        let person = stage.somebody().await;
        write_tickets(&stage, person, day, if number == 0 { 42 } else { 4 }).await;
        crowd.push(person);
    }
    // Months without anybody hide months with few; the smallest group hides them all.
    assert!(month(&told(&stage).await, &last).is_string());
    let mut others = Vec::new();
    for _ in 0..14 {
        let person = stage.somebody().await;
        write_tickets(&stage, person, day - MONTH_MS, 1).await;
        others.push(person);
    }
    let before = told(&stage).await;
    let shown = month(&before, &last);
    // 42 and 24 times 4, in steps that no one person exceeds.
    assert_eq!(
        (&shown["people"], &shown["times"]),
        (&20.into(), &100.into())
    );
    assert_eq!(shown["times_in_steps_of"], 100);
    let together = &tickets(&before)["months_with_few_together"];
    assert_eq!(together["people"], 10);

    // One of another month, alone there: nothing is other than before.
    let alone = stage.somebody().await;
    write_tickets(&stage, alone, day - 2 * MONTH_MS, 3).await;
    assert_eq!(told(&stage).await.to_string(), before.to_string());
    leave(&stage, alone).await;
    // One of many, and one of those who are told together.
    leave(&stage, crowd[7]).await;
    leave(&stage, others[3]).await;
    assert_eq!(told(&stage).await.to_string(), before.to_string());

    // No number, name or address of anybody is in it.
    let text = before.to_string();
    for person in crowd.iter().chain(&others) {
        assert!(!text.contains(&person.to_string()));
    }
}

#[tokio::test]
async fn promise_leg_03_who_restricted_their_account_is_not_in_what_bidders_get() {
    let stage = Stage::new().await;
    let (last, day) = month_before(&stage);
    for at in [day, day - 31 * 24 * 60 * 60 * 1_000] {
        for _ in 0..10 {
            let person = stage.somebody().await;
            write_tickets(&stage, person, at, 2).await;
        }
    }
    let whole = told(&stage).await;
    let shown = tickets(&whole)["months"].as_array().expect("months").iter();
    assert_eq!(shown.filter(|one| one["told"].is_object()).count(), 1);
    let person = stage.somebody().await;
    write_tickets(&stage, person, day, 2000).await;
    assert_ne!(told(&stage).await, whole, "{last}");
    studio::privacy::restriction::restrict(&stage.studio, person)
        .await
        .expect("restricts");
    assert_eq!(told(&stage).await, whole);
}
