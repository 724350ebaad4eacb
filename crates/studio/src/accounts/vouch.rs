//! A link that makes a browser known to an account, for the owner who comes with a new browser
//! while somebody else tries passwords in bulk. The link does not sign in: the password is still
//! asked for.

use domain::personal::Address;
use domain::secret::Token;

use super::proof::{self, About, Kind};
use super::sign_in::Visit;
use super::{device, person};
use crate::letters::{self, Letter};
use crate::{Failure, Studio};

/// Writes the letter, where the address has an account; otherwise the same rows reach nobody.
pub(crate) async fn offer(studio: &Studio, address: &Address) -> Result<(), Failure> {
    let throttle = studio.gate.throttle();
    if !throttle.may_write_to(studio.clock.now(), address) {
        return Ok(());
    }
    let person = person::id_by_address(studio, address).await?;
    let mut tx = studio.db.write().await?;
    let about = About {
        person,
        ..About::default()
    };
    let token = proof::give(studio, &mut tx, Kind::Vouch, &about).await?;
    let letter = Letter::Vouch {
        token: token.expose().to_owned(),
    };
    letters::enqueue(studio, &mut tx, person, person.map(|_| address), &letter).await?;
    tx.commit().await?;
    Ok(())
}

/// Whether a link still makes a browser known.
pub async fn is_open(studio: &Studio, token: &Token) -> Result<bool, Failure> {
    let mut tx = studio.db.read().await?;
    let found = proof::look(studio, &mut tx, Kind::Vouch, token).await?;
    Ok(found.is_some_and(|proof| proof.person.is_some()))
}

/// Makes a browser known, and gives the token for its cookie. `None` where the link has ended.
pub async fn accept(
    studio: &Studio,
    visit: &Visit,
    token: &Token,
) -> Result<Option<Token>, Failure> {
    let mut tx = studio.db.write().await?;
    let proof = proof::take(studio, &mut tx, Kind::Vouch, token).await?;
    let Some(person) = proof.and_then(|proof| proof.person) else {
        return Ok(None);
    };
    let device = device::remember(studio, &mut tx, person, visit.device.as_ref()).await?;
    tx.commit().await?;
    Ok(Some(device))
}
