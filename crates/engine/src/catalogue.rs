//! The larger models: which there are, what they need, and which of them lie on this machine.
//!
//! The list is a text that ships inside the program (models/catalogue.toml); an operator's own
//! file adds to it. What was pulled is described by a lock file beside the weights, which holds
//! the hash of each file as it was checked then, and against which it is checked when it is
//! loaded.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use domain::model::{Example, ModelCard, ModelName, Place, Sizes, Span};
use domain::picture::Size;
use serde::{Deserialize, Serialize};

use crate::diffusion::Sampler;

const SHIPPED: &str = include_str!("../../../models/catalogue.toml");

/// The file beside the weights that says what was pulled.
pub const LOCK_FILE: &str = "pinhole.lock.json";

/// Files of other kinds are never fetched and never opened: a pickle runs code.
pub const KINDS: [&str; 3] = ["safetensors", "json", "txt"];

/// Latents are an eighth of a picture, and the U-Nets halve them three times.
const MULTIPLE_OF: u32 = 64;

#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    #[error("{file} can't be read: {source}. Check PINHOLE_CATALOGUE.")]
    Unreadable {
        file: String,
        source: std::io::Error,
    },
    #[error("{file} is not a catalogue: {why}")]
    NotToml { file: String, why: String },
    #[error("{file}: the model {model}: {why}")]
    BadEntry {
        file: String,
        model: String,
        why: String,
    },
}

/// All models that can be asked for by name, but for the one inside the program.
#[derive(Clone, Debug)]
pub struct Catalogue {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub name: ModelName,
    pub title: String,
    /// What it draws well and what it can't, in plain sentences.
    pub about: String,
    /// The licence's own name, or an SPDX id.
    pub licence: String,
    pub licence_url: String,
    /// `owner/name` on the hub.
    pub repo: String,
    /// A commit, or the name of a branch.
    pub revision: String,
    pub engine: Engine,
    sampler: Option<Sampler>,
    /// About how much is fetched, for people.
    pub download_mib: u64,
    /// About how much drawing one picture of the default size takes, for people.
    pub memory_mib: u64,
    pub size: Size,
    #[serde(default = "multiple_of")]
    multiple_of: u32,
    min_edge: u32,
    max_edge: u32,
    max_pixels: u64,
    steps: Span<u32>,
    /// Absent where the model takes no guidance, and so no negative prompt.
    guidance: Option<Span<f32>>,
    #[serde(default = "one")]
    max_batch: usize,
    #[serde(default)]
    examples: Vec<String>,
    #[serde(default)]
    pub files: Vec<Wanted>,
}

fn multiple_of() -> u32 {
    MULTIPLE_OF
}

fn one() -> usize {
    1
}

/// What draws with a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// 1.5 and 2.1, and what was fine-tuned from them.
    StableDiffusion,
    StableDiffusionXl,
    /// Listed, so that people know of it, and refused when asked for.
    NotYet,
}

/// One file to fetch.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Inside the repository, and inside the model's folder.
    pub path: String,
    pub bytes: Option<u64>,
    /// Where absent, the hub's own record at the time of the pull is trusted, and kept.
    pub sha256: Option<String>,
}

/// What was pulled: [`LOCK_FILE`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    pub model: ModelName,
    pub repo: String,
    /// What was asked for, and the commit that it meant then.
    pub revision: String,
    pub commit: String,
    pub licence: String,
    pub files: Vec<LockedFile>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockedFile {
    pub path: String,
    pub bytes: u64,
    pub sha256: String,
}

/// A model that lies on this machine.
#[derive(Clone, Debug)]
pub struct Installed {
    pub entry: Entry,
    pub lock: Lock,
    pub folder: PathBuf,
}

impl Catalogue {
    /// The list inside the program.
    ///
    /// # Panics
    /// Never in a program that passed its tests: they read the same text.
    #[must_use]
    pub fn shipped() -> Self {
        match Self::parse("models/catalogue.toml", SHIPPED) {
            Ok(catalogue) => catalogue,
            Err(error) => panic!("{error}"),
        }
    }

