//! `pinhole models`, as a person at a shell meets it, with a hub on this machine.

#[path = "../../outside/tests/hub/server.rs"]
mod server;
#[path = "../../engine/tests/fixtures/diffusion/tiny.rs"]
#[expect(dead_code, reason = "other tests ask it for more")]
mod tiny;

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use domain::painter::{Brief, Watch};
use domain::picture::{Background, Pixels, Size};
use domain::prompt::Prompt;
use engine::catalogue::Catalogue;
use engine::diffusion::Pipeline;
use serde_json::Value;
use server::{Faults, REPO, Server};

const WEIGHTS: &str = "unet/diffusion_pytorch_model.safetensors";

/// A hub that has a tiny model, an own catalogue that lists it, and a data folder.
struct Desk {
    server: Server,
    folder: tempfile::TempDir,
}

impl Desk {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let source = folder.path().join("source");
        let paths = tiny::write("sd1", &source);
        let read = |path: &String| (path.clone(), fs::read(source.join(path)).expect("a file"));
        let files: BTreeMap<String, Vec<u8>> = paths.iter().map(read).collect();
        let list: Vec<String> = paths
            .iter()
            .map(|p| format!("{{ path = \"{p}\" }}"))
            .collect();
        let catalogue = format!(
            r#"[[model]]
            name = "tiny"
            title = "Tiny"
            about = "Draws nothing that anybody would know."
            licence = "Apache-2.0"
            licence_url = "https://www.apache.org/licenses/LICENSE-2.0"
            repo = "{REPO}"
            revision = "main"
            engine = "stable-diffusion"
            sampler = "euler"
            download_mib = 1
            memory_mib = 20
            size = "16x16"
            multiple_of = 4
            min_edge = 4
            max_edge = 64
            max_pixels = 4096
            steps = {{ min = 1, max = 9, default = 2 }}
            guidance = {{ min = 1.0, max = 9.0, default = 3.0 }}
            files = [{}]"#,
            list.join(", ")
        );
        fs::write(folder.path().join("own.toml"), catalogue).expect("written");
        Self {
            server: Server::start(files).await,
            folder,
        }
    }

    fn catalogue(&self) -> PathBuf {
        self.folder.path().join("own.toml")
    }

    fn models(&self) -> PathBuf {
        self.folder.path().join("data/models")
    }

    async fn pinhole(&self, words: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinhole"));
        command
            .args([
                "--data".as_ref(),
                self.folder.path().join("data").as_os_str(),
            ])
            .arg("models")
            .args(words)
            .env("PINHOLE_CATALOGUE", self.catalogue())
            .env("HF_ENDPOINT", self.server.endpoint())
            .env("HF_HOME", self.folder.path())
            .env_remove("HF_TOKEN")
            .env_remove("HF_TOKEN_PATH");
        let output = tokio::task::spawn_blocking(move || command.output());
        Said::new(output.await.expect("joined").expect("the program runs"))
    }

    async fn state(&self) -> String {
        let models = self.pinhole(&["list", "--json"]).await.json();
        let tiny = models
            .as_array()
            .expect("a list")
            .iter()
            .find(|m| m["name"] == "tiny");
        tiny.expect("listed")["state"]
            .as_str()
            .expect("a word")
            .to_owned()
    }
}

/// What the program said and how it ended.
#[derive(Debug)]
struct Said {
    out: String,
    err: String,
    code: Option<i32>,
}

impl Said {
    fn new(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Self {
            out: text(output.stdout),
            err: text(output.stderr),
            code: output.status.code(),
        }
    }

