//! `pinhole admin invoice`: what tax law wants kept of invoices.

use anyhow::Result;
use clap::Subcommand;
use domain::clock::Moment;
use serde_json::json;
use studio::Studio;
use studio::credits::invoices::{self, Invoice};
use studio::privacy::looking::Staff;

use crate::admin::{Who, find};

#[derive(Subcommand)]
pub(crate) enum InvoiceCommand {
    /// Keep an invoice of somebody; they see it on the page of their credits
    Record {
        #[command(flatten)]
        who: Who,
        /// As you number them
        #[arg(long, value_name = "TEXT")]
        number: String,
        /// Such as 12.50; below zero where you paid something back
        #[arg(long, allow_hyphen_values = true)]
        amount: String,
        /// ISO 4217, such as EUR
        #[arg(long)]
        currency: String,
        /// Whose tax is due: ISO 3166-1, such as DE
        #[arg(long)]
        country: String,
        /// What proves which tax is due, such as a VAT number
        #[arg(long, value_name = "TEXT")]
        vat: Option<String>,
        /// The number under which whoever takes the money knows them
        #[arg(long, value_name = "TEXT")]
        customer: Option<String>,
        /// Its date, in UTC
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = Moment::start_of_day)]
        issued: Moment,
    },
    /// List the invoices of a time, also of those whose accounts are gone, one JSON object a line
    List {
        /// The first day, in UTC
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = Moment::start_of_day)]
        from: Moment,
        /// The last day, in UTC
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = Moment::end_of_day)]
        until: Moment,
    },
}

pub(crate) async fn run(studio: &Studio, command: &InvoiceCommand) -> Result<String> {
    match command {
        InvoiceCommand::Record {
            who,
            number,
            amount,
            currency,
            country,
            vat,
            customer,
            issued,
        } => {
            let person = find(studio, who).await?;
            let invoice = Invoice {
                number: number.clone(),
                amount: invoices::amount_of(amount, currency)?,
                currency: currency.clone(),
                country: country.clone(),
                vat: vat.clone(),
                customer: customer.clone(),
                issued: *issued,
            };
            invoices::record(studio, person, &invoice).await?;
            Ok(format!(
                "{person}: invoice {number} over {} is kept.",
                invoice.amount_in_words()
            ))
        }
        InvoiceCommand::List { from, until } => {
            let all = invoices::all(studio, &Staff::in_shell(), (*from, *until)).await?;
            let lines = all.iter().map(|invoice| {
                json!({
                    "number": invoice.number,
                    "amount": invoice.amount,
                    "currency": invoice.currency,
                    "country": invoice.country,
                    "vat": invoice.vat,
                    "customer": invoice.customer,
                    "issued": invoice.issued.as_seconds(),
                })
                .to_string()
            });
            Ok(lines.collect::<Vec<_>>().join("\n"))
        }
    }
}