    /// The list inside the program, and an operator's own; an entry of the same name takes the
    /// other's place.
    pub fn with_file(file: Option<&Path>) -> Result<Self, CatalogueError> {
        let mut all = Self::shipped();
        let Some(path) = file else { return Ok(all) };
        let file = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|source| CatalogueError::Unreadable {
            file: file.clone(),
            source,
        })?;
        for own in Self::parse(&file, &text)?.entries {
            all.entries.retain(|entry| entry.name != own.name);
            all.entries.push(own);
        }
        Ok(all)
    }

    /// The list inside the program, and the file that `PINHOLE_CATALOGUE` names.
    pub fn from_environment() -> Result<Self, CatalogueError> {
        let file = std::env::var_os("PINHOLE_CATALOGUE").filter(|file| !file.is_empty());
        Self::with_file(file.map(PathBuf::from).as_deref())
    }

    fn parse(file: &str, text: &str) -> Result<Self, CatalogueError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct List {
            #[serde(default)]
            model: Vec<Entry>,
        }
        let list: List = toml::from_str(text).map_err(|error| CatalogueError::NotToml {
            file: file.to_owned(),
            why: error.to_string(),
        })?;
        let mut names = BTreeSet::new();
        for entry in &list.model {
            let twice = (!names.insert(entry.name.clone())).then(|| "it is there twice".to_owned());
            if let Some(why) = twice.or_else(|| entry.check().err()) {
                let (file, model) = (file.to_owned(), entry.name.to_string());
                return Err(CatalogueError::BadEntry { file, model, why });
            }
        }
        Ok(Self {
            entries: list.model,
        })
    }

    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| entry.name.as_str() == name)
    }

    /// The models that were pulled whole. A folder without a readable lock file is none.
    #[must_use]
    pub fn installed(&self, models_dir: &Path) -> Vec<Installed> {
        self.entries
            .iter()
            .filter_map(|entry| Installed::find(entry, models_dir))
            .collect()
    }
}

impl Installed {
    /// The model of this entry in a folder of models, if it is there.
    #[must_use]
    pub fn find(entry: &Entry, models_dir: &Path) -> Option<Self> {
        let folder = models_dir.join(entry.name.as_str());
        let lock = fs::read_to_string(folder.join(LOCK_FILE)).ok()?;
        let lock: Lock = serde_json::from_str(&lock).ok()?;
        Some(Self {
            entry: entry.clone(),
            lock,
            folder,
        })
    }

    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.lock.files.iter().map(|file| file.bytes).sum()
    }

    /// Each file's hash by its path.
    #[must_use]
    pub fn sha256(&self) -> BTreeMap<String, String> {
        let pair = |file: &LockedFile| (file.path.clone(), file.sha256.clone());
        self.lock.files.iter().map(pair).collect()
    }
}

impl Entry {
    /// What pages and orders need to know.
    #[must_use]
    pub fn card(&self) -> ModelCard {
        let example = |(i, prompt): (usize, &String)| Example {
            prompt: prompt.clone(),
            seed: u32::try_from(i + 1).unwrap_or(1),
        };
        ModelCard {
            name: self.name.clone(),
            title: self.title.clone(),
            about: self.about.clone(),
            licence: self.licence.clone(),
            place: Place::Here,
            sizes: self.sizes(),
            steps: self.steps,
            guidance: self.guidance,
            negative_prompt: self.guidance.is_some(),
            transparent_background: false,
            max_batch: self.max_batch,
            examples: self.examples.iter().enumerate().map(example).collect(),
        }
    }

    #[must_use]
    pub fn can_draw(&self) -> bool {
        self.engine != Engine::NotYet
    }

    #[must_use]
    pub fn sampler(&self) -> Sampler {
        self.sampler.unwrap_or(Sampler::Euler)
    }

