//! What tax law wants kept: no more than that, and for as long.

use std::collections::BTreeSet;

use db::on;
use domain::clock::Moment;
use domain::role::Role;
use serde_json::Value;
use studio::credits::invoices::{self, Invoice, InvoiceError};
use studio::privacy::access;
use studio::privacy::erasure::Scope;
use studio::privacy::inventory::INVOICES_KEPT_MS;
use studio::privacy::looking::Staff;
use studio::privacy::{audit, retention};

use crate::erasure::{erase, holdings, member, settled, traces};
use crate::stage::Stage;
use crate::work;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

fn invoice(number: &str) -> Invoice {
    Invoice {
        number: number.to_owned(),
        amount: 1_250,
        currency: "EUR".to_owned(),
        country: "DE".to_owned(),
        vat: Some("DE 123456789, mark-of-vat".to_owned()),
        customer: Some("cus_mark-of-customer".to_owned()),
        issued: Moment::from_millis(1_799_000_000_000),
    }
}

/// Everything that there ever was.
fn ever() -> (Moment, Moment) {
    (Moment::from_millis(0), Moment::from_millis(i64::MAX / 2))
}

async fn columns_with_something(stage: &Stage) -> BTreeSet<String> {
    let mut tx = stage.studio.db.read().await.expect("begins");
    let mut filled = BTreeSet::new();
    for column in [
        "id",
        "person_id",
        "number",
        "amount",
        "currency",
        "country",
        "vat",
        "customer",
        "issued_ms",
        "year_ends_ms",
    ] {
        let select = format!("SELECT COUNT({column}) FROM invoice");
        let rows: i64 = on!(tx, conn => {
            sqlx::query_scalar(sqlx::AssertSqlSafe(select)).fetch_one(conn).await
        })
        .expect("counts");
        if rows > 0 {
            filled.insert(column.to_owned());
        }
    }
    filled
}

#[tokio::test]
async fn promise_pay_04_an_erasure_keeps_of_invoices_what_the_law_names_and_the_receipt_lists_it() {
    let stage = Stage::new().await;
    let (_stop, _working) = work(&stage);
    stage.painter.run_freely();
    let studio = &stage.studio;
    member(&stage, "op@example.org", Role::Operator).await;
    let anna = settled(&stage, "anna@example.org", "anna").await;
    invoices::record(studio, anna, &invoice("2026-1"))
        .await
        .expect("kept");
    assert_eq!(
        invoices::of(studio, anna).await.expect("reads"),
        [invoice("2026-1")]
    );
    // What it proves, and who is behind it, lies sealed.
    let sealed = ["mark-of-vat", "mark-of-customer"];
    assert_eq!(traces(&stage, &sealed).await, Vec::<String>::new());
    assert_eq!(holdings(&stage, anna).await["invoice"], 1);

    let standing = erase(&stage, anna, Scope::Account).await;

    let receipt: Value = serde_json::from_str(&standing.receipt.expect("signed")).expect("JSON");
    let kept = receipt["receipt"]["kept"].as_array().expect("a list");
    let told = kept
        .iter()
        .find(|part| part["table"] == "invoice")
        .expect("is told");
    let listed: BTreeSet<String> = told["columns"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|name| name.as_str().expect("a name").to_owned())
        .collect();
    assert_eq!(
        listed,
        columns_with_something(&stage).await,
        "these and no other"
    );
    assert!(!listed.contains("person_id"));
    assert_eq!(told["rows"], 1);
    assert_eq!(told["basis"]["article"], "Art. 244, 247 and 369k");
    assert_eq!(
        told["until"],
        "for 10 years after the year of the invoice ended"
    );
    assert!(
        kept.iter()
            .all(|part| part["table"] == "invoice" || part["basis"].is_null())
    );
    assert_eq!(standing.done.scan.expect("searched").residue, []);
    assert_eq!(invoices::of(studio, anna).await.expect("reads"), []);
    // Whoever does the taxes still reads it, and of whom it was nobody.
    let all = invoices::all(studio, &Staff::in_shell(), ever())
        .await
        .expect("reads");
    assert_eq!(all, [invoice("2026-1")]);
    assert_eq!(
        traces(&stage, &["anna@example.org", "anna display"]).await,
        Vec::<String>::new()
    );
    let report = audit::run(studio, &[]).await.expect("reads");
    assert!(report.holds(), "{:?}", report.checks);
}

