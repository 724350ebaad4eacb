//! Every route and method, who may ask for it, and what it does with their data. What is missing here is refused.

mod organisations;

use axum::http::Method;
use domain::role::{Role, Scope};
use studio::privacy::restriction::Operation;

pub(crate) use organisations::is_of_organisations;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody; it is not even looked who asks.
    Open,
    /// Everybody; who is signed in is known.
    Public,
    /// Somebody who is signed in on a page. A key is no session.
    Session,
    /// Somebody of this role, signed in on a page.
    Staff(Role),
    /// Somebody of one of these roles. What is shown of others, they see while they are on duty for it.
    Desk(&'static [Role]),
    /// A key with this scope, or somebody who is signed in.
    Key(Scope),
}

use Access::{Desk, Key, Open, Public, Session, Staff};
use Operation::{
    Arrange, Correct, Erase, ExerciseRight, FollowOrder, MakeKey, Order, ReadOwn, RunHouse, Secure,
    ShowPublic, SignIn, TakeAlong,
};

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

const TABLE: &[(&str, Method, Access, Operation)] = &[
    ("/v1/images/generations", POST, Key(Scope::Draw), Order),
    ("/v1/responses", POST, Key(Scope::Draw), Order),
    ("/v1/models", GET, Key(Scope::Draw), ShowPublic),
    ("/v1/models/{*id}", GET, Key(Scope::Draw), ShowPublic),
    ("/v1/me", GET, Key(Scope::AccountRead), ReadOwn),
    ("/v1/me", PATCH, Key(Scope::AccountWrite), Arrange),
    (
        "/v1/me/restriction",
        GET,
        Key(Scope::AccountRead),
        ExerciseRight,
    ),
    (
        "/v1/me/restriction",
        PUT,
        Key(Scope::AccountWrite),
        ExerciseRight,
    ),
    (
        "/v1/me/restriction",
        DELETE,
        Key(Scope::AccountWrite),
        ExerciseRight,
    ),
    (
        "/v1/me/requests",
        GET,
        Key(Scope::AccountRead),
        ExerciseRight,
    ),
    (
        "/v1/me/requests",
        POST,
        Key(Scope::AccountWrite),
        ExerciseRight,
    ),
    (
        "/v1/me/requests/{id}",
        GET,
        Key(Scope::AccountRead),
        ExerciseRight,
    ),
    (
        "/v1/me/requests/{id}",
        DELETE,
        Key(Scope::AccountWrite),
        ExerciseRight,
    ),
    (
        "/v1/me/objections",
        GET,
        Key(Scope::AccountRead),
        ExerciseRight,
    ),
    (
        "/v1/me/objections/{purpose}",
        PUT,
        Key(Scope::AccountWrite),
        ExerciseRight,
    ),
    (
        "/v1/me/objections/{purpose}",
        DELETE,
        Key(Scope::AccountWrite),
        ExerciseRight,
    ),
    (
        "/v1/me/consents",
        GET,
        Key(Scope::AccountRead),
        ExerciseRight,
    ),
    (
        "/v1/me/consents/{purpose}",
        PUT,
        Key(Scope::AccountWrite),
        ExerciseRight,
    ),
    (
        "/v1/me/consents/{purpose}",
        DELETE,
        Key(Scope::AccountWrite),
        ExerciseRight,
    ),
    (
        "/v1/me/consents/receipts/{id}",
        GET,
        Key(Scope::AccountRead),
        ExerciseRight,
    ),
    ("/v1/me/settings", GET, Key(Scope::AccountRead), ReadOwn),
    ("/v1/me/settings", PUT, Key(Scope::AccountWrite), Arrange),
    ("/v1/authorities", GET, Key(Scope::AccountRead), ShowPublic),
    ("/v1/me/export", GET, Key(Scope::AccountExport), TakeAlong),
    ("/v1/me/export", POST, Key(Scope::AccountExport), TakeAlong),
    (
        "/v1/me/export/{id}",
        GET,
        Key(Scope::AccountExport),
        TakeAlong,
    ),
    (
        "/v1/me/export/{id}/content",
        GET,
        Key(Scope::AccountExport),
        TakeAlong,
    ),
    ("/v1/me/erasure", GET, Key(Scope::AccountErase), Erase),
    ("/v1/me/erasure", POST, Key(Scope::AccountErase), Erase),
    ("/v1/jobs", GET, Key(Scope::PicturesRead), ReadOwn),
    (
        "/v1/jobs/events",
        GET,
        Key(Scope::PicturesRead),
        FollowOrder,
    ),
    ("/v1/jobs/{id}", GET, Key(Scope::PicturesRead), ReadOwn),
    ("/v1/jobs/{id}", DELETE, Key(Scope::PicturesWrite), Erase),
    (
        "/v1/jobs/{id}/events",
        GET,
        Key(Scope::PicturesRead),
        FollowOrder,
    ),
    ("/v1/jobs/{id}/cancel", POST, Key(Scope::Draw), FollowOrder),
    ("/v1/pictures", GET, Key(Scope::PicturesRead), ReadOwn),
    (
        "/v1/pictures/archive",
        POST,
        Key(Scope::PicturesRead),
        TakeAlong,
    ),
    ("/v1/pictures/{id}", GET, Key(Scope::PicturesRead), ReadOwn),
    (
        "/v1/pictures/{id}",
        PATCH,
        Key(Scope::PicturesWrite),
        Arrange,
    ),
    (
        "/v1/pictures/{id}",
        DELETE,
        Key(Scope::PicturesWrite),
        Erase,
    ),
    (
        "/v1/pictures/{id}/consents",
        GET,
        Key(Scope::AccountRead),
        ExerciseRight,
    ),
    (
        "/v1/pictures/{id}/consents/{purpose}",
        PUT,
        Key(Scope::AccountWrite),
        ExerciseRight,
    ),
    (
        "/v1/pictures/{id}/consents/{purpose}",
        DELETE,
        Key(Scope::AccountWrite),
        ExerciseRight,
    ),
    (
        "/v1/pictures/{id}/content",
        GET,
        Key(Scope::PicturesRead),
        TakeAlong,
    ),
    ("/v1/credits", GET, Key(Scope::AccountRead), ReadOwn),
    ("/v1/credits/entries", GET, Key(Scope::AccountRead), ReadOwn),
    ("/healthz", GET, Open, ShowPublic),
    ("/readyz", GET, Open, ShowPublic),
    ("/assets/{hash}/{name}", GET, Open, ShowPublic),
    (
        "/assets/{hash}/examples/{model}/{prompt}",
        GET,
        Open,
        ShowPublic,
    ),
    ("/favicon.ico", GET, Open, ShowPublic),
    ("/", GET, Public, ReadOwn),
    ("/draw", POST, Session, Order),
    ("/draw/again", POST, Session, Order),
    ("/draw/variations", POST, Session, Order),
    ("/jobs/{id}/card", GET, Session, FollowOrder),
    ("/jobs/{id}/cancel", POST, Session, FollowOrder),
    ("/jobs/{id}/remove", POST, Session, Erase),
    ("/pictures", GET, Session, ReadOwn),
    ("/pictures/chosen", POST, Session, TakeAlong),
    ("/pictures/keeping", POST, Session, Arrange),
    ("/pictures/{id}/keeping", POST, Session, Arrange),
    ("/pictures/{id}", GET, Session, ReadOwn),
    ("/pictures/{id}/thumbnail", GET, Session, ReadOwn),
    ("/pictures/{id}/favourite", POST, Session, Arrange),
    ("/pictures/{id}/delete", POST, Session, Erase),
    ("/pictures/{id}/consent", POST, Session, ExerciseRight),
    ("/language", POST, Open, ShowPublic),
    ("/examples", GET, Public, ShowPublic),
    ("/examples/{id}", GET, Open, ShowPublic),
    ("/about", GET, Public, ShowPublic),
    ("/privacy", GET, Public, ShowPublic),
    ("/privacy.txt", GET, Open, ShowPublic),
    ("/privacy.json", GET, Open, ShowPublic),
    ("/privacy.jsonld", GET, Open, ShowPublic),
    ("/terms", GET, Public, ShowPublic),
    ("/terms/versions.atom", GET, Open, ShowPublic),
    ("/terms/versions.json", GET, Open, ShowPublic),
    ("/terms/accept", GET, Session, ExerciseRight),
    ("/terms/accept", POST, Session, ExerciseRight),
    ("/terms/{number}", GET, Public, ShowPublic),
    ("/terms/{number}/changes", GET, Public, ShowPublic),
    ("/terms/{number}/terms.txt", GET, Open, ShowPublic),
    ("/terms/{number}/proof.json", GET, Open, ShowPublic),
    ("/privacy/words", GET, Public, ShowPublic),
    ("/privacy/versions", GET, Public, ShowPublic),
    ("/privacy/versions.atom", GET, Open, ShowPublic),
    ("/privacy/versions.json", GET, Open, ShowPublic),
    ("/privacy/versions/{number}", GET, Public, ShowPublic),
    (
        "/privacy/versions/{number}/changes",
        GET,
        Public,
        ShowPublic,
    ),
    (
        "/privacy/versions/{number}/notice.txt",
        GET,
        Open,
        ShowPublic,
    ),
    (
        "/privacy/versions/{number}/notice.html",
        GET,
        Open,
        ShowPublic,
    ),
    (
        "/privacy/versions/{number}/policy.json",
        GET,
        Open,
        ShowPublic,
    ),
    (
        "/privacy/versions/{number}/proof.json",
        GET,
        Open,
        ShowPublic,
    ),
    ("/.well-known/privacy-policy.json", GET, Open, ShowPublic),
    ("/privacy/authorities", GET, Open, ShowPublic),
    ("/privacy/request", GET, Open, ShowPublic),
    ("/privacy/request", POST, Open, ShowPublic),
    ("/privacy/request/{reference}", GET, Open, ShowPublic),
    ("/privacy/request/confirm/{token}", GET, Open, ShowPublic),
    ("/privacy/request/confirm/{token}", POST, Open, ShowPublic),
    ("/schemas/{name}", GET, Open, ShowPublic),
    ("/support", GET, Public, ExerciseRight),
    ("/support", POST, Public, ExerciseRight),
    ("/support/{reference}", GET, Public, ExerciseRight),
    ("/support/{reference}", POST, Public, ExerciseRight),
    (
        "/support/{reference}/files/{file}",
        GET,
        Open,
        ExerciseRight,
    ),
    ("/support/confirm/{token}", GET, Open, ExerciseRight),
    ("/support/confirm/{token}", POST, Open, ExerciseRight),
    ("/trust", GET, Public, ShowPublic),
    ("/trust/checkpoint", GET, Open, ShowPublic),
    ("/trust/growth", GET, Open, ShowPublic),
    ("/trust/witnessed/{name}", GET, Open, ShowPublic),
    ("/witness/add-checkpoint", POST, Open, ShowPublic),
    ("/trust/disclosures.json", GET, Open, ShowPublic),
    ("/trust/report.json", GET, Open, ShowPublic),
    ("/openapi.json", GET, Public, ShowPublic),
    ("/docs", GET, Public, ShowPublic),
    ("/sign-up", GET, Public, SignIn),
    ("/sign-up", POST, Public, SignIn),
    ("/sign-up/{token}", GET, Public, SignIn),
    ("/sign-up/{token}", POST, Public, SignIn),
    ("/sign-in", GET, Public, SignIn),
    ("/sign-in", POST, Public, SignIn),
    ("/sign-in/code", POST, Public, SignIn),
    ("/sign-in/done", GET, Public, SignIn),
    ("/sign-in/passkey", POST, Public, SignIn),
    ("/sign-in/passkey/question", POST, Public, SignIn),
    ("/vouch/{token}", GET, Public, SignIn),
    ("/vouch/{token}", POST, Public, SignIn),
    ("/address/{token}", GET, Public, Correct),
    ("/address/{token}", POST, Public, Correct),
    ("/sign-out", POST, Public, SignIn),
    ("/reset", GET, Public, SignIn),
    ("/reset", POST, Public, SignIn),
    ("/reset/{token}", GET, Public, SignIn),
    ("/reset/{token}", POST, Public, SignIn),
    ("/welcome/{token}", GET, Public, SignIn),
    ("/welcome/{token}", POST, Public, SignIn),
    ("/account/delete", GET, Session, Erase),
    ("/account/delete", POST, Session, Erase),
    ("/receipts/{token}", GET, Open, ShowPublic),
    ("/.well-known/pinhole-house.json", GET, Open, ShowPublic),
    ("/.well-known/gpc.json", GET, Open, ShowPublic),
    ("/news/confirm/{token}", GET, Open, ExerciseRight),
    ("/news/confirm/{token}", POST, Open, ExerciseRight),
    ("/news/leave/{reference}", GET, Open, ExerciseRight),
    ("/news/leave/{reference}", POST, Open, ExerciseRight),
    ("/account", GET, Session, ReadOwn),
    ("/account", POST, Session, Correct),
    ("/account/address", POST, Session, Correct),
    ("/account/portrait", POST, Session, Correct),
    ("/account/portrait/{id}", GET, Session, ReadOwn),
    ("/account/portrait/remove", POST, Session, Correct),
    ("/account/confirm", GET, Session, Secure),
    ("/account/confirm", POST, Session, Secure),
    ("/account/confirm/passkey", POST, Session, Secure),
    ("/account/passkeys", GET, Session, Secure),
    ("/account/passkeys", POST, Session, Secure),
    ("/account/passkeys/rename", POST, Session, Secure),
    ("/account/passkeys/remove", POST, Session, Secure),
    ("/account/codes", GET, Session, Secure),
    ("/account/codes", POST, Session, Secure),
    ("/account/codes/off", POST, Session, Secure),
    ("/account/password", GET, Session, Secure),
    ("/account/password", POST, Session, Secure),
    ("/account/sessions", GET, Session, Secure),
    ("/account/sessions", POST, Session, Secure),
    ("/account/data", GET, Session, ReadOwn),
    ("/account/data", POST, Session, TakeAlong),
    ("/account/data/export/{id}", GET, Session, TakeAlong),
    ("/account/notices", GET, Session, ReadOwn),
    ("/account/notices", POST, Session, ExerciseRight),
    ("/account/requests", GET, Session, ExerciseRight),
    ("/account/requests", POST, Session, ExerciseRight),
    ("/account/requests/withdraw", POST, Session, ExerciseRight),
    ("/account/objections", GET, Session, ExerciseRight),
    ("/account/objections", POST, Session, ExerciseRight),
    ("/account/choices", GET, Session, ExerciseRight),
    ("/account/choices", POST, Session, ExerciseRight),
    ("/account/choices/pictures", POST, Session, ExerciseRight),
    ("/account/choices/settings", POST, Session, Arrange),
    (
        "/account/choices/receipts/{id}",
        GET,
        Session,
        ExerciseRight,
    ),
    ("/account/child", GET, Session, ExerciseRight),
    ("/account/child", POST, Session, ExerciseRight),
    ("/account/restriction", GET, Session, ExerciseRight),
    ("/account/restriction", POST, Session, ExerciseRight),
    ("/account/log", GET, Session, ReadOwn),
    ("/account/log/{id}", GET, Session, ReadOwn),
    ("/account/organisations", GET, Session, ReadOwn),
    ("/account/organisations", POST, Session, Arrange),
    ("/account/organisations/act", POST, Session, Arrange),
    ("/account/organisations/join/{token}", GET, Session, ReadOwn),
    (
        "/account/organisations/join/{token}",
        POST,
        Session,
        Arrange,
    ),
    ("/account/organisations/{id}", GET, Session, ReadOwn),
    ("/account/organisations/{id}", POST, Session, Arrange),
    ("/account/organisations/{id}/leave", POST, Session, Erase),
    ("/account/organisations/{id}/delete", POST, Session, Erase),
    (
        "/account/organisations/{id}/export",
        POST,
        Session,
        TakeAlong,
    ),
    (
        "/account/organisations/{id}/export/{export}",
        GET,
        Session,
        TakeAlong,
    ),
    ("/account/keys", GET, Session, ReadOwn),
    ("/account/keys", POST, Session, MakeKey),
    ("/account/keys/revoke", POST, Session, Secure),
    ("/credits", GET, Session, ReadOwn),
    ("/credits/statement.csv", GET, Session, TakeAlong),
    ("/credits/statement.json", GET, Session, TakeAlong),
    ("/credits/grants", GET, Staff(Role::Operator), RunHouse),
    ("/credits/grants", POST, Staff(Role::Operator), RunHouse),
    ("/letters", GET, Desk(STAFF), RunHouse),
    ("/desk", GET, Desk(STAFF), RunHouse),
    ("/desk/duties", GET, Desk(STAFF), RunHouse),
    ("/desk/duties", POST, Desk(STAFF), RunHouse),
    ("/desk/duties/{id}/agree", POST, Desk(OVERSEERS), RunHouse),
    ("/desk/duties/{id}/end", POST, Desk(STAFF), RunHouse),
    ("/desk/requests", GET, Desk(STAFF), RunHouse),
    ("/desk/requests/{id}", GET, Desk(STAFF), RunHouse),
    ("/desk/requests/{id}", POST, Desk(OVERSEERS), RunHouse),
    ("/desk/support", GET, Desk(STAFF), RunHouse),
    ("/desk/support/{id}", GET, Desk(STAFF), RunHouse),
    ("/desk/support/{id}", POST, Desk(HELPERS), RunHouse),
    (
        "/desk/support/{id}/files/{file}",
        GET,
        Desk(STAFF),
        RunHouse,
    ),
    ("/desk/children", GET, Desk(STAFF), RunHouse),
    ("/desk/children", POST, Desk(OVERSEERS), RunHouse),
    ("/desk/holds", GET, Desk(STAFF), RunHouse),
    ("/desk/holds/{id}/release", POST, Desk(OVERSEERS), RunHouse),
    ("/desk/disclosures", GET, Desk(OVERSEERS), RunHouse),
    ("/desk/disclosures", POST, Desk(OVERSEERS), RunHouse),
    ("/desk/disclosures/{id}", GET, Desk(OVERSEERS), RunHouse),
    ("/desk/disclosures/{id}", POST, Desk(OVERSEERS), RunHouse),
    (
        "/desk/disclosures/{id}/package",
        POST,
        Desk(OVERSEERS),
        RunHouse,
    ),
    ("/desk/breaches", GET, Desk(OVERSEERS), RunHouse),
    ("/desk/breaches", POST, Desk(OVERSEERS), RunHouse),
    ("/desk/breaches/{id}", GET, Desk(OVERSEERS), RunHouse),
    ("/desk/breaches/{id}", POST, Desk(OVERSEERS), RunHouse),
    (
        "/desk/breaches/{id}/notice.txt",
        GET,
        Desk(OVERSEERS),
        RunHouse,
    ),
    ("/desk/recipients", GET, Desk(STAFF), RunHouse),
    ("/desk/promises", GET, Desk(STAFF), RunHouse),
    ("/desk/visits", GET, Staff(Role::Operator), RunHouse),
    ("/desk/policies", GET, Staff(Role::Operator), RunHouse),
];

