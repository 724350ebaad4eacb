//! What was measured, as a table and as JSON.

use serde::Serialize;

use super::super::median;
use super::load::Load;

#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) starts: Vec<Start>,
    pub(super) idle: Vec<Idle>,
    pub(super) orders: Vec<OrderRow>,
    pub(super) pages: Vec<PageRow>,
}

#[derive(Debug, Serialize)]
pub(super) struct Start {
    pub(super) what: &'static str,
    pub(super) ready_s: f64,
    pub(super) idle_mib: f64,
    /// After a first picture.
    pub(super) drawn_mib: f64,
}

/// Memory before the orders and after them.
#[derive(Debug, Serialize)]
pub(super) struct Idle {
    pub(super) what: String,
    pub(super) before_mib: f64,
    pub(super) after_mib: f64,
}

/// Medians of all turns.
#[derive(Debug, Serialize)]
pub(super) struct OrderRow {
    pub(super) what: String,
    pub(super) connections: usize,
    pub(super) per_s: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct PageRow {
    pub(super) database: &'static str,
    pub(super) what: &'static str,
    pub(super) rows: u32,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

impl OrderRow {
    pub(super) fn of(what: String, connections: usize, loads: &[Load]) -> Self {
        Self {
            what,
            connections,
            per_s: middle(loads, |load| load.per_s),
            p50_ms: middle(loads, |load| load.p50_ms),
            p99_ms: middle(loads, |load| load.p99_ms),
        }
    }
}

impl PageRow {
    pub(super) fn of(
        database: &'static str,
        what: &'static str,
        rows: u32,
        loads: &[Load],
    ) -> Self {
        Self {
            database,
            what,
            rows,
            p50_ms: middle(loads, |load| load.p50_ms),
            p99_ms: middle(loads, |load| load.p99_ms),
        }
    }
}

fn middle(loads: &[Load], of: impl Fn(&Load) -> f64) -> f64 {
    median(loads.iter().map(of).collect())
}

impl Report {
    pub(super) fn print(&self) {
        if !self.starts.is_empty() {
            println!(
                "\n{:<16} {:>8} {:>9} {:>10}",
                "start", "ready s", "idle MiB", "drawn MiB"
            );
        }
        for Start {
            what,
            ready_s,
            idle_mib,
            drawn_mib,
        } in &self.starts
        {
            println!("{what:<16} {ready_s:>8.3} {idle_mib:>9.1} {drawn_mib:>10.1}");
        }
        self.print_orders();
        if !self.pages.is_empty() {
            println!(
                "\n{:<9} {:<5} {:>9} {:>8} {:>8} {:>13}",
                "pages", "", "rows", "p50 ms", "p99 ms", "p99 to least"
            );
        }
        for row in &self.pages {
            let least = self
                .pages
                .iter()
                .find(|other| (other.database, other.what) == (row.database, row.what));
            let ratio = row.p99_ms / least.map_or(f64::NAN, |least| least.p99_ms);
            println!(
                "{:<9} {:<5} {:>9} {:>8.2} {:>8.2} {ratio:>13.2}",
                row.database, row.what, row.rows, row.p50_ms, row.p99_ms
            );
        }
    }

    fn print_orders(&self) {
        if self.orders.is_empty() {
            return;
        }
        println!(
            "\n{:<20} {:>11} {:>10} {:>8} {:>8} {:>8}",
            "generations", "connections", "requests/s", "p50 ms", "p99 ms", "to last"
        );
        for row in &self.orders {
            let others = self.orders.iter().rev();
            let last = others
                .into_iter()
                .find(|other| other.connections == row.connections);
            let ratio = row.per_s / last.map_or(f64::NAN, |last| last.per_s);
            println!(
                "{:<20} {:>11} {:>10.0} {:>8.2} {:>8.2} {ratio:>8.1}",
                row.what, row.connections, row.per_s, row.p50_ms, row.p99_ms
            );
        }
        println!(
            "\n{:<20} {:>10} {:>9} {:>8}",
            "memory", "before MiB", "after MiB", "of last"
        );
        let last = self.idle.last().map_or(f64::NAN, |idle| idle.before_mib);
        for idle in &self.idle {
            println!(
                "{:<20} {:>10.1} {:>9.1} {:>8.3}",
                idle.what,
                idle.before_mib,
                idle.after_mib,
                idle.before_mib / last
            );
        }
    }
}
