//! The words by which people are asked. Other words are another edition, and who agreed to the former
//! one is asked again.

use domain::language::Language;

use super::Optional;
use crate::privacy::log::hex;

/// What somebody read who agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edition {
    /// From 1.
    pub version: i64,
    pub title: &'static str,
    pub says: &'static str,
    /// The same in German, title and text: to agree to one is to agree to the other.
    german: (&'static str, &'static str),
}

impl Edition {
    /// Title and text.
    #[must_use]
    pub const fn words(&self, language: Language) -> (&'static str, &'static str) {
        match language {
            Language::English => (self.title, self.says),
            Language::German => self.german,
        }
    }

    /// Everything that was shown.
    #[must_use]
    pub fn text_in(&self, language: Language) -> String {
        let (title, says) = self.words(language);
        format!("{title}\n\n{says}")
    }

    /// In English.
    #[must_use]
    pub fn text(&self) -> String {
        self.text_in(Language::English)
    }

    /// Of what was shown in a language, in hexadecimal.
    #[must_use]
    pub fn sha256_in(&self, language: Language) -> String {
        use sha2::{Digest, Sha256};
        hex(&Sha256::digest(self.text_in(language)).into())
    }

    /// In English.
    #[must_use]
    pub fn sha256(&self) -> String {
        self.sha256_in(Language::English)
    }

    /// In which language somebody read it, by the checksum of what they read.
    #[must_use]
    pub fn read_in(&self, sha256: &str) -> Option<Language> {
        let mut all = Language::ALL.into_iter();
        all.find(|language| self.sha256_in(*language) == sha256)
    }
}

/// What somebody read: which edition, in which language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    pub version: i64,
    pub language: Language,
}

impl From<i64> for Read {
    /// In English, in which programs are told.
    fn from(version: i64) -> Self {
        Self {
            version,
            language: Language::English,
        }
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
                german: (
                    "Neues per E-Mail",
                    "Die Betreiber dieses Hauses schreiben an Ihre E-Mail-Adresse, wenn es hier etwas Neues zu \
                     tun gibt. Ihre Adresse dient dazu und zu nichts anderem, niemand sonst bekommt sie, und \
                     niemand sieht, ob Sie einen Brief lesen. Ein Link in jedem Brief beendet es, ohne dass Sie \
                     sich anmelden. Sagen Sie Nein, geht alles wie bisher.",
                ),
            }],
            Self::Personalisation => &[Edition {
                version: 1,
                title: "Begin where I left off",
                says: "The studio begins with the model, shape, number and quality of your last order, read \
                       from that order when you open the page. Your words are not read for it, private orders \
                       neither, and nothing is written down about you. If you say no, the studio begins as it \
                       does for everybody, or with the settings that you save yourself.",
                german: (
                    "Anfangen, wo ich aufgehört habe",
                    "Das Studio beginnt mit Modell, Form, Anzahl und Qualität Ihres letzten Auftrags. Gelesen \
                     werden sie aus diesem Auftrag, wenn Sie die Seite öffnen. Ihre Worte werden dafür nicht \
                     gelesen, private Aufträge auch nicht, und nichts wird über Sie aufgeschrieben. Sagen Sie \
                     Nein, beginnt das Studio wie bei allen, oder mit den Einstellungen, die Sie selbst speichern.",
                ),
            }],
            Self::Examples => &[Edition {
                version: 1,
                title: "Show this picture to everybody",
                says: "This one picture stands among the examples of this house, where everybody can see it and \
                       save it. Your name, your words and when you drew it are not shown with it. If you take \
                       that back or delete the picture, it is gone from there at once; what others saved \
                       meanwhile they still have. If you say no, nobody sees it but you.",
                german: (
                    "Dieses Bild allen zeigen",
                    "Dieses eine Bild steht unter den Beispielen dieses Hauses, wo es alle sehen und speichern \
                     können. Ihr Name, Ihre Worte und die Zeit, zu der Sie es gezeichnet haben, werden nicht \
                     gezeigt. Wenn Sie das widerrufen oder das Bild löschen, ist es dort sofort weg; was andere \
                     inzwischen gespeichert haben, haben sie weiter. Sagen Sie Nein, sieht es niemand außer Ihnen.",
                ),
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
                german: (
                    "Modelle aus diesem Bild lernen lassen",
                    "Dieses eine Bild darf in eine Sammlung kommen, aus der Modelle zeichnen lernen, zusammen mit \
                     Bildern von mindestens neun anderen Menschen. Von Ihnen geht nichts mit: kein Name, keine \
                     Nummer, keine Worte, keine Zeit. Seine Worte werden hier gelesen, um es wegzulassen, wenn \
                     sie nach dem Bildnis eines Menschen verlangen. Wenn Sie das widerrufen oder das Bild \
                     löschen, ist es von da an in keiner Sammlung; eine, die es schon gab, lässt sich nicht mehr \
                     ändern, und Ihr Protokoll sagt, in welcher es war. Sagen Sie Nein, lernt nichts daraus.",
                ),
            }],
            Self::TrainingWords => &[Edition {
                version: 1,
                title: "Let models learn from its words as well",
                says: "Where this picture goes into a collection from which models learn, the words by which you \
                       ordered it go along. They stay here where they seem to tell of somebody: where they hold \
                       your name, an address or a long number. If you take that back, they are in no collection \
                       from then on. If you say no, the picture goes alone, or not at all.",
                german: (
                    "Modelle auch aus seinen Worten lernen lassen",
                    "Kommt dieses Bild in eine Sammlung, aus der Modelle lernen, so gehen die Worte mit, mit denen \
                     Sie es bestellt haben. Sie bleiben hier, wenn sie von jemandem zu erzählen scheinen: wenn \
                     Ihr Name, eine Adresse oder eine lange Zahl darin steht. Wenn Sie das widerrufen, sind sie \
                     von da an in keiner Sammlung. Sagen Sie Nein, geht das Bild allein oder gar nicht.",
                ),
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

    /// Of the newest edition of each, in their order.
    const KNOWN_IN_GERMAN: [&str; 5] = [
        "1ed8c2f1bed5bb7aeaef5f7c9377386bf8fd329aab204162b16eecc317c5a2a6",
        "2e9fa25a8684b969f76f9e4602437e9d73b8c6d6a796e017c2fce9574fe066c7",
        "552f748127d131d058fc107c05604c671e92902e30e8492308065a484fb42744",
        "833cab85c12ea4d178234a75e9155d23bd07456d667d780efad28477f49587c1",
        "134c75c95299abe1c5ada06c90ec3209f3839d9ae9aaba316f8281ac1d5d8bd8",
    ];

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

    #[test]
    fn promise_x_09_an_edition_in_german_is_never_changed_either() {
        let known = KNOWN_IN_GERMAN.into_iter();
        let now = Optional::ALL
            .map(|optional| optional.edition().sha256_in(Language::German))
            .into_iter();
        for ((optional, hash), known) in Optional::ALL.into_iter().zip(now).zip(known) {
            assert_eq!(hash, known, "{optional:?}");
            let edition = optional.edition();
            assert_eq!(edition.read_in(&hash), Some(Language::German));
            assert_eq!(edition.read_in(&edition.sha256()), Some(Language::English));
            assert_eq!(edition.read_in("0"), None);
        }
    }
}
