//! Where pictures go: checked before the drawing, written whole or not at all.

use std::fs::Permissions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use domain::picture::{Format, Pixels};
use tempfile::NamedTempFile;

use super::{CANT_WRITE, Refusal, print};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Standard output, as PNG unless another format was asked for.
    Out(Format),
    File {
        path: PathBuf,
        format: Format,
    },
}

impl Target {
    pub(super) fn name(&self) -> String {
        match self {
            Self::Out(_) => "-".to_owned(),
            Self::File { path, .. } => path.display().to_string(),
        }
    }

    pub(super) const fn format(&self) -> Format {
        match self {
            Self::Out(format) | Self::File { format, .. } => *format,
        }
    }
}

/// A target for each picture. Several pictures are numbered before the ending.
pub(super) fn targets(
    out: &Path,
    format: Option<Format>,
    count: usize,
) -> Result<Vec<Target>, Refusal> {
    if out.as_os_str() == "-" {
        return match count {
            1 => Ok(vec![Target::Out(format.unwrap_or(Format::Png))]),
            _ => Err(Refusal::usage(
                "several pictures can't go to standard output. Name a file with --out.",
            )),
        };
    }
    let Some(stem) = out.file_stem() else {
        return Err(Refusal::usage(format!("{} is no file name", out.display())));
    };
    let ending = out.extension().and_then(|ending| ending.to_str());
    let format = match (format, ending) {
        (Some(format), _) => format,
        (None, None) => Format::Png,
        (None, Some(ending)) => ending.parse().map_err(|_| {
            Refusal::usage(format!(
                "{}: the ending tells the format, and it must be .png, .jpg, .jpeg or .webp. \
                 Change it, or choose with --format.",
                out.display()
            ))
        })?,
    };
    let numbered = |n: usize| {
        let mut name = stem.to_owned();
        name.push(format!("-{n}"));
        if let Some(ending) = out.extension() {
            name.push(".");
            name.push(ending);
        }
        out.with_file_name(name)
    };
    let path = |n: usize| {
        if count == 1 {
            out.to_owned()
        } else {
            numbered(n)
        }
    };
    Ok((1..=count)
        .map(|n| Target::File {
            path: path(n),
            format,
        })
        .collect())
}

/// Finds out before the drawing what would fail after it.
pub(super) fn check(targets: &[Target], force: bool) -> Result<(), Refusal> {
    for target in targets {
        let Target::File { path, .. } = target else {
            continue;
        };
        if path.is_dir() {
            return Err(cant_write(path, "it is a folder. Name a file in it."));
        }
        if path.exists() && !force {
            return Err(exists(path));
        }
    }
    if let Some(Target::File { path, .. }) = targets.first() {
        part(path)?;
    }
    Ok(())
}

pub(super) fn write(target: &Target, pixels: &Pixels, force: bool) -> Result<(), Refusal> {
    let encode = |format| {
        imaging::encode(pixels, format, None).map_err(|error| Refusal {
            code: CANT_WRITE,
            why: error.to_string(),
        })
    };
    match target {
        Target::Out(format) => print(&encode(*format)?),
        Target::File { path, format } => {
            let bytes = encode(*format)?;
            let mut part = part(path)?;
            let advice = |error: io::Error| match error.kind() {
                io::ErrorKind::StorageFull => cant_write(path, "the disk is full. Make room."),
                _ => cant_write(path, &error.to_string()),
            };
            part.write_all(&bytes)
                .and_then(|()| part.as_file().sync_all())
                .map_err(advice)?;
            let kept = if force {
                part.persist(path)
            } else {
                part.persist_noclobber(path)
            };
            kept.map(drop).map_err(|failed| match failed.error.kind() {
                io::ErrorKind::AlreadyExists => exists(path),
                _ => advice(failed.error),
            })
        }
    }
}

/// A file beside the target that is gone again unless it takes the target's name.
fn part(path: &Path) -> Result<NamedTempFile, Refusal> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".pinhole-").suffix(".part");
    let readable = readable_by_all_allowed();
    if let Some(permissions) = readable {
        builder.permissions(permissions);
    }
    builder.tempfile_in(folder).map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::NotFound => "its folder does not exist. Make it first.".to_owned(),
            io::ErrorKind::PermissionDenied => {
                "its folder can't be written. Choose another one.".to_owned()
            }
            _ => error.to_string(),
        };
        cant_write(path, &why)
    })
}

/// What an ordinary new file gets; the system takes away what the person's umask forbids.
fn readable_by_all_allowed() -> Option<Permissions> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        Some(Permissions::from_mode(0o666))
    }
    #[cfg(not(unix))]
    None
}

fn exists(path: &Path) -> Refusal {
    cant_write(
        path,
        "it exists. Choose another name, or overwrite it with --force.",
    )
}

fn cant_write(path: &Path, why: &str) -> Refusal {
    Refusal {
        code: CANT_WRITE,
        why: format!("{} can't be written: {why}", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(out: &str, format: Option<Format>, count: usize) -> Vec<String> {
        let found = targets(Path::new(out), format, count);
        found.map_or_else(|r| vec![r.why], |t| t.iter().map(Target::name).collect())
    }

    #[test]
    fn several_pictures_are_numbered_before_the_ending() {
        assert_eq!(names("a/apple.png", None, 1), ["a/apple.png"]);
        assert_eq!(
            names("a/apple.png", None, 2),
            ["a/apple-1.png", "a/apple-2.png"]
        );
        assert_eq!(names("apple", None, 2), ["apple-1", "apple-2"]);
    }

    #[test]
    fn the_ending_tells_the_format_unless_told_otherwise() {
        let format = |out: &str, format| match &targets(Path::new(out), format, 1) {
            Ok(targets) => match &targets[0] {
                Target::Out(format) | Target::File { format, .. } => Some(*format),
            },
            Err(_) => None,
        };
        assert_eq!(format("a.JPG", None), Some(Format::Jpeg));
        assert_eq!(format("a.webp", None), Some(Format::Webp));
        assert_eq!(format("a", None), Some(Format::Png));
        assert_eq!(format("-", Some(Format::Jpeg)), Some(Format::Jpeg));
        assert_eq!(format("a.gif", None), None);
        assert_eq!(format("a.gif", Some(Format::Png)), Some(Format::Png));
    }

    #[test]
    fn what_cant_be_a_file_is_refused() {
        assert!(names("-", None, 2)[0].contains("standard output"));
        assert!(names("..", None, 1)[0].contains("no file name"));
    }
}
