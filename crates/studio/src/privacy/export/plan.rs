//! What is in an archive and in which order, fixed when it is composed.

use domain::clock::Moment;
use domain::ids::{PictureId, PortraitId};

use super::layout::File;
use crate::Failure;

/// A file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) what: What,
    pub(super) size: u32,
    pub(super) crc: u32,
    pub(super) made: Moment,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Written when the archive was composed, under this number.
    Text {
        entry: i64,
        name: String,
    },
    /// The picture as it was drawn.
    Picture(PictureId),
    Portrait(PortraitId),
}

pub(super) fn picture_name(id: PictureId) -> String {
    format!("pictures/{id}.png")
}

/// There is one at most.
pub(super) const PORTRAIT: &str = "portrait.webp";

impl Item {
    pub(super) fn name(&self) -> String {
        match &self.what {
            What::Text { name, .. } => name.clone(),
            What::Picture(id) => picture_name(*id),
            What::Portrait(_) => PORTRAIT.to_owned(),
        }
    }

    pub(super) fn file(&self) -> File {
        File {
            name: self.name(),
            size: self.size,
            crc: self.crc,
            made: self.made,
        }
    }

    /// As one line of the plan.
    pub(super) fn line(&self) -> String {
        let what = match &self.what {
            What::Text { entry, name } => format!("{entry} {name}"),
            What::Picture(id) => format!("- {id}"),
            What::Portrait(id) => format!("- {id}"),
        };
        let Self { size, crc, .. } = self;
        format!("{size} {crc} {} {what}\n", self.made.as_millis())
    }

    fn read(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (size, crc, made) = (words.next()?, words.next()?, words.next()?);
        let (entry, name) = (words.next()?, words.next()?);
        let what = match entry {
            "-" => {
                let picture = name.parse().map(What::Picture);
                picture.or_else(|_| name.parse().map(What::Portrait)).ok()?
            }
            entry => What::Text {
                entry: entry.parse().ok()?,
                name: name.to_owned(),
            },
        };
        Some(Self {
            what,
            size: size.parse().ok()?,
            crc: crc.parse().ok()?,
            made: Moment::from_millis(made.parse().ok()?),
        })
    }
}

pub(super) fn read(text: &str) -> Result<Vec<Item>, Failure> {
    let items: Option<Vec<Item>> = text.lines().map(Item::read).collect();
    items.ok_or_else(|| Failure::Row("the plan of an export".to_owned()))
}

#[cfg(test)]
mod tests {
    use domain::randomness::Randomness;

    use super::*;

    #[test]
    fn a_plan_reads_back() {
        let (now, randomness) = (Moment::from_millis(5_000), Randomness::seeded(1));
        let of = |what| Item {
            what,
            size: 7,
            crc: 9,
            made: now,
        };
        let items = [
            of(What::Text {
                entry: 3,
                name: "data/job.json".to_owned(),
            }),
            of(What::Picture(PictureId::new(now, &randomness))),
            of(What::Portrait(PortraitId::new(now, &randomness))),
        ];
        let text: String = items.iter().map(Item::line).collect();
        assert_eq!(read(&text).expect("a plan"), items);
        assert!(read("7 9 x").is_err());
    }
}
