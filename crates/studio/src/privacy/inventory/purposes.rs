//! What something is kept for, each with its legal basis.

use super::basis::{Basis, Citation};

/// What something is kept for. Each has one legal basis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    Drawing,
    Account,
    Credits,
    Mail,
    Fairness,
    Repeats,
    Security,
    Operation,
    AgeGate,
    Erasure,
    Access,
    Law,
    Rights,
    Preferences,
    Consents,
    News,
    Personalisation,
    Examples,
    TrainingPictures,
    TrainingWords,
    Analytics,
    Oversight,
    Support,
    Disclosure,
    Breaches,
    Billing,
}

impl Purpose {
    pub const ALL: [Self; 26] = [
        Self::Drawing,
        Self::Account,
        Self::Credits,
        Self::Mail,
        Self::Fairness,
        Self::Repeats,
        Self::Security,
        Self::Operation,
        Self::AgeGate,
        Self::Erasure,
        Self::Access,
        Self::Law,
        Self::Rights,
        Self::Preferences,
        Self::Consents,
        Self::News,
        Self::Personalisation,
        Self::Examples,
        Self::TrainingPictures,
        Self::TrainingWords,
        Self::Analytics,
        Self::Oversight,
        Self::Support,
        Self::Disclosure,
        Self::Breaches,
        Self::Billing,
    ];

