//! Measurements, always against something else on the same machine in the same run.

mod engine;

use anyhow::Result;
use clap::Subcommand;

use crate::workspace::Workspace;

#[derive(Debug, Subcommand)]
pub(crate) enum Subject {
    /// The shipped model in this engine, in PyTorch and in ONNX Runtime.
    Engine,
}

pub(crate) fn run(workspace: &Workspace, subject: &Subject) -> Result<bool> {
    match subject {
        Subject::Engine => engine::run(workspace),
    }
}