    fn sizes(&self) -> Sizes {
        Sizes {
            default: self.size,
            multiple_of: self.multiple_of,
            min_edge: self.min_edge,
            max_edge: self.max_edge,
            max_pixels: self.max_pixels,
            square: false,
        }
    }

    fn check(&self) -> Result<(), String> {
        let name = self.name.as_str();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c);
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(plain) {
            return Err("a name is made of a-z, 0-9, dots and dashes".into());
        }
        let words = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        let part =
            |part: &str| !part.starts_with('.') && !part.is_empty() && part.chars().all(words);
        if !self
            .repo
            .split_once('/')
            .is_some_and(|(owner, repo)| part(owner) && part(repo))
        {
            return Err("repo must be owner/name".into());
        }
        if !part(&self.revision) {
            return Err("revision must be a commit or a branch".into());
        }
        if self.multiple_of == 0 || !self.sizes().allows(self.size) {
            return Err(format!("size must be within {}", self.sizes().in_words()));
        }
        let steps = self.steps;
        if steps.min == 0 || !steps.contains(&steps.default) {
            return Err("steps must be min <= default <= max, from 1".into());
        }
        if self
            .guidance
            .is_some_and(|guidance| !guidance.contains(&guidance.default))
        {
            return Err("guidance must be min <= default <= max".into());
        }
        if self.max_batch == 0 {
            return Err("max_batch must be at least 1".into());
        }
        self.files.iter().try_for_each(Wanted::check)?;
        let has = |path: &str| self.files.iter().any(|file| file.path == path);
        if self.can_draw() && !(has("model_index.json") && self.sampler.is_some()) {
            return Err("a model to draw with needs a sampler and model_index.json".into());
        }
        Ok(())
    }
}

