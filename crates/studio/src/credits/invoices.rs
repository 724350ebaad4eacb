//! What tax law asks to keep of an invoice. It lies apart from the credits and outlives the account: of whoever
//! is erased these columns stay, and the receipt names them with the law.

use db::{Tx, on};
use domain::clock::Moment;
use domain::ids::{InvoiceId, PersonId};
use serde_json::json;

use crate::jobs::line;
use crate::privacy::inventory::Purpose;
use crate::privacy::keys::{Place, Reading};
use crate::privacy::log::{self, Event, Kind};
use crate::privacy::looking::{self, Staff, View};
use crate::{Failure, Studio};

/// Characters of a number, of what proves a tax, of a customer's number.
const MAX_CHARS: usize = 100;
/// In the smallest unit: more is a mistake in typing.
const MAX_AMOUNT: i64 = 1_000_000_000_000;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

const VAT: Place = Place::new("invoice", "vat");
const CUSTOMER: Place = Place::new("invoice", "customer");
const READ_VAT: Reading = VAT.read_for(Purpose::Billing);
const READ_CUSTOMER: Reading = CUSTOMER.read_for(Purpose::Billing);
const SHOWN: View = View::of(&[(
    Purpose::Billing,
    &[
        Place::new("invoice", "number"),
        Place::new("invoice", "amount"),
        Place::new("invoice", "currency"),
        Place::new("invoice", "country"),
        VAT,
        CUSTOMER,
        Place::new("invoice", "issued_ms"),
    ],
)]);

/// An invoice as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// As the house numbers them.
    pub number: String,
    /// In the smallest unit of the currency; below zero where something was paid back.
    pub amount: i64,
    /// ISO 4217, such as EUR.
    pub currency: String,
    /// ISO 3166-1 alpha-2 of the country whose tax is due.
    pub country: String,
    pub vat: Option<String>,
    /// The number under which whoever takes the money knows the person.
    pub customer: Option<String>,
    pub issued: Moment,
}

/// Digits behind the point of an amount (ISO 4217).
fn decimals(currency: &str) -> u32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
        | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

/// Reads an amount such as 12.50, in the smallest unit of its currency.
pub fn amount_of(text: &str, currency: &str) -> Result<i64, InvoiceError> {
    let (sign, digits) = text
        .strip_prefix('-')
        .map_or((1, text), |digits| (-1, digits));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let places = decimals(currency) as usize;
    let is_number = |digits: &str| digits.bytes().all(|one| one.is_ascii_digit());
    let fits = !whole.is_empty() && part.len() <= places && is_number(whole) && is_number(part);
    let number = format!("{whole}{part:0<places$}").parse::<i64>();
    let number = number.ok().filter(|_| fits).ok_or(InvoiceError::Amount)?;
    Ok(sign * number)
}