    fn fine(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    fn json(self) -> Value {
        serde_json::from_str(&self.fine()).expect("json")
    }

    fn refused(self, code: i32, says: &str) {
        assert!(
            self.code == Some(code) && self.err.contains(says),
            "{says}: {self:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_is_pulled_broken_off_resumed_drawn_with_and_removed() {
    let desk = Desk::new().await;
    assert_eq!(desk.state().await, "available");
    desk.server.misbehave(Faults {
        cut_at: Some(60_000),
        ..Faults::default()
    });
    desk.pinhole(&["pull", "tiny"])
        .await
        .refused(1, "broke at 60000 of");
    assert_eq!(desk.state().await, "partial");
    desk.server.misbehave(Faults::default());
    desk.server.seen();
    let said = desk.pinhole(&["pull", "tiny"]).await.fine();
    assert!(
        said.contains("Apache-2.0") && said.contains("every file's hash is right"),
        "{said}"
    );
    // The hub and the address that it redirects to are both asked for the rest alone.
    let ranges = desk.server.seen().into_iter().filter_map(|seen| seen.range);
    let ranges: Vec<String> = ranges.collect();
    assert!(
        !ranges.is_empty() && ranges.iter().all(|range| range == "bytes=60000-"),
        "{ranges:?}"
    );
    assert_eq!(desk.state().await, "installed");
    let again = desk.pinhole(&["pull", "tiny"]).await.fine();
    assert!(again.contains("already here"), "{again}");
    let shown = desk.pinhole(&["show", "tiny", "--json"]).await.json();
    assert_eq!(shown["licence"], "Apache-2.0");
    let files = shown["files"].as_array().expect("files");
    assert!(
        files
            .iter()
            .all(|file| file["sha256"].as_str().is_some_and(|h| h.len() == 64))
    );
    let words = desk.pinhole(&["show", "tiny"]).await.fine();
    assert!(
        words.contains("installed") && words.contains(WEIGHTS),
        "{words}"
    );

    draws(&desk.catalogue(), &desk.models());

    let freed = desk.pinhole(&["remove", "tiny"]).await.fine();
    assert!(
        freed.contains("kB are free again") || freed.contains("MB are free"),
        "{freed}"
    );
    assert_eq!(desk.state().await, "available");
    assert_eq!(
        fs::read_dir(desk.models()).expect("folder").count(),
        0,
        "nothing is left"
    );
    desk.pinhole(&["remove", "tiny"])
        .await
        .refused(1, "not installed");
}

/// From the folder that the pull made to a picture.
fn draws(catalogue: &Path, models: &Path) {
    struct Nobody;
    impl Watch for Nobody {
        fn step(&self, _: usize, _: u32, _: u32, _: Option<&Pixels>) -> ControlFlow<()> {
            ControlFlow::Continue(())
        }
    }
    let catalogue = Catalogue::with_file(Some(catalogue)).expect("a catalogue");
    let installed = catalogue.installed(models).pop().expect("installed");
    let pipeline = Pipeline::load(&installed).expect("a model");
    let brief = Brief {
        prompt: Prompt::new("a small red house").expect("a prompt"),
        negative_prompt: None,
        size: Size::square(16),
        background: Background::Opaque,
        steps: 2,
        guidance: 3.0,
        seed: 1,
        ancestors: Vec::new(),
        previews: 0,
    };
    let painted = pipeline
        .draw(&[brief], &Nobody)
        .pop()
        .expect("one")
        .expect("drawn");
    assert_eq!(painted.pixels.size(), Size::square(16));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_model_is_told_and_can_be_mended() {
    let desk = Desk::new().await;
    desk.pinhole(&["pull", "tiny", "--json"]).await.json();
    let weights = desk.models().join("tiny").join(WEIGHTS);
    let mut bytes = fs::read(&weights).expect("there");
    *bytes.last_mut().expect("bytes") ^= 1;
    fs::write(&weights, bytes).expect("written");
    desk.pinhole(&["pull", "tiny"])
        .await
        .refused(1, "pinhole models remove tiny");
    desk.pinhole(&["remove", "tiny"]).await.fine();
    desk.pinhole(&["pull", "tiny"]).await.fine();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_pulled_says_why_and_leaves_nothing() {
    let desk = Desk::new().await;
    desk.pinhole(&["pull", "huge"])
        .await
        .refused(2, "no model called huge. There are: sd-1.5");
    desk.pinhole(&["show", "../etc"])
        .await
        .refused(2, "no model called ../etc");
    desk.pinhole(&["remove", ".."])
        .await
        .refused(2, "no model called ..");
    desk.pinhole(&["pull", "flux.1-schnell"])
        .await
        .refused(2, "can't be drawn with yet");
    desk.server.misbehave(Faults {
        gated: true,
        ..Faults::default()
    });
    desk.pinhole(&["pull", "tiny"])
        .await
        .refused(1, "set HF_TOKEN");
    desk.server.misbehave(Faults {
        wrong_tag: Some(WEIGHTS.into()),
        ..Faults::default()
    });
    desk.pinhole(&["pull", "tiny"])
        .await
        .refused(1, "arrived damaged");
    assert!(!desk.models().join("tiny").exists());
    fs::write(desk.catalogue(), "[[model]]\nname = 3").expect("written");
    desk.pinhole(&["list"])
        .await
        .refused(1, "is not a catalogue");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_tells_what_each_model_costs() {
    let desk = Desk::new().await;
    let text = desk.pinhole(&["list"]).await.fine();
    for words in [
        "sd-1.5",
        "sdxl-turbo",
        "CreativeML OpenRAIL-M",
        "not yet",
        "2.1 GB",
        "tiny",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let models = desk.pinhole(&["list", "--json"]).await.json();
    let models = models.as_array().expect("a list");
    assert_eq!(models.len(), 9);
    assert_eq!(
        (
            &models[0]["name"],
            &models[0]["state"],
            &models[0]["download_bytes"]
        ),
        (&"pinhole-mini".into(), &"built_in".into(), &0.into())
    );
    assert!(
        models
            .iter()
            .all(|model| model["memory_bytes"].as_u64() > Some(1 << 20))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_built_in_model_is_first_and_neither_pulled_nor_removed() {
    let desk = Desk::new().await;
    let text = desk.pinhole(&["list"]).await.fine();
    let first = text.lines().nth(1).expect("a line under the head");
    assert!(
        first.starts_with("pinhole-mini ") && first.contains("built in"),
        "{text}"
    );
    let shown = desk.pinhole(&["show", "pinhole-mini"]).await.fine();
    assert!(
        shown.contains("the program itself") && shown.contains("256x256"),
        "{shown}"
    );
    desk.server.seen();
    let pulled = desk.pinhole(&["pull", "pinhole-mini"]).await.fine();
    assert!(pulled.contains("nothing to fetch"), "{pulled}");
    assert!(desk.server.seen().is_empty(), "nobody was asked");
    desk.pinhole(&["remove", "pinhole-mini"])
        .await
        .refused(2, "part of the program");
}
