//! Closes every way in and stops every drawing, in one transaction: from here on nothing is written
//! for the person.

use db::{Tx, on};
use domain::ids::{LetterId, PersonId};
use domain::personal::Address;
use domain::secret::Token;

use super::marks::{self, Kind, Mark};
use super::plan::table;
use super::rows::delete_all_of;
use super::steps::{Halt, Work};
use super::{AskedBy, Scope, State};
use crate::accounts::{hash, person, proof, standing};
use crate::credits::grants;
use crate::jobs::{line, queue};
use crate::letters::{self, Letter};
use crate::privacy::export;
use crate::privacy::holds::{self, Class};
use crate::privacy::inventory::{Of, Purpose, TABLES, Table};
use crate::privacy::keys::shredding;
use crate::privacy::requests;
use crate::{Failure, Studio, support};

/// `receipt` is the token that the person was given; another is made where nobody has one.
pub(super) async fn freeze(
    studio: &Studio,
    work: &mut Work,
    receipt: Option<&Token>,
) -> Result<(), Halt> {
    let mut tx = studio.db.write().await?;
    line::lock(&mut tx, work.person).await?;
    hold(&mut tx, work).await?;
    let jobs = queue::end_all(studio, &mut tx, work.person).await?;
    work.done.jobs_cancelled += jobs.len() as u64;
    work.done.held = match work.plan.scope {
        // Nobody can read what is theirs any more, whatever a law wants.
        Scope::Account if work.asked_by != AskedBy::Restoration.name() => {
            holds::of(&mut tx, work.person, studio.clock.now()).await?
        }
        _ => Vec::new(),
    };
    // Who goes again was told before, and the key to their address is gone.
    let is_again = work.asked_by == AskedBy::Restoration.name();
    let receipt = match receipt {
        Some(token) => token.clone(),
        None if is_again => Token::new(&studio.randomness),
        None => another_receipt(studio, &mut tx, work).await?,
    };
    let address = match is_again {
        true => None,
        false => person::address_of(studio, &mut tx, work.person).await?,
    };
    match work.plan.scope {
        Scope::Account => {
            close_account(studio, &mut tx, work, address.as_ref(), &receipt).await?;
        }
        Scope::History => {
            let letter = Letter::HistoryErased {
                token: receipt.expose().to_owned(),
            };
            let to = address.as_ref();
            if to.is_some() {
                letters::enqueue(studio, &mut tx, Some(work.person), to, &letter).await?;
            }
        }
    }
    // It holds what is going.
    export::end_of(&mut tx, work.person).await?;
    work.reach(studio, tx, State::Frozen).await?;
    shredding::carry_out(studio).await?;
    for job in jobs {
        studio.board.cancel(job);
    }
    studio.board.announce();
    studio.gate.watched().look();
    Ok(())
}

/// The line takes nothing of this person any more.
async fn hold(tx: &mut Tx, work: &Work) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query("UPDATE person SET erasure_id = $2 WHERE id = $1")
            .bind(work.person.to_string())
            .bind(work.id.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(())
}

/// Lets a person order again whose history is gone.
pub(super) async fn release(tx: &mut Tx, work: &Work) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query("UPDATE person SET erasure_id = NULL WHERE id = $1 AND erasure_id = $2")
            .bind(work.person.to_string())
            .bind(work.id.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(())
}

/// Whoever asked never got the token: the program ended in between. The letter brings another.
async fn another_receipt(studio: &Studio, tx: &mut Tx, work: &Work) -> Result<Token, Failure> {
    let token = Token::new(&studio.randomness);
    on!(tx, conn => {
        sqlx::query("UPDATE erasure SET receipt_hash = $2 WHERE id = $1")
            .bind(work.id.to_string())
            .bind(hash(&token))
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(token)
}

async fn close_account(
    studio: &Studio,
    tx: &mut Tx,
    work: &mut Work,
    address: Option<&Address>,
    receipt: &Token,
) -> Result<(), Halt> {
    let person = work.person;
    let mut own = vec![Mark {
        kind: Kind::Id,
        text: person.to_string(),
    }];
    if let Some(address) = address {
        own.extend(
            [address.expose().to_owned(), address.folded()].map(|text| Mark {
                kind: Kind::Address,
                text,
            }),
        );
        letters::forget_nobodys(studio, tx, address, person).await?;
        proof::forget_nobodys(studio, tx, address).await?;
        requests::forget_nobodys(studio, tx, address).await?;
        support::forget_nobodys(studio, tx, address).await?;
        work.letter = Some(farewell(studio, tx, work, address, receipt).await?);
    }
    marks::append(studio, tx, work, &own).await?;
    if let Some(ended) = grants::close_account(studio, tx, person).await? {
        work.done.credits_ended = ended.get();
        work.done.count("balance", 1);
    }
    let mut ways_in = ways_in();
    ways_in.retain(|table| !work.holds(table.name));
    if work.holds_class(Class::Account) {
        shut(tx, person).await?;
    }
    marks::collect_at_once(studio, tx, work, &ways_in).await?;
    for table in ways_in {
        let rows = delete_all_of(tx, table, person).await?;
        work.done.count(table.name, rows);
    }
    standing::tell(tx).await?;
    Ok(())
}

/// An account that a law wants kept is found by nobody any more: not by its address, which is free for
/// others, nor by its name or password.
async fn shut(tx: &mut Tx, person: PersonId) -> Result<(), Failure> {
    on!(tx, conn => {
        sqlx::query(
            "UPDATE account SET address_key = $2, username_key = NULL, password_hash = NULL \
             WHERE person_id = $1",
        )
        .bind(person.to_string())
        .bind(format!("held|{person}"))
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(())
}

/// The letter that brings the receipt. It is nobody's, so that it stays until it is sent, and the
/// address goes with it.
async fn farewell(
    studio: &Studio,
    tx: &mut Tx,
    work: &Work,
    address: &Address,
    receipt: &Token,
) -> Result<LetterId, Failure> {
    let letter = Letter::AccountErased {
        token: receipt.expose().to_owned(),
    };
    let id = letters::enqueue(studio, tx, None, Some(address), &letter).await?;
    on!(tx, conn => {
        sqlx::query("UPDATE erasure SET letter_id = $2 WHERE id = $1")
            .bind(work.id.to_string())
            .bind(id.to_string())
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(id)
}

/// The tables whose rows let somebody in, with those that hang on them, the last first.
fn ways_in() -> Vec<&'static Table> {
    let lets_in = |table: &Table| {
        // What was accepted opens nothing.
        table.name != "terms_acceptance"
            && table.purposes.contains(&Purpose::Account)
            && table.of == Of::Person("person_id")
    };
    let hangs = |table: &Table| match table.of {
        Of::Row { table: parent, .. } => self::table(parent).is_some_and(lets_in),
        _ => false,
    };
    let tables = TABLES.iter().rev();
    tables
        .filter(|table| lets_in(table) || hangs(table))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_in_is_closed_at_once() {
        let names: Vec<&str> = ways_in().iter().map(|table| table.name).collect();
        let expected = [
            "key_spending",
            "proof",
            "api_key",
            "recovery_code",
            "totp",
            "passkey",
            "session",
            "organisation_member",
            "organisation",
            "account",
        ];
        assert_eq!(names, expected);
    }
}
