//! What the words of the notice mean: an entry for every category of data that the inventory knows.

use super::Category;

impl Category {
    pub const ALL: [Self; 14] = [
        Self::Account,
        Self::AccountSettings,
        Self::AgeRange,
        Self::Behavior,
        Self::Content,
        Self::Credentials,
        Self::Device,
        Self::Email,
        Self::IpAddress,
        Self::Name,
        Self::Password,
        Self::Picture,
        Self::UniqueId,
        Self::Username,
    ];

    /// As a heading.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Account => "Account data",
            Self::AccountSettings => "Settings",
            Self::AgeRange => "Age",
            Self::Behavior => "Use of the service",
            Self::Content => "Content",
            Self::Credentials => "Means of signing in",
            Self::Device => "Device",
            Self::Email => "E-mail address",
            Self::IpAddress => "Network address",
            Self::Name => "Name",
            Self::Password => "Password",
            Self::Picture => "Picture of yourself",
            Self::UniqueId => "Number",
            Self::Username => "Username",
        }
    }

    /// In plain words, as a sentence.
    #[must_use]
    pub const fn means(self) -> &'static str {
        match self {
            Self::Account => {
                "What you have and may do here: your part in the house, your credits, what was charged."
            }
            Self::AccountSettings => {
                "What you chose, such as how long your pictures are kept, or what you agreed to."
            }
            Self::AgeRange => {
                "Whether you are old enough to use the service. Your date of birth is not kept."
            }
            Self::Behavior => {
                "When you did something here and what kind of thing it was, such as signing in or ordering."
            }
            Self::Content => {
                "What you wrote and what was drawn from it: your words, your pictures and their settings."
            }
            Self::Credentials => {
                "What lets you in besides a password: cookies, keys, links and codes, nearly all of them kept as a checksum that lets nobody in."
            }
            Self::Device => {
                "What is known of the device or browser that you use, such as its family. It is not recognised by its properties."
            }
            Self::Email => "The address by which letters reach you.",
            Self::IpAddress => "The address that your connection has in the network.",
            Self::Name => "What you are called, if you say so.",
            Self::Password => {
                "The password of your account, kept as a checksum that takes long to compute and can't be turned back."
            }
            Self::Picture => {
                "A picture that you chose to show yourself by. Nobody is recognised by it."
            }
            Self::UniqueId => {
                "A number that stands for you, your request or something of yours in this house. It means nothing elsewhere."
            }
            Self::Username => "A name of your choice by which others may know you here.",
        }
    }
}

/// Who is meant by words that notices use, and what the law calls them.
pub const PARTIES: [(&str, &str); 5] = [
    (
        "You",
        "Whoever uses this service. As a person, you are whom the law calls the data subject (Art. 4(1) GDPR). You may also be a company, a club or another group: then you have an organisation here, and what is the organisation's is kept apart from what is its members' own.",
    ),
    (
        "We, this house, those who run it",
        "Whoever answers for this service and decides what is done with data, whom the law calls the controller (Art. 4(7) GDPR). Their name stands at the top of the notice.",
    ),
    (
        "Recipient",
        "Somebody outside of this house to whom something of you goes (Art. 4(9) GDPR).",
    ),
    (
        "Processor",
        "A recipient that works for this house and only as it says (Art. 4(8) GDPR).",
    ),
    (
        "Personal data",
        "Whatever tells of you, or can be led back to you (Art. 4(1) GDPR).",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::privacy::notice;

    #[test]
    fn promise_gov_04_every_category_of_the_inventory_has_its_entry() {
        let chapters = notice::chapters(domain::language::Language::English);
        let used: BTreeSet<Category> = chapters
            .iter()
            .flat_map(|chapter| chapter.data.iter().map(|(_, datum)| datum.category))
            .collect();
        let explained: BTreeSet<Category> = Category::ALL.into_iter().collect();
        assert_eq!(explained.len(), Category::ALL.len(), "one stands twice");
        let missing: Vec<_> = used.difference(&explained).collect();
        assert!(missing.is_empty(), "no entry: {missing:?}");
        let headings: BTreeSet<&str> = Category::ALL.iter().map(|one| one.words()).collect();
        assert_eq!(headings.len(), Category::ALL.len());
        for one in Category::ALL {
            let means = one.means();
            assert!(means.len() > 20 && means.ends_with('.'), "{one:?}: {means}");
        }
    }
}
