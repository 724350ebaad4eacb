//! Rules that no compiler checks. Each finding says where and what to do about it.

mod arrows;
mod log_fields;
pub(crate) mod migrations;
mod promises;
mod sources;

use std::fmt;

use anyhow::Result;

use crate::workspace::Workspace;

/// Something that breaks a rule of the house.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) place: String,
    pub(crate) says: String,
}

impl Finding {
    fn new(place: impl Into<String>, says: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            says: says.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.says)
    }
}

/// All rules at once.
pub(crate) fn findings(workspace: &Workspace) -> Result<Vec<Finding>> {
    let files = sources::read(workspace)?;
    let mut found = arrows::check(&workspace.packages);
    found.extend(sources::check(&files));
    found.extend(migrations::check(workspace)?);
    found.extend(promises::check(&files));
    found.extend(log_fields::check(&files));
    Ok(found)
}

/// Prints the findings; true where there are none.
pub(crate) fn report(workspace: &Workspace) -> Result<bool> {
    let found = findings(workspace)?;
    for finding in &found {
        println!("{finding}");
    }
    println!("tidy: {} findings", found.len());
    Ok(found.is_empty())
}
