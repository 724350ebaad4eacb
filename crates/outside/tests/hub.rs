//! Pulling from a hub: whole, broken off, led astray, and refused.

#[path = "hub/server.rs"]
mod server;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use domain::recipient::{Register, Role, Stated};
use outside::hub::{Fetched, Hub, HubError, Order, OrderedFile, Progress};
use server::{COMMIT, Faults, REPO, Server, hex};
use sha2::{Digest, Sha256};

const WEIGHTS: &str = "unet/model.safetensors";
const SMALL: &str = "model_index.json";

fn files() -> BTreeMap<String, Vec<u8>> {
    let header = br#"{"a":{"dtype":"U8","shape":[90000],"data_offsets":[0,90000]}}"#;
    let body = (0..90_000u32).map(|i| (i % 251) as u8);
    let weights = [&(header.len() as u64).to_le_bytes()[..], header].concat();
    let weights = weights.into_iter().chain(body).collect();
    BTreeMap::from([
        (SMALL.to_owned(), b"{\"a\": 1}\n".to_vec()),
        (
            "tokenizer/merges.txt".to_owned(),
            b"#version: 0.2\na b\n".to_vec(),
        ),
        (WEIGHTS.to_owned(), weights),
    ])
}

fn order() -> Order {
    let file = |path: &String| OrderedFile {
        path: path.clone(),
        bytes: None,
        sha256: None,
    };
    Order {
        name: "tiny".into(),
        repo: REPO.into(),
        revision: "main".into(),
        files: files().keys().map(file).collect(),
    }
}

/// A hub that is in the register.
fn opened(endpoint: &str, token: Option<String>) -> Result<Hub, HubError> {
    let register = Register::new([(Role::Hub, endpoint.to_owned(), Stated::default())]);
    Hub::open(register.find(Role::Hub).expect("registered"), token)
}

fn hub(server: &Server) -> Hub {
    let token = Some("hf_secret".to_owned());
    opened(&server.endpoint(), token)
        .expect("an endpoint")
        .with_pause(Duration::ZERO)
}

async fn pull(server: &Server, order: &Order, models: &Path) -> Result<Fetched, HubError> {
    hub(server).pull(order, models, &|_| {}).await
}

async fn refusal(server: &Server, order: &Order, models: &Path) -> String {
    pull(server, order, models)
        .await
        .expect_err("must be refused")
        .to_string()
}

struct Place {
    server: Server,
    models: tempfile::TempDir,
}

impl Place {
    async fn new(faults: Faults) -> Self {
        let server = Server::start(files()).await;
        server.misbehave(faults);
        Self {
            server,
            models: tempfile::tempdir().expect("folder"),
        }
    }

    async fn refusal(&self) -> String {
        refusal(&self.server, &order(), self.models.path()).await
    }

    fn left(&self) -> Option<u64> {
        let part = self
            .models
            .path()
            .join(format!("tiny.partial/{WEIGHTS}.part"));
        fs::metadata(part).ok().map(|file| file.len())
    }

