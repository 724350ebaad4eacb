"""The words of a prompt are read as the engine reads them."""

import json
from pathlib import Path

from training.words import MAX_WORDS, Words, normalise

TINY = Path(__file__).parent.parent / "fixtures" / "tiny"


def test_normalise():
    assert normalise("A dog’s  Rocket, 3D!") == ["a", "dog", "rocket", "3d"]
    assert normalise("Ｆｕｌｌ width") == ["full", "width"]


def test_suffix_rules_come_after_exact_words():
    words = Words(["<start>", "<pad>", "cat", "cats", "cherry", "fly", "dance"])
    assert words.ids("cats cat") == [0, 3, 2]
    assert words.ids("cherries flying danced") == [0, 4, 5, 6]
    assert words.ids("unheard") == [0]
    assert len(words.ids("cat " * 100)) == MAX_WORDS


def test_reference_cases_still_hold():
    words = Words.load(TINY / "words.txt")
    for case in json.loads((TINY / "words-cases.json").read_text()):
        assert (normalise(case["prompt"]), words.ids(case["prompt"])) == (case["words"], case["ids"])
