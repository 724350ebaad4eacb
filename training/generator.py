"""The generator: a diffusion transformer (DiT) that predicts the flow's velocity, and its text encoder.

x_t = (1 - t) * x0 + t * noise, v = noise - x0. Tensor names are the exported file's names.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F


def attention_weights(q, k, mask=None):
    """[B, heads, L, 64] each to [B, heads, L, L]; `mask` is added to the scores."""
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores + mask
    return scores.softmax(-1)


def attention(q, k, v, mask=None):
    """Softmax attention on [B, heads, L, 64]. At these lengths the fused kernel is the faster one on a GPU alone."""
    if q.is_cuda and mask is None:
        return F.scaled_dot_product_attention(q, k, v)
    return attention_weights(q, k, mask) @ v


def split_heads(x, heads):
    """[B, L, heads*64] to [B, heads, L, 64]."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(x):
    return x.transpose(1, 2).flatten(2)


class TextBlock(nn.Module):
    """A pre-norm transformer encoder block."""

    def __init__(self, d: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(d, eps=1e-5)
        self.qkv = nn.Linear(d, 3 * d)
        self.out = nn.Linear(d, d)
        self.norm2 = nn.LayerNorm(d, eps=1e-5)
        self.up = nn.Linear(d, 4 * d)
        self.down = nn.Linear(4 * d, d)

    def forward(self, x, mask):
        q, k, v = (split_heads(p, self.heads) for p in self.qkv(self.norm1(x)).chunk(3, -1))
        x = x + self.out(join_heads(attention(q, k, v, mask)))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class Text(nn.Module):
    """Word ids [B, L] to tokens [B, L, text_d]. The word table is fixed and not part of the weights; while training,
    the words of captions may move from where it put them, and `words.shipped` adds that to the table that ships."""

    def __init__(self, table: torch.Tensor, learn_words: bool, d: int, heads: int, layers: int, max_words: int):
        super().__init__()
        self.register_buffer("table", table, persistent=False)
        self.moved = nn.Parameter(torch.zeros_like(table)) if learn_words else None
        self.start = nn.Parameter(torch.randn(table.shape[1]) * 0.5)
        self.input = nn.Linear(table.shape[1], d)
        self.position = nn.Parameter(torch.randn(max_words, d) * 0.1)
        self.blocks = nn.ModuleList([TextBlock(d, heads) for _ in range(layers)])
        self.norm = nn.LayerNorm(d, eps=1e-5)

    def forward(self, ids, mask):
        e = self.table[ids]
        if self.moved is not None:
            e = e + F.embedding(ids, self.moved)
        e = torch.cat([e[:, :1] + self.start, e[:, 1:]], 1)
        h = self.input(e) + self.position[: ids.shape[1]]
        for block in self.blocks:
            h = block(h, mask)
        return self.norm(h)


class Block(nn.Module):
    """Self-attention, cross-attention to the words, and an MLP, modulated by time and caption (adaLN-single)."""

    def __init__(self, d: int, heads: int, text_d: int):
        super().__init__()
        self.heads = heads
        self.table = nn.Parameter(torch.randn(6 * d) / d ** 0.5)
        self.qkv = nn.Linear(d, 3 * d)
        self.q_norm = nn.RMSNorm(d // heads, eps=1e-6)
        self.k_norm = nn.RMSNorm(d // heads, eps=1e-6)
        self.out = nn.Linear(d, d)
        self.cross_q = nn.Linear(d, d)
        self.cross_kv = nn.Linear(text_d, 2 * d)
        self.cross_q_norm = nn.RMSNorm(d // heads, eps=1e-6)
        self.cross_k_norm = nn.RMSNorm(d // heads, eps=1e-6)
        self.cross_out = nn.Linear(d, d)
        self.up = nn.Linear(d, 4 * d)
        self.down = nn.Linear(4 * d, d)

    def forward(self, x, modulation, tokens, mask):
        """x, and where each cell looked among the words: [B, heads, cells, L]."""
        shift1, scale1, gate1, shift2, scale2, gate2 = (modulation + self.table)[:, None].chunk(6, -1)
        h = plain_norm(x) * (1 + scale1) + shift1
        q, k, v = (split_heads(p, self.heads) for p in self.qkv(h).chunk(3, -1))
        x = x + gate1 * self.out(join_heads(attention(self.q_norm(q), self.k_norm(k), v)))
        q = split_heads(self.cross_q(plain_norm(x)), self.heads)
        k, v = (split_heads(p, self.heads) for p in self.cross_kv(tokens).chunk(2, -1))
        looks = attention_weights(self.cross_q_norm(q), self.cross_k_norm(k), mask)
        x = x + self.cross_out(join_heads(looks @ v))
        h = plain_norm(x) * (1 + scale2) + shift2
        return x + gate2 * self.down(F.gelu(self.up(h), approximate="tanh")), looks


class DiT(nn.Module):
    """(x_t [B, C, S, S], t [B], word tokens [B, L, text_d], mask [B, 1, 1, L]) to velocity [B, C, S, S]."""

    def __init__(self, channels: int, size: int, d: int, heads: int, blocks: int, text_d: int):
        super().__init__()
        self.size = size
        self.input = nn.Linear(channels, d)
        self.position = nn.Parameter(torch.randn(size * size, d) * 0.1)
        self.time1 = nn.Linear(256, d)
        self.time2 = nn.Linear(d, d)
        self.pooled = nn.Linear(text_d, d)
        self.modulation = nn.Linear(d, 6 * d)
        self.blocks = nn.ModuleList([Block(d, heads, text_d) for _ in range(blocks)])
        self.final_modulation = nn.Linear(d, 2 * d)
        self.output = nn.Linear(d, channels)
        for layer in (self.modulation, self.final_modulation, self.output):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        for block in self.blocks:
            with torch.no_grad():
                block.cross_out.weight.mul_(0.3)
                block.table.view(6, d)[[2, 5]] = 0.2  # the gates start small, not at nothing

    def forward(self, x, t, tokens, mask, look_at: tuple[int, ...] = (), kept: torch.Tensor | None = None):
        """With `look_at`, also the cross-attention [B, heads, cells, L] of those blocks. With `kept` [B, K], only these
        cells are looked at, and the velocity is theirs: [B, K, C]."""
        x = self.input(x.flatten(2).transpose(1, 2)) + self.position
        if kept is not None:
            x = take(x, kept)
        time = self.time2(F.silu(self.time1(time_embedding(t))))
        c = F.silu(time + self.pooled(tokens[:, 0]))
        modulation = self.modulation(c)
        looks = []
        for block in self.blocks:
            x, look = block(x, modulation, tokens, mask)
            looks.append(look)
        shift, scale = self.final_modulation(c)[:, None].chunk(2, -1)
        v = self.output(plain_norm(x) * (1 + scale) + shift)
        if kept is None:
            v = v.transpose(1, 2).unflatten(-1, (self.size, self.size))
        return (v, [looks[i] for i in look_at]) if look_at else v


class Model(nn.Module):
    """Text encoder and generator together: `text.*` and `generator.*` of the exported file."""

    def __init__(self, config: dict, table: torch.Tensor, learn_words: bool = False):
        super().__init__()
        self.text = Text(table, learn_words, config["text_d"], config["text_heads"], config["text_layers"], config["max_words"])
        self.generator = DiT(config["latent_channels"], config["latent_size"], config["d"], config["heads"],
                             config["blocks"], config["text_d"])

    def encode(self, ids: torch.Tensor):
        """Ids [B, L], padded with 1, to (tokens, additive mask)."""
        mask = torch.zeros(ids.shape, device=ids.device).masked_fill_(ids == 1, -1e9)[:, None, None]
        return self.text(ids, mask), mask

    def forward(self, x, t, ids, look_at: tuple[int, ...] = (), kept: torch.Tensor | None = None):
        return self.generator(x, t, *self.encode(ids), look_at, kept)


def take(cells: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """Of [B, N] or [B, N, C] the cells `kept` [B, K]: [B, K] or [B, K, C]."""
    return cells.gather(1, kept if cells.ndim == 2 else kept[..., None].expand(-1, -1, cells.shape[-1]))


def plain_norm(x):
    """LayerNorm without learned scale."""
    return F.layer_norm(x, x.shape[-1:], eps=1e-6)


def time_embedding(t: torch.Tensor) -> torch.Tensor:
    """t [B] in [0, 1] to [B, 256]: cosines, then sines."""
    frequencies = torch.exp(-math.log(10000) * torch.arange(128, device=t.device) / 128)
    angles = 1000 * t.float()[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], -1)


def pad_ids(rows: list[list[int]], device: str = "cpu") -> torch.Tensor:
    """Id lists to [B, longest], padded with 1."""
    longest = max(map(len, rows))
    return torch.tensor([row + [1] * (longest - len(row)) for row in rows], device=device)


def timesteps(steps: int, shift: float = 1.0) -> list[float]:
    """steps + 1 times from 1 to 0."""
    return [shift * s / (1 + (shift - 1) * s) for s in (1 - k / steps for k in range(steps + 1))]


def guided(model: Model, ids: torch.Tensor, guidance: float):
    """A function (x, t) to velocity with classifier-free guidance; at guidance 1 the caption's alone, for half the work."""
    rows = ids if guidance == 1 else torch.cat([ids, torch.ones_like(ids)])
    if guidance != 1:
        rows[len(ids):, 0] = 0
    tokens, mask = model.encode(rows)

    def velocity(x, t):
        if guidance == 1:
            return model.generator(x, torch.full((len(x),), t, device=x.device), tokens, mask)
        both = model.generator(torch.cat([x, x]), torch.full((2 * len(x),), t, device=x.device), tokens, mask)
        text, null = both.chunk(2)
        return null + guidance * (text - null)

    return velocity


@torch.no_grad()
def sample(model: Model, ids: torch.Tensor, noise: torch.Tensor, steps: int, guidance: float,
           sampler: str = "euler", shift: float = 1.0, trace: list | None = None) -> torch.Tensor:
    """Latents [B, C, S, S] for captions `ids` [B, L] from `noise`, with classifier-free guidance.

    `sampler` is "euler" or "heun" (second order; its last step is Euler). `trace` collects the latent after each step.
    """
    velocity = guided(model, ids, guidance)
    x = noise
    times = timesteps(steps, shift)
    for t, following in zip(times, times[1:]):
        v = velocity(x, t)
        ahead = x + (following - t) * v
        if sampler == "heun" and following > 0:
            ahead = x + (following - t) * 0.5 * (v + velocity(ahead, following))
        x = ahead
        if trace is not None:
            trace.append(x)
    return x
