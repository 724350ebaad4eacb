"""The program in a shell."""

import json

import pytest
from pictures import difference, opened
from program import run

APPLE = ("draw", "a red apple")

# Exit codes, as `pinhole draw --help` lists them.
USAGE, NO_MODEL, CANT_WRITE = 2, 3, 4


@pytest.fixture
def shell(tmp_path):
    """Runs a command in an empty folder, with a data folder beside it."""
    folder = tmp_path / "here"
    folder.mkdir()

    def command(*arguments):
        return run(*arguments, cwd=folder, data=tmp_path / "data")

    command.folder = folder
    return command


def files(folder):
    return sorted(file.name for file in folder.iterdir())


def test_draw_writes_the_picture_and_nothing_else(shell):
    done = shell(*APPLE, "--out", "apple.png", "--seed", "7")
    assert done.returncode == 0, done.stderr.decode()
    assert files(shell.folder) == ["apple.png"]
    picture = opened((shell.folder / "apple.png").read_bytes())
    assert (picture.format, picture.size) == ("PNG", (256, 256))


def test_the_same_seed_is_the_same_file(shell):
    for name, seed in (("one.png", "7"), ("two.png", "7"), ("three.png", "8")):
        assert shell(*APPLE, "--out", name, "--seed", seed).returncode == 0
    one, two, three = ((shell.folder / name).read_bytes() for name in ("one.png", "two.png", "three.png"))
    assert one == two
    assert one != three


def test_count_writes_several_files(shell):
    done = shell(*APPLE, "--out", "apple.png", "--count", "3", "--seed", "7", "--json")
    assert done.returncode == 0, done.stderr.decode()
    names = ["apple-1.png", "apple-2.png", "apple-3.png"]
    assert files(shell.folder) == names
    pictures = [opened((shell.folder / name).read_bytes()) for name in names]
    assert difference(pictures[0], pictures[1]) > 1
    told = json.loads(done.stdout)
    assert told["files"] == names
    assert told["seeds"] == [7, 8, 9]
    assert told["model"] == "pinhole-mini"
    assert told["size"] == "256x256"
    assert told["seconds"] > 0


def test_words_that_the_model_does_not_know_are_told(shell):
    done = shell("draw", "a red xqzzyk", "--out", "a.png", "--json")
    assert json.loads(done.stdout)["unknown_words"] == ["xqzzyk"]


def test_a_file_that_is_there_is_not_overwritten_by_accident(shell):
    (shell.folder / "apple.png").write_bytes(b"mine")
    done = shell(*APPLE, "--out", "apple.png")
    assert done.returncode == CANT_WRITE
    assert "--force" in done.stderr.decode()
    assert (shell.folder / "apple.png").read_bytes() == b"mine"
    assert shell(*APPLE, "--out", "apple.png", "--force").returncode == 0
    assert opened((shell.folder / "apple.png").read_bytes()).size == (256, 256)


def test_a_dash_is_standard_output(shell):
    done = shell(*APPLE, "--out", "-")
    assert done.returncode == 0, done.stderr.decode()
    assert opened(done.stdout).size == (256, 256)
    assert files(shell.folder) == []


@pytest.mark.parametrize(("name", "format"), [("a.webp", "WEBP"), ("a.jpg", "JPEG"), ("a.png", "PNG")])
def test_the_ending_chooses_the_format(shell, name, format):
    assert shell(*APPLE, "--out", name).returncode == 0
    assert opened((shell.folder / name).read_bytes()).format == format


@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        (("draw", "", "--out", "a.png"), USAGE, "Say in a few words what to draw"),
        (("draw", "x" * 40_000, "--out", "a.png"), USAGE, "Shorten it"),
        (("draw", "a\u0007b", "--out", "a.png"), USAGE, "Remove it"),
        ((*APPLE, "--out", "a.gif"), USAGE, ".webp"),
        ((*APPLE, "--out", "a.png", "--size", "1024x1024"), USAGE, "256x256"),
        ((*APPLE, "--out", "a.png", "--size", "large"), USAGE, "256x256"),
        ((*APPLE, "--out", "a.png", "--count", "0"), USAGE, "1..=100"),
        ((*APPLE, "--out", "a.png", "--steps", "0"), USAGE, "steps"),
        ((*APPLE, "--out", "a.png", "--guidance", "1e9"), USAGE, "guidance"),
        ((*APPLE, "--out", "a.png", "--model", "nowhere"), NO_MODEL, "pinhole-mini"),
        ((*APPLE, "--out", "missing/folder/a.png"), CANT_WRITE, "missing/folder"),
    ],
    ids=["empty", "long", "bell", "gif", "large", "size", "none", "steps", "guidance", "model", "folder"],
)
def test_a_bad_order_says_what_to_do_and_writes_nothing(shell, arguments, code, hint):
    done = shell(*arguments)
    assert done.returncode == code, done.stderr.decode()
    assert done.stdout == b""
    assert hint in done.stderr.decode()
    assert files(shell.folder) == []


def test_models_are_listed_with_size_and_licence(shell):
    done = shell("models", "list")
    assert done.returncode == 0
    listed = done.stdout.decode()
    for expected in ("sd-1.5", "sdxl-turbo", "flux", "z-image", "LICENCE", "GB", "available"):
        assert expected in listed


def test_help_and_version(shell):
    for arguments in (("--help",), ("draw", "--help"), ("serve", "--help"), ("--version",)):
        done = shell(*arguments)
        assert done.returncode == 0
        assert done.stdout
