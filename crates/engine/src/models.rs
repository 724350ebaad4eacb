//! What can be drawn with: the shipped model, pulled ones, and ones that the operator made.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use domain::model::{ModelCard, ModelName};
use domain::painter::{Brief, Paintings, Watch};

use crate::catalogue::{Catalogue, Installed};
use crate::{diffusion, mini, shipped};

/// Where models are looked for. Each look finds what was pulled or removed since.
#[derive(Clone, Debug)]
pub(crate) struct Models {
    catalogue: Arc<Catalogue>,
    folder: Option<PathBuf>,
}

/// Where a model comes from.
pub(crate) enum Source {
    Shipped,
    /// A folder with the four files of [`mini::FILES`].
    Mini(PathBuf),
    Pulled(Box<Installed>),
}

/// A model in memory.
pub(crate) enum Model {
    Mini(Box<mini::Pipeline>),
    Diffusion(Box<diffusion::Pipeline>),
}

impl Models {
    pub(crate) fn new(catalogue: Catalogue, folder: Option<PathBuf>) -> Self {
        Self {
            catalogue: Arc::new(catalogue),
            folder,
        }
    }

    /// The shipped model's card first, then pulled ones in the catalogue's order, then the
    /// operator's own by name. A model that can't be drawn with has none.
    pub(crate) fn cards(&self) -> Vec<ModelCard> {
        let shipped = shipped::settings().map(|settings| settings.card());
        let shipped = shipped.inspect_err(|error| tracing::error!(%error, "shipped model"));
        let mut own: Vec<ModelCard> = self.minis().map(|(_, settings)| settings.card()).collect();
        own.sort_by(|one, other| one.name.cmp(&other.name));
        let pulled = self.pulled().map(|installed| installed.entry.card());
        shipped.into_iter().chain(pulled).chain(own).collect()
    }

    pub(crate) fn find(&self, name: &ModelName) -> Option<Source> {
        if shipped::settings().is_ok_and(|settings| settings.name == name.as_str()) {
            return Some(Source::Shipped);
        }
        if let Some(installed) = self
            .pulled()
            .find(|installed| installed.entry.name == *name)
        {
            return Some(Source::Pulled(Box::new(installed)));
        }
        let mini = self
            .minis()
            .find(|(_, settings)| settings.name == name.as_str());
        mini.map(|(folder, _)| Source::Mini(folder))
    }

    fn pulled(&self) -> impl Iterator<Item = Installed> {
        let folders = self.folder.iter();
        let installed = folders.flat_map(|folder| self.catalogue.installed(folder));
        installed.filter(|installed| installed.entry.can_draw())
    }

    /// Models of the shipped one's make that the operator put into the folder.
    fn minis(&self) -> impl Iterator<Item = (PathBuf, mini::Settings)> {
        let entries = self
            .folder
            .iter()
            .filter_map(|folder| fs::read_dir(folder).ok())
            .flatten();
        entries.filter_map(|entry| {
            let folder = entry.ok()?.path();
            let file = folder.join(mini::FILES[0]);
            let text = fs::read_to_string(&file).ok()?;
            let settings = mini::Settings::read(&file.display().to_string(), &text);
            let settings = settings.inspect_err(|error| tracing::warn!(%error, "model left out"));
            Some((folder, settings.ok()?))
        })
    }
}

impl Source {
    /// What loading takes in memory, from above: the weights, which may be halves, as f32.
    pub(crate) fn loading_bytes(&self) -> u64 {
        match self {
            Self::Shipped => shipped::loaded_bytes(),
            Self::Mini(folder) => {
                2 * fs::metadata(folder.join(mini::FILES[3])).map_or(0, |file| file.len())
            }
            Self::Pulled(installed) => diffusion::loading_bytes(installed),
        }
    }

    /// Loads the model, or says why not and what to do.
    pub(crate) fn load(&self) -> Result<Model, String> {
        let mini = |loaded: Result<mini::Pipeline, crate::weights::WeightsError>| {
            loaded
                .map(Box::new)
                .map(Model::Mini)
                .map_err(|error| error.to_string())
        };
        match self {
            Self::Shipped => mini(shipped::load()),
            Self::Mini(folder) => mini(mini::Pipeline::load(folder)),
            Self::Pulled(installed) => diffusion::Pipeline::load(installed)
                .map(Box::new)
                .map(Model::Diffusion)
                .map_err(|error| error.to_string()),
        }
    }
}

impl Model {
    /// What its weights take in memory.
    pub(crate) fn weights_bytes(&self) -> u64 {
        match self {
            Self::Mini(pipeline) => pipeline.weights_bytes(),
            Self::Diffusion(pipeline) => pipeline.weights_bytes(),
        }
    }

    /// What drawing these together takes in memory beside the weights, from above.
    pub(crate) fn drawing_bytes(&self, briefs: &[Brief]) -> u64 {
        match self {
            Self::Mini(pipeline) => pipeline.drawing_bytes(briefs.len()),
            Self::Diffusion(pipeline) => pipeline.drawing_bytes(briefs),
        }
    }

    pub(crate) fn draw(&self, briefs: &[Brief], watch: &dyn Watch) -> Paintings {
        match self {
            Self::Mini(pipeline) => pipeline.draw(briefs, watch),
            Self::Diffusion(pipeline) => pipeline.draw(briefs, watch),
        }
    }
}
