//! What the notice says of everything together: what it is read for besides, which law asks for what, who
//! of the house reads it, what rests on an interest, and who hears complaints.

use domain::language::Language;

use super::{chapters, kept_in_words};
use crate::privacy::inventory::{BY_RIGHT, Purpose};
use crate::privacy::wording::{fill, say};
use crate::privacy::{authorities, looking};

/// A line that is not ended yet.
pub(in crate::privacy) fn purpose_text(language: Language, purpose: Purpose) -> String {
    let (words, basis) = (purpose.words(), purpose.basis().words());
    let with = [say(language, words), say(language, basis)];
    fill(language, "  to {} ({})", &with)
}

fn heading(language: Language, purpose: Purpose) -> String {
    let words = say(language, purpose.words());
    format!("\n{}\n", fill(language, "To {}", &[words]))
}

/// What everything is read for besides.
pub(super) fn by_right_text(language: Language) -> String {
    let heading = "\nEVERYTHING ABOVE\n\nAll of it is also read, by your rights:\n\n";
    let mut text = say(language, heading).to_owned();
    for purpose in BY_RIGHT {
        text += &format!("{}\n", purpose_text(language, purpose));
    }
    text
}

/// What rests on a legal obligation: which law, and for how long is kept what serves it.
pub(super) fn obliged_text(language: Language) -> String {
    let mut text = say(language, "\nWHAT A LAW ASKS FOR\n").to_owned();
    for purpose in Purpose::ALL {
        let Some(citation) = purpose.citation() else {
            continue;
        };
        text += &heading(language, purpose);
        let [law, article, asks] =
            [citation.law, citation.article, citation.asks].map(|words| say(language, words));
        text += &format!("  {law}, {article}: {asks}\n");
        for chapter in chapters(language) {
            if chapter.purposes.contains(&purpose) {
                let kept = kept_in_words(language, chapter.kept);
                text += &fill(language, "  {}: kept {}\n", &[&chapter.heading, &kept]);
            }
        }
    }
    text
}

/// Who of those who run the house reads what of others.
pub(super) fn readers_text(language: Language) -> String {
    let heading = "\nWHO OF US READS IT\n\nEach role reads what serves what it works for, and no passwords, links or secrets but those in letters that nobody sends for us. Whoever is looked at finds it at /account/log.\n\n";
    let mut text = say(language, heading).to_owned();
    for (purpose, roles) in looking::matrix() {
        let roles = looking::roles_in_words(language, roles);
        let words = say(language, purpose.words());
        text += &fill(language, "  to {}: {}\n", &[words, &roles]);
    }
    text
}

/// What rests on a legitimate interest, and why it may.
pub(super) fn weighed_text(language: Language) -> String {
    let above = "\nWHAT RESTS ON AN INTEREST\n\nYou can object to each, on the page /account/objections or by a request.\n";
    let mut text = say(language, above).to_owned();
    for purpose in Purpose::ALL {
        if let Some(balance) = purpose.balance() {
            let (interest, outweighs) = (balance.interest, balance.outweighs);
            text += &heading(language, purpose);
            text += &fill(language, "  the interest: {}\n", &[say(language, interest)]);
            text += &fill(
                language,
                "  why it outweighs: {}\n",
                &[say(language, outweighs)],
            );
        }
    }
    text
}

pub(super) fn authorities_text(language: Language) -> String {
    let above = "\nWHO HEARS COMPLAINTS\n\nThe authority of the country where you live, where you work, or where you think that your rights were hurt.\n\n";
    let mut text = say(language, above).to_owned();
    for authority in authorities::all() {
        let [land, name] = [&authority.land, &authority.name].map(|words| say(language, words));
        text += &format!("  {land}: {name}, {}\n", authority.web);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::tests::usual;
    use super::super::{record, record_text, text};
    use super::*;
    use crate::privacy::inventory::Citation;

    #[test]
    fn promise_pur_03_each_legal_obligation_names_its_law_its_article_and_what_is_kept_for_how_long()
     {
        let register = usual();
        let (text, in_record) = (text(Language::English, &register), record_text(&register));
        let obliged = text
            .split("\nWHAT A LAW ASKS FOR\n")
            .nth(1)
            .expect("a section");
        let obliged = obliged
            .split("\nWHO OF US READS IT\n")
            .next()
            .expect("its end");
        let mut obligations = 0;
        for activity in record(&register) {
            let heading = format!("\nTo {}\n", activity.purpose.words());
            let Some(Citation { law, article, asks }) = activity.purpose.citation() else {
                assert!(!obliged.contains(&heading), "{:?}", activity.purpose);
                continue;
            };
            obligations += 1;
            assert!(law.contains("GDPR") || law.chars().any(|c| c.is_ascii_digit()));
            assert!(
                article.starts_with("Art. ") || article.starts_with('§'),
                "{article}"
            );
            assert!(article.chars().any(|c| c.is_ascii_digit()), "{article}");
            assert!(asks.len() > 40, "{asks}");
            let said = obliged.split(&heading).nth(1).expect("its own part");
            let said = said.split("\nTo ").next().expect("to the next one");
            assert!(
                said.contains(&format!("{law}, {article}: {asks}")),
                "{said}"
            );
            assert!(in_record.contains(&format!("obliged by: {law}, {article}")));
            assert!(!activity.limits.is_empty(), "{:?}", activity.purpose);
            for (what, kept) in activity.limits {
                assert!(said.contains(&format!("  {what}: kept {kept}\n")), "{what}");
            }
        }
        assert!(obligations >= 5);
    }

    #[test]
    fn promise_pur_02_the_notice_says_who_of_the_house_reads_what() {
        let text = text(Language::English, &usual());
        let readers = text
            .split("\nWHO OF US READS IT\n")
            .nth(1)
            .expect("a section");
        let readers = readers
            .split("\nWHAT RESTS ON AN INTEREST\n")
            .next()
            .expect("its end");
        for purpose in Purpose::ALL {
            let mut lines = readers.lines();
            let line = lines.find(|line| line.starts_with(&format!("  to {}: ", purpose.words())));
            let line = line.expect("a line");
            for role in domain::role::Role::ALL {
                let reads = purpose.readers().contains(&role);
                let words = looking::role_in_words(role);
                assert_eq!(line.contains(words), reads, "{role}: {line}");
            }
        }
    }
}
