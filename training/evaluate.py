"""Score an exported model with one judge or more: 200 fixed prompts, several seeds each, confidence intervals.

Concepts and counts are the judge's word; backgrounds and tints are measured from the pixels: the median of
the border, its alpha, and the share of the drawn pixels whose nearest tint is the one asked for. Both halves of a
pair are cut out where the prompt puts them and shown to the judge one by one. An interval is Wilson's over
pictures; seeds of one prompt hang together, so the true one is somewhat wider.
"""

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from training import compose
from training.colour import BACKGROUNDS, TINTS, TRANSPARENT, hue_saturation
from training.contact_sheet import draw
from training.data import Concept, load_concepts
from training.judge import Judge, load_judge, shrink
from training.reference import load_exported

SUBJECTS_SEED = 11


@dataclass(frozen=True)
class Case:
    """One prompt of the fixed list and what its picture must show."""

    group: str
    prompt: str
    scene: compose.Scene


def cases(concepts: list[Concept]) -> list[Case]:
    """The 200 fixed prompts, the same on every run."""
    rng = np.random.default_rng(SUBJECTS_SEED)
    by_name = {c.name: c for c in concepts}

    def pick(options, count):
        return [options[i] for i in rng.choice(len(options), count, replace=False)]

    def scene(*items, **rest):
        return compose.Scene(tuple(compose.Item(*i) if isinstance(i, tuple) else compose.Item(i) for i in items), **rest)

    a = compose.with_article
    colours = list(BACKGROUNDS)[1:]
    result = [Case("single", a(c.name), scene(c.name)) for c in pick(concepts, 50)]
    for style in ("flat", "cartoon"):
        result += [Case(f"single {style}", f"a {style} {c.name}", scene(c.name, style=style)) for c in pick(concepts, 15)]
    result += [Case("synonym", a(s), scene(c.name))
               for c in pick([c for c in concepts if c.synonyms], 10) for s in c.synonyms[:1]]
    free = [(c.name, b) for c in concepts for b in colours if (c.name, b) not in compose.HELD_OUT_BACKGROUNDS]
    result += [Case("background", f"{a(n)} on {a(b)} background", scene(n, background=b)) for n, b in pick(free, 20)]
    result += [Case("transparent", f"{a(c.name)} on a transparent background", scene(c.name, background=TRANSPARENT))
               for c in pick(concepts, 8)]
    free = [(c, n) for c in concepts for n in (2, 3, 4) if (c.name, n) not in compose.HELD_OUT_COUNTS]
    result += [Case("count", f"{compose.NUMBERS[n]} {c.plural}", scene(c.name, count=n)) for c, n in pick(free, 18)]
    free = [(c.name, t) for c in concepts if c.tintable for t in TINTS
            if (c.name, t) not in compose.HELD_OUT_TINTS]
    result += [Case("tint", f"{a(t)} {n}", scene((n, t))) for n, t in pick(free, 16)]
    pairs = [tuple(pick(concepts, 2)) for _ in range(16)]
    result += [Case("pair", f"{a(x.name)} next to {a(y.name)}" if i % 2 else f"{a(x.name)} above {a(y.name)}",
                    scene(x.name, y.name, relation="left of" if i % 2 else "above"))
               for i, (x, y) in enumerate(pairs)]
    result += [Case("held-out background", f"{a(n)} on {a(b)} background", scene(n, background=b))
               for n, b in sorted(compose.HELD_OUT_BACKGROUNDS)]
    result += [Case("held-out count", f"{compose.NUMBERS[n]} {by_name[c].plural}", scene(c, count=n))
               for c, n in sorted(compose.HELD_OUT_COUNTS)]
    result += [Case("held-out tint", f"{a(t)} {n}", scene((n, t))) for n, t in sorted(compose.HELD_OUT_TINTS)]
    result += [Case("held-out pair", f"{a(x)} and {a(y)}", scene(x, y, relation="left of"))
               for x, y in sorted(map(sorted, compose.HELD_OUT_PAIRS))]
    return result


def background_of(picture: np.ndarray) -> str:
    """The named background nearest to the median of the border of RGBA, or transparent."""
    border = np.concatenate([picture[:6].reshape(-1, 4), picture[-6:].reshape(-1, 4),
                             picture[:, :6].reshape(-1, 4), picture[:, -6:].reshape(-1, 4)])
    *middle, alpha = np.median(border, axis=0)
    if alpha < 128:
        return TRANSPARENT if alpha < 26 else "none"
    return min(BACKGROUNDS, key=lambda name: np.abs(np.array(middle) - BACKGROUNDS[name]).sum())


