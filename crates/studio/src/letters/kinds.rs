//! What is written about: one letter for each.

use domain::secret::Token;
use serde::{Deserialize, Serialize};

use crate::privacy::inventory::Purpose;
use crate::privacy::restriction::Operation;

/// The name of each, in the order below.
pub(super) const KINDS: &[&str] = &[
    "sign_up",
    "has_account",
    "reset",
    "password_changed",
    "new_device",
    "address_from",
    "address_to",
    "address_changed",
    "vouch",
    "security_changed",
    "attack_on_house",
    "attack_on_account",
    "passkey_added",
    "passkey_removed",
    "passkey_copied",
    "idle",
    "account_erased",
    "history_erased",
    "restricted",
    "restriction_ends",
    "request_confirm",
    "request_received",
    "request_extended",
    "request_answered",
    "request_refused",
    "request_arrived",
    "request_overdue",
    "duty_asked",
    "duty_agreed",
    "duty_unusual",
    "child_locked",
    "child_unlocked",
    "child_contested",
    "ticket_confirm",
    "ticket_opened",
    "ticket_answered",
    "ticket_closed",
    "ticket_arrived",
    "disclosed",
    "disclosure_asked",
    "disclosure_unreviewed",
    "breach",
    "breach_noted",
    "breach_overdue",
    "news_confirm",
    "policy_changes",
    "terms_change",
    "news",
];

/// What a letter says; the words are in the catalogue of texts.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Letter {
    /// Opens the account that was asked for.
    SignUp {
        token: String,
    },
    /// Somebody signed up with an address that has an account.
    HasAccount,
    Reset {
        token: String,
    },
    PasswordChanged,
    NewDevice {
        family: String,
        at_ms: i64,
    },
    /// To the former address: agrees to the change.
    AddressFrom {
        token: String,
    },
    /// To the new address: shows that its owner reads it.
    AddressTo {
        token: String,
    },
    AddressChanged,
    /// Makes a browser known while somebody tries many passwords.
    Vouch {
        token: String,
    },
    /// One-time codes were turned on or off.
    SecurityChanged,
    /// To those who run the house: passwords are tried against many accounts.
    AttackOnHouse {
        at_ms: i64,
    },
    /// The same against one account, named by the id of its person.
    AttackOnAccount {
        person: String,
        at_ms: i64,
    },
    PasskeyAdded {
        name: String,
    },
    PasskeyRemoved {
        name: String,
    },
    /// A passkey was shown whose counter had gone back: somebody may have a copy.
    PasskeyCopied {
        name: String,
    },
    /// The account is used no more, and ends.
    Idle {
        ends_ms: i64,
    },
    /// The account is being deleted; brings the receipt.
    AccountErased {
        token: String,
    },
    /// Everything that was ordered is being deleted; brings the receipt.
    HistoryErased {
        token: String,
    },
    /// The account is restricted from now on.
    Restricted,
    /// The restriction of the account will be lifted then.
    RestrictionEnds {
        at_ms: i64,
    },
    /// Puts a request by somebody's rights into the register.
    RequestConfirm {
        token: String,
    },
    /// A request is in the register and due then.
    RequestReceived {
        reference: String,
        at_ms: i64,
    },
    RequestExtended {
        reference: String,
        text: String,
        at_ms: i64,
    },
    RequestAnswered {
        reference: String,
        text: String,
    },
    RequestRefused {
        reference: String,
        text: String,
        authority: String,
        at_ms: i64,
    },
    /// To those who answer: one came in, and is due then.
    RequestArrived {
        request: String,
        at_ms: i64,
    },
    /// To those who answer: one was due then.
    RequestOverdue {
        request: String,
        at_ms: i64,
    },
    /// To those who watch over it: staff want to look at what their role does not read.
    DutyAsked {
        role: String,
        purpose: String,
    },
    /// Somebody agreed, until then.
    DutyAgreed {
        purpose: String,
        at_ms: i64,
    },
    /// To those who watch over it: somebody looks at unusually many people.
    DutyUnusual {
        purpose: String,
        at_ms: i64,
    },
    /// The account is locked, since its person is too young; it is erased then.
    ChildLocked {
        at_ms: i64,
    },
    /// The person is old enough after all.
    ChildUnlocked {
        text: String,
    },
    /// To those who weigh it, until then: somebody says that they are old enough.
    ChildContested {
        person: String,
        at_ms: i64,
    },
    /// Sends to the support what was written from this address.
    TicketConfirm {
        token: String,
    },
    /// The support has it.
    TicketOpened {
        reference: String,
    },
    /// The support answers; it is closed then, unless something more is said.
    TicketAnswered {
        reference: String,
        text: String,
        at_ms: i64,
    },
    /// The support answers, and that is the end of it.
    TicketClosed {
        reference: String,
        text: String,
    },
    /// To those who answer: something waits.
    TicketArrived {
        ticket: String,
    },
    /// Something of theirs was handed out to an authority.
    Disclosed {
        authority: String,
        text: String,
        at_ms: i64,
    },
    /// To those who run the house: an authority asks for something.
    DisclosureAsked {
        request: String,
    },
    /// To those who run the house: nobody looked again at an emergency, due then.
    DisclosureUnreviewed {
        request: String,
        at_ms: i64,
    },
    /// A breach concerns them.
    Breach {
        text: String,
        at_ms: i64,
    },
    /// To those who run the house: a breach is to be reported until then.
    BreachNoted {
        request: String,
        at_ms: i64,
    },
    /// To those who run the house: a breach was not reported in time.
    BreachOverdue {
        request: String,
        at_ms: i64,
    },
    /// Asks whether it was them who wants news.
    NewsConfirm {
        token: String,
    },
    /// Another version of the privacy notice holds from then on.
    PolicyChanges {
        policy: i64,
        at_ms: i64,
        text: String,
    },
    /// Another version of the terms holds from then on, and is to be accepted.
    TermsChange {
        terms: i64,
        at_ms: i64,
        text: String,
    },
    /// News, to whoever wants them; `leave` ends them.
    News {
        subject: String,
        text: String,
        leave: String,
    },
}

