//! Embeds the example pictures that were drawn by the shipped models:
//! `models/MODEL/examples/PROMPT.webp`, where PROMPT is the prompt in lower case with `-` between
//! its words. A prompt without a picture is shown in words.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let models =
        PathBuf::from(env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../../models");
    println!("cargo:rerun-if-changed={}", models.display());
    let mut list = String::from("static EXAMPLES: &[Example] = &[\n");
    for model in entries(&models)? {
        for file in entries(&model.join("examples"))? {
            let Some(media_type) = media_type(&file) else {
                continue;
            };
            println!("cargo:rerun-if-changed={}", file.display());
            let (model, prompt) = (stem(&model), stem(&file));
            let path = file.canonicalize()?;
            writeln!(
                list,
                "    Example {{ model: {model:?}, prompt: {prompt:?}, media_type: {media_type:?}, bytes: include_bytes!({path:?}) }},"
            )
            .map_err(io::Error::other)?;
        }
    }
    list.push_str("];\n");
    let out = PathBuf::from(env::var("OUT_DIR").unwrap_or_default());
    fs::write(out.join("examples.rs"), list)
}

/// What is in a folder, sorted; nothing where there is no folder.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let Ok(found) = fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let mut paths = found
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn media_type(file: &Path) -> Option<&'static str> {
    match file.extension()?.to_str()? {
        "webp" => Some("image/webp"),
        "png" => Some("image/png"),
        "jpg" | "jpeg" => Some("image/jpeg"),
        _ => None,
    }
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default()
        .to_owned()
}
