//! LiteLLM's proxy, in front of a server of ours.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::super::served::resident_bytes;

pub(super) const KEY: &str = "sk-bench";
const START_LIMIT: Duration = Duration::from_secs(180);

/// A running proxy, ended when it goes out of scope.
pub(super) struct Proxy {
    child: Child,
    pub(super) url: String,
}

impl Proxy {
    /// Starts it with its files in `folder`; it asks `upstream` with `key` for the model `null`.
    pub(super) fn start(
        environment: &Path,
        folder: &Path,
        workers: usize,
        upstream: &str,
        key: &str,
    ) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let config = folder.join("litellm.yaml");
        let text = format!(
            "model_list:\n  - model_name: \"null\"\n    litellm_params:\n      model: openai/null\n      \
             api_base: {upstream}/v1\n      api_key: {key}\n    model_info:\n      mode: image_generation\n\
             general_settings:\n  master_key: {KEY}\n"
        );
        std::fs::write(&config, text)?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let log = std::fs::File::create(folder.join("litellm.log"))?;
        let child = Command::new(environment.join("bin/litellm"))
            .arg("--config")
            .arg(&config)
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .args([
                "--num_workers",
                &workers.to_string(),
                "--telemetry",
                "False",
            ])
            // It asks nobody but us.
            .env("LITELLM_LOCAL_MODEL_COST_MAP", "True")
            .env("LITELLM_MODE", "PRODUCTION")
            .env("LITELLM_LOG", "ERROR")
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("litellm did not start")?;
        let mut proxy = Self {
            child,
            url: format!("http://127.0.0.1:{port}"),
        };
        proxy.wait_until_ready()?;
        Ok(proxy)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let begun = Instant::now();
        loop {
            if super::super::fetched(&self.url, "/health/liveliness", None).unwrap_or(false) {
                return Ok(());
            }
            ensure!(
                self.child.try_wait()?.is_none(),
                "litellm ended before it was ready; its log is in its folder"
            );
            ensure!(
                begun.elapsed() < START_LIMIT,
                "litellm is not ready after {START_LIMIT:?}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Of all its processes.
    pub(super) fn resident_bytes(&self) -> Result<u64> {
        resident_bytes(self.child.id())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Its workers end when their parent tells them to.
        let told = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        let begun = Instant::now();
        while told.as_ref().is_ok_and(|told| told.success())
            && matches!(self.child.try_wait(), Ok(None))
            && begun.elapsed() < Duration::from_secs(20)
        {
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
