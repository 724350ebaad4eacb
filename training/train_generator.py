"""Train the generator by flow matching on the library of latents, up to a deadline or a number of pictures.

Writes a checkpoint (weights, EMA, optimiser, step) every few minutes; `--resume` goes on to the step from it. Batch
number n is the same on every run, and so is its noise, as long as the library is.

Besides the flow's loss there is one on where the model looks: in a few heads, the tiles of a thing should look at the
words that name it (`look_weight`, which falls away). Without it two different things in one picture came out mixed.
"""

import argparse
import os
import time
import tomllib
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from training.compose import GROUND, Mix, load_world, owners, pieces
from training.generator import Model, pad_ids, take
from training.library import Library
from training.optimiser import Muon, set_learning_rate
from training.precision import mixed
from training.train_autoencoder import schedule
from training.words import NOTHING, Words, load_table

MAX_STEPS = 10_000_000


class Batches(Dataset):
    """Batch number n: (latents f16 [B, C, S, S], word ids [B, L], who owns each word [B, L], and each cell [B, S * S]).

    `progress` is shared with the processes that make the batches, so that the curriculum reaches them.
    """

    def __init__(self, atlas: Path, library: Library, words: Words, recipe: dict, size: int, seed: int):
        self.world = load_world(atlas)
        self.by_name = {c.name: c for c in self.world[1]}
        self.library, self.words, self.recipe, self.size, self.seed = library, words, recipe, size, seed
        self.progress = torch.zeros(1).share_memory_()

    def __len__(self) -> int:
        return MAX_STEPS

    def __getitem__(self, number: int):
        rng = np.random.default_rng([self.seed, number])
        mix = mix_at(self.progress.item(), self.recipe)
        latents, scenes = self.library.draw(rng, self.world, self.recipe["batch"], mix, self.recipe["wander"])
        rows, owned = [], []
        for scene in scenes:
            dropped = rng.random() < self.recipe["caption_dropout"]
            told = [] if dropped else pieces(scene, rng, self.world[0], self.by_name)
            ids, whose = self.words.owned_ids(told)
            rows.append(ids)
            owned.append(whose)
        ids = pad_ids(rows)
        whose = torch.tensor([row + [NOTHING] * (ids.shape[1] - len(row)) for row in owned])
        cells = np.stack([owners(s, self.size) for s in scenes])
        return torch.from_numpy(latents), ids, whose, torch.from_numpy(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--atlas", type=Path, required=True)
    parser.add_argument("--words", type=Path, required=True, help="folder with words.txt and words.safetensors")
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="checkpoint file")
    parser.add_argument("--deadline", type=datetime.fromisoformat, required=True, help="UTC, e.g. 2026-01-31T01:45")
    parser.add_argument("--by-time", action="store_true", help="plan the schedule to end at the deadline, "
                        "not after the configuration's number of pictures")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=0, help="processes that make batches")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true", help="torch.compile: worth its minutes on a GPU alone")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--resume", type=Path, help="a checkpoint to go on from, if it exists")
    parser.add_argument("--begin-with", type=Path, help="another run's checkpoint, whose averaged weights to begin with")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    torch.set_float32_matmul_precision("high")
    config = tomllib.loads(options.config.read_text())
    recipe = config["train_generator"]
    model = Model(config["model"], torch.from_numpy(load_table(options.words)), learn_words=True).to(options.device)
    optimiser = make_optimiser(model, recipe)
    if options.begin_with:
        missing = model.load_state_dict(torch.load(options.begin_with, map_location="cpu", weights_only=False)["ema"], strict=False)
        print("begins with", options.begin_with, "without", missing.missing_keys, flush=True)
    run = {"step": 0, "seen": 0, "seconds": 0.0, "ema": {k: v.clone() for k, v in model.state_dict().items()}}
    if options.resume and options.resume.exists():
        run = restore(options.resume, model, optimiser, options.device)
    library = Library(options.library)
    while library.refresh() < recipe["first_things"]:
        time.sleep(5)
    batches = Batches(options.atlas, library, Words.load(options.words / "words.txt"), recipe,
                      config["model"]["latent_size"], options.seed)
    velocity = torch.compile(model) if options.compile else model
    numbers = range(run["step"], MAX_STEPS)
    made = iter(DataLoader(batches, batch_size=None, sampler=numbers, num_workers=options.workers,
                           pin_memory=options.device == "cuda"))

    finish = options.deadline.replace(tzinfo=timezone.utc).timestamp()
    began = saved = time.time()
    before = run["seconds"]
    average = None
    while time.time() < finish:
        spent = before + time.time() - began
        progress = spent / (before + finish - began) if options.by_time else run["seen"] / recipe["pictures"]
        if progress >= 1:
            break
        batches.progress.fill_(progress)
        set_learning_rate(optimiser, schedule(run["step"], progress, recipe))
        latents, ids, whose, cells = (part.to(options.device, non_blocking=True) for part in next(made))
        latents = latents.float()
        torch.manual_seed(options.seed * 1_000_003 + run["step"])
        weight = recipe["look_weight"] * max(0.0, 1 - progress / recipe["look_until"])
        whole = run["step"] % recipe["whole_every"] == 0
        kept = None if whole else busy_cells(cells, recipe["kept_share"])
        flow, look = losses(velocity, latents, ids, whose, cells, recipe, weight > 0, kept)
        optimiser.zero_grad()
        (flow + weight * look).backward()
        optimiser.step()
        run["step"] += 1
        run["seen"] += len(ids)
        follow(run["ema"], model, min(recipe["ema"], (1 + run["step"]) / (10 + run["step"])))
        if run["step"] % 20 == 0:
            average = flow.item() if average is None else 0.7 * average + 0.3 * flow.item()
            print(f"{spent:.0f}s step {run['step']} seen {run['seen']} loss {average:.4f} looks {look.item():.3f} "
                  f"progress {progress:.4f}", flush=True)
            if not options.workers:
                library.refresh()
        if time.time() - saved > 60 * recipe["checkpoint_minutes"]:
            run["seconds"] = before + time.time() - began
            save(options.out, model, optimiser, run)
            saved = time.time()
    run["seconds"] = before + time.time() - began
    save(options.out, model, optimiser, run)
    options.out.with_suffix(".done").touch()
    print(f"done: step {run['step']} seen {run['seen']} loss {average or 0:.4f} in {run['seconds']:.0f} s", flush=True)
    if options.workers:
        os._exit(0)  # the processes that make batches would take their time to end


