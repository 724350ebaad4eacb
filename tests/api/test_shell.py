"""The program in a shell."""

import json

import pytest
from pictures import difference, opened
from program import run

APPLE = ("draw", "a red apple")


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
    done = shell(*APPLE, "--out", "apple.png", "--count", "3", "--json")
    assert done.returncode == 0, done.stderr.decode()
    assert len(files(shell.folder)) == 3
    pictures = [opened((shell.folder / name).read_bytes()) for name in files(shell.folder)]
    assert difference(pictures[0], pictures[1]) > 1
    json.loads(done.stdout)


def test_json_is_for_programs(shell):
    done = shell(*APPLE, "--out", "apple.png", "--seed", "7", "--json")
    told = json.loads(done.stdout)
    assert "apple.png" in json.dumps(told)
    assert "7" in json.dumps(told)


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
    ("arguments", "hint"),
    [
        (("draw", "", "--out", "a.png"), "Say in a few words what to draw"),
        (("draw", "x" * 40_000, "--out", "a.png"), "Shorten it"),
        (("draw", "a\u0007b", "--out", "a.png"), "Remove it"),
        ((*APPLE, "--out", "a.gif"), "png, jpeg or webp"),
        ((*APPLE, "--out", "a.png", "--size", "1024x1024"), "256x256"),
        ((*APPLE, "--out", "a.png", "--size", "large"), "256x256"),
        ((*APPLE, "--out", "a.png", "--count", "0"), "1 to 10"),
        ((*APPLE, "--out", "a.png", "--steps", "0"), "steps"),
        ((*APPLE, "--out", "a.png", "--model", "nowhere"), "pinhole-mini"),
        ((*APPLE, "--out", "missing/folder/a.png"), "missing/folder"),
    ],
    ids=["empty", "long", "bell", "gif", "large", "size", "none", "steps", "model", "folder"],
)
def test_a_bad_order_says_what_to_do_and_writes_nothing(shell, arguments, hint):
    done = shell(*arguments)
    assert done.returncode not in (0, 101), done.stderr.decode()
    assert done.stdout == b""
    assert hint in done.stderr.decode()
    assert files(shell.folder) == []


def test_models_are_listed_with_size_and_licence(shell):
    done = shell("models", "list")
    assert done.returncode == 0
    listed = done.stdout.decode()
    for expected in ("pinhole-mini", "Apache-2.0", "stable-diffusion", "flux"):
        assert expected.lower() in listed.lower()


def test_help_and_version(shell):
    for arguments in (("--help",), ("draw", "--help"), ("serve", "--help"), ("--version",)):
        done = shell(*arguments)
        assert done.returncode == 0
        assert done.stdout
