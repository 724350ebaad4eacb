//! `pinhole draw`, as a person at a shell meets it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use domain::picture::Size;

fn pinhole(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pinhole"));
    command
        .current_dir(folder)
        .args(["--data", "data", "draw"])
        .args(arguments);
    command
        .env_remove("PINHOLE_DATA")
        .env_remove("PINHOLE_CATALOGUE")
        .stdin(Stdio::null());
    command
}

fn draw(folder: &Path, arguments: &[&str]) -> Output {
    pinhole(folder, arguments)
        .output()
        .expect("the program starts")
}

fn names(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry
            .expect("an entry")
            .file_name()
            .into_string()
            .expect("text")
    };
    let mut names: Vec<String> = fs::read_dir(folder).expect("a folder").map(name).collect();
    names.sort();
    names
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn one_command_leaves_one_picture_and_nothing_else() {
    let folder = tempfile::tempdir().expect("folder");
    let first = draw(
        folder.path(),
        &["a red apple", "--out", "apple.png", "--seed", "7"],
    );
    assert!(first.status.success(), "{}", said(&first));
    assert_eq!(names(folder.path()), ["apple.png"]);
    let bytes = fs::read(folder.path().join("apple.png")).expect("a file");
    assert_eq!(
        imaging::decode(&bytes).expect("a picture").size(),
        Size::square(256)
    );

    let again = draw(folder.path(), &["a red apple", "--out", "-", "--seed", "7"]);
    assert!(again.status.success(), "{}", said(&again));
    assert_eq!(again.stdout, bytes, "the same seed gives the same file");
}

#[test]
fn several_pictures_are_told_in_one_json_object() {
    let folder = tempfile::tempdir().expect("folder");
    let asked = [
        "a red xqzzyk apple",
        "--count",
        "2",
        "--seed",
        "4294967295",
        "--steps",
        "3",
    ];
    let output = draw(
        folder.path(),
        &[&asked[..], &["--out", "a.webp", "--json"]].concat(),
    );
    assert!(output.status.success(), "{}", said(&output));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(told["files"], serde_json::json!(["a-1.webp", "a-2.webp"]));
    assert_eq!(told["seeds"], serde_json::json!([4_294_967_295u32, 0]));
    assert_eq!(told["unknown_words"], serde_json::json!(["xqzzyk"]));
    assert_eq!(told["model"], "pinhole-mini");
    assert_eq!(told["steps"], 3);
    assert!(
        told["seconds"]
            .as_f64()
            .is_some_and(|seconds| seconds > 0.0)
    );
    assert_eq!(names(folder.path()), ["a-1.webp", "a-2.webp"]);
}

#[test]
fn a_prompt_comes_from_standard_input() {
    let folder = tempfile::tempdir().expect("folder");
    fs::write(folder.path().join("prompt.txt"), "a red apple\n").expect("written");
    fs::write(folder.path().join("binary"), [0xff, 0xfe, 0x00]).expect("written");
    let from = |file: &str| {
        let file = fs::File::open(folder.path().join(file)).expect("a file");
        let mut command = pinhole(
            folder.path(),
            &["-", "--out", "-", "--seed", "1", "--steps", "2"],
        );
        command.stdin(file).output().expect("the program starts")
    };
    let piped = from("prompt.txt");
    assert!(piped.status.success(), "{}", said(&piped));
    let typed = draw(
        folder.path(),
        &["a red apple", "--out", "-", "--seed", "1", "--steps", "2"],
    );
    assert_eq!(piped.stdout, typed.stdout);
    let binary = from("binary");
    assert_eq!(binary.status.code(), Some(2));
    assert!(said(&binary).contains("UTF-8"), "{}", said(&binary));
}

#[test]
fn what_cant_be_done_is_said_before_the_drawing() {
    let folder = tempfile::tempdir().expect("folder");
    fs::write(folder.path().join("there.png"), "mine").expect("written");
    let long = "x".repeat(40_000);
    let cases: [(&[&str], i32, &str); 13] = [
        (&["", "--out", "a.png"], 2, "Say in a few words"),
        (&[&long, "--out", "a.png"], 2, "Shorten it"),
        (&["xqzzyk", "--out", "a.png"], 2, "none of these words"),
        (&["apple", "--out", "a.gif"], 2, "--format"),
        (
            &["apple", "--out", "-", "--count", "2"],
            2,
            "standard output",
        ),
        (&["apple", "--out", "-", "--json"], 2, "standard output"),
        (
            &["apple", "--out", "a.png", "--size", "64x64"],
            2,
            "256x256 and 512x512",
        ),
        (
            &["apple", "--out", "a.png", "--guidance", "nan"],
            2,
            "guidance",
        ),
        (
            &["apple", "--out", "a.png", "--model", "huge"],
            3,
            "pinhole-mini",
        ),
        (
            &["apple", "--out", "a.png", "--model", "sd-1.5"],
            3,
            "`pinhole models pull sd-1.5` fetches it",
        ),
        (
            &["apple", "--out", "a.png", "--model", "flux.1-schnell"],
            3,
            "can't draw with it yet",
        ),
        (&["apple", "--out", "there.png"], 4, "--force"),
        (&["apple", "--out", "no/folder/a.png"], 4, "Make it first"),
    ];
    for (arguments, code, hint) in cases {
        let output = draw(folder.path(), arguments);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{hint}: {}",
            said(&output)
        );
        assert!(said(&output).contains(hint), "{hint}: {}", said(&output));
        assert!(output.stdout.is_empty(), "{hint}");
        assert_eq!(names(folder.path()), ["there.png"], "{hint}");
    }
    assert_eq!(
        fs::read(folder.path().join("there.png")).expect("a file"),
        b"mine"
    );
}

#[test]
fn force_overwrites_whole() {
    let folder = tempfile::tempdir().expect("folder");
    fs::write(folder.path().join("a.jpg"), "old").expect("written");
    let output = draw(
        folder.path(),
        &["apple", "--out", "a.jpg", "--force", "--steps", "1"],
    );
    assert!(output.status.success(), "{}", said(&output));
    let bytes = fs::read(folder.path().join("a.jpg")).expect("a file");
    assert_eq!(
        imaging::decode(&bytes).expect("a picture").size(),
        Size::square(256)
    );
    assert_eq!(names(folder.path()), ["a.jpg"]);
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupt_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("folder");
    let long = [
        "apple", "--out", "a.png", "--count", "100", "--steps", "100",
    ];
    let mut child = pinhole(folder.path(), &long)
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let id = child.id().to_string();
    let listens = || {
        const INTERRUPT: u64 = 1 << 1;
        let status = fs::read_to_string(format!("/proc/{id}/status")).expect("its status");
        let caught = status
            .lines()
            .find_map(|line| line.strip_prefix("SigCgt:"))
            .expect("a line");
        u64::from_str_radix(caught.trim(), 16).expect("a mask") & INTERRUPT != 0
    };
    while !listens() {
        assert!(
            child.try_wait().expect("a child").is_none(),
            "it ended before it was interrupted"
        );
        std::thread::yield_now();
    }
    let sent = Command::new("kill")
        .args(["-INT", &id])
        .status()
        .expect("kill");
    assert!(sent.success());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", said(&output));
    assert!(names(folder.path()).is_empty());
}