    /// Pulls it after all, and looks at every byte.
    async fn succeeds(&self) {
        self.server.misbehave(Faults::default());
        let fetched = pull(&self.server, &order(), self.models.path())
            .await
            .expect("pulled");
        let folder = fetched.settle("lock.json", "{}").expect("settled");
        for (path, bytes) in files() {
            assert_eq!(
                fs::read(folder.join(&path)).expect("there"),
                bytes,
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn a_model_appears_whole_with_its_hashes() {
    let place = Place::new(Faults::default()).await;
    let heard = Mutex::new(Vec::new());
    let told = |progress: Progress<'_>| {
        heard
            .lock()
            .expect("lock")
            .push((progress.done_bytes, progress.total_bytes));
    };
    let fetched = hub(&place.server)
        .pull(&order(), place.models.path(), &told)
        .await
        .expect("pulled");
    assert_eq!(fetched.commit, COMMIT);
    let total: usize = files().values().map(Vec::len).sum();
    let heard = heard.into_inner().expect("lock");
    assert!(heard.iter().all(|(_, all)| *all == total as u64) && heard.is_sorted());
    assert_eq!(heard.last(), Some(&(total as u64, total as u64)));
    for file in &fetched.files {
        assert_eq!(file.sha256, hex(&Sha256::digest(&files()[&file.path])));
    }
    assert!(
        !place.models.path().join("tiny").exists(),
        "not before it is settled"
    );
    let folder = fetched.settle("lock.json", "{\"a\":2}").expect("settled");
    assert_eq!(
        fs::read_to_string(folder.join("lock.json")).expect("there"),
        "{\"a\":2}"
    );
    let names: Vec<_> = fs::read_dir(place.models.path()).expect("folder").collect();
    assert_eq!(names.len(), 1, "{names:?}");
    assert!(!folder.join(".pulling").exists());
    let again = place.refusal().await;
    assert!(again.contains("already there"), "{again}");
}

#[tokio::test]
async fn the_token_stays_with_the_hub() {
    let place = Place::new(Faults::default()).await;
    pull(&place.server, &order(), place.models.path())
        .await
        .expect("pulled");
    let seen = place.server.seen();
    assert!(
        seen.iter()
            .filter(|seen| !seen.away)
            .all(|seen| seen.token.is_some()),
        "{seen:?}"
    );
    let away: Vec<_> = seen.iter().filter(|seen| seen.away).collect();
    assert!(
        !away.is_empty() && away.iter().all(|seen| seen.token.is_none()),
        "{away:?}"
    );
    assert!(!format!("{:?}", hub(&place.server)).contains("secret"));
    let unsafe_hub = opened("http://example.org", Some("hf_secret".into()));
    assert!(
        unsafe_hub
            .expect_err("refused")
            .to_string()
            .contains("https")
    );
}

#[tokio::test]
async fn a_broken_pull_goes_on_where_it_stopped() {
    let place = Place::new(Faults {
        cut_at: Some(50_000),
        ..Faults::default()
    })
    .await;
    let message = place.refusal().await;
    assert!(
        message.contains("broke at 50000 of") && message.contains("goes on"),
        "{message}"
    );
    assert_eq!(place.left(), Some(50_000));
    place.server.seen();
    place.succeeds().await;
    let ranges: Vec<_> = place
        .server
        .seen()
        .into_iter()
        .filter_map(|seen| seen.range)
        .collect();
    assert!(
        !ranges.is_empty() && ranges.iter().all(|r| r == "bytes=50000-"),
        "{ranges:?}"
    );
}

#[tokio::test]
async fn short_troubles_are_sat_out() {
    let faults = Faults {
        unavailable: 2,
        cut_at: Some(9_000),
        cuts_left: Some(1),
        ..Faults::default()
    };
    let place = Place::new(faults).await;
    let fetched = pull(&place.server, &order(), place.models.path())
        .await
        .expect("pulled");
    assert_eq!(fetched.files.len(), 3);
    let place = Place::new(Faults {
        unavailable: 100,
        ..Faults::default()
    })
    .await;
    let message = place.refusal().await;
    assert!(
        message.contains("answered 503") && message.contains("later"),
        "{message}"
    );
}

#[tokio::test]
async fn a_server_without_ranges_starts_over() {
    let place = Place::new(Faults {
        cut_at: Some(50_000),
        ..Faults::default()
    })
    .await;
    place.refusal().await;
    place.server.misbehave(Faults {
        no_ranges: true,
        ..Faults::default()
    });
    let fetched = pull(&place.server, &order(), place.models.path())
        .await
        .expect("pulled");
    let folder = fetched.settle("lock.json", "{}").expect("settled");
    assert_eq!(
        fs::read(folder.join(WEIGHTS)).expect("there"),
        files()[WEIGHTS]
    );
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let place = Place::new(Faults {
        gated: true,
        ..Faults::default()
    })
    .await;
    let message = place.refusal().await;
    let page = format!("{}/{REPO}", place.server.endpoint());
    assert!(
        message.contains(&page) && message.contains("HF_TOKEN"),
        "{message}"
    );
    assert!(message.contains("this token's owner has not"), "{message}");
    let nobody = opened(&place.server.endpoint(), None).expect("hub");
    let message = nobody
        .pull(&order(), place.models.path(), &|_| {})
        .await
        .expect_err("gated");
    assert!(
        matches!(
            message,
            HubError::Gated {
                with_token: false,
                ..
            }
        ),
        "{message}"
    );

    place.server.misbehave(Faults::default());
    let other = Order {
        repo: "someone/else".into(),
        ..order()
    };
    let message = refusal(&place.server, &other, place.models.path()).await;
    assert!(message.contains("no repository someone/else"), "{message}");
    let mut more = order();
    more.files.push(OrderedFile {
        path: "vae/none.safetensors".into(),
        bytes: None,
        sha256: None,
    });
    let message = refusal(&place.server, &more, place.models.path()).await;
    assert!(
        message.contains("no file vae/none.safetensors at revision main"),
        "{message}"
    );

    let nowhere = opened("http://127.0.0.1:9", None)
        .expect("hub")
        .with_pause(Duration::ZERO);
    let message = nowhere
        .pull(&order(), place.models.path(), &|_| {})
        .await
        .expect_err("offline");
    let message = message.to_string();
    assert!(
        message.contains("can't be reached") && message.contains("HF_ENDPOINT"),
        "{message}"
    );
    for (endpoint, says) in [("huggingface", "no address"), ("ftp://x.org", "https://")] {
        let error = opened(endpoint, None).expect_err("bad").to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[tokio::test]
async fn damage_is_found_deleted_and_mended() {
    for file in [WEIGHTS, SMALL] {
        let wrong_tag = Some(file.to_owned());
        let place = Place::new(Faults {
            wrong_tag,
            ..Faults::default()
        })
        .await;
        let message = place.refusal().await;
        assert!(
            message.contains(&format!("{file} arrived damaged")),
            "{message}"
        );
        assert_eq!(place.left(), None, "deleted");
        assert!(!place.models.path().join("tiny").exists());
        place.succeeds().await;
    }
}

#[tokio::test]
async fn a_pickle_is_refused_by_its_name_and_by_its_content() {
    let place = Place::new(Faults::default()).await;
    for name in ["unet/pytorch_model.bin", "model.ckpt", "../a.json"] {
        let mut order = order();
        order.files.push(OrderedFile {
            path: name.into(),
            bytes: None,
            sha256: None,
        });
        let message = refusal(&place.server, &order, place.models.path()).await;
        assert!(
            message.contains(name) && message.contains("can run code"),
            "{message}"
        );
    }
    assert!(place.server.seen().is_empty(), "nothing was asked for");
    let pickles = [
        b"\x80\x02}q\x00X".to_vec(),
        [b"PK\x03\x04".to_vec(), vec![7; 90_000]].concat(),
    ];
    for pickle in pickles {
        place
            .server
            .inside
            .files
            .lock()
            .expect("lock")
            .insert(WEIGHTS.to_owned(), pickle);
        let message = place.refusal().await;
        assert!(message.contains("whatever it is called"), "{message}");
        assert_eq!(place.left(), None, "deleted");
    }
}

#[tokio::test]
async fn what_the_catalogue_lists_is_what_is_fetched_or_nothing_is() {
    let place = Place::new(Faults::default()).await;
    let listed = |bytes: Option<u64>, sha256: Option<String>| {
        let mut order = order();
        for file in order.files.iter_mut().filter(|file| file.path == WEIGHTS) {
            (file.bytes, file.sha256) = (bytes, sha256.clone());
        }
        order
    };
    for wrong in [listed(Some(7), None), listed(None, Some("a".repeat(64)))] {
        let message = refusal(&place.server, &wrong, place.models.path()).await;
        assert!(
            message.contains("not the file that the catalogue lists"),
            "{message}"
        );
    }
    assert!(place.server.seen().iter().all(|seen| seen.method == "HEAD"));
    let right = hex(&Sha256::digest(&files()[WEIGHTS])).to_uppercase();
    let right = listed(Some(files()[WEIGHTS].len() as u64), Some(right));
    pull(&place.server, &right, place.models.path())
        .await
        .expect("pulled");
}

#[tokio::test]
async fn a_full_disk_is_seen_before_anything_is_fetched() {
    let said_bytes = Some((WEIGHTS.to_owned(), 1 << 60));
    let place = Place::new(Faults {
        said_bytes,
        ..Faults::default()
    })
    .await;
    let message = place.refusal().await;
    assert!(
        message.contains("bytes free and") && message.contains(" more and run"),
        "{message}"
    );
    assert!(place.server.seen().iter().all(|seen| seen.method == "HEAD"));
}

#[tokio::test]
async fn strange_hubs_and_moving_repositories_are_told_apart() {
    let moved = Some(WEIGHTS.to_owned());
    let place = Place::new(Faults {
        moved,
        ..Faults::default()
    })
    .await;
    assert!(
        place
            .refusal()
            .await
            .contains("changed while it was being pulled")
    );
    place.server.misbehave(Faults {
        no_commit: true,
        ..Faults::default()
    });
    assert!(
        place
            .refusal()
            .await
            .contains("does not answer as a model hub")
    );
}

#[tokio::test]
async fn two_pulls_of_one_model_do_not_mix() {
    let place = Place::new(Faults::default()).await;
    let first = pull(&place.server, &order(), place.models.path())
        .await
        .expect("pulled");
    let message = place.refusal().await;
    assert!(message.contains("pulled by another process"), "{message}");
    first.settle("lock.json", "{}").expect("settled");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let place = Place::new(Faults::default()).await;
    let models = place.models.path().join("file");
    fs::write(&models, "in the way").expect("written");
    let message = refusal(&place.server, &order(), &models).await;
    assert!(
        message.contains("can't be written") && message.contains("tiny.partial"),
        "{message}"
    );
}

/// The hub may lead to its own stores, and to nobody whom the operator has not named.
#[tokio::test]
async fn promise_shr_01_weights_come_from_hosts_of_the_register_alone() {
    let place = Place::new(Faults {
        leads_to: Some("127.0.0.2".to_owned()),
        ..Faults::default()
    })
    .await;
    let message = refusal(&place.server, &order(), place.models.path()).await;
    assert!(message.contains("leads to 127.0.0.2"), "{message}");
    assert!(message.contains("hosts = [\"127.0.0.2\"]"), "{message}");
    assert!(place.server.seen().iter().all(|seen| !seen.away));
    // Named, it is asked; nobody listens there.
    let stated = Stated {
        hosts: vec!["127.0.0.2".to_owned()],
        ..Stated::default()
    };
    let register = Register::new([(Role::Hub, place.server.endpoint(), stated)]);
    let hub = Hub::open(register.find(Role::Hub).expect("registered"), None);
    let hub = hub.expect("a hub").with_pause(Duration::ZERO);
    let asked = hub.pull(&order(), place.models.path(), &|_| {}).await;
    let asked = asked.expect_err("nobody listens");
    assert!(!matches!(asked, HubError::Elsewhere { .. }), "{asked}");
    // A mail server has no weights.
    let mail = Register::new([(Role::Mail, place.server.endpoint(), Stated::default())]);
    let refused = Hub::open(mail.find(Role::Mail).expect("registered"), None);
    assert!(matches!(refused, Err(HubError::BadEndpoint { .. })));
}