def losses(model, latents: torch.Tensor, ids: torch.Tensor, whose: torch.Tensor, cells: torch.Tensor, recipe: dict,
           look: bool, kept: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean squared error of the velocity at logit-normal times, and how little the things' cells look at their words;
    both of the cells `kept` [B, K] alone, if given."""
    t = torch.sigmoid(recipe["time_mean"] + recipe["time_deviation"] * torch.randn(len(latents), device=latents.device))
    noise = torch.randn_like(latents)
    at = t[:, None, None, None]
    noisy = (1 - at) * latents + at * noise
    with mixed(latents.device.type):
        result = model(noisy, t, ids, tuple(recipe["look_blocks"]) if look else (), kept)
    velocity, looks = result if look else (result, [])
    wanted = noise - latents
    if kept is not None:
        wanted, cells = take(wanted.flatten(2).transpose(1, 2), kept), take(cells, kept)
    flow = (velocity.float() - wanted).square().mean()
    return flow, look_loss(looks, whose, cells, recipe["look_heads"]) if look else torch.zeros(())


def busy_cells(cells: torch.Tensor, share: float) -> torch.Tensor:
    """Of `cells` [B, N] that many, [B, K]: first, in random order, those of things, then empty ones. Half of most pictures
    is empty, which is learned soon and costs as much as the rest."""
    order = torch.rand(cells.shape, device=cells.device) + 2.0 * (cells == GROUND)
    return order.argsort(1)[:, :round(share * cells.shape[1])]


def look_loss(looks: list[torch.Tensor], whose: torch.Tensor, cells: torch.Tensor, heads: int) -> torch.Tensor:
    """Mean of -log of the attention that owned cells give to their owner's words, over blocks and the first `heads`.

    Cells whose owner no word names (an unsaid background, a dropped caption) don't count.
    """
    owned = (cells[:, :, None] == whose[:, None, :])[:, None].float()  # [B, 1, cells, L]
    counts = owned.amax(-1)
    total = 0.0
    for weights in looks:
        given = (weights[:, :heads].float() * owned).sum(-1)
        total = total - ((given + 1e-3).log() * counts).sum() / (heads * counts.sum() + 1e-6)
    return total / len(looks)


@torch.no_grad()
def follow(average: dict[str, torch.Tensor], model: Model, decay: float) -> None:
    now = model.state_dict()
    torch._foreach_lerp_([average[name] for name in now], list(now.values()), 1 - decay)


def mix_at(progress: float, recipe: dict) -> Mix:
    """Mostly single things first; compositions grow."""
    share = min(1.0, progress / recipe["curriculum_until"])
    first, last = recipe["mix_first"], recipe["mix_last"]
    return Mix(**{k: first[k] + share * (last[k] - first[k]) for k in first})


def make_optimiser(model: Model, recipe: dict) -> Muon:
    """Hidden matrices to Muon; the words, ends, biases and norms to AdamW."""
    def hidden(name, weight):
        return weight.ndim == 2 and not name.endswith(("position", "input.weight", "output.weight", "time1.weight", "moved"))

    named = list(model.named_parameters())
    groups = [{"params": [w for n, w in named if hidden(n, w)], "muon": True, "lr": recipe["muon_lr"],
               "weight_decay": recipe["weight_decay"]},
              {"params": [w for n, w in named if not hidden(n, w) and not n.endswith("moved")], "lr": recipe["adam_lr"]}]
    moved = [w for n, w in named if n.endswith("moved")]
    return Muon(groups + ([{"params": moved, "lr": recipe["word_lr"]}] if moved else []))


def save(path: Path, model: Model, optimiser: Muon, run: dict) -> None:
    half_written = path.with_suffix(".half")
    torch.save({"model": model.state_dict(), "optimiser": optimiser.state_dict(), **run}, half_written)
    os.replace(half_written, path)


def restore(path: Path, model: Model, optimiser: Muon, device: str) -> dict:
    stored = torch.load(path, map_location="cpu", weights_only=False)
    model.load_state_dict(stored["model"])
    optimiser.load_state_dict(stored["optimiser"])
    run = {key: stored[key] for key in ("step", "seen", "seconds")}
    return run | {"ema": {name: value.to(device) for name, value in stored["ema"].items()}}


if __name__ == "__main__":
    main()