#[tokio::test]
async fn promise_pay_04_an_invoice_goes_ten_years_after_its_year() {
    let stage = Stage::new().await;
    let studio = &stage.studio;
    member(&stage, "op@example.org", Role::Operator).await;
    let anna = member(&stage, "anna@example.org", Role::Person).await;
    invoices::record(studio, anna, &invoice("2027-1"))
        .await
        .expect("kept");
    let year_ends = Moment::end_of_day("2027-12-31").expect("a day");
    assert_eq!(invoice("").issued.civil().year, 2027);
    let count = async || {
        retention::sweep(studio).await.expect("sweeps");
        invoices::all(studio, &Staff::in_shell(), ever())
            .await
            .expect("reads")
            .len()
    };
    let left = year_ends.as_millis() + INVOICES_KEPT_MS - studio.clock.now().as_millis();
    studio.clock.advance_millis(left - 1);
    assert_eq!(count().await, 1);
    studio.clock.advance_millis(1);
    assert_eq!(count().await, 0);
    // Ten years, whichever of them are leap years.
    assert_eq!(INVOICES_KEPT_MS / DAY_MS, 3_650 + 3);
}

#[tokio::test]
async fn an_invoice_is_kept_once_and_no_other_takes_its_number() {
    let stage = Stage::new().await;
    let studio = &stage.studio;
    let anna = member(&stage, "anna@example.org", Role::Person).await;
    let bert = member(&stage, "bert@example.org", Role::Person).await;
    for _ in 0..2 {
        invoices::record(studio, anna, &invoice("1"))
            .await
            .expect("kept");
    }
    let more = Invoice {
        amount: 1_251,
        ..invoice("1")
    };
    for (person, other) in [(bert, &invoice("1")), (anna, &more)] {
        let taken = invoices::record(studio, person, other).await;
        assert!(matches!(taken, Err(InvoiceError::Taken(number)) if number == "1"));
    }
    let tomorrow = studio.clock.now().plus_millis(DAY_MS + 1);
    for bad in [
        Invoice {
            number: String::new(),
            ..invoice("")
        },
        Invoice {
            number: "1\n2".to_owned(),
            ..invoice("")
        },
        Invoice {
            vat: Some("x".repeat(101)),
            ..invoice("2")
        },
        Invoice {
            customer: Some(" cus".to_owned()),
            ..invoice("2")
        },
        Invoice {
            currency: "eur".to_owned(),
            ..invoice("2")
        },
        Invoice {
            country: "DEU".to_owned(),
            ..invoice("2")
        },
        Invoice {
            amount: 0,
            ..invoice("2")
        },
        Invoice {
            amount: i64::MIN + 1,
            ..invoice("2")
        },
        Invoice {
            issued: tomorrow,
            ..invoice("2")
        },
    ] {
        assert!(
            invoices::record(studio, anna, &bad).await.is_err(),
            "{bad:?}"
        );
    }
    assert_eq!(invoices::of(studio, anna).await.expect("reads").len(), 1);
    let held = access::holdings(studio, bert).await.expect("reads");
    assert!(
        held.iter()
            .all(|one| one.table.name != "invoice" || one.rows == 0)
    );
}

#[test]
fn amounts_are_read_and_written_in_their_currency() {
    for (text, currency, units, words) in [
        ("12.50", "EUR", 1_250, "12.50 EUR"),
        ("12.5", "EUR", 1_250, "12.50 EUR"),
        ("12", "USD", 1_200, "12.00 USD"),
        ("-0.05", "EUR", -5, "−0.05 EUR"),
        ("1500", "JPY", 1_500, "1500 JPY"),
        ("1.005", "KWD", 1_005, "1.005 KWD"),
    ] {
        assert_eq!(
            invoices::amount_of(text, currency).expect("reads"),
            units,
            "{text}"
        );
        let one = Invoice {
            amount: units,
            currency: currency.to_owned(),
            ..invoice("1")
        };
        assert_eq!(one.amount_in_words(), words);
    }
    for (text, currency) in [
        ("", "EUR"),
        (".", "EUR"),
        (".5", "EUR"),
        ("1.234", "EUR"),
        ("1.5", "JPY"),
        ("1,50", "EUR"),
        ("--1", "EUR"),
        ("+1", "EUR"),
        ("1e3", "EUR"),
        ("99999999999999999999", "EUR"),
    ] {
        assert!(
            invoices::amount_of(text, currency).is_err(),
            "{text} {currency}"
        );
    }
}
