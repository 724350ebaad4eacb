//! What letters say: the words of the catalogue, in plain text and in simple HTML that loads
//! nothing.

use askama::Template;
use domain::clock::Moment;
use studio::letters::Letter;
use studio::privacy::inventory::Purpose;

use crate::texts::{LetterText, Texts};

/// A letter in words. It holds a link that lets in, so it can't be printed.
#[derive(Clone)]
pub struct Written {
    pub subject: String,
    pub text: String,
    pub html: String,
    /// The address that ends letters of this kind, where they are sent only because they are wanted.
    pub leave: Option<String>,
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
        Letter::News { text, .. } => words.body.fill(text.as_str()),
        Letter::NewDevice { family, at_ms } => {
            let at = t.exact(Moment::from_millis(*at_ms));
            words.body.fill_two(family.as_str(), &at)
        }
        Letter::Idle { ends_ms } => {
            let end = t.exact(Moment::from_millis(*ends_ms));
            words.body.fill_two(home, &end)
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
        Letter::RequestReceived { at_ms, .. } => {
            let at = t.last_day(Moment::from_millis(*at_ms));
            words.body.fill_two(home, &at)
        }
        Letter::RequestExtended { text, at_ms, .. } => {
            let at = t.last_day(Moment::from_millis(*at_ms));
            words.body.fill_all(&[&at, text])
        }
        Letter::RequestAnswered { text, .. } => words.body.fill(text.as_str()),
        Letter::RequestRefused {
            text,
            authority,
            at_ms,
            ..
        } => {
            let at = t.last_day(Moment::from_millis(*at_ms));
            words.body.fill_all(&[text, authority, home, &at])
        }
        Letter::RequestArrived { request, at_ms } | Letter::RequestOverdue { request, at_ms } => {
            let at = t.last_day(Moment::from_millis(*at_ms));
            words.body.fill_all(&[home, request, &at, request])
        }
        Letter::DutyAsked { role, purpose } => {
            words
                .body
                .fill_all(&[home, role, purpose_in_words(purpose)])
        }
        Letter::DutyAgreed { purpose, at_ms } => {
            let at = t.exact(Moment::from_millis(*at_ms));
            words.body.fill_all(&[purpose_in_words(purpose), &at, home])
        }
        Letter::DutyUnusual { purpose, at_ms } => {
            let at = t.exact(Moment::from_millis(*at_ms));
            words.body.fill_all(&[home, purpose_in_words(purpose), &at])
        }
        Letter::TicketAnswered { text, at_ms, .. } => {
            let at = t.exact(Moment::from_millis(*at_ms));
            words.body.fill_two(text.as_str(), &at)
        }
        Letter::ChildLocked { at_ms } => {
            let at = t.exact(Moment::from_millis(*at_ms));
            words.body.fill_two(home, &at)
        }
        Letter::ChildUnlocked { text } => words.body.fill_two(home, text.as_str()),
        Letter::ChildContested { person, at_ms } => {
            let at = t.exact(Moment::from_millis(*at_ms));
            words.body.fill_all(&[home, person, &at])
        }
        Letter::TicketClosed { text, .. } => words.body.fill(text.as_str()),
        Letter::TicketArrived { ticket } => words.body.fill_two(home, ticket.as_str()),
        Letter::Disclosed {
            authority,
            text,
            at_ms,
        } => {
            let at = t.exact(Moment::from_millis(*at_ms));
            let law = text.lines().next().unwrap_or_default();
            words.body.fill_all(&[law, authority, &at, text])
        }
        Letter::DisclosureAsked { request } => words.body.fill_all(&[home, request]),
        Letter::DisclosureUnreviewed { request, at_ms }
        | Letter::BreachNoted { request, at_ms }
        | Letter::BreachOverdue { request, at_ms } => {
            let at = t.exact(Moment::from_millis(*at_ms));
            words.body.fill_all(&[home, request, &at])
        }
        Letter::Breach { text, at_ms } => {
            let at = t.exact(Moment::from_millis(*at_ms));
            words.body.fill_all(&[home, &at, text])
        }
        Letter::RestrictionEnds { at_ms } => {
            let at = t.exact(Moment::from_millis(*at_ms));
            words.body.fill_two(&at, home)
        }
        Letter::PolicyChanges { at_ms, text, .. } | Letter::TermsChange { at_ms, text, .. } => {
            let at = t.exact(Moment::from_millis(*at_ms));
            words.body.fill_all(&[home, &at, text])
        }
        _ => words.body.fill(home),
    };
    let link_line = link
        .as_ref()
        .map_or_else(String::new, |link| format!("\n\n{link}"));
    let text = format!("{body}{link_line}\n\n{}\n{home}\n", t.letters.closing);
    let subject = match letter {
        Letter::News { subject, .. } => subject,
        _ => &words.subject,
    };
    let page = LetterPage {
        t,
        subject,
        paragraphs: body.split("\n\n").collect(),
        link: link.as_deref(),
        link_words: &words.link,
    };
    Written {
        subject: subject.clone(),
        html: page.render().unwrap_or_else(|_| text.clone()),
        text,
        leave: match letter {
            Letter::News { .. } => link,
            _ => None,
        },
    }
}