def tint_of(picture: np.ndarray) -> str | None:
    """The tint of most strongly coloured pixels that are not background."""
    pixels = picture[::4, ::4].reshape(-1, 3).astype(np.float32)
    ground = np.median(picture[:6].reshape(-1, 3), axis=0)
    drawn = pixels[(np.abs(pixels - ground).sum(1) > 60) & (pixels.max(1) - pixels.min(1) > 60)]
    if len(drawn) < 40:
        return None
    hues, _ = hue_saturation(drawn)
    targets = {}
    for name, rgb in TINTS.items():
        hue, _ = hue_saturation(np.array([rgb], np.float32))
        targets[name] = hue[0]
    names = list(targets)
    away = np.abs((hues[:, None] - np.array([targets[n] for n in names]) + 180) % 360 - 180)
    return names[int(np.bincount(away.argmin(1), minlength=len(names)).argmax())]


def interval(right: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    z, p = 1.96, right / total
    middle = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    return middle - half, middle + half


@torch.no_grad()
def score(pictures: np.ndarray, todo: list[Case], judge: Judge, names: list[str]) -> dict[str, tuple[int, int]]:
    """{"group: what": (right, total)} of RGBA pictures [N, 256, 256, 4]."""
    grounds = [background_of(p) for p in pictures]
    pictures = np.stack([compose.over(p) for p in pictures])
    named, counted = judge(shrink(pictures))
    ranked = named.argsort(1, descending=True)[:, :5].tolist()
    counts = (counted.argmax(1) + 1).tolist()
    marks: dict[str, list[bool]] = {}

    def mark(case, what, right):
        marks.setdefault(f"{case.group}: {what}", []).append(bool(right))

    for i, (case, picture) in enumerate(zip(todo, pictures)):
        scene = case.scene
        mark(case, "background", grounds[i] == scene.background)
        if scene.relation:
            areas = ((picture[:, :128], picture[:, 128:]) if scene.relation == "left of"
                     else (picture[:128], picture[128:]))
            squares = np.stack([_square(a) for a in areas])
            found = judge(shrink(squares))[0].argmax(1).tolist()
            hits = [names[f] == item.concept for f, item in zip(found, scene.items)]
            mark(case, "both top-1", all(hits))
            mark(case, "one of two at least", any(hits))
            continue
        wanted = names.index(scene.items[0].concept)
        mark(case, "top-1", ranked[i][0] == wanted)
        mark(case, "top-5", wanted in ranked[i])
        mark(case, "count", counts[i] == scene.count)
        if scene.count > 1:
            mark(case, "count and top-1", counts[i] == scene.count and ranked[i][0] == wanted)
        if scene.items[0].colour:
            right = tint_of(picture) == scene.items[0].colour
            mark(case, "tint", right)
            mark(case, "tint and top-1", right and ranked[i][0] == wanted)
    return {what: (sum(m), len(m)) for what, m in marks.items()}


def _square(area: np.ndarray) -> np.ndarray:
    """Half a picture, scaled up to a whole one around its middle square."""
    height, width, _ = area.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = area[top:top + side, left:left + side]
    return np.repeat(np.repeat(middle, 256 // side, 0), 256 // side, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--judge", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, help="a JSON file for the scores")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--guidance", type=float)
    parser.add_argument("--real", type=Path, metavar="ATLAS",
                        help="score real renders of the same scenes instead: what the judge can give at most")
    parser.add_argument("--groups", nargs="*", help="only these groups")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    loaded = load_exported(options.model)
    todo = [c for c in cases(load_concepts()) if not options.groups or c.group in options.groups]
    todo = [c for c in todo for _ in range(options.seeds)]
    seeds = [1 + i % options.seeds for i in range(len(todo))]
    steps = options.steps or loaded[0]["steps_default"]
    guidance = options.guidance if options.guidance is not None else loaded[0]["guidance_default"]
    if options.real:
        atlas, rng = compose.Atlas(options.real), np.random.default_rng(1)
        pictures = np.stack([compose.render(c.scene, rng, atlas) for c in todo])
    else:
        pictures = draw(loaded, [c.prompt for c in todo], seeds, steps, guidance, device=options.device,
                        batch=16 if options.device == "cpu" else 200)
    result = {"steps": steps, "guidance": guidance, "seeds": options.seeds, "judges": {}}
    for path in options.judge:
        judge, stored = load_judge(path)
        scores = score(pictures, todo, judge, stored["names"])
        result["judges"][path.stem] = {"knows": stored["styles"], "of real renders": stored["real"], "scores": scores}
        print(f"judge {path.stem}, which knows {', '.join(stored['styles'])}; real renders: {stored['real']}")
        for what, (right, total) in scores.items():
            low, high = interval(right, total)
            print(f"{what:40} {100 * right / total:5.1f} %  ({100 * low:.0f} to {100 * high:.0f}; n={total})")
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
