//! What the notice says of everything together: what it is read for besides, which law asks for what, who
//! of the house reads it, what rests on an interest, and who hears complaints.

use domain::recipient::Register;

use super::{Activity, record};
use crate::privacy::inventory::{BY_RIGHT, Purpose};
use crate::privacy::{authorities, looking};

/// What everything is read for besides.
pub(super) fn by_right_text() -> String {
    let mut text =
        String::from("\nEVERYTHING ABOVE\n\nAll of it is also read, by your rights:\n\n");
    for purpose in BY_RIGHT {
        text += &format!("  to {} ({})\n", purpose.words(), purpose.basis().words());
    }
    text
}

/// What rests on a legal obligation: which law, and for how long is kept what serves it.
pub(super) fn obliged_text(register: &Register) -> String {
    let mut text = String::from("\nWHAT A LAW ASKS FOR\n");
    for Activity {
        purpose, limits, ..
    } in record(register)
    {
        if let Some(citation) = purpose.citation() {
            text += &format!("\nTo {}\n", purpose.words());
            text += &format!(
                "  {}, {}: {}\n",
                citation.law, citation.article, citation.asks
            );
            for (what, kept) in limits {
                text += &format!("  {what}: kept {kept}\n");
            }
        }
    }
    text
}

/// Who of those who run the house reads what of others.
pub(super) fn readers_text() -> String {
    let mut text = String::from(
        "\nWHO OF US READS IT\n\nEach role reads what serves what it works for, and no passwords, links or secrets but those in letters that nobody sends for us. Whoever is looked at finds it at /account/log.\n\n",
    );
    for (purpose, roles) in looking::matrix() {
        text += &format!(
            "  to {}: {}\n",
            purpose.words(),
            looking::roles_in_words(roles)
        );
    }
    text
}

/// What rests on a legitimate interest, and why it may.
pub(super) fn weighed_text() -> String {
    let mut text = String::from(
        "\nWHAT RESTS ON AN INTEREST\n\nYou can object to each, on the page /account/objections or by a request.\n",
    );
    for purpose in Purpose::ALL {
        if let Some(balance) = purpose.balance() {
            text += &format!("\nTo {}\n", purpose.words());
            text += &format!("  the interest: {}\n", balance.interest);
            text += &format!("  why it outweighs: {}\n", balance.outweighs);
        }
    }
    text
}

pub(super) fn authorities_text() -> String {
    let mut text = String::from(
        "\nWHO HEARS COMPLAINTS\n\nThe authority of the country where you live, where you work, or where you think that your rights were hurt.\n\n",
    );
    for authority in authorities::all() {
        text += &format!(
            "  {}: {}, {}\n",
            authority.land, authority.name, authority.web
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::tests::usual;
    use super::super::{record_text, text};
    use super::*;
    use crate::privacy::inventory::Citation;

    #[test]
    fn promise_pur_03_each_legal_obligation_names_its_law_its_article_and_what_is_kept_for_how_long()
     {
        let register = usual();
        let (text, record) = (text(&register), record_text(&register));
        let obliged = text
            .split("\nWHAT A LAW ASKS FOR\n")
            .nth(1)
            .expect("a section");
        let obliged = obliged
            .split("\nWHO OF US READS IT\n")
            .next()
            .expect("its end");
        let mut obligations = 0;
        for activity in super::record(&register) {
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
            assert!(record.contains(&format!("obliged by: {law}, {article}")));
            assert!(!activity.limits.is_empty(), "{:?}", activity.purpose);
            for (what, kept) in activity.limits {
                assert!(said.contains(&format!("  {what}: kept {kept}\n")), "{what}");
            }
        }
        assert!(obligations >= 5);
    }

    #[test]
    fn promise_pur_02_the_notice_says_who_of_the_house_reads_what() {
        let text = text(&usual());
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