/// After "to".
fn purpose_in_words(name: &str) -> &'static str {
    Purpose::named(name).map_or("", Purpose::words_to_staff)
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
        Letter::Idle { .. } => (&all.idle, here("/sign-in")),
        Letter::AccountErased { token } => (&all.account_erased, at("receipts", token)),
        Letter::HistoryErased { token } => (&all.history_erased, at("receipts", token)),
        Letter::RequestConfirm { token } => {
            (&all.request_confirm, at("privacy/request/confirm", token))
        }
        Letter::RequestReceived { reference, .. } => {
            (&all.request_received, at("privacy/request", reference))
        }
        Letter::RequestExtended { reference, .. } => {
            (&all.request_extended, at("privacy/request", reference))
        }
        Letter::RequestAnswered { reference, .. } => {
            (&all.request_answered, at("privacy/request", reference))
        }
        Letter::RequestRefused { reference, .. } => {
            (&all.request_refused, at("privacy/request", reference))
        }
        Letter::News { leave, .. } => (&all.news, at("news/leave", leave)),
        Letter::PolicyChanges { policy, .. } => (
            &all.policy_changes,
            Some(format!("/privacy/versions/{policy}/changes")),
        ),
        Letter::TermsChange { .. } => (&all.terms_change, here("/terms/accept")),
        Letter::ChildLocked { .. } => (&all.child_locked, here("/account/restriction")),
        Letter::ChildUnlocked { .. } => (&all.child_unlocked, here("/account")),
        Letter::ChildContested { .. } => (&all.child_contested, here("/desk/children")),
        Letter::TicketConfirm { token } => (&all.ticket_confirm, at("support/confirm", token)),
        Letter::TicketOpened { reference } => (&all.ticket_opened, at("support", reference)),
        Letter::TicketAnswered { reference, .. } => {
            (&all.ticket_answered, at("support", reference))
        }
        Letter::TicketClosed { reference, .. } => (&all.ticket_closed, at("support", reference)),
        Letter::TicketArrived { .. } => (&all.ticket_arrived, here("/desk/support")),
        Letter::NewsConfirm { token } => (&all.news_confirm, at("news/confirm", token)),
        Letter::RequestArrived { .. } => (&all.request_arrived, None),
        Letter::RequestOverdue { .. } => (&all.request_overdue, None),
        Letter::Disclosed { .. } => (&all.disclosed, here("/account/log")),
        Letter::DisclosureAsked { request } => {
            (&all.disclosure_asked, at("desk/disclosures", request))
        }
        Letter::DisclosureUnreviewed { request, .. } => {
            (&all.disclosure_unreviewed, at("desk/disclosures", request))
        }
        Letter::Breach { .. } => (&all.breach, here("/account/log")),
        Letter::BreachNoted { request, .. } => (&all.breach_noted, at("desk/breaches", request)),
        Letter::BreachOverdue { request, .. } => {
            (&all.breach_overdue, at("desk/breaches", request))
        }
        Letter::DutyAsked { .. } => (&all.duty_asked, here("/desk/duties")),
        Letter::DutyAgreed { .. } => (&all.duty_agreed, here("/desk/duties")),
        Letter::DutyUnusual { .. } => (&all.duty_unusual, here("/desk/duties")),
        Letter::Restricted => (&all.restricted, here("/account/restriction")),
        Letter::RestrictionEnds { .. } => (&all.restriction_ends, here("/account/restriction")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &str = "https://pictures.example.org";

    /// Every address that stands in a text.
    fn addresses(text: &str) -> Vec<&str> {
        let starts = text.match_indices("http").map(|(at, _)| &text[at..]);
        let until = |c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>');
        starts
            .map(|rest| &rest[..rest.find(until).unwrap_or(rest.len())])
            .collect()
    }

    #[test]
    fn promise_com_02_every_letter_leads_to_its_own_house_alone_and_loads_nothing() {
        let all = studio::letters::registry();
        assert!(all.len() > 30, "{}", all.len());
        for template in all {
            let letter = studio::letters::sample(template.kind, "x").expect("a letter");
            let written = write(&letter, HOME);
            let kind = template.kind;
            assert!(
                !written.subject.is_empty() && !written.subject.contains('\n'),
                "{kind}"
            );
            for text in [&written.text, &written.html] {
                assert!(!text.contains("{}"), "{kind}: {text}");
                for address in addresses(text) {
                    let path = address
                        .strip_prefix(HOME)
                        .unwrap_or_else(|| panic!("{kind}: {address}"));
                    // Nothing in it but the place: no mark by which it is seen who followed it.
                    assert!(!path.contains(['?', '#', '&', '=']), "{kind}: {address}");
                }
            }
            assert!(written.text.contains(HOME), "{kind}");
            for remote in [
                "<img",
                "src=",
                "<link",
                "<script",
                "url(",
                "<iframe",
                "background=",
            ] {
                assert!(!written.html.contains(remote), "{kind}: {remote}");
            }
        }
    }

    /// What somebody else wrote, an answer or news, stays text.
    #[test]
    fn promise_com_02_no_word_that_is_told_becomes_a_picture_or_a_link() {
        const EVIL: &str = "<img src=//evil.example/p.gif><a href=\"//evil.example\">here</a>";
        for template in studio::letters::registry() {
            let letter = studio::letters::sample(template.kind, EVIL).expect("a letter");
            let html = write(&letter, HOME).html;
            assert!(!html.contains("<img"), "{}: {html}", template.kind);
            for link in html.split("href=\"").skip(1) {
                assert!(link.starts_with(HOME), "{}: {link}", template.kind);
            }
        }
    }

    #[test]
    fn a_letter_brings_its_link_in_text_and_in_html() {
        let token = "t".repeat(43);
        let opened = write(
            &Letter::SignUp {
                token: token.clone(),
            },
            "http://localhost",
        );
        let link = format!("http://localhost/sign-up/{token}");
        assert!(opened.text.contains(&link) && opened.html.contains(&link));
    }
}
