//! What may be done with somebody's data in which mode of the account. Every operation is matched
//! with every mode: what has no answer does not compile.

/// Everything that the service does with a person's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Shows what is there for everybody, and is about nobody.
    ShowPublic,
    /// Finds out who asks: signing up, in and out, and links in letters that do.
    SignIn,
    /// Passwords, passkeys, codes, sessions, and revoking keys.
    Secure,
    /// Makes a key with which programs use the service.
    MakeKey,
    /// Shows somebody what is theirs.
    ReadOwn,
    /// Hands out what is theirs, as files.
    TakeAlong,
    /// Corrects what they entered of themselves.
    Correct,
    /// Deletes: a picture, an order, the history, the account.
    Erase,
    /// Rights of Art. 15 to 22 and 77 GDPR: this very restriction, objections, requests.
    ExerciseRight,
    /// Takes an order and reckons its price.
    Order,
    /// Draws what was ordered, with its previews.
    Draw,
    /// Cancels an order, or follows it.
    FollowOrder,
    /// Marks favourites.
    Arrange,
    /// Work of those who run the house, on others' data.
    RunHouse,
    /// Writes about security, rights and the account itself.
    WriteNeededLetter,
    /// Writes anything else.
    WriteOtherLetter,
    /// Reads their last order to begin with its settings.
    Personalise,
    /// Shows a picture of theirs to everybody.
    ShowToOthers,
    /// Puts a picture of theirs into a collection from which models learn.
    Teach,
    /// Learns from what somebody does, to make the service better.
    Analyse,
    /// Deletes what was signed in with, sent or tried long ago.
    SweepTraces,
    /// Deletes pictures and orders because their time is over: somebody may need them as evidence.
    SweepContent,
    /// Keeps the credits in order: pays back, lets end.
    KeepBooks,
    /// Writes down what is done to somebody's data.
    Log,
}

impl Operation {
    pub const ALL: [Self; 24] = [
        Self::ShowPublic,
        Self::SignIn,
        Self::Secure,
        Self::MakeKey,
        Self::ReadOwn,
        Self::TakeAlong,
        Self::Correct,
        Self::Erase,
        Self::ExerciseRight,
        Self::Order,
        Self::Draw,
        Self::FollowOrder,
        Self::Arrange,
        Self::RunHouse,
        Self::WriteNeededLetter,
        Self::WriteOtherLetter,
        Self::Personalise,
        Self::ShowToOthers,
        Self::Teach,
        Self::Analyse,
        Self::SweepTraces,
        Self::SweepContent,
        Self::KeepBooks,
        Self::Log,
    ];

    /// Whether this is done with the data of somebody whose account is in that mode (Art. 18(2) GDPR:
    /// stored, and otherwise only what the person does themselves or what protects their rights).
    #[must_use]
    pub const fn is_done_in(self, mode: Mode) -> bool {
        match (self, mode) {
            (
                Self::ShowPublic
                | Self::SignIn
                | Self::Secure
                | Self::ReadOwn
                | Self::TakeAlong
                | Self::Erase
                | Self::ExerciseRight
                | Self::FollowOrder
                | Self::RunHouse
                | Self::WriteNeededLetter
                | Self::SweepTraces
                | Self::KeepBooks
                | Self::Log,
                Mode::Open | Mode::Restricted | Mode::Held | Mode::Minor,
            ) => true,
            // A child's account is used for nothing, and what it holds ends no later than else.
            (Self::Correct, mode) => !matches!(mode, Mode::Minor),
            (Self::SweepContent, mode) => matches!(mode, Mode::Open | Mode::Minor),
            (
                Self::MakeKey
                | Self::Order
                | Self::Draw
                | Self::Arrange
                | Self::WriteOtherLetter
                | Self::Personalise
                | Self::ShowToOthers
                | Self::Teach
                | Self::Analyse,
                Mode::Open,
            ) => true,
            (
                Self::MakeKey
                | Self::Order
                | Self::Draw
                | Self::Arrange
                | Self::WriteOtherLetter
                | Self::Personalise
                | Self::ShowToOthers
                | Self::Teach
                | Self::Analyse,
                Mode::Restricted | Mode::Held | Mode::Minor,
            ) => false,
        }
    }

    /// A condition for rows whose `column` names a person with whose data this is not done.
    #[must_use]
    pub fn is_refused_to(self, column: &str) -> String {
        let refused: Vec<String> = Mode::ALL
            .into_iter()
            .filter(|mode| !self.is_done_in(*mode))
            .map(|mode| format!("'{}'", mode.name()))
            .collect();
        // An empty list is no SQL.
        let refused = match refused.is_empty() {
            true => "''".to_owned(),
            false => refused.join(", "),
        };
        format!("{column} IN (SELECT person_id FROM restriction WHERE mode IN ({refused}))")
    }
}

/// What may be done with an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    #[default]
    Open,
    /// The person wants it kept and nothing else (Art. 18 GDPR).
    Restricted,
    /// Those who run the house decided so, for a reason that the person reads.
    Held,
    /// The person is younger than the house lets in: it is kept until it is erased.
    Minor,
}

impl Mode {
    pub const ALL: [Self; 4] = [Self::Open, Self::Restricted, Self::Held, Self::Minor];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Restricted => "restricted",
            Self::Held => "held",
            Self::Minor => "minor",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written down once more, so that a slip in the table above is seen.
    #[test]
    fn promise_rgt_03_a_restricted_account_is_kept_read_taken_along_and_nothing_else() {
        let refused = [
            "MakeKey",
            "Order",
            "Draw",
            "Arrange",
            "WriteOtherLetter",
            "Personalise",
            "ShowToOthers",
            "Teach",
            "Analyse",
            "SweepContent",
        ];
        for operation in Operation::ALL {
            assert!(operation.is_done_in(Mode::Open), "{operation:?}");
            for mode in [Mode::Restricted, Mode::Held] {
                let is_refused = refused.contains(&format!("{operation:?}").as_str());
                assert_eq!(operation.is_done_in(mode), !is_refused, "{operation:?}");
            }
            let of_a_child = format!("{operation:?}");
            let is_refused = match of_a_child.as_str() {
                "Correct" => true,
                "SweepContent" => false,
                name => refused.contains(&name),
            };
            assert_eq!(
                operation.is_done_in(Mode::Minor),
                !is_refused,
                "{operation:?}"
            );
        }
        assert_eq!(
            Operation::Draw.is_refused_to("job.person_id"),
            "job.person_id IN (SELECT person_id FROM restriction WHERE mode IN ('restricted', 'held', 'minor'))"
        );
        assert!(Operation::Log.is_refused_to("id").ends_with("IN (''))"));
    }
}
