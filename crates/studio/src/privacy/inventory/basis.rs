//! The grounds on which the law allows that something is kept.

/// Art. 6(1) GDPR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    Consent,
    Contract,
    LegitimateInterest,
    LegalObligation(Citation),
}

/// What obliges. For how long is kept what serves it, the inventory says of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Citation {
    pub law: &'static str,
    pub article: &'static str,
    /// As a sentence without its full stop.
    pub asks: &'static str,
}

impl Basis {
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Consent => "your consent, Art. 6(1)(a) GDPR",
            Self::Contract => "the service that you asked for, Art. 6(1)(b) GDPR",
            Self::LegitimateInterest => "our legitimate interest in it, Art. 6(1)(f) GDPR",
            Self::LegalObligation(_) => "a legal obligation, Art. 6(1)(c) GDPR",
        }
    }

    #[must_use]
    pub const fn dpv(self) -> &'static str {
        match self {
            Self::Consent => "eu-gdpr:A6-1-a",
            Self::Contract => "eu-gdpr:A6-1-b",
            Self::LegitimateInterest => "eu-gdpr:A6-1-f",
            Self::LegalObligation(_) => "eu-gdpr:A6-1-c",
        }
    }
}
