"""Reference pictures of tiny Stable Diffusion models, drawn by diffusers.

The larger models are checked against the field's own implementation without their weights:
every weight here is a hash of its name and index (see `weight`), which the Rust tests compute as
well, so that only configurations, tensor names and outputs are kept, a few tens of kilobytes.

    python -m venv .venv && .venv/bin/pip install -r training/requirements-diffusion.txt
    .venv/bin/python training/reference_diffusion.py

writes crates/engine/tests/fixtures/diffusion/.
"""

import json
import math
from pathlib import Path

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

OUT = Path(__file__).parent.parent / "crates/engine/tests/fixtures/diffusion"
PROMPT, NEGATIVE = "A small Red house, isn't it? 42 café's", "blurry"
GUIDANCE, STEPS, SEED = 5.0, 3, 7
MASK = (1 << 64) - 1


def mix(state: np.ndarray) -> np.ndarray:
    """SplitMix64's output function (Steele, Lea & Flood 2014), over an array of states."""
    z = state + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def uniform(name: str, count: int) -> np.ndarray:
    """Numbers in [-1, 1) that depend on the name and the index alone (FNV-1a, then SplitMix64)."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 & MASK
    with np.errstate(over="ignore"):
        bits = mix(np.uint64(seed) + np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    return (bits >> np.uint64(40)).astype(np.float64) / 2.0**23 - 1.0


def weight(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Norms near one, biases small, embeddings of unit size, matrices with the variance that keeps
    a signal alive through the whole network."""
    u = uniform(name, math.prod(shape))
    if len(shape) == 1:
        values = 1.0 + 0.2 * u if "norm" in name and name.endswith("weight") else 0.1 * u
    elif "embedding" in name and "time_embedding" not in name and "add_embedding" not in name:
        values = u
    else:
        values = u * math.sqrt(3.0 / math.prod(shape[1:]))
    return torch.from_numpy(values.astype(np.float32)).reshape(shape)