/// Everybody who runs the house in some part.
const STAFF: &[Role] = &[
    Role::Support,
    Role::Moderator,
    Role::PrivacyOfficer,
    Role::Operator,
];
/// Who answers people that ask for help.
const HELPERS: &[Role] = &[Role::Support, Role::Operator];
/// Who answers for what is done with people's data.
const OVERSEERS: &[Role] = &[Role::PrivacyOfficer, Role::Operator];

/// What a route asks for, and what it does; `None` where the table does not know it.
pub(crate) fn of(route: &str, method: &Method) -> Option<(Access, Operation)> {
    let method = if *method == Method::HEAD {
        &GET
    } else {
        method
    };
    let mut entries = TABLE.iter();
    let found = entries.find(|(known, allows, ..)| *known == route && allows == method);
    found.map(|(.., access, operation)| (*access, *operation))
}

/// Every route with each of its methods.
#[cfg(test)]
pub(crate) fn routes() -> impl Iterator<Item = (&'static str, &'static Method, Operation)> {
    TABLE
        .iter()
        .map(|(route, method, _, operation)| (*route, method, *operation))
}

/// Whether a route is known with any method: the router answers the others with 405.
pub(crate) fn knows(route: &str) -> bool {
    TABLE.iter().any(|(known, ..)| *known == route)
}

#[cfg(test)]
mod tests;
