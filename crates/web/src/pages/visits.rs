//! How much the house is used, for who runs it, with plots that need no script.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::clock::Moment;
use domain::credits::Credits;
use studio::Studio;
use studio::visits::{self, Day, Kind, MAX_DAYS_READ, NONE, OTHER, Report};

use super::desk::{self, Tab};
use super::{Frame, Shown, render};
use crate::api::pairs;
use crate::caller::Asker;
use crate::texts::Texts;
use crate::when;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
const DAYS_SHOWN: i64 = 30;
/// Of a plot, in its own units; it is as wide as it has days.
const HEIGHT: u64 = 100;
/// A column and the space beside it.
const STEP: usize = 10;
const COLUMN: usize = 8;

#[derive(Template)]
#[template(path = "visits.html")]
struct VisitsPage {
    t: &'static Texts,
    frame: Frame,
    tabs: Vec<Tab>,
    from: String,
    until: String,
    is_wrong: bool,
    report: Report,
}

/// One number for each day, as columns.
struct Plot {
    heading: &'static str,
    label: String,
    sum: String,
    most: String,
    width: usize,
    columns: Vec<Column>,
}

/// Where it stands, from above; nothing is told where it has no height.
struct Column {
    x: usize,
    y: u64,
    height: u64,
}

/// One kind of names, with their numbers.
struct Part {
    heading: &'static str,
    times: Option<&'static str>,
    people: &'static str,
    /// Who did several stands in several rows.
    is_in_tens: bool,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    times: String,
    people: String,
    /// Of the largest.
    percent: u64,
}

impl VisitsPage {
    fn plots(&self) -> Vec<Plot> {
        let words = &self.t.visits;
        let days = &self.report.days;
        [
            (
                &words.visitors,
                series(days, |day| Some(day.visits?.people)),
            ),
            (&words.views, series(days, |day| Some(day.visits?.times))),
            (&words.pictures, series(days, |day| day.pictures)),
            (&words.sign_ups, series(days, |day| day.sign_ups)),
        ]
        .map(|(heading, numbers)| self.plot(heading, &numbers))
        .into()
    }

    fn plot(&self, heading: &'static str, numbers: &[Option<u64>]) -> Plot {
        let most = numbers.iter().flatten().copied().max().unwrap_or(0);
        let columns = numbers.iter().enumerate().filter_map(|(at, number)| {
            // What is there is seen, however small it is beside the others.
            let height = (*number)? * HEIGHT / most.max(1);
            let height = height.max(2);
            Some(Column {
                x: at * STEP + (STEP - COLUMN) / 2,
                y: HEIGHT - height,
                height,
            })
        });
        let columns: Vec<Column> = columns.collect();
        let words = &self.t.visits;
        Plot {
            heading,
            label: words.plot.fill_two(heading, &self.number(&most)),
            sum: words
                .sum
                .fill(&self.number(&numbers.iter().flatten().sum())),
            most: words.most.fill(&self.number(&most)),
            width: numbers.len() * STEP,
            columns,
        }
    }

    fn parts(&self) -> Vec<Part> {
        let words = &self.t.visits;
        let people = &words.people;
        [
            (Kind::Page, &words.pages, Some(&words.views), true),
            (Kind::Source, &words.sources, None, false),
            (Kind::Country, &words.countries, None, false),
            (Kind::Browser, &words.browsers, None, false),
            (Kind::System, &words.systems, None, false),
            (Kind::Device, &words.devices, None, false),
            (Kind::Model, &words.models, Some(&words.pictures), true),
        ]
        .map(|(kind, heading, times, is_in_tens)| Part {
            heading,
            times: times.map(String::as_str),
            people: if kind == Kind::Model {
                people
            } else {
                &words.visitors
            },
            is_in_tens,
            rows: self.rows(kind, is_in_tens),
        })
        .into()
    }