def noise(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Gaussian numbers by Box and Muller's transform of `uniform`."""
    count = math.prod(shape)
    u = (uniform(name, 2 * count) + 1.0) / 2.0
    radius = np.sqrt(-2.0 * np.log(1.0 - u[0::2]))
    values = radius * np.cos(2.0 * np.pi * u[1::2])
    return torch.from_numpy(values.astype(np.float32)).reshape(shape)


def tokenizer_files(folder: Path) -> None:
    """A vocabulary as CLIP has it: bytes, bytes at a word's end, merges, start and end."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    letters = list(bytes_to_unicode().values())
    merges = ["h o", "u s", "ho us", "hous e</w>", "r e", "re d</w>", "s m", "a l", "al l</w>", "sm all</w>"]
    merges += ["Ã ©</w>", "c a", "ca f", "i t</w>", "i s", "b l", "u r", "bl ur", "r y</w>", "blur ry</w>"]
    words = letters + [c + "</w>" for c in letters] + [m.replace(" ", "") for m in merges]
    words += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    vocab = {word: index for index, word in enumerate(words)}
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False, separators=(",", ":")))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")


def clip(hidden: int, act: str, vocab: int) -> dict:
    return {
        "hidden_size": hidden, "intermediate_size": 2 * hidden, "num_hidden_layers": 3,
        "num_attention_heads": 2, "max_position_embeddings": 77, "vocab_size": vocab,
        "hidden_act": act, "projection_dim": hidden, "layer_norm_eps": 1e-5,
        "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1,
    }  # fmt: skip


def unet(**own) -> dict:
    return {
        "sample_size": 8, "in_channels": 4, "out_channels": 4, "center_input_sample": False,
        "flip_sin_to_cos": True, "freq_shift": 0, "block_out_channels": [16, 32],
        "layers_per_block": 1, "downsample_padding": 1, "mid_block_scale_factor": 1,
        "act_fn": "silu", "norm_num_groups": 8, "norm_eps": 1e-5,
    } | own  # fmt: skip


def vae(scaling: float) -> dict:
    return {
        "in_channels": 3, "out_channels": 3, "latent_channels": 4, "block_out_channels": [16, 32],
        "layers_per_block": 1, "norm_num_groups": 8, "act_fn": "silu", "sample_size": 16,
        "down_block_types": ["DownEncoderBlock2D"] * 2, "up_block_types": ["UpDecoderBlock2D"] * 2,
        "scaling_factor": scaling, "force_upcast": False,
    }  # fmt: skip


BETAS = {
    "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012,
    "beta_schedule": "scaled_linear", "steps_offset": 1,
}  # fmt: skip


def families(vocab: int) -> dict:
    return {
        "sd1": {
            "text_encoder": clip(24, "quick_gelu", vocab),
            "unet": unet(
                down_block_types=["CrossAttnDownBlock2D", "DownBlock2D"],
                up_block_types=["UpBlock2D", "CrossAttnUpBlock2D"],
                cross_attention_dim=24, attention_head_dim=2,
            ),
            "vae": vae(0.18215),
            "scheduler": {"_class_name": "PNDMScheduler"} | BETAS,
            "pad": "<|endoftext|>",
        },
        "sd2": {
            "text_encoder": clip(24, "gelu", vocab),
            "unet": unet(
                down_block_types=["CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
                up_block_types=["CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
                cross_attention_dim=24, attention_head_dim=[2, 4], use_linear_projection=True,
            ),
            "vae": vae(0.18215),
            "scheduler": {"_class_name": "DDIMScheduler", "prediction_type": "v_prediction"} | BETAS,
            "pad": "!",
        },
        "sdxl": {
            "text_encoder": clip(24, "quick_gelu", vocab),
            "text_encoder_2": clip(32, "gelu", vocab),
            "unet": unet(
                down_block_types=["DownBlock2D", "CrossAttnDownBlock2D"],
                up_block_types=["CrossAttnUpBlock2D", "UpBlock2D"],
                cross_attention_dim=56, attention_head_dim=[2, 4], use_linear_projection=True,
                transformer_layers_per_block=[1, 2], addition_embed_type="text_time",
                addition_time_embed_dim=8, projection_class_embeddings_input_dim=80,
            ),
            "vae": vae(0.13025),
            "scheduler": {"_class_name": "EulerDiscreteScheduler", "timestep_spacing": "leading"} | BETAS,
            "pad": "!",
        },
    }  # fmt: skip


def filled(module: torch.nn.Module, part: str, names: list[str]) -> torch.nn.Module:
    """Gives the module its weights, and writes down what the hub's file for it holds."""
    names.append(f"[{part}]")
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if part.startswith("text_encoder") and not name.startswith(("text_model.", "text_projection")):
                name = f"text_model.{name}"
            if name.endswith("position_ids"):
                continue
            names.append(" ".join([name, *map(str, value.shape)]))
            value.copy_(weight(f"{part}/{name}", tuple(value.shape)))
    return module.eval()


def tokenizer(folder: Path, pad: str) -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(folder, pad_token=pad, model_max_length=77)


def make(family: str, parts: dict, words: Path) -> None:
    folder, names, out = OUT / family, [], {}
    for part, config in parts.items():
        if isinstance(config, dict):
            file = "scheduler_config.json" if part == "scheduler" else "config.json"
            (folder / part).mkdir(parents=True, exist_ok=True)
            (folder / part / file).write_text(json.dumps(config, indent=1) + "\n")
    xl = family == "sdxl"
    index = {"_class_name": "StableDiffusionXLPipeline" if xl else "StableDiffusionPipeline"}
    if xl:
        index["force_zeros_for_empty_prompt"] = True
    (folder / "model_index.json").write_text(json.dumps(index, indent=1) + "\n")

    first = filled(CLIPTextModel(CLIPTextConfig(**parts["text_encoder"])), "text_encoder", names)
    net = filled(UNet2DConditionModel(**parts["unet"]), "unet", names)
    auto = filled(AutoencoderKL(**parts["vae"]), "vae", names)
    common = {"vae": auto, "text_encoder": first, "unet": net}
    train = {k: v for k, v in parts["scheduler"].items() if k != "_class_name"} | {"timestep_spacing": "leading"}
    euler = EulerDiscreteScheduler(**train)
    if xl:
        second = CLIPTextModelWithProjection(CLIPTextConfig(**parts["text_encoder_2"]))
        filled(second, "text_encoder_2", names)
        pipe = StableDiffusionXLPipeline(
            **common, text_encoder_2=second, scheduler=euler, add_watermarker=False,
            tokenizer=tokenizer(words, "<|endoftext|>"), tokenizer_2=tokenizer(words, parts["pad"]),
        )  # fmt: skip
    else:
        pipe = StableDiffusionPipeline(
            **common, tokenizer=tokenizer(words, parts["pad"]), scheduler=euler,
            safety_checker=None, feature_extractor=None, requires_safety_checker=False,
        )  # fmt: skip
    pipe.set_progress_bar_config(disable=True)
    (folder / "tensors.txt").write_text("\n".join(names) + "\n")

    with torch.no_grad():
        out["ids"] = pipe.tokenizer(PROMPT, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids.int()
        encoded = pipe.encode_prompt(prompt=PROMPT, device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=False)
        out["text"] = encoded[0]
        latent = noise("latent", (1, 4, 8, 8))
        added = {}
        if xl:
            out["pooled"] = encoded[2]
            added = {"text_embeds": encoded[2], "time_ids": torch.tensor([[16.0, 16.0, 0, 0, 16.0, 16.0]])}
        out["unet"] = net(latent, 421.0, encoded[0], added_cond_kwargs=added).sample
        out["decoded"] = auto.decode(latent).sample
        call = {
            "prompt": PROMPT, "num_inference_steps": STEPS, "guidance_scale": GUIDANCE,
            "height": 16, "width": 16, "output_type": "pt", "latents": noise(f"seed {SEED}", (1, 4, 8, 8)),
        }  # fmt: skip
        for name, scheduler in {
            "euler": euler,
            "dpm": DPMSolverMultistepScheduler(**train, algorithm_type="dpmsolver++", solver_order=2),
        }.items():
            pipe.scheduler = scheduler
            out[name] = pipe(**call, negative_prompt=NEGATIVE).images
        out["plain"] = pipe(**call).images
        for spacing in ["trailing", "linspace"]:
            pipe.scheduler = EulerDiscreteScheduler(**(train | {"timestep_spacing": spacing}))
            out[spacing] = pipe(**call | {"guidance_scale": 1.0}).images
    save_file({k: v.contiguous() for k, v in out.items()}, folder / "reference.safetensors")
    for name, value in out.items():
        print(family, name, tuple(value.shape), f"{value.double().abs().mean():.4f}")


if __name__ == "__main__":
    torch.manual_seed(0)
    tokenizer_files(OUT / "tokenizer")
    size = len(json.loads((OUT / "tokenizer/vocab.json").read_text()))
    for family_name, family_parts in families(size).items():
        make(family_name, family_parts, OUT / "tokenizer")
