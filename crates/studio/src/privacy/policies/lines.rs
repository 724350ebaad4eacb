//! Two texts side by side, line by line.

/// A line of either text, or of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    Same(String),
    Gone(String),
    New(String),
    /// So many lines that are the same are left out here.
    Left(usize),
}

/// Lines that are shown around a change.
const CONTEXT: usize = 2;
/// Pairs of lines that are compared; texts that differ in more are shown one after the other.
const MAX_PAIRS: usize = 4_000_000;

/// What became of `old`: the longest common subsequence stays.
#[must_use]
pub fn compare(old: &str, new: &str) -> Vec<Line> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let ahead = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[ahead..], &new[ahead..]);
    let pairs = old_rest.iter().rev().zip(new_rest.iter().rev());
    let behind = pairs.take_while(|(a, b)| a == b).count();
    let (old_part, new_part) = (
        &old_rest[..old_rest.len() - behind],
        &new_rest[..new_rest.len() - behind],
    );
    let same = |text: &&str| Line::Same((*text).to_owned());
    let mut all: Vec<Line> = old[..ahead].iter().map(same).collect();
    all.extend(between(old_part, new_part));
    all.extend(old[old.len() - behind..].iter().map(same));
    shorten(all)
}

fn between(old: &[&str], new: &[&str]) -> Vec<Line> {
    let gone = |text: &&str| Line::Gone((*text).to_owned());
    let fresh = |text: &&str| Line::New((*text).to_owned());
    let width = new.len() + 1;
    if old.len().saturating_mul(new.len()) > MAX_PAIRS {
        return old.iter().map(gone).chain(new.iter().map(fresh)).collect();
    }
    // How many lines the rests from here on have in common.
    let mut common = vec![0_u32; (old.len() + 1) * width];
    for at in (0..old.len()).rev() {
        for beside in (0..new.len()).rev() {
            common[at * width + beside] = if old[at] == new[beside] {
                common[(at + 1) * width + beside + 1] + 1
            } else {
                common[(at + 1) * width + beside].max(common[at * width + beside + 1])
            };
        }
    }
    let (mut at, mut beside) = (0, 0);
    let mut all = Vec::new();
    while at < old.len() && beside < new.len() {
        if old[at] == new[beside] {
            all.push(Line::Same(old[at].to_owned()));
            (at, beside) = (at + 1, beside + 1);
        } else if common[(at + 1) * width + beside] >= common[at * width + beside + 1] {
            all.push(gone(&old[at]));
            at += 1;
        } else {
            all.push(fresh(&new[beside]));
            beside += 1;
        }
    }
    all.extend(old[at..].iter().map(gone));
    all.extend(new[beside..].iter().map(fresh));
    all
}

/// Leaves out what is far from any change.
fn shorten(all: Vec<Line>) -> Vec<Line> {
    let changed: Vec<usize> = all
        .iter()
        .enumerate()
        .filter(|(_, line)| !matches!(line, Line::Same(_)))
        .map(|(at, _)| at)
        .collect();
    let is_near = |at: usize| {
        let next = changed.partition_point(|one| one + CONTEXT < at);
        changed.get(next).is_some_and(|one| *one <= at + CONTEXT)
    };
    let mut short: Vec<Line> = Vec::new();
    for (at, line) in all.into_iter().enumerate() {
        if is_near(at) {
            short.push(line);
        } else if let Some(Line::Left(many)) = short.last_mut() {
            *many += 1;
        } else {
            short.push(Line::Left(1));
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_shown_with_what_stands_around_it() {
        let old = "a\nb\nc\nd\ne\nf\ng\nh";
        let new = "a\nb\nc\nd\nE\nf\ng\nh\ni";
        let same = |text: &str| Line::Same(text.to_owned());
        assert_eq!(
            compare(old, new),
            [
                Line::Left(2),
                same("c"),
                same("d"),
                Line::Gone("e".to_owned()),
                Line::New("E".to_owned()),
                same("f"),
                same("g"),
                same("h"),
                Line::New("i".to_owned()),
            ]
        );
        assert_eq!(compare(old, old), [Line::Left(8)]);
        assert_eq!(compare("", ""), []);
        let all = compare("a\nb", "b\na\nb");
        assert_eq!(all, [Line::New("b".to_owned()), same("a"), same("b")]);
    }

    /// Whatever is shown, the old text is the lines that stay or go, and the new one those that stay or come.
    #[test]
    fn both_texts_can_be_read_out_of_the_comparison() {
        let mut state = 7_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 24
        };
        for _ in 0..200 {
            let text = |next: &mut dyn FnMut() -> u32| {
                let lines: Vec<String> =
                    (0..next() % 9).map(|_| (next() % 4).to_string()).collect();
                lines
            };
            let (old, new) = (text(&mut next), text(&mut next));
            let (olds, news): (Vec<&str>, Vec<&str>) = (
                old.iter().map(String::as_str).collect(),
                new.iter().map(String::as_str).collect(),
            );
            let all = between(&olds, &news);
            let read = |wanted: fn(&Line) -> Option<&String>| -> Vec<String> {
                all.iter().filter_map(wanted).cloned().collect()
            };
            let before = read(|line| match line {
                Line::Same(text) | Line::Gone(text) => Some(text),
                _ => None,
            });
            let after = read(|line| match line {
                Line::Same(text) | Line::New(text) => Some(text),
                _ => None,
            });
            assert_eq!((before, after), (old, new));
        }
    }
}