    fn rows(&self, kind: Kind, by_times: bool) -> Vec<Row> {
        let cells = self.report.of(kind);
        let weight = |cell: &visits::Cell| if by_times { cell.times } else { cell.people };
        let most = cells.iter().map(|(_, cell)| weight(cell)).max();
        let most = most.unwrap_or(0).max(1);
        let row = |(name, cell): &(String, visits::Cell)| Row {
            name: self.named(kind, name).to_owned(),
            times: self.number(&cell.times),
            people: self.number(&cell.people),
            percent: weight(cell) * 100 / most,
        };
        cells.iter().map(row).collect()
    }

    fn named<'a>(&'a self, kind: Kind, name: &'a str) -> &'a str {
        let words = &self.t.visits;
        match name {
            OTHER => &words.other,
            NONE if kind == Kind::Source => &words.no_source,
            NONE => &words.unknown,
            name => name,
        }
    }

    fn number(&self, number: &u64) -> String {
        let number = i64::try_from(*number).unwrap_or(i64::MAX);
        self.t.number(Credits::new(number))
    }

    fn number_or_few(&self, number: Option<u64>) -> String {
        match number {
            Some(number) => self.number(&number),
            None => self.t.visits.few.clone(),
        }
    }

    /// A day and its numbers.
    fn line(&self, day: &Day) -> [String; 4] {
        [
            day.visits.map(|cell| cell.people),
            day.visits.map(|cell| cell.times),
            day.pictures,
            day.sign_ups,
        ]
        .map(|number| self.number_or_few(number))
    }

    fn date(&self, day: &Day) -> String {
        self.t.last_day(day.begins.plus_millis(DAY_MS))
    }

    fn iso(&self, day: &Day) -> String {
        written(day.begins)
    }

    fn range(&self) -> String {
        let days = &self.report.days;
        match (days.first(), days.last()) {
            (Some(first), Some(last)) => self
                .t
                .visits
                .range
                .fill_two(&self.date(first), &self.date(last)),
            _ => String::new(),
        }
    }

    fn is_empty(&self) -> bool {
        self.report.kinds.is_empty()
    }
}

fn series(days: &[Day], of: impl Fn(&Day) -> Option<u64>) -> Vec<Option<u64>> {
    days.iter().map(of).collect()
}

/// `2026-12-31`
fn written(moment: Moment) -> String {
    let iso = when::iso(moment);
    iso.split('T').next().unwrap_or_default().to_owned()
}

/// `?from=2026-11-01&until=2026-11-30`, both of them told; the last thirty days without.
pub(super) async fn show(
    State(studio): State<Studio>,
    Asker(known): Asker,
    RawQuery(query): RawQuery,
) -> Result<Response, Shown> {
    let yesterday = studio.clock.now().plus_millis(-DAY_MS);
    let usual = (yesterday.plus_millis(-(DAYS_SHOWN - 1) * DAY_MS), yesterday);
    let pairs = pairs(query.unwrap_or_default().as_bytes());
    let said = |name: &str| {
        let found = pairs.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.trim().to_owned())
    };
    let (from, until) = (said("from"), said("until"));
    let asked = match (&from, &until) {
        (None, None) => Some(usual),
        (Some(from), Some(until)) => read(from, until),
        _ => None,
    };
    let (first, last) = asked.unwrap_or(usual);
    let page = VisitsPage {
        t: Texts::get(),
        frame: Frame::member("desk"),
        tabs: desk::tabs(known.role, "/desk/visits"),
        from: from.unwrap_or_else(|| written(first)),
        until: until.unwrap_or_else(|| written(last)),
        is_wrong: asked.is_none(),
        report: visits::report(&studio, first, last).await?,
    };
    let status = match page.is_wrong {
        true => StatusCode::BAD_REQUEST,
        false => StatusCode::OK,
    };
    Ok(render(status, &page))
}

fn read(from: &str, until: &str) -> Option<(Moment, Moment)> {
    let (first, last) = (
        Moment::start_of_day(from).ok()?,
        Moment::start_of_day(until).ok()?,
    );
    let longest = MAX_DAYS_READ * DAY_MS;
    (first <= last && last.as_millis() - first.as_millis() < longest).then_some((first, last))
}
