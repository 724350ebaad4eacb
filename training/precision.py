"""Where bf16 is worth using: on a GPU, and on a CPU that multiplies it itself (AVX-512 BF16). On any other CPU it is
a hundred times slower than f32."""

import torch


def fast_bf16(device: str) -> bool:
    return device.startswith("cuda") or torch.cpu._is_avx512_bf16_supported()


def mixed(device: str) -> torch.autocast:
    """Matrices and convolutions in bf16 where that is worth it; weights, sums and losses stay f32."""
    return torch.autocast(device.partition(":")[0], torch.bfloat16, enabled=fast_bf16(device))
