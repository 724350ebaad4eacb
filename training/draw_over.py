"""Drawing over a picture with an exported model: image to image and inpainting, as the engine is to do them.

Image to image: the picture's latent with noise up to the time `strength` is where sampling begins. Inpainting: after
each step the cells outside the mask are put back to the picture's latent with as much noise as that step has left
(Lugmayr et al. 2022, without going back in time); at the end every pixel outside the mask is the picture's own.

As a command it checks both: half of a pair is masked and asked for as another thing. It fails if an unmasked pixel
changed, tells what the judge sees in the masked half, and writes a sheet: picture, mask, result.
"""

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from training import compose
from training.contact_sheet import pixels, sheet
from training.generator import guided, pad_ids, timesteps
from training.judge import load_judge, shrink
from training.noise import normal
from training.reference import load_exported
from training.train_autoencoder import to_tensor

TRIES = [("cat", "dog", "star"), ("apple", "car", "heart"), ("house", "owl", "tree"), ("pizza", "fish", "cupcake"),
         ("frog", "rocket", "balloon"), ("penguin", "banana", "umbrella")]


@torch.no_grad()
def draw_over(loaded, picture: np.ndarray, prompt: str, seed: int, steps: int, guidance: float, strength: float = 1.0,
              mask: np.ndarray | None = None) -> np.ndarray:
    """Premultiplied RGBA uint8 [P, P, 4], drawn over another; `mask` bool [P, P] says where, everywhere if None."""
    settings, model, encoder, decoder, words = loaded
    channels = settings.get("picture_channels", 3)
    origin = encoder(to_tensor(picture[None, ..., :channels]))
    noise = torch.from_numpy(normal(seed, math.prod(origin.shape))).view(origin.shape)
    free = torch.ones_like(origin[:, :1])
    if mask is not None:  # a cell is free as soon as the mask touches it
        free = F.adaptive_max_pool2d(torch.from_numpy(mask[None, None].astype(np.float32)), origin.shape[-1])
    velocity = guided(model, pad_ids([words.ids(prompt)]), guidance)
    # On the usual times, since distilled weights know no others.
    times = [strength] + [t for t in timesteps(steps, settings["shift"]) if t < strength - 1e-6]
    x = (1 - times[0]) * origin + times[0] * noise
    for t, following in zip(times, times[1:]):
        x = x + (following - t) * velocity(x, t)
        x = free * x + (1 - free) * ((1 - following) * origin + following * noise)
    result = pixels(decoder(x))[0]
    return result if mask is None else np.where(mask[..., None], result, picture)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="an exported folder")
    parser.add_argument("--atlas", type=Path, required=True)
    parser.add_argument("--judge", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="the sheet, a PNG")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--guidance", type=float)
    options = parser.parse_args()
    torch.set_num_threads(1)
    loaded = load_exported(options.model)
    steps = options.steps or loaded[0]["steps_default"]
    guidance = options.guidance if options.guidance is not None else loaded[0]["guidance_default"]
    atlas, rng = compose.Atlas(options.atlas), np.random.default_rng(3)
    judge, stored = load_judge(options.judge)
    mask = np.zeros((compose.PICTURE_PX, compose.PICTURE_PX), bool)
    mask[:, compose.PICTURE_PX // 2:] = True
    shown, labels, right, seams = [], [], 0, []
    for kept, old, new in TRIES:
        scene = compose.Scene((compose.Item(kept), compose.Item(old)), relation="left of")
        before = compose.render(scene, rng, atlas)
        prompt = f"{compose.with_article(kept)} next to {compose.with_article(new)}"
        after = draw_over(loaded, before, prompt, 1, steps, guidance, mask=mask)
        if (after[~mask] != before[~mask]).any():
            raise SystemExit(f"{prompt}: pixels outside the mask changed")
        again = draw_over(loaded, before, prompt, 1, steps, guidance, strength=0.5)
        half = compose.over(after[64:192, 128:]).repeat(2, 0).repeat(2, 1)
        with torch.no_grad():
            seen = stored["names"][int(judge(shrink(half[None]))[0].argmax())]
        right += seen == new
        seams.append(np.abs(after[:, 127].astype(int) - after[:, 128].astype(int)).mean())
        marked = before.copy()
        marked[mask] //= 2
        shown += [marked, after, again]
        labels += [f"{kept}, {old}", f"inpainted: {new} ({seen})", "image to image, 0.5"]
    sheet(np.stack(shown), labels, 6, 144).save(options.out)
    print(f"unmasked pixels untouched in all {len(TRIES)}; the masked half is what was asked for in {right}; "
          f"mean step at the seam {np.mean(seams):.1f} of 255")


if __name__ == "__main__":
    main()