impl Letter {
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::SignUp { .. } => "sign_up",
            Self::HasAccount => "has_account",
            Self::Reset { .. } => "reset",
            Self::PasswordChanged => "password_changed",
            Self::NewDevice { .. } => "new_device",
            Self::AddressFrom { .. } => "address_from",
            Self::AddressTo { .. } => "address_to",
            Self::AddressChanged => "address_changed",
            Self::Vouch { .. } => "vouch",
            Self::SecurityChanged => "security_changed",
            Self::AttackOnHouse { .. } => "attack_on_house",
            Self::AttackOnAccount { .. } => "attack_on_account",
            Self::PasskeyAdded { .. } => "passkey_added",
            Self::PasskeyRemoved { .. } => "passkey_removed",
            Self::PasskeyCopied { .. } => "passkey_copied",
            Self::Idle { .. } => "idle",
            Self::AccountErased { .. } => "account_erased",
            Self::HistoryErased { .. } => "history_erased",
            Self::Restricted => "restricted",
            Self::RestrictionEnds { .. } => "restriction_ends",
            Self::RequestConfirm { .. } => "request_confirm",
            Self::RequestReceived { .. } => "request_received",
            Self::RequestExtended { .. } => "request_extended",
            Self::RequestAnswered { .. } => "request_answered",
            Self::RequestRefused { .. } => "request_refused",
            Self::RequestArrived { .. } => "request_arrived",
            Self::RequestOverdue { .. } => "request_overdue",
            Self::DutyAsked { .. } => "duty_asked",
            Self::DutyAgreed { .. } => "duty_agreed",
            Self::DutyUnusual { .. } => "duty_unusual",
            Self::ChildLocked { .. } => "child_locked",
            Self::ChildUnlocked { .. } => "child_unlocked",
            Self::ChildContested { .. } => "child_contested",
            Self::TicketConfirm { .. } => "ticket_confirm",
            Self::TicketOpened { .. } => "ticket_opened",
            Self::TicketAnswered { .. } => "ticket_answered",
            Self::TicketClosed { .. } => "ticket_closed",
            Self::TicketArrived { .. } => "ticket_arrived",
            Self::Disclosed { .. } => "disclosed",
            Self::DisclosureAsked { .. } => "disclosure_asked",
            Self::DisclosureUnreviewed { .. } => "disclosure_unreviewed",
            Self::Breach { .. } => "breach",
            Self::BreachNoted { .. } => "breach_noted",
            Self::BreachOverdue { .. } => "breach_overdue",
            Self::NewsConfirm { .. } => "news_confirm",
            Self::PolicyChanges { .. } => "policy_changes",
            Self::TermsChange { .. } => "terms_change",
            Self::News { .. } => "news",
        }
    }

    /// What it is written for.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        match self {
            Self::News { .. } => Purpose::News,
            _ => Purpose::Mail,
        }
    }

    /// What writing it is to somebody whose account is restricted.
    pub(super) const fn operation(&self) -> Operation {
        match self {
            Self::SignUp { .. }
            | Self::HasAccount
            | Self::Reset { .. }
            | Self::PasswordChanged
            | Self::NewDevice { .. }
            | Self::AddressFrom { .. }
            | Self::AddressTo { .. }
            | Self::AddressChanged
            | Self::Vouch { .. }
            | Self::SecurityChanged
            | Self::AttackOnHouse { .. }
            | Self::AttackOnAccount { .. }
            | Self::PasskeyAdded { .. }
            | Self::PasskeyRemoved { .. }
            | Self::PasskeyCopied { .. }
            | Self::Idle { .. }
            | Self::AccountErased { .. }
            | Self::HistoryErased { .. }
            | Self::Restricted
            | Self::RestrictionEnds { .. }
            | Self::RequestConfirm { .. }
            | Self::RequestReceived { .. }
            | Self::RequestExtended { .. }
            | Self::RequestAnswered { .. }
            | Self::RequestRefused { .. }
            | Self::RequestArrived { .. }
            | Self::RequestOverdue { .. }
            | Self::DutyAsked { .. }
            | Self::DutyAgreed { .. }
            | Self::DutyUnusual { .. }
            | Self::ChildLocked { .. }
            | Self::ChildUnlocked { .. }
            | Self::ChildContested { .. }
            | Self::TicketConfirm { .. }
            | Self::TicketOpened { .. }
            | Self::TicketAnswered { .. }
            | Self::TicketClosed { .. }
            | Self::TicketArrived { .. }
            | Self::Disclosed { .. }
            | Self::DisclosureAsked { .. }
            | Self::DisclosureUnreviewed { .. }
            | Self::Breach { .. }
            | Self::BreachNoted { .. }
            | Self::BreachOverdue { .. }
            | Self::PolicyChanges { .. }
            | Self::TermsChange { .. } => Operation::WriteNeededLetter,
            Self::NewsConfirm { .. } | Self::News { .. } => Operation::WriteOtherLetter,
        }
    }

    pub(crate) fn sign_up(token: &Token) -> Self {
        let token = token.expose().to_owned();
        Self::SignUp { token }
    }
}

impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Letter({})", self.kind())
    }
}
