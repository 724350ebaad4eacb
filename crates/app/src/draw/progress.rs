//! The bar on standard error: steps done, steps a second, time left.

use std::ops::ControlFlow;

use domain::painter::{Brief, Watch};
use domain::picture::Pixels;
use indicatif::{ProgressBar, ProgressStyle};

pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Hidden where standard error is no terminal.
    pub(super) fn start(briefs: &[Brief]) -> Self {
        let bar = ProgressBar::new(briefs.iter().map(|brief| u64::from(brief.steps)).sum());
        let template = "{bar:32} {pos}/{len} steps · {per_sec} · {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸ "));
        }
        bar.tick();
        Self(bar)
    }

    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}

impl Watch for Progress {
    fn step(&self, _: usize, _: u32, _: u32, _: Option<&Pixels>) -> ControlFlow<()> {
        self.0.inc(1);
        ControlFlow::Continue(())
    }
}
