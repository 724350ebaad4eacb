//! The painter of this machine: keeps models in memory and draws one batch at a time.
//!
//! A thread of its own draws, so that no caller's thread is ever held; a panic ends its drawing
//! and nothing else; memory is reckoned before it is taken, since an allocation that fails ends
//! the program.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use domain::model::{ModelCard, ModelName};
use domain::painter::{Brief, PaintError, Painter, Paintings, Watch};
use futures::channel::oneshot;

use crate::catalogue::Catalogue;
use crate::easel::Easel;
use crate::models::Models;

/// Drawings that may wait for the one being drawn. Whoever orders more is told to come back.
const MAX_WAITING: usize = 64;

/// What the painter may use.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where pulled models lie, a folder each; it need not exist. Without one, the shipped model
    /// alone is drawn with.
    pub models: Option<PathBuf>,
    /// What the pulled models are. Without one, it is the catalogue inside the program.
    pub catalogue: Option<Catalogue>,
    /// Most that models and drawings may take together in memory. Without one, it is what the
    /// system calls available.
    pub memory_limit_bytes: Option<u64>,
}

/// Draws with the shipped model and with every installed one.
pub struct LocalPainter {
    models: Models,
    orders: SyncSender<Order>,
}

struct Order {
    model: ModelName,
    briefs: Vec<Brief>,
    watch: Arc<dyn Watch>,
    answer: oneshot::Sender<Paintings>,
}

impl LocalPainter {
    /// Starts the drawing thread; no model is loaded before it is asked for.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn new(settings: Settings) -> std::io::Result<Self> {
        let Settings {
            models,
            catalogue,
            memory_limit_bytes,
        } = settings;
        let models = Models::new(catalogue.unwrap_or_else(Catalogue::shipped), models);
        let (orders, waiting) = sync_channel(MAX_WAITING);
        let easel = Easel::new(models.clone(), memory_limit_bytes);
        thread::Builder::new()
            .name("painter".to_owned())
            .spawn(|| draw_all(waiting, easel))?;
        Ok(Self { models, orders })
    }
}

impl Painter for LocalPainter {
    fn cards(&self) -> Vec<ModelCard> {
        self.models.cards()
    }

    fn paint<'a>(
        &'a self,
        model: &'a ModelName,
        briefs: Vec<Brief>,
        watch: Arc<dyn Watch>,
    ) -> Pin<Box<dyn Future<Output = Paintings> + Send + 'a>> {
        let count = briefs.len();
        let (answer, answered) = oneshot::channel();
        let order = Order {
            model: model.clone(),
            briefs,
            watch,
            answer,
        };
        let sent = self.orders.try_send(order);
        Box::pin(async move {
            match sent {
                Ok(()) => answered
                    .await
                    .unwrap_or_else(|_| all_failed(count, STOPPED)),
                Err(TrySendError::Full(_)) => all_failed(count, "too many drawings are waiting"),
                Err(TrySendError::Disconnected(_)) => all_failed(count, STOPPED),
            }
        })
    }
}

impl fmt::Debug for LocalPainter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalPainter({:?})", self.models)
    }
}

const STOPPED: &str = "the drawing thread has stopped";

