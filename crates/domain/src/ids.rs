//! Typed ids: a prefix that says what it names, then a ULID, so that ids sort by time.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::clock::Moment;
use crate::randomness::Randomness;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected an id that begins with {prefix:?}, like {prefix}01ARZ3NDEKTSV4RRFFQ69G5FAV")]
pub struct BadId {
    pub prefix: &'static str,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Ulid);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            #[must_use]
            pub fn new(now: Moment, randomness: &Randomness) -> Self {
                let millis = u64::try_from(now.as_millis()).unwrap_or(0);
                Self(Ulid::from_parts(millis, randomness.next_u128()))
            }

            /// That of this moment with these random bits, of which 80 count.
            #[must_use]
            pub fn of(moment: Moment, bits: u128) -> Self {
                let millis = u64::try_from(moment.as_millis()).unwrap_or(0);
                Self(Ulid::from_parts(millis, bits))
            }

            /// Sorts before every id that was made at this moment or later.
            #[must_use]
            pub fn earliest(moment: Moment) -> Self {
                let millis = u64::try_from(moment.as_millis()).unwrap_or(0);
                Self(Ulid::from_parts(millis, 0))
            }

            /// When it was made.
            #[must_use]
            pub fn made(&self) -> Moment {
                Moment::from_millis(i64::try_from(self.0.timestamp_ms()).unwrap_or(i64::MAX))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", $prefix, self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                let bad = BadId { prefix: $prefix };
                let ulid = text.strip_prefix($prefix).and_then(|rest| Ulid::from_string(rest).ok());
                ulid.map(Self).filter(|id| id.to_string() == text).ok_or(bad)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    )+};
}

ids! {
    /// Somebody who asks for pictures.
    PersonId = "per_";
    /// One order and its way through the queue.
    JobId = "job_";
    /// One picture that was drawn and stored.
    PictureId = "pic_";
    /// One entry of the ledger.
    EntryId = "ent_";
    /// Credits that came together.
    GrantId = "gra_";
    /// One invoice.
    InvoiceId = "inv_";
    /// Of a link into an organisation.
    InvitationId = "ivt_";
    /// A running process that draws or serves.
    NodeId = "nod_";
    /// One browser in which a person signed in.
    SessionId = "ses_";
    /// One key with which a program asks for a person.
    KeyId = "key_";
    /// One letter that waits to be sent, or was.
    LetterId = "let_";
    /// One passkey of a person.
    PasskeyId = "pas_";
    /// One picture of a person, as its person chose it.
    PortraitId = "por_";
    /// One entry of the log that nobody can rewrite.
    LogId = "log_";
    /// One audit of the house.
    AuditId = "aud_";
    /// One time that somebody, or what they ordered, is forgotten.
    ErasureId = "era_";
    /// One time that somebody takes everything along.
    ExportId = "exp_";
    /// One backup.
    BackupId = "bak_";
    /// One time that the house was put back from a backup.
    RestorationId = "res_";
    /// Something of somebody that may not be erased for a while.
    HoldId = "hld_";
    /// One request of somebody by their rights.
    RequestId = "dsr_";
    /// One decision of somebody about what is done only with their consent.
    ConsentId = "con_";
    /// One time that somebody who runs the house may look at what is kept of others.
    DutyId = "dut_";
    /// What somebody writes to the support about, with all that is said of it.
    TicketId = "tic_";
    /// One message of a ticket.
    MessageId = "mes_";
    /// One picture that somebody sent with a message.
    AttachmentId = "att_";
    /// What an authority asked for of one person.
    DisclosureId = "dsc_";
    /// One breach of what protects people's data.
    BreachId = "bre_";
    /// News that go to whoever wants them.
    NewsId = "nws_";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_sorts_by_time() {
        let randomness = Randomness::seeded(1);
        let early = JobId::new(Moment::from_millis(1_000), &randomness);
        let late = JobId::new(Moment::from_millis(2_000), &randomness);
        assert!(early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse(), Ok(early));
        assert_eq!(late.made(), Moment::from_millis(2_000));
        let between = JobId::earliest(Moment::from_millis(2_000));
        assert!(early < between && between < late);
    }

    #[test]
    fn another_prefix_or_spelling_is_refused() {
        let job = JobId::new(Moment::from_millis(1), &Randomness::seeded(1)).to_string();
        assert!(job.parse::<PictureId>().is_err());
        assert!(job.to_lowercase().parse::<JobId>().is_err());
        assert!("job_".parse::<JobId>().is_err());
    }
}
