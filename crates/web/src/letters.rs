//! What letters say: the words of the catalogue, in plain text and in simple HTML that loads
//! nothing.

use askama::Template;
use domain::clock::Moment;
use studio::letters::Letter;

use crate::texts::{LetterText, Texts};

/// A letter in words. It holds a link that lets in, so it can't be printed.
#[derive(Clone)]
pub struct Written {
    pub subject: String,
    pub text: String,
    pub html: String,
}

impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Written(…)")
    }
}

#[derive(Template)]
#[template(path = "letter.html")]
struct LetterPage<'a> {
    t: &'static Texts,
    subject: &'a str,
    paragraphs: Vec<&'a str>,
    link: Option<&'a str>,
    link_words: &'a str,
}

/// Writes a letter of the house at `home`, as in `https://pictures.example.org`.
#[must_use]
pub fn write(letter: &Letter, home: &str) -> Written {
    let t = Texts::get();
    let (words, path) = words(t, letter);
    let link = path.map(|path| format!("{home}{path}"));
    let body = match letter {
        Letter::NewDevice { family, at_ms } => {
            let at = t.exact(Moment::from_millis(*at_ms));
            words.body.fill_two(family.as_str(), &at)
        }
        Letter::AttackOnHouse { at_ms } => {
            let at = t.exact(Moment::from_millis(*at_ms));
            words.body.fill_two(&at, home)
        }
        Letter::AttackOnAccount { person, at_ms } => {
            let at = t.exact(Moment::from_millis(*at_ms));
            words.body.fill_all(&[&at, home, person])
        }
        Letter::PasskeyAdded { name }
        | Letter::PasskeyRemoved { name }
        | Letter::PasskeyCopied { name } => words.body.fill_all(&[name, home]),
        _ => words.body.fill(home),
    };
    let link_line = link
        .as_ref()
        .map_or_else(String::new, |link| format!("\n\n{link}"));
    let text = format!("{body}{link_line}\n\n{}\n{home}\n", t.letters.closing);
    let page = LetterPage {
        t,
        subject: &words.subject,
        paragraphs: body.split("\n\n").collect(),
        link: link.as_deref(),
        link_words: &words.link,
    };
    Written {
        subject: words.subject.clone(),
        html: page.render().unwrap_or_else(|_| text.clone()),
        text,
    }
}

fn words<'a>(t: &'static Texts, letter: &'a Letter) -> (&'static LetterText, Option<String>) {
    let all = &t.letter;
    let at = |place: &str, token: &'a String| Some(format!("/{place}/{token}"));
    let here = |path: &str| Some(path.to_owned());
    match letter {
        Letter::SignUp { token } => (&all.sign_up, at("sign-up", token)),
        Letter::HasAccount => (&all.has_account, Some("/sign-in".to_owned())),
        Letter::Reset { token } => (&all.reset, at("reset", token)),
        Letter::PasswordChanged => (&all.password_changed, Some("/reset".to_owned())),
        Letter::NewDevice { .. } => (&all.new_device, here("/account/sessions")),
        Letter::AddressFrom { token } => (&all.address_from, at("address", token)),
        Letter::AddressTo { token } => (&all.address_to, at("address", token)),
        Letter::AddressChanged => (&all.address_changed, here("/account")),
        Letter::Vouch { token } => (&all.vouch, at("vouch", token)),
        Letter::SecurityChanged => (&all.security_changed, here("/account/password")),
        Letter::AttackOnHouse { .. } => (&all.attack_on_house, None),
        Letter::AttackOnAccount { .. } => (&all.attack_on_account, None),
        Letter::PasskeyAdded { .. } => (&all.passkey_added, here("/account/password")),
        Letter::PasskeyRemoved { .. } => (&all.passkey_removed, here("/account/password")),
        Letter::PasskeyCopied { .. } => (&all.passkey_copied, here("/account/password")),
        Letter::AccountErased { token } => (&all.account_erased, at("receipts", token)),
        Letter::HistoryErased { token } => (&all.history_erased, at("receipts", token)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_says_what_it_is_for_and_loads_nothing() {
        let token = "t".repeat(43);
        let letters = [
            Letter::SignUp {
                token: token.clone(),
            },
            Letter::HasAccount,
            Letter::Reset {
                token: token.clone(),
            },
            Letter::PasswordChanged,
            Letter::AddressFrom {
                token: token.clone(),
            },
            Letter::AddressTo {
                token: token.clone(),
            },
            Letter::AddressChanged,
            Letter::Vouch {
                token: token.clone(),
            },
            Letter::SecurityChanged,
            Letter::AttackOnHouse {
                at_ms: 1_800_000_000_000,
            },
            Letter::AttackOnAccount {
                person: "per_01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned(),
                at_ms: 1_800_000_000_000,
            },
            Letter::PasskeyAdded {
                name: "my phone".to_owned(),
            },
            Letter::PasskeyRemoved {
                name: "my phone".to_owned(),
            },
            Letter::PasskeyCopied {
                name: "my phone".to_owned(),
            },
            Letter::NewDevice {
                family: "Firefox on Linux".to_owned(),
                at_ms: 1_800_000_000_000,
            },
            Letter::AccountErased {
                token: token.clone(),
            },
            Letter::HistoryErased {
                token: token.clone(),
            },
        ];
        for letter in letters {
            let written = write(&letter, "https://pictures.example.org");
            assert!(!written.subject.is_empty() && !written.subject.contains('\n'));
            assert!(!written.text.contains("{}") && !written.html.contains("{}"));
            assert!(written.text.contains("https://pictures.example.org"));
            for remote in ["<img", "src=", "<link", "<script", "url("] {
                assert!(!written.html.contains(remote), "{letter:?}: {remote}");
            }
        }
        let opened = write(
            &Letter::SignUp {
                token: token.clone(),
            },
            "http://localhost",
        );
        let link = format!("http://localhost/sign-up/{token}");
        assert!(opened.text.contains(&link) && opened.html.contains(&link));
        let device = Letter::NewDevice {
            family: "<b>".to_owned(),
            at_ms: 0,
        };
        assert!(!write(&device, "http://localhost").html.contains("<b>"));
    }
}
