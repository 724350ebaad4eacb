"""Distil the generator: first the guidance, then the steps, into weights that draw in a few plain steps.

The student begins as the teacher. At each of its few times it learns the one step that ends where the teacher's
two or more guided steps end, from drawings with noise (Salimans and Ho 2022; Meng et al. 2023).

Writes a checkpoint every few minutes; `--resume` goes on to the step from it, and the end is the configuration's number
of pictures, however often the run was broken off, unless `--by-time` puts it at the deadline.
"""

import argparse
import os
import time
import tomllib
from datetime import datetime, timezone
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from training.generator import Model, guided, timesteps
from training.library import Library
from training.optimiser import set_learning_rate
from training.precision import mixed
from training.train_autoencoder import schedule
from training.train_generator import MAX_STEPS, Batches, follow, make_optimiser, restore, save
from training.words import Words, load_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--atlas", type=Path, required=True)
    parser.add_argument("--words", type=Path, required=True)
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, required=True, help="a checkpoint of train_generator")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--deadline", type=datetime.fromisoformat, required=True, help="UTC, e.g. 2026-01-31T01:45")
    parser.add_argument("--by-time", action="store_true", help="plan the schedule to end at the deadline")
    parser.add_argument("--resume", type=Path, help="a checkpoint to go on from, if it exists")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=13)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_float32_matmul_precision("high")
    config = tomllib.loads(options.config.read_text())
    recipe = config["train_generator"] | config["distil"]
    table = torch.from_numpy(load_table(options.words))
    taught = torch.load(options.teacher, map_location="cpu", weights_only=False)
    teacher, student = (Model(config["model"], table, learn_words=True).to(options.device) for _ in range(2))
    for model in (teacher, student):
        model.load_state_dict(taught["ema"])
    teacher.requires_grad_(False)
    optimiser = make_optimiser(student, recipe)
    run = {"step": 0, "seen": 0, "seconds": 0.0, "ema": {k: v.clone() for k, v in student.state_dict().items()}}
    if options.resume and options.resume.exists():
        run = restore(options.resume, student, optimiser, options.device)
    library = Library(options.library)
    library.refresh()
    batches = Batches(options.atlas, library, Words.load(options.words / "words.txt"), recipe,
                      config["model"]["latent_size"], options.seed)
    batches.progress.fill_(1)
    numbers = range(run["step"], MAX_STEPS)
    made = iter(DataLoader(batches, batch_size=None, sampler=numbers, num_workers=options.workers))
    grid = timesteps(recipe["steps"], config["export"]["shift"])
    finish = options.deadline.replace(tzinfo=timezone.utc).timestamp()
    began = saved = time.time()
    before, average = run["seconds"], None
    while time.time() < finish:
        run["seconds"] = before + time.time() - began
        progress = run["seconds"] / (before + finish - began) if options.by_time else run["seen"] / recipe["pictures"]
        if progress >= 1:
            break
        set_learning_rate(optimiser, schedule(run["step"], progress, recipe))
        latents, ids = (part.to(options.device) for part in next(made)[:2])
        latents = latents.float()
        torch.manual_seed(options.seed * 1_000_003 + run["step"])
        at = run["step"] % recipe["steps"]
        noisy = (1 - grid[at]) * latents + grid[at] * torch.randn_like(latents)
        with mixed(options.device):
            wanted = taught_velocity(teacher, ids, noisy, grid[at], grid[at + 1], recipe["teacher_steps"], recipe["guidance"])
            velocity = guided(student, ids, 1)(noisy, grid[at])
        loss = (velocity.float() - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        run["step"] += 1
        run["seen"] += len(ids)
        follow(run["ema"], student, min(recipe["ema"], (1 + run["step"]) / (10 + run["step"])))
        average = loss.item() if average is None else 0.95 * average + 0.05 * loss.item()
        if run["step"] % 20 == 0:
            print(f"{run['seconds']:.0f}s step {run['step']} loss {average:.4f} progress {progress:.3f}", flush=True)
        if time.time() - saved > 60 * recipe["checkpoint_minutes"]:
            save(options.out, student, optimiser, run | distilled(taught, recipe))
            saved = time.time()
    save(options.out, student, optimiser, run | distilled(taught, recipe))
    options.out.with_suffix(".done").touch()
    print(f"done: {run['step']} steps, loss {average or 0:.4f}", flush=True)
    if options.workers:
        os._exit(0)  # the processes that make batches would take their time to end


def distilled(taught: dict, recipe: dict) -> dict:
    """What a checkpoint tells of itself: how few its steps are, and how long its teacher learned."""
    return {"distilled": {"steps": recipe["steps"], "taught": {key: taught[key] for key in ("step", "seen", "seconds")}}}


@torch.no_grad()
def taught_velocity(teacher: Model, ids: torch.Tensor, x: torch.Tensor, start: float, end: float, steps: int,
                    guidance: float) -> torch.Tensor:
    """The straight velocity from x to where `steps` guided steps of the teacher lead between two times."""
    velocity = guided(teacher, ids, guidance)
    at = x
    for k in range(steps):
        t = start + (end - start) * k / steps
        at = at + (end - start) / steps * velocity(at, t).float()
    return (at - x) / (end - start)


if __name__ == "__main__":
    main()