/// Draws until the painter is gone.
fn draw_all(orders: Receiver<Order>, mut easel: Easel) {
    for Order {
        model,
        briefs,
        watch,
        answer,
    } in orders
    {
        let drawing = || easel.draw(&model, &briefs, &*watch);
        let paintings = catch_unwind(AssertUnwindSafe(drawing)).unwrap_or_else(|panic| {
            // What it left half-done is not trusted: the model is loaded anew next time.
            easel.forget(&model);
            let why = format!("the drawing stopped unexpectedly: {}", words_of(&*panic));
            all_failed(briefs.len(), &why)
        });
        // Whoever asked may be gone; then nobody wants the answer.
        drop(answer.send(paintings));
    }
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

fn all_failed(count: usize, why: &str) -> Paintings {
    (0..count)
        .map(|_| Err(PaintError::Failed(why.to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mini::tiny;
    use domain::picture::{Background, Pixels};
    use domain::prompt::Prompt;
    use futures::executor::block_on;
    use std::ops::ControlFlow;
    use std::path::Path;

    struct Patient;

    impl Watch for Patient {
        fn step(&self, _: usize, _: u32, _: u32, _: Option<&Pixels>) -> ControlFlow<()> {
            ControlFlow::Continue(())
        }
    }

    struct Panicky;

    impl Watch for Panicky {
        fn step(&self, _: usize, _: u32, _: u32, _: Option<&Pixels>) -> ControlFlow<()> {
            panic!("a step too far")
        }
    }

    fn tiny_in(folder: &Path) -> ModelName {
        model_in(folder, "tiny")
    }

    fn model_in(folder: &Path, name: &str) -> ModelName {
        std::fs::create_dir_all(folder.join(name)).expect("folder");
        tiny::write(&folder.join(name), name);
        ModelName::new(name)
    }

    fn painter(folder: &Path, memory_limit_bytes: Option<u64>) -> LocalPainter {
        let settings = Settings {
            models: Some(folder.to_owned()),
            memory_limit_bytes,
            ..Settings::default()
        };
        LocalPainter::new(settings).expect("a thread")
    }

    fn frog() -> Brief {
        Brief {
            prompt: Prompt::new("a green frog").expect("a prompt"),
            negative_prompt: None,
            size: tiny::SIZE,
            background: Background::Opaque,
            steps: 3,
            guidance: 2.0,
            seed: 5,
            ancestors: Vec::new(),
            previews: 0,
        }
    }

    fn paint(painter: &LocalPainter, model: &ModelName, watch: Arc<dyn Watch>) -> Paintings {
        block_on(painter.paint(model, vec![frog(), frog()], watch))
    }

    #[test]
    fn a_panic_ends_its_drawing_and_nothing_else() {
        let folder = tempfile::tempdir().expect("folder");
        let model = tiny_in(folder.path());
        let painter = painter(folder.path(), None);
        for _ in 0..2 {
            let failed = paint(&painter, &model, Arc::new(Panicky));
            assert_eq!(failed.len(), 2);
            assert!(
                matches!(&failed[1], Err(PaintError::Failed(why)) if why.contains("a step too far"))
            );
            let drawn = paint(&painter, &model, Arc::new(Patient));
            assert!(drawn.iter().all(Result::is_ok), "{drawn:?}");
        }
    }

    #[test]
    fn too_little_memory_is_an_answer_not_an_end() {
        let folder = tempfile::tempdir().expect("folder");
        let model = tiny_in(folder.path());
        for limit in [0, 1_000, 200_000] {
            let refused = paint(
                &painter(folder.path(), Some(limit)),
                &model,
                Arc::new(Patient),
            );
            assert!(matches!(
                refused[..],
                [Err(PaintError::OutOfMemory), Err(PaintError::OutOfMemory)]
            ));
        }
        let drawn = paint(
            &painter(folder.path(), Some(20_000_000)),
            &model,
            Arc::new(Patient),
        );
        assert!(drawn.iter().all(Result::is_ok));
    }

    #[test]
    fn a_model_makes_room_for_the_next_one() {
        let folder = tempfile::tempdir().expect("folder");
        let models = ["one", "two"].map(|name| model_in(folder.path(), name));
        let pipeline = tiny::pipeline("euler");
        let (held, drawing) = (pipeline.weights_bytes(), pipeline.drawing_bytes(2));
        // Room to draw with one at hand, and not with two.
        let painter = painter(folder.path(), Some(held * 3 / 2 + drawing));
        for model in [&models[0], &models[1], &models[1], &models[0]] {
            let drawn = paint(&painter, model, Arc::new(Patient));
            assert!(drawn.iter().all(Result::is_ok), "{model}: {drawn:?}");
        }
    }

    #[test]
    fn the_shipped_model_comes_first_and_unknown_ones_are_refused() {
        let folder = tempfile::tempdir().expect("folder");
        tiny_in(folder.path());
        std::fs::create_dir(folder.path().join("broken")).expect("folder");
        std::fs::write(folder.path().join("broken/model.toml"), "size = 3").expect("written");
        let painter = painter(folder.path(), None);
        let names: Vec<_> = painter.cards().into_iter().map(|card| card.name).collect();
        assert_eq!(
            names,
            [ModelName::new("pinhole-mini"), ModelName::new("tiny")]
        );
        let refused = paint(&painter, &ModelName::new("huge"), Arc::new(Patient));
        assert!(matches!(&refused[0], Err(PaintError::Refused(why)) if why.contains("huge")));
    }

    #[test]
    fn damaged_weights_fail_the_drawing_with_what_to_do() {
        let folder = tempfile::tempdir().expect("folder");
        let model = tiny_in(folder.path());
        let file = folder.path().join("tiny").join(crate::mini::FILES[3]);
        let whole = std::fs::read(&file).expect("weights");
        std::fs::write(&file, &whole[..whole.len() / 2]).expect("written");
        let painter = painter(folder.path(), None);
        let failed = paint(&painter, &model, Arc::new(Patient));
        assert!(
            matches!(&failed[0], Err(PaintError::Failed(why)) if why.contains("cut short")),
            "{failed:?}"
        );
        std::fs::write(&file, &whole).expect("written");
        assert!(
            paint(&painter, &model, Arc::new(Patient))
                .iter()
                .all(Result::is_ok)
        );
    }
}
