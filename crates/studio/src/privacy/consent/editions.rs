//! The words by which people are asked. Other words are another edition, and who agreed to the former
//! one is asked again.

use super::Optional;
use crate::privacy::log::hex;

/// What somebody read who agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edition {
    /// From 1.
    pub version: i64,
    pub title: &'static str,
    pub says: &'static str,
}

impl Edition {
    /// Everything that was shown.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n\n{}", self.title, self.says)
    }

    /// In hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> String {
        use sha2::{Digest, Sha256};
        hex(&Sha256::digest(self.text()).into())
    }
}

impl Optional {
    /// Every edition, the newest last. None is ever changed or taken out: receipts name it.
    pub(super) const fn editions(self) -> &'static [Edition] {
        match self {
            Self::News => &[Edition {
                version: 1,
                title: "News by e-mail",
                says: "Those who run this house write to your e-mail address when there is something new \
                       to do here. Your address is used for it and nothing else, nobody else gets it, and \
                       nobody sees whether you read a letter. A link in each letter ends it without signing \
                       in. If you say no, everything works as before.",
            }],
            Self::Personalisation => &[Edition {
                version: 1,
                title: "Begin where I left off",
                says: "The studio begins with the model, shape, number and quality of your last order, read \
                       from that order when you open the page. Your words are not read for it, private orders \
                       neither, and nothing is written down about you. If you say no, the studio begins as it \
                       does for everybody, or with the settings that you save yourself.",
            }],
            Self::Examples => &[Edition {
                version: 1,
                title: "Show this picture to everybody",
                says: "This one picture stands among the examples of this house, where everybody can see it and \
                       save it. Your name, your words and when you drew it are not shown with it. If you take \
                       that back or delete the picture, it is gone from there at once; what others saved \
                       meanwhile they still have. If you say no, nobody sees it but you.",
            }],
            Self::TrainingPictures => &[Edition {
                version: 1,
                title: "Let models learn from this picture",
                says: "This one picture may go into a collection from which models learn to draw, together with \
                       pictures of at least nine other people. Nothing of you goes along: no name, no number, no \
                       words, no time. Its words are read here to leave it out where they ask for the likeness of \
                       somebody. If you take that back or delete the picture, it is in no collection from \
                       then on; one that was made before can't be changed, and your log says which it was in. If \
                       you say no, nothing learns from it.",
            }],
            Self::TrainingWords => &[Edition {
                version: 1,
                title: "Let models learn from its words as well",
                says: "Where this picture goes into a collection from which models learn, the words by which you \
                       ordered it go along. They stay here where they seem to tell of somebody: where they hold \
                       your name, an address or a long number. If you take that back, they are in no collection \
                       from then on. If you say no, the picture goes alone, or not at all.",
            }],
        }
    }

    /// The one by which people are asked now.
    #[must_use]
    pub const fn edition(self) -> &'static Edition {
        let all = self.editions();
        &all[all.len() - 1]
    }

    /// That of a decision.
    #[must_use]
    pub fn edition_of(self, version: i64) -> Option<&'static Edition> {
        let mut all = self.editions().iter();
        all.find(|edition| edition.version == version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who changes a word here has to write another edition, since people agreed to these words.
    #[test]
    fn promise_cns_05_no_edition_to_which_somebody_agreed_is_changed() {
        let known = [
            (
                Optional::News,
                1,
                "58957805f5591f33f6ef85ff1d7e882c510fcf56a094a6cb247eb289d2d0eaf8",
            ),
            (
                Optional::Personalisation,
                1,
                "841a92b29a2cfeb0383542ad03a558b3dd7da7f906ea559d4334fee0953142cd",
            ),
            (
                Optional::Examples,
                1,
                "fabfd56f3bcf3bfd090049c86e86ddb7173899b781fdb50d14a64b527e457384",
            ),
            (
                Optional::TrainingPictures,
                1,
                "e82ccffb58be3315c55feccc895cc23470c2cad7b3a4744d72c042b713560327",
            ),
            (
                Optional::TrainingWords,
                1,
                "3d4777d08041ba0b48fdcaf154ac313d197704a5f7ff6235dd0d2796ed9f0fb6",
            ),
        ];
        let mut all = 0;
        for optional in Optional::ALL {
            for (place, edition) in optional.editions().iter().enumerate() {
                assert_eq!(edition.version, i64::try_from(place).expect("few") + 1);
                let hash = edition.sha256();
                let named = known
                    .iter()
                    .find(|(one, version, _)| (*one, *version) == (optional, edition.version));
                assert_eq!(
                    named.map(|(.., hash)| *hash),
                    Some(hash.as_str()),
                    "{optional:?}"
                );
                all += 1;
            }
        }
        assert_eq!(all, known.len());
    }
}