impl Wanted {
    fn check(&self) -> Result<(), String> {
        let path = Path::new(&self.path);
        let inside = path
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if !inside || self.path.contains('\\') || self.path.is_empty() {
            return Err(format!(
                "{} does not stay inside the model's folder",
                self.path
            ));
        }
        let kind = path
            .extension()
            .and_then(|kind| kind.to_str())
            .unwrap_or_default();
        if !KINDS.contains(&kind) {
            let kinds = KINDS.join(", ");
            return Err(format!(
                "{} is not one of {kinds}; nothing else is loaded",
                self.path
            ));
        }
        let hex = |hash: &String| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
        if self.sha256.as_ref().is_some_and(|hash| !hex(hash)) {
            return Err(format!("the sha256 of {} is no SHA-256", self.path));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_list_holds_the_models_that_were_promised() {
        let catalogue = Catalogue::shipped();
        let names: Vec<_> = catalogue
            .entries()
            .iter()
            .map(|e| e.name.as_str())
            .collect();
        let drawable = ["sd-1.5", "sd-2.1", "sdxl-base-1.0", "sdxl-turbo"];
        assert_eq!(names[..4], drawable);
        assert_eq!(
            names[4..],
            ["sd-3.5-medium", "flux.1-schnell", "z-image-turbo"]
        );
        for entry in catalogue.entries() {
            assert_eq!(entry.can_draw(), drawable.contains(&entry.name.as_str()));
            let (card, size) = (entry.card(), entry.size);
            assert!(card.sizes.allows(size) && card.steps.contains(&card.steps.default));
            let commit = entry.revision.len() == 40;
            assert!(commit && entry.revision.bytes().all(|b| b.is_ascii_hexdigit()));
            let known: u64 = entry.files.iter().filter_map(|file| file.bytes).sum();
            let told = entry.download_mib * 1024 * 1024;
            assert!(
                known <= told + told / 100,
                "{}: {known} of {told}",
                entry.name
            );
        }
        let turbo = catalogue.find("sdxl-turbo").expect("listed").card();
        assert_eq!((turbo.guidance, turbo.negative_prompt), (None, false));
    }

    fn own(change: impl Fn(&str) -> String) -> Result<Catalogue, CatalogueError> {
        let good = r#"
            [[model]]
            name = "mine"
            title = "Mine"
            about = "My own."
            licence = "MIT"
            licence_url = "https://example.org"
            repo = "me/mine"
            revision = "main"
            engine = "stable-diffusion"
            sampler = "euler"
            download_mib = 1
            memory_mib = 1
            size = "64x64"
            min_edge = 64
            max_edge = 128
            max_pixels = 16384
            steps = { min = 1, max = 9, default = 3 }
            files = [{ path = "model_index.json" }, { path = "unet/model.safetensors" }]
        "#;
        Catalogue::parse("own.toml", &change(good))
    }

    #[test]
    fn an_operators_own_entry_is_taken_or_told_what_is_wrong() {
        assert!(own(str::to_owned).is_ok());
        let cases = [
            ("\"mine\"", "\"../mine\"", "a name is made of"),
            ("me/mine", "me", "owner/name"),
            ("me/mine", "me/../x", "owner/name"),
            ("\"64x64\"", "\"100x64\"", "size must be within"),
            ("default = 3", "default = 10", "min <= default <= max"),
            (
                "unet/model.safetensors",
                "unet/model.bin",
                "nothing else is loaded",
            ),
            (
                "unet/model.safetensors",
                "../model.safetensors",
                "stay inside",
            ),
            (
                "unet/model.safetensors",
                "/model.safetensors",
                "stay inside",
            ),
            (
                "{ path = \"model_index.json\" }, ",
                "",
                "needs a sampler and model_index",
            ),
            ("title", "tilte", "unknown field"),
            ("licence = \"MIT\"", "", "missing field `licence`"),
        ];
        for (from, to, says) in cases {
            let error = own(|good| good.replace(from, to))
                .expect_err(to)
                .to_string();
            assert!(
                error.contains("own.toml") && error.contains(says),
                "{to}: {error}"
            );
        }
        let twice = own(|good| format!("{good}{good}"))
            .expect_err("twice")
            .to_string();
        assert!(twice.contains("twice"), "{twice}");
    }

    #[test]
    fn an_operators_file_adds_and_replaces() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("own.toml");
        let shipped = Catalogue::shipped();
        let text = SHIPPED.split("[[model]]").nth(1).expect("an entry");
        let text = format!("[[model]]{text}").replace("Stable Diffusion 1.5", "My 1.5");
        fs::write(&path, text).expect("written");
        let both = Catalogue::with_file(Some(&path)).expect("valid");
        assert_eq!(both.entries().len(), shipped.entries().len());
        assert_eq!(both.find("sd-1.5").expect("there").title, "My 1.5");
        let gone = Catalogue::with_file(Some(&folder.path().join("none"))).expect_err("gone");
        assert!(gone.to_string().contains("PINHOLE_CATALOGUE"), "{gone}");
    }

    #[test]
    fn only_whole_models_are_installed() {
        let folder = tempfile::tempdir().expect("folder");
        let catalogue = Catalogue::shipped();
        assert!(catalogue.installed(folder.path()).is_empty());
        let place = folder.path().join("sd-1.5");
        fs::create_dir(&place).expect("folder");
        assert!(catalogue.installed(folder.path()).is_empty());
        let lock = Lock {
            model: ModelName::new("sd-1.5"),
            repo: "a/b".into(),
            revision: "main".into(),
            commit: "c".into(),
            licence: "MIT".into(),
            files: vec![LockedFile {
                path: "x.json".into(),
                bytes: 7,
                sha256: "0".into(),
            }],
        };
        let text = serde_json::to_string(&lock).expect("json");
        fs::write(place.join(LOCK_FILE), text).expect("written");
        let installed = catalogue.installed(folder.path());
        assert_eq!((installed.len(), installed[0].bytes()), (1, 7));
        assert_eq!(installed[0].lock, lock);
    }
}