impl Invoice {
    /// As in 12.50 EUR.
    #[must_use]
    pub fn amount_in_words(&self) -> String {
        let sign = if self.amount < 0 { "−" } else { "" };
        let places = decimals(&self.currency);
        let (units, parts) = (self.amount.unsigned_abs(), 10_u64.pow(places));
        let (whole, part) = (units / parts, units % parts);
        let text = match places as usize {
            0 => whole.to_string(),
            places => format!("{whole}.{part:0places$}"),
        };
        format!("{sign}{text} {}", self.currency)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum InvoiceError {
    #[error("The {0} must have 1 to {MAX_CHARS} characters on one line.")]
    Text(&'static str),
    #[error("The currency is three capital letters (ISO 4217), such as EUR.")]
    Currency,
    #[error("The country is two capital letters (ISO 3166-1), such as DE.")]
    Country,
    #[error(
        "The amount is a number such as 12.50 with as many decimals as the currency has, not 0, and less than ten thousand million."
    )]
    Amount,
    #[error("The date lies in the future. Enter an invoice once it is written.")]
    Date,
    #[error("There is another invoice with the number {0}. Each has its own.")]
    Taken(String),
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Keeps an invoice of somebody. The same one again changes nothing.
pub async fn record(
    studio: &Studio,
    person: PersonId,
    invoice: &Invoice,
) -> Result<(), InvoiceError> {
    check(studio, invoice)?;
    let mut tx = studio.db.write().await.map_err(Failure::from)?;
    line::lock(&mut tx, person).await?;
    if let Some(known) = numbered(studio, &mut tx, &invoice.number).await? {
        let is_same = known == (Some(person), invoice.clone());
        return is_same
            .then_some(())
            .ok_or_else(|| InvoiceError::Taken(invoice.number.clone()));
    }
    let id = InvoiceId::new(studio.clock.now(), &studio.randomness).to_string();
    let cipher = studio.keys.nobody();
    let seal = |place, text: &Option<String>| {
        text.as_ref()
            .map(|text| cipher.seal(place, &id, text).as_str().to_owned())
    };
    let (vat, customer) = (seal(VAT, &invoice.vat), seal(CUSTOMER, &invoice.customer));
    let year_ends = year_end(invoice.issued);
    on!(tx, conn => {
        sqlx::query(
            "INSERT INTO invoice (id, person_id, number, amount, currency, country, vat, customer, issued_ms, \
             year_ends_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(&id)
        .bind(person.to_string())
        .bind(&invoice.number)
        .bind(invoice.amount)
        .bind(&invoice.currency)
        .bind(&invoice.country)
        .bind(vat)
        .bind(customer)
        .bind(invoice.issued.as_millis())
        .bind(year_ends.as_millis())
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })
    .map_err(Failure::from)?;
    let event = Event {
        kind: Kind::InvoiceRecorded,
        person: Some(person),
        what: json!({ "number": invoice.number }),
    };
    log::note(studio, &mut tx, &event).await?;
    tx.commit().await.map_err(Failure::from)?;
    Ok(())
}

fn check(studio: &Studio, invoice: &Invoice) -> Result<(), InvoiceError> {
    let is_text = |text: &str| {
        let count = text.chars().count();
        (1..=MAX_CHARS).contains(&count) && !text.contains(char::is_control) && text.trim() == text
    };
    let capitals = |text: &str, many| {
        text.len() == many && text.bytes().all(|letter| letter.is_ascii_uppercase())
    };
    let texts = [
        ("number", Some(&invoice.number)),
        ("VAT proof", invoice.vat.as_ref()),
        ("customer", invoice.customer.as_ref()),
    ];
    for (name, text) in texts {
        if text.is_some_and(|text| !is_text(text)) {
            return Err(InvoiceError::Text(name));
        }
    }
    if !capitals(&invoice.currency, 3) {
        return Err(InvoiceError::Currency);
    }
    if !capitals(&invoice.country, 2) {
        return Err(InvoiceError::Country);
    }
    if invoice.amount == 0 || invoice.amount.abs() >= MAX_AMOUNT {
        return Err(InvoiceError::Amount);
    }
    // The last moment of today is a date of today.
    if invoice.issued.plus_millis(-DAY_MS) >= studio.clock.now() {
        return Err(InvoiceError::Date);
    }
    Ok(())
}

/// The last moment of a year.
fn year_end(when: Moment) -> Moment {
    let year = when.civil().year;
    Moment::end_of_day(&format!("{year:04}-12-31")).unwrap_or(when)
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    person_id: Option<String>,
    number: String,
    amount: i64,
    currency: String,
    country: String,
    vat: Option<String>,
    customer: Option<String>,
    issued_ms: i64,
}

impl Row {
    fn into_invoice(
        self,
        studio: &Studio,
        (vat, customer): (Reading, Reading),
    ) -> Result<(Option<PersonId>, Invoice), Failure> {
        let cipher = studio.keys.nobody();
        let open = |reading, stored: Option<&str>| -> Result<Option<String>, Failure> {
            let text = cipher.open_some(reading, &self.id, stored)?;
            Ok(text.map(|text| text.into_exposed()))
        };
        let (vat, customer) = (
            open(vat, self.vat.as_deref())?,
            open(customer, self.customer.as_deref())?,
        );
        let bad = |_| Failure::Row(format!("person of {}", self.id));
        let person = self
            .person_id
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(bad)?;
        let invoice = Invoice {
            number: self.number,
            amount: self.amount,
            currency: self.currency,
            country: self.country,
            vat,
            customer,
            issued: Moment::from_millis(self.issued_ms),
        };
        Ok((person, invoice))
    }
}

async fn numbered(
    studio: &Studio,
    tx: &mut Tx,
    number: &str,
) -> Result<Option<(Option<PersonId>, Invoice)>, Failure> {
    let row: Option<Row> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM invoice WHERE number = $1")
            .bind(number)
            .fetch_optional(conn)
            .await
    })?;
    row.map(|row| row.into_invoice(studio, (READ_VAT, READ_CUSTOMER)))
        .transpose()
}

/// Somebody's invoices, newest first.
pub async fn of(studio: &Studio, person: PersonId) -> Result<Vec<Invoice>, Failure> {
    let mut tx = studio.db.read().await?;
    let rows: Vec<Row> = on!(tx, conn => {
        sqlx::query_as("SELECT * FROM invoice WHERE person_id = $1 ORDER BY issued_ms DESC, id DESC")
            .bind(person.to_string())
            .fetch_all(conn)
            .await
    })?;
    let invoices = rows.into_iter();
    let invoices = invoices.map(|row| Ok(row.into_invoice(studio, (READ_VAT, READ_CUSTOMER))?.1));
    invoices.collect()
}

/// All invoices of a time, oldest first, for whoever does the taxes; also of those who are gone.
pub async fn all(
    studio: &Studio,
    staff: &Staff,
    (from, until): (Moment, Moment),
) -> Result<Vec<Invoice>, Failure> {
    let mut tx = studio.db.write().await?;
    let rows: Vec<Row> = on!(tx, conn => {
        sqlx::query_as(
            "SELECT * FROM invoice WHERE issued_ms >= $1 AND issued_ms <= $2 ORDER BY issued_ms, id",
        )
        .bind(from.as_millis())
        .bind(until.as_millis())
        .fetch_all(conn)
        .await
    })?;
    let bad = |_| Failure::Row("person of an invoice".to_owned());
    let whose = rows.iter().filter_map(|row| row.person_id.as_deref());
    let whose: Vec<PersonId> = whose
        .map(str::parse)
        .collect::<Result<_, _>>()
        .map_err(bad)?;
    let seen = looking::look(studio, &mut tx, staff, SHOWN, whose).await?;
    let readings = (seen.reading(VAT)?, seen.reading(CUSTOMER)?);
    tx.commit().await?;
    let invoices = rows
        .into_iter()
        .map(|row| Ok(row.into_invoice(studio, readings)?.1));
    invoices.collect()
}
