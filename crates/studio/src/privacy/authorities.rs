//! Who hears complaints about how data is handled, by country. Nobody's country is found out or kept:
//! whoever looks says which one it is.

use std::sync::LazyLock;

use serde::Deserialize;

/// A supervisory authority (Art. 51 GDPR, and its likes).
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    /// ISO 3166-1, two letters, in lower case.
    pub country: String,
    /// The country in English.
    pub land: String,
    pub name: String,
    pub web: String,
}

impl Authority {
    /// `Datatilsynet (Norway), https://www.datatilsynet.no`
    #[must_use]
    pub fn in_a_line(&self) -> String {
        format!("{} ({}), {}", self.name, self.land, self.web)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    authority: Vec<Authority>,
}

static ALL: LazyLock<Vec<Authority>> = LazyLock::new(|| {
    let list: List =
        toml::from_str(include_str!("authorities.toml")).expect("a test reads the same file");
    let mut all = list.authority;
    all.sort_by(|one, other| one.land.cmp(&other.land));
    all
});

/// All of them, by the names of their countries.
#[must_use]
pub fn all() -> &'static [Authority] {
    &ALL
}

/// That of a country, by its two letters.
#[must_use]
pub fn of(country: &str) -> Option<&'static Authority> {
    let country = country.trim().to_ascii_lowercase();
    ALL.iter().find(|authority| authority.country == country)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The member states of the Union and of the European Economic Area, and two more.
    const COUNTRIES: &str = "at be bg ch cy cz de dk ee es fi fr gb gr hr hu ie is it li lt lu lv mt \
                             nl no pl pt ro se si sk";

    #[test]
    fn promise_rgt_08_every_country_has_one_authority() {
        let known: BTreeSet<&str> = all().iter().map(|one| one.country.as_str()).collect();
        let expected: BTreeSet<&str> = COUNTRIES.split_whitespace().collect();
        assert_eq!(known, expected);
        assert_eq!(all().len(), 32);
        let sites: BTreeSet<&str> = all().iter().map(|one| one.web.as_str()).collect();
        assert_eq!(sites.len(), all().len(), "a site stands twice");
        for one in all() {
            assert!(one.web.starts_with("https://") && !one.name.is_empty());
            assert_eq!(of(&one.country.to_uppercase()), Some(one));
        }
        assert_eq!(of("xx"), None);
    }
}