    /// After "to".
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Drawing => "draw what you order, show it to you and keep it for you",
            Self::Account => "know you again and let you in",
            Self::Credits => "reckon what you have and what you spend",
            Self::Mail => "write to you about your account",
            Self::Fairness => "give everybody their turn",
            Self::Repeats => "answer a repeated request once and charge it once",
            Self::Security => "keep strangers out of your account, and attacks off the service",
            Self::Operation => "find out why something failed",
            Self::AgeGate => "keep children below the age of consent out",
            Self::Erasure => "forget what you want forgotten, and prove that it was",
            Self::Access => "hand you everything that is kept of you",
            Self::Law => "keep what a law or a court wants kept, for as long as it does",
            Self::Rights => "answer what you ask for by your rights",
            Self::Preferences => "begin with the settings that you chose",
            Self::Consents => "do what you agreed to and nothing else, and show that you did",
            Self::News => "write to you when there is something new",
            Self::Personalisation => "begin with the settings of your last order",
            Self::Examples => "show to everybody those pictures of which you say so",
            Self::TrainingPictures => "let models learn from those pictures of which you say so",
            Self::TrainingWords => {
                "let models learn from the words of those pictures of which you say so"
            }
            Self::Analytics => "count how much the service is used, by nobody in particular",
            Self::Support => "help you where you ask for it",
            Self::Oversight => "see that those who run the house look only at what they need",
            Self::Disclosure => {
                "hand out what a law or an order wants handed out, and show that it was no more"
            }
            Self::Breaches => "find whom a breach concerns, and tell them",
            Self::Billing => "keep of invoices what tax law wants kept",
        }
    }

    /// After "to", as those are told it who work for others.
    #[must_use]
    pub const fn words_to_staff(self) -> &'static str {
        match self {
            Self::Drawing => "draw what people order, show it to them and keep it for them",
            Self::Account => "know people again and let them in",
            Self::Credits => "reckon what people have and what they spend",
            Self::Mail => "write to people about their accounts",
            Self::Security => {
                "keep strangers out of people's accounts, and attacks off the service"
            }
            Self::Erasure => "forget what people want forgotten, and prove that it was",
            Self::Access => "hand people everything that is kept of them",
            Self::Rights => "answer what people ask for by their rights",
            Self::Preferences => "begin with the settings that people chose",
            Self::Consents => "do what people agreed to and nothing else, and show that they did",
            Self::News => "write to people when there is something new",
            Self::Personalisation => "begin with the settings of people's last orders",
            Self::Examples => "show to everybody those pictures of which people say so",
            Self::TrainingPictures => "let models learn from those pictures of which people say so",
            Self::TrainingWords => {
                "let models learn from the words of those pictures of which people say so"
            }
            Self::Support => "help people where they ask for it",
            Self::Fairness
            | Self::Repeats
            | Self::Operation
            | Self::AgeGate
            | Self::Law
            | Self::Analytics
            | Self::Oversight
            | Self::Disclosure
            | Self::Breaches
            | Self::Billing => self.words(),
        }
    }

    #[must_use]
    pub const fn basis(self) -> Basis {
        match self {
            Self::Drawing
            | Self::Account
            | Self::Credits
            | Self::Mail
            | Self::Fairness
            | Self::Repeats
            | Self::Preferences
            | Self::Support => Basis::Contract,
            Self::Security | Self::Operation | Self::Analytics => Basis::LegitimateInterest,
            Self::AgeGate => Basis::LegalObligation(Citation {
                law: "GDPR",
                article: "Art. 8(1) and (2)",
                asks: "who is too young to agree alone is not let in, and that this was asked can be shown",
            }),
            Self::Erasure => Basis::LegalObligation(Citation {
                law: "GDPR",
                article: "Art. 5(2), 12(3) and 17",
                asks: "what somebody wants forgotten goes without delay, they are told, and it can be shown",
            }),
            Self::Access => Basis::LegalObligation(Citation {
                law: "GDPR",
                article: "Art. 15 and 20",
                asks: "somebody gets a copy of everything that is kept of them, in a form that others can read",
            }),
            Self::Law => Basis::LegalObligation(Citation {
                law: "GDPR, with the law or the order that each hold names",
                article: "Art. 17(3)(b) and (e)",
                asks: "what a law or a court wants kept is kept until the day that the hold names, and no longer",
            }),
            Self::Consents => Basis::LegalObligation(Citation {
                law: "GDPR",
                article: "Art. 7(1) and (3)",
                asks: "that somebody agreed can be shown, and what they take back is not done any more",
            }),
            Self::Rights => Basis::LegalObligation(Citation {
                law: "GDPR",
                article: "Art. 5(2), 12(3) and (4), 18 and 21",
                asks: "who asks by their rights is answered within a month, and that they were can be shown",
            }),
            Self::Oversight => Basis::LegalObligation(Citation {
                law: "GDPR",
                article: "Art. 5(1)(f), 5(2), 29 and 32(4)",
                asks: "who may look at people's data does so only for the work that they have, and that this was so can be shown",
            }),
            Self::Disclosure => Basis::LegalObligation(Citation {
                law: "GDPR, with the law or the order that each request names",
                article: "Art. 5(2), 6(1)(c) and (d) and 10",
                asks: "what an authority may ask for is handed out to it and no more, and that this was so can be shown",
            }),
            Self::Billing => Basis::LegalObligation(Citation {
                law: "tax law; in the European Union Directive 2006/112/EC",
                article: "Art. 244, 247 and 369k",
                asks: "invoices are kept, for up to ten years from the end of their year, also of who is gone",
            }),
            Self::Breaches => Basis::LegalObligation(Citation {
                law: "GDPR",
                article: "Art. 33 and 34",
                asks: "a breach is written down, the authority is told within 72 hours, and so are the people whom it puts at risk",
            }),
            Self::News
            | Self::Personalisation
            | Self::Examples
            | Self::TrainingPictures
            | Self::TrainingWords => Basis::Consent,
        }
    }

    /// The law that obliges to it, where one does.
    #[must_use]
    pub const fn citation(self) -> Option<Citation> {
        match self.basis() {
            Basis::LegalObligation(citation) => Some(citation),
            Basis::Consent | Basis::Contract | Basis::LegitimateInterest => None,
        }
    }

    /// The Data Privacy Vocabulary's purpose.
    #[must_use]
    pub const fn dpv(self) -> &'static str {
        match self {
            Self::Drawing | Self::Fairness | Self::Repeats => "dpv:ServiceProvision",
            Self::Account => "dpv:IdentityAuthentication",
            Self::Credits => "dpv:PaymentManagement",
            Self::Support => "dpv:CustomerCare",
            Self::Mail => "dpv:CommunicationManagement",
            Self::Security => "dpv:EnforceSecurity",
            Self::Operation => "dpv:TechnicalServiceProvision",
            Self::AgeGate => "dpv:AgeVerification",
            Self::Erasure | Self::Access | Self::Rights => "dpv:RightsFulfilment",
            Self::Law
            | Self::Consents
            | Self::Oversight
            | Self::Disclosure
            | Self::Breaches
            | Self::Billing => "dpv:LegalCompliance",
            Self::Preferences => "dpv:UserInterfacePersonalisation",
            Self::News => "dpv:DirectMarketing",
            Self::Personalisation => "dpv:ServicePersonalisation",
            Self::Examples => "dpv:ServiceProvision",
            Self::TrainingPictures | Self::TrainingWords => {
                "dpv:ImproveExistingProductsAndServices"
            }
            Self::Analytics => "dpv:ServiceUsageAnalytics",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "Help you where you ask for it" is no work that somebody else does.
    #[test]
    fn staff_are_told_of_others() {
        for purpose in Purpose::ALL {
            let words = purpose.words_to_staff();
            let you = words
                .split_whitespace()
                .find(|word| word.starts_with("you"));
            assert_eq!(you, None, "{words}");
        }
    }
}
