//! Nobody is seen in a crowd: what leaves the memory is a partition of the people of a day into groups of
//! at least [`CROWD`], so that no number, and no difference of numbers, is about fewer.

use std::collections::HashMap;

use super::{Cell, Kind, OTHER};

/// The fewest people of whom something is told.
pub const CROWD: u64 = 10;

/// Cells with few people become one, named [`OTHER`]; where that one has few, the smallest of the others
/// joins it, since it could be reckoned from the sum otherwise. Where nobody is left to join, nothing is told.
pub(crate) fn fold(kind: Kind, cells: HashMap<String, Cell>) -> Vec<(String, Cell)> {
    let (mut told, mut few): (Vec<_>, Vec<_>) = cells
        .into_iter()
        .partition(|(name, cell)| cell.people >= CROWD && name != OTHER);
    // The smallest last.
    told.sort_by(|(name, cell), (other, than)| {
        than.people.cmp(&cell.people).then_with(|| name.cmp(other))
    });
    if !few.is_empty() {
        while surely(kind, &few) < CROWD {
            match told.pop() {
                Some(smallest) => few.push(smallest),
                None => return Vec::new(),
            }
        }
        let sum = few.iter().fold(Cell::default(), |sum, (_, cell)| Cell {
            times: sum.times + cell.times,
            people: sum.people + cell.people,
        });
        let people = if kind.is_split() {
            sum.people
        } else {
            surely(kind, &few)
        };
        let times = sum.times;
        told.push((OTHER.to_owned(), Cell { times, people }));
    }
    if !kind.is_split() {
        for (_, cell) in &mut told {
            // Who saw one page may have seen the others: only round numbers say nothing of who did not.
            cell.people -= cell.people % CROWD;
        }
    }
    told
}

/// How many different people there are in these cells at least.
fn surely(kind: Kind, cells: &[(String, Cell)]) -> u64 {
    let people = cells.iter().map(|(_, cell)| cell.people);
    if kind.is_split() {
        people.sum()
    } else {
        people.max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(kind: Kind, people: &[u64]) -> Vec<(String, Cell)> {
        let cells = people.iter().enumerate();
        let cells = cells.filter(|(_, people)| **people > 0);
        let cell = |(at, people): (usize, &u64)| {
            let cell = Cell {
                times: people + at as u64,
                people: *people,
            };
            (format!("cell {at}"), cell)
        };
        fold(kind, cells.map(cell).collect())
    }

    /// Every table of four cells, and everything that somebody can reckon from what is told of it: sums and
    /// differences of the groups are sums of groups.
    #[test]
    fn promise_use_03_no_number_and_no_difference_is_about_fewer_than_ten() {
        let sizes = [0, 1, 2, 5, 8, 9, 10, 11, 12, 19, 20, 35];
        let mut tried = 0;
        for first in sizes {
            for second in sizes {
                for third in sizes {
                    for fourth in sizes {
                        let people = [first, second, third, fourth];
                        let all: u64 = people.iter().sum();
                        let told = folded(Kind::Browser, &people);
                        let sum: u64 = told.iter().map(|(_, cell)| cell.people).sum();
                        let total = folded(Kind::Visits, &[all]);
                        // All of them or none, so that the total less the cells is about nobody.
                        assert_eq!(sum, if all < CROWD { 0 } else { all }, "{people:?}");
                        assert_eq!(total.is_empty(), told.is_empty(), "{people:?}");
                        for groups in 1_u32..1 << told.len() {
                            let chosen = told.iter().enumerate();
                            let chosen = chosen.filter(|(at, _)| groups >> at & 1 == 1);
                            let size: u64 = chosen.map(|(_, (_, cell))| cell.people).sum();
                            assert!(size >= CROWD, "{people:?}: {told:?}");
                            let rest = sum - size;
                            assert!(rest == 0 || rest >= CROWD, "{people:?}: {told:?}");
                        }
                        tried += 1;
                    }
                }
            }
        }
        assert_eq!(tried, 12 * 12 * 12 * 12);
    }

    #[test]
    fn what_few_did_is_told_with_what_more_did() {
        assert_eq!(folded(Kind::Browser, &[9]), []);
        let told = folded(Kind::Browser, &[40, 12, 3]);
        let names: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["cell 0", OTHER]);
        assert_eq!((told[1].1.people, told[1].1.times), (15, 12 + 1 + 3 + 2));
    }

    #[test]
    fn promise_use_03_people_who_are_on_several_pages_are_told_in_tens() {
        // The nine may be among the twelve: no ten are sure to be behind nine and nine views.
        assert_eq!(folded(Kind::Page, &[9, 9]), []);
        let told = folded(Kind::Page, &[37, 12, 9]);
        let people: Vec<u64> = told.iter().map(|(_, cell)| cell.people).collect();
        assert_eq!(people, [30, 10]);
        assert_eq!(told[1].0, OTHER);
    }
}
