"""Train the generator by flow matching on the pool of latents, up to a deadline.

Writes a checkpoint (weights, EMA, optimiser, random states, step) every few minutes; `--resume` goes on
to the step from it.
"""

import argparse
import os
import time
import tomllib
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import torch

from training.compose import Mix, describe, load_world
from training.generator import Model, pad_ids
from training.optimiser import Muon, set_learning_rate
from training.pool import Pool
from training.train_autoencoder import schedule
from training.words import Words, load_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--atlas", type=Path, required=True)
    parser.add_argument("--words", type=Path, required=True, help="folder with words.txt and words.safetensors")
    parser.add_argument("--pool", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="checkpoint file")
    parser.add_argument("--deadline", type=datetime.fromisoformat, required=True, help="UTC, e.g. 2026-01-31T01:45")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--resume", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    torch.set_float32_matmul_precision("high")
    config = tomllib.loads(options.config.read_text())
    recipe = config["train_generator"]
    atlas, concepts = load_world(options.atlas)
    by_name = {c.name: c for c in concepts}
    words = Words.load(options.words / "words.txt")
    model = Model(config["model"], torch.from_numpy(load_table(options.words))).to(options.device)
    optimiser = make_optimiser(model, recipe)
    run = {"step": 0, "seen": 0, "seconds": 0.0, "ema": {k: v.clone() for k, v in model.state_dict().items()}}
    rng = np.random.default_rng(options.seed)
    if options.resume and options.resume.exists():
        run = restore(options.resume, model, optimiser, rng, options.device)
    pool = Pool(options.pool)
    while pool.refresh() < recipe["first_scenes"]:
        time.sleep(5)

    now = time.time
    finish = options.deadline.replace(tzinfo=timezone.utc).timestamp()
    began = now() - run["seconds"]
    saved = now()
    average = None
    while now() < finish:
        progress = (now() - began) / (finish - began)
        set_learning_rate(optimiser, schedule(run["step"], progress, recipe))
        latents, scenes = pool.draw(rng, recipe["batch"], mix_at(progress, recipe))
        rows = [[0] if rng.random() < recipe["caption_dropout"] else words.ids(describe(s, rng, atlas, by_name))
                for s in scenes]
        loss = flow_loss(model, torch.from_numpy(latents).to(options.device), pad_ids(rows, options.device), recipe)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        run["step"] += 1
        run["seen"] += len(rows)
        decay = min(recipe["ema"], (1 + run["step"]) / (10 + run["step"]))
        with torch.no_grad():
            for name, value in model.state_dict().items():
                run["ema"][name].lerp_(value, 1 - decay)
        average = loss.item() if average is None else 0.98 * average + 0.02 * loss.item()
        if run["step"] % 20 == 0:
            print(f"{now() - began:.0f}s step {run['step']} seen {run['seen']} loss {average:.4f} pool {len(pool.scenes)}",
                  flush=True)
            pool.refresh()
        if now() - saved > 60 * recipe["checkpoint_minutes"]:
            run["seconds"] = now() - began
            save(options.out, model, optimiser, rng, run)
            saved = now()
    run["seconds"] = now() - began
    save(options.out, model, optimiser, rng, run)
    print(f"done: step {run['step']} seen {run['seen']} loss {average or 0:.4f}", flush=True)


def flow_loss(model: Model, latents: torch.Tensor, ids: torch.Tensor, recipe: dict) -> torch.Tensor:
    """Mean squared error of the velocity at logit-normal times."""
    t = torch.sigmoid(recipe["time_mean"] + recipe["time_deviation"] * torch.randn(len(latents), device=latents.device))
    noise = torch.randn_like(latents)
    at = t[:, None, None, None]
    noisy = (1 - at) * latents + at * noise
    with torch.autocast("cuda", torch.bfloat16, enabled=latents.device.type == "cuda"):
        velocity = model(noisy, t, ids)
    return (velocity.float() - (noise - latents)).square().mean()


def mix_at(progress: float, recipe: dict) -> Mix:
    """Mostly single things first; compositions grow."""
    share = min(1.0, progress / recipe["curriculum_until"])
    first, last = recipe["mix_first"], recipe["mix_last"]
    return Mix(**{k: first[k] + share * (last[k] - first[k]) for k in first})


def make_optimiser(model: Model, recipe: dict) -> Muon:
    """Hidden matrices to Muon; embeddings, ends, biases and norms to AdamW."""
    def hidden(name, weight):
        return weight.ndim == 2 and not name.endswith(("position", "input.weight", "output.weight", "time1.weight"))

    named = [(n, w) for n, w in model.named_parameters()]
    return Muon([{"params": [w for n, w in named if hidden(n, w)], "muon": True, "lr": recipe["muon_lr"],
                  "weight_decay": recipe["weight_decay"]},
                 {"params": [w for n, w in named if not hidden(n, w)], "lr": recipe["adam_lr"]}])


def save(path: Path, model: Model, optimiser: Muon, rng: np.random.Generator, run: dict) -> None:
    half_written = path.with_suffix(".half")
    torch.save({"model": model.state_dict(), "optimiser": optimiser.state_dict(), "rng": rng.bit_generator.state,
                "torch_rng": torch.get_rng_state(), **run}, half_written)
    os.replace(half_written, path)


def restore(path: Path, model: Model, optimiser: Muon, rng: np.random.Generator, device: str) -> dict:
    stored = torch.load(path, map_location="cpu", weights_only=False)
    model.load_state_dict(stored["model"])
    optimiser.load_state_dict(stored["optimiser"])
    rng.bit_generator.state = stored["rng"]
    torch.set_rng_state(stored["torch_rng"])
    run = {key: stored[key] for key in ("step", "seen", "seconds")}
    return run | {"ema": {name: value.to(device) for name, value in stored["ema"].items()}}


if __name__ == "__main__":
    main()
