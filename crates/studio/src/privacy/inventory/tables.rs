//! The database, table by table.

use super::Category::{
    Account, AccountSettings, AgeRange, Behavior, Content, Credentials, Device, Email, Name,
    Password, Picture, UniqueId, Username,
};
use super::Source::Operator;
use super::{Erased, Kept, Limit, Of, Purpose, Table, datum, given, inner, made, used};
use super::{
    affairs, authorities, choices, forgetting, holding, organisations, post, rights, taking,
};
use crate::accounts::{alarm, device, session};

/// What whoever sees a picture sees of it.
const SEEN: &[Purpose] = &[
    Purpose::Drawing,
    Purpose::Examples,
    Purpose::TrainingPictures,
];

/// Every table, in the order in which a person meets them. None stands before one that its rows name:
/// an erasure goes from the last to the first.
pub const TABLES: &[Table] = &[
    Table {
        name: "person",
        row: "You",
        of: Of::Person("id"),
        purposes: &[Purpose::Account, Purpose::Fairness],
        kept: Kept::Account,
        erased: Erased::Deleted,
        columns: &[
            made("id", "your number in this house", UniqueId).serving(&[Purpose::Account]),
            used("created_ms", "when you came", Behavior).serving(&[Purpose::Account]),
            datum("role", "what you may do here", Account, Operator).serving(&[Purpose::Account]),
            made("turn", "your place in the line", Behavior).serving(&[Purpose::Fairness]),
            datum(
                "tier",
                "how early your orders are served",
                Account,
                Operator,
            )
            .serving(&[Purpose::Fairness]),
            used("paced_until_ms", "how fast you order", Behavior).serving(&[Purpose::Fairness]),
            inner("erasure_id"),
            given(
                "kept_ms",
                "how long your pictures are kept, if you chose a time",
                AccountSettings,
            )
            .serving(&[Purpose::Account]),
        ],
    },
    Table {
        name: "account",
        row: "Your account",
        of: Of::Person("person_id"),
        purposes: &[
            Purpose::Account,
            Purpose::Mail,
            Purpose::AgeGate,
            Purpose::News,
            Purpose::Oversight,
        ],
        kept: Kept::Account,
        erased: Erased::Deleted,
        columns: &[
            inner("person_id"),
            given("address", "your e-mail address", Email)
                .sealed()
                .serving(&[
                    Purpose::Account,
                    Purpose::Mail,
                    Purpose::News,
                    Purpose::Oversight,
                ]),
            given("address_key", "a keyed hash of the same, to find it", Email)
                .blind("address")
                .serving(&[Purpose::Account]),
            made(
                "password_hash",
                "a hash of your password (Argon2id)",
                Password,
            )
            .serving(&[Purpose::Account]),
            given("username", "your username, if you chose one", Username)
                .sealed()
                .serving(&[Purpose::Account]),
            given(
                "username_key",
                "a keyed hash of the same, to find it",
                Username,
            )
            .blind("username")
            .serving(&[Purpose::Account]),
            given("display_name", "your name, if you gave one", Name)
                .sealed()
                .serving(&[Purpose::Account]),
            given("portrait", "your portrait, if you gave one", Picture)
                .serving(&[Purpose::Account]),
            given(
                "of_age",
                "whether you are old enough; not your birth date",
                AgeRange,
            )
            .serving(&[Purpose::AgeGate]),
            made("age_threshold", "the age that was asked for", AgeRange)
                .serving(&[Purpose::AgeGate]),
            used("created_ms", "when you made the account", Behavior).serving(&[Purpose::Account]),
            used("active_ms", "when you last used it, to the day", Behavior)
                .serving(&[Purpose::Account]),
            used("warned", "how often you were told that it ends", Behavior)
                .serving(&[Purpose::Mail]),
            used("warned_ms", "when you were last told", Behavior).serving(&[Purpose::Mail]),
        ],
    },
    organisations::ORGANISATION,
    organisations::MEMBER,
    organisations::INVITATION,
    Table {
        name: "session",
        row: "Each browser in which you are signed in",
        of: Of::Person("person_id"),
        purposes: &[Purpose::Account, Purpose::Security],
        kept: Kept::Until(&[
            Limit {
                column: "created_ms",
                ms: session::ABSOLUTE_END_MS,
                after: "you signed in",
            },
            Limit {
                column: "used_ms",
                ms: session::IDLE_END_MS,
                after: "you last used it",
            },
        ]),
        erased: Erased::Deleted,
        columns: &[
            inner("id"),
            inner("person_id"),
            made("token_hash", "a hash of the session's cookie", Credentials)
                .serving(&[Purpose::Account]),
            used(
                "family",
                "the family of the browser and of its system",
                Device,
            )
            .serving(&[Purpose::Security]),
            used("created_ms", "when you signed in", Behavior)
                .serving(&[Purpose::Account, Purpose::Security]),
            used("used_ms", "when you last used it, to the minute", Behavior)
                .serving(&[Purpose::Account, Purpose::Security]),
            used("confirmed_ms", "when you last proved who you are", Behavior)
                .serving(&[Purpose::Security]),
            inner("ends_ms"),
            inner("passkey_id"),
            organisations::ACTS_FOR,
        ],
    },
    Table {
        name: "device",
        row: "Each browser that is known to be yours",
        of: Of::Person("person_id"),
        purposes: &[Purpose::Security],
        kept: Kept::Until(&[Limit {
            column: "seen_ms",
            ms: device::KNOWN_FOR_MS,
            after: "you last signed in with it",
        }]),
        erased: Erased::Deleted,
        columns: &[
            made(
                "token_hash",
                "a hash of the cookie by which it is known",
                Credentials,
            ),
            inner("person_id"),
            used("created_ms", "when you first signed in with it", Behavior),
            used("seen_ms", "when you last signed in with it", Behavior),
        ],
    },
    Table {
        name: "attack",
        row: "Each time that somebody tried passwords in bulk, of your account where it was tried",
        of: Of::Person("subject"),
        purposes: &[Purpose::Security],
        kept: Kept::Until(&[Limit {
            column: "seen_ms",
            ms: alarm::KEPT_MS,
            after: "the last try that was refused",
        }]),
        erased: Erased::Deleted,
        columns: &[
            used("subject", "that your account was tried", Behavior),
            used("began_ms", "when it began", Behavior),
            used("seen_ms", "when it was last refused", Behavior),
        ],
    },
    Table {
        name: "passkey",
        row: "Each of your passkeys",
        of: Of::Person("person_id"),
        purposes: &[Purpose::Account],
        kept: Kept::UntilDeleted,
        erased: Erased::Deleted,
        columns: &[
            inner("id"),
            inner("person_id"),
            given("name", "the name that you gave it", Account).sealed(),
            made("credential_id", "its number", Credentials),
            made("public_key", "its public key", Credentials),
            used("sign_count", "how often it was used", Behavior),
            used("created_ms", "when you added it", Behavior),
            used("used_ms", "when you last used it", Behavior),
            used(
                "may_be_backed_up",
                "whether it can be on several devices",
                Device,
            ),
            used("is_backed_up", "whether it is on several devices", Device),
            used("transports", "how your device reaches it", Device),
        ],
    },
    Table {
        name: "totp",
        row: "Your one-time codes",
        of: Of::Person("person_id"),
        purposes: &[Purpose::Account],
        kept: Kept::UntilDeleted,
        erased: Erased::Deleted,
        columns: &[
            inner("person_id"),
            made(
                "secret",
                "the secret that your authenticator has",
                Credentials,
            )
            .sealed(),
            used("confirmed_ms", "since when you use them", Behavior),
            used("last_step", "when you last used one", Behavior),
        ],
    },
    Table {
        name: "recovery_code",
        row: "Each of your recovery codes",
        of: Of::Person("person_id"),
        purposes: &[Purpose::Account],
        kept: Kept::UntilDeleted,
        erased: Erased::Deleted,
        columns: &[
            inner("person_id"),
            made("code_hash", "a hash of it", Credentials),
        ],
    },
    Table {
        name: "api_key",
        row: "Each of your API keys",
        of: Of::Person("person_id"),
        purposes: &[Purpose::Account, Purpose::Credits],
        kept: Kept::Account,
        erased: Erased::Deleted,
        columns: &[
            inner("id"),
            inner("person_id"),
            given("name", "the name that you gave it", Account)
                .sealed()
                .serving(&[Purpose::Account]),
            made("beginning", "its first letters", Credentials).serving(&[Purpose::Account]),
            made("token_hash", "a hash of it", Credentials).serving(&[Purpose::Account]),
            given("scopes", "what it may do", AccountSettings).serving(&[Purpose::Account]),
            given("limit_credits", "what it may spend", AccountSettings)
                .serving(&[Purpose::Credits]),
            used("created_ms", "when you made it", Behavior).serving(&[Purpose::Account]),
            used("used_ms", "when it was last used, to the minute", Behavior)
                .serving(&[Purpose::Account]),
            used("revoked_ms", "when you revoked it", Behavior).serving(&[Purpose::Account]),
        ],
    },
    post::PROOF,
    post::LETTER,
    Table {
        name: "job",
        row: "Each of your orders",
        of: Of::Person("person_id"),
        purposes: &[
            Purpose::Drawing,
            Purpose::Fairness,
            Purpose::Personalisation,
            Purpose::TrainingPictures,
            Purpose::TrainingWords,
        ],
        kept: Kept::Chosen,
        erased: Erased::Deleted,
        columns: &[
            inner("id"),
            inner("person_id"),
            used("state", "how far it is", Behavior).serving(&[Purpose::Drawing]),
            given("model", "the model", Content)
                .serving(&[Purpose::Drawing, Purpose::Personalisation]),
            given("prompt", "your words", Content)
                .sealed_by_object()
                .serving(&[
                    Purpose::Drawing,
                    Purpose::TrainingPictures,
                    Purpose::TrainingWords,
                ]),
            given(
                "negative_prompt",
                "your words for what to leave out",
                Content,
            )
            .sealed_by_object()
            .serving(&[Purpose::Drawing]),
            given("width", "the width", Content)
                .serving(&[Purpose::Drawing, Purpose::Personalisation]),
            given("height", "the height", Content)
                .serving(&[Purpose::Drawing, Purpose::Personalisation]),
            given("count", "how many pictures", Content)
                .serving(&[Purpose::Drawing, Purpose::Personalisation]),
            given("steps", "the steps", Content)
                .serving(&[Purpose::Drawing, Purpose::Personalisation]),
            given("guidance", "the guidance", Content).serving(&[Purpose::Drawing]),
            given("seed", "the seed", Content).serving(&[Purpose::Drawing]),
            given("ancestors", "seeds of the pictures that it varies", Content)
                .serving(&[Purpose::Drawing]),
            inner("previews"),
            inner("attempts"),
            made(
                "unknown_words",
                "those of your words that the model does not know",
                Content,
            )
            .sealed_by_object()
            .serving(&[Purpose::Drawing]),
            inner("error_code"),
            inner("error_message")
                .sealed_by_object()
                .serving(&[Purpose::Drawing]),
            used("created_ms", "when you ordered it", Behavior)
                .serving(&[Purpose::Drawing, Purpose::Fairness]),
            used("started_ms", "when it was begun", Behavior).serving(&[Purpose::Drawing]),
            used("finished_ms", "when it was over", Behavior).serving(&[Purpose::Drawing]),
            inner("tier"),
            inner("turn"),
            inner("worker"),
            inner("lease_until_ms"),
            inner("claims"),
            given(
                "kept_ms",
                "how long its pictures are kept, if you chose a time",
                AccountSettings,
            )
            .serving(&[Purpose::Drawing]),
            given(
                "private",
                "whether your words are forgotten once it is drawn",
                AccountSettings,
            )
            .serving(&[Purpose::Drawing, Purpose::Personalisation]),
            given("transparent", "whether the background is left out", Content)
                .serving(&[Purpose::Drawing]),
        ],
    },
    Table {
        name: "picture",
        row: "Each of your pictures",
        of: Of::Person("person_id"),
        purposes: &[
            Purpose::Drawing,
            Purpose::Examples,
            Purpose::TrainingPictures,
        ],
        kept: Kept::Chosen,
        erased: Erased::Deleted,
        columns: &[
            inner("id"),
            inner("job_id"),
            inner("person_id"),
            inner("ordinal"),
            made("seed", "its seed", Content).serving(&[Purpose::Drawing]),
            made("width", "its width", Content).serving(SEEN),
            made("height", "its height", Content).serving(SEEN),
            made("blob", "where its file is", Content).serving(&[Purpose::Drawing]),
            made("size_bytes", "how large its file is", Content).serving(&[Purpose::Drawing]),
            made("sha256", "the checksum of its file", Content).serving(&[Purpose::Drawing]),
            made(
                "crc32",
                "a second checksum of its file, for archives",
                Content,
            )
            .serving(&[Purpose::Drawing]),
            made(
                "rights",
                "the edition of the statement of rights that holds for it",
                Content,
            )
            .serving(&[Purpose::Drawing]),
            used("created_ms", "when it was drawn", Behavior).serving(&[Purpose::Drawing]),
            given("favourite", "whether it is a favourite", AccountSettings)
                .serving(&[Purpose::Drawing]),
            given(
                "ends_ms",
                "when it is deleted, if you chose a time",
                AccountSettings,
            )
            .serving(&[Purpose::Drawing]),
        ],
    },
    Table {
        name: "repeat",
        row: "Each request of a program of yours that may be repeated",
        of: Of::Person("person_id"),
        purposes: &[Purpose::Repeats],
        kept: Kept::Until(&[Limit {
            column: "expires_ms",
            ms: 0,
            after: "it counts as another one, which is a day at most",
        }]),
        erased: Erased::Deleted,
        columns: &[
            inner("job_id"),
            inner("person_id"),
            made("key_sha256", "a keyed hash of its name", UniqueId).blind("repeat"),
            made("body_sha256", "a keyed hash of what it said", Content).blind("repeat"),
            used("asked", "how often it came", Behavior),
            inner("present"),
            inner("expires_ms"),
        ],
    },
    Table {
        name: "balance",
        row: "Your balance",
        of: Of::Person("person_id"),
        purposes: &[Purpose::Credits],
        kept: Kept::Account,
        erased: Erased::Deleted,
        columns: &[
            inner("person_id"),
            used("available", "what you have", Account),
            used("held", "what is held for your orders", Account),
            inner("entries"),
        ],
    },
    Table {
        name: "entry",
        row: "Each entry in your books",
        of: Of::Person("person_id"),
        purposes: &[Purpose::Credits],
        kept: Kept::Books,
        erased: Erased::Severed(&[]),
        columns: &[
            inner("id"),
            inner("person_id"),
            inner("ordinal"),
            used("kind", "what it is", Account),
            inner("cause"),
            inner("job_id"),
            inner("grant_id"),
            used("available", "what it changed in what you have", Account),
            used("held", "what it changed in what is held", Account),
            inner("issued"),
            inner("revenue"),
            inner("expired"),
            used("available_after", "what you had then", Account),
            used("held_after", "what was held then", Account),
            used("created_ms", "when it was", Behavior),
        ],
    },
    Table {
        name: "credit_grant",
        row: "Credits that you were given",
        of: Of::Person("person_id"),
        purposes: &[Purpose::Credits],
        kept: Kept::Books,
        erased: Erased::Severed(&[
            ("person_id", "'per_00000000000000000000000000'"),
            ("reason", "''"),
        ]),
        columns: &[
            inner("id"),
            inner("person_id"),
            datum("credits", "how many", Account, Operator),
            used("remaining", "how many are left", Account),
            used("expired", "how many ended unused", Account),
            inner("kind"),
            datum("reason", "why", Account, Operator).sealed(),
            datum("granted_by", "which operator gave them", UniqueId, Operator),
            used("created_ms", "when", Behavior),
            datum("ends_ms", "until when", Account, Operator),
        ],
    },
    Table {
        name: "hold",
        row: "What an order may cost, and did cost",
        of: Of::Person("person_id"),
        purposes: &[Purpose::Credits],
        kept: Kept::Books,
        erased: Erased::Severed(&[("key_id", "NULL")]),
        columns: &[
            inner("job_id"),
            inner("person_id"),
            inner("key_id"),
            used("model", "the model", Account),
            used("pictures", "how many pictures were ordered", Account),
            used("price", "the price of one", Account),
            used("quoted", "the quote", Account),
            used("delivered", "how many came", Account),
            used("charged", "what was charged", Account),
            used("created_ms", "when it was held", Behavior),
            used("settled_ms", "when it was settled", Behavior),
        ],
    },
    Table {
        name: "hold_part",
        row: "From which credits an open order is held",
        of: Of::Row {
            column: "job_id",
            table: "hold",
            key: "job_id",
        },
        purposes: &[Purpose::Credits],
        kept: Kept::With("the order, until it is over"),
        erased: Erased::Deleted,
        columns: &[
            inner("job_id"),
            inner("grant_id"),
            used("credits", "how many", Account),
        ],
    },
    Table {
        name: "key_spending",
        row: "What one of your keys has spent",
        of: Of::Row {
            column: "key_id",
            table: "api_key",
            key: "id",
        },
        purposes: &[Purpose::Credits],
        kept: Kept::With("the key"),
        erased: Erased::Deleted,
        columns: &[inner("key_id"), used("spent", "how many credits", Account)],
    },
    Table {
        name: "log_entry",
        row: "Each time that something was done to your account or to what is yours",
        of: Of::Person("person_id"),
        purposes: &[Purpose::Security],
        kept: Kept::Account,
        erased: Erased::Severed(&[("person_id", "NULL"), ("payload", "NULL")]),
        columns: &[
            inner("id"),
            inner("position"),
            used("kind", "what it was", Behavior),
            inner("commitment"),
            used("created_ms", "when it was", Behavior),
            inner("person_id"),
            used("payload", "what the log says of it", Behavior).sealed(),
        ],
    },
    super::billing::INVOICE,
    affairs::LOG_NODE,
    affairs::LOG_HEAD,
    affairs::LOG_CHECKPOINT,
    affairs::LOG_WITNESS,
    affairs::LOG_WATCHED,
    affairs::AUDIT,
    affairs::POLICY,
    affairs::TERMS,
    post::POLICY_NOTICE,
    post::TERMS_NOTICE,
    post::TERMS_ACCEPTANCE,
    rights::RESTRICTION,
    rights::REQUEST,
    rights::OBJECTION,
    super::staff::DUTY,
    super::support::TICKET,
    super::support::TICKET_MESSAGE,
    super::support::TICKET_FILE,
    choices::CONSENT,
    choices::PREFERENCE,
    choices::NEWS,
    choices::NEWS_LETTER,
    forgetting::ERASURE,
    forgetting::MARK,
    holding::LEGAL_HOLD,
    authorities::DISCLOSURE,
    authorities::BREACH,
    authorities::BREACH_PERSON,
    holding::RESTORATION,
    taking::EXPORT,
    taking::PART,
    affairs::QUEUE,
    affairs::KEY_STORE,
    affairs::SEALING,
    affairs::SHREDDING,
    affairs::VISIT_COUNT,
];
