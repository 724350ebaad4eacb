"""Muon for hidden matrices, AdamW for the rest.

Muon (Jordan et al. 2024) orthogonalises each momentum matrix, so that every direction is learned at
the same speed. It needs about half the samples of AdamW here, and samples are what a CPU lacks.
"""

import torch

# Newton-Schulz coefficients of the Polar Express (Amsel et al. 2025): 5 steps to a near-orthogonal matrix.
POLAR_EXPRESS = [(8.28721201814563, -23.595886519098837, 17.300387312530933),
                 (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
                 (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
                 (3.3184196573706015, -2.488488024314874, 0.51004894012372),
                 (2.300652019954817, -1.6689039845747493, 0.4188073119525673)]


def orthogonalise(matrices: torch.Tensor) -> torch.Tensor:
    """The nearest (semi-)orthogonal matrices [..., R, C], roughly. All steps but the first and last product run on
    the small square Gram matrices, which costs a third of the usual form for 1:4 matrices."""
    tall = matrices.shape[-2] > matrices.shape[-1]
    wide = matrices.mT if tall else matrices
    wide = wide / (wide.norm(dim=(-2, -1), keepdim=True) * 1.01 + 1e-7)
    gram = wide @ wide.mT
    eye = torch.eye(gram.shape[-1], device=gram.device, dtype=gram.dtype)
    total = None
    for i, (a, b, c) in enumerate(POLAR_EXPRESS):
        step = a * eye + b * gram + c * (gram @ gram)
        total = step if total is None else step @ total
        if i + 1 < len(POLAR_EXPRESS):
            gram = step @ gram @ step
    result = total @ wide
    return result.mT if tall else result


class Muon(torch.optim.Optimizer):
    """Groups marked `muon=True` are stepped by Muon (2-D and convolution weights), others by AdamW.

    A matrix moves by `lr * sqrt(max(1, rows / columns))`, with Nesterov momentum.
    """

    def __init__(self, groups):
        super().__init__(groups, {"lr": 1e-3, "momentum": 0.95, "betas": (0.9, 0.95), "eps": 1e-8,
                                  "weight_decay": 0.0, "muon": False})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            weights = [w for w in group["params"] if w.grad is not None]
            if not group["muon"]:
                for weight in weights:
                    self._adamw(weight, group)
                continue
            alike: dict[tuple[int, int], list[torch.Tensor]] = {}
            for weight in weights:
                alike.setdefault((len(weight), weight[0].numel()), []).append(weight)
            for (rows, columns), same in alike.items():
                # A GPU takes matrices of one shape together; a CPU is faster one by one.
                for few in [same] if same[0].is_cuda else [[w] for w in same]:
                    self._muon(few, group, max(1.0, rows / columns) ** 0.5)

    def _muon(self, weights, group, scale):
        updates = []
        for weight in weights:
            state = self.state[weight]
            if not state:
                state["momentum"] = torch.zeros_like(weight)
            state["momentum"].lerp_(weight.grad, 1 - group["momentum"])
            updates.append(weight.grad.lerp(state["momentum"], group["momentum"]).flatten(1))
        for weight, update in zip(weights, orthogonalise(torch.stack(updates))):
            weight.mul_(1 - group["lr"] * group["weight_decay"])
            weight.add_(update.view_as(weight), alpha=-group["lr"] * scale)

    def _adamw(self, weight, group):
        state = self.state[weight]
        if not state:
            state["step"] = 0
            state["mean"] = torch.zeros_like(weight)
            state["square"] = torch.zeros_like(weight)
        state["step"] += 1
        first, second = group["betas"]
        state["mean"].lerp_(weight.grad, 1 - first)
        state["square"].lerp_(weight.grad.square(), 1 - second)
        mean = state["mean"] / (1 - first ** state["step"])
        square = state["square"] / (1 - second ** state["step"])
        weight.addcdiv_(mean, square.sqrt().add_(group["eps"]), value=-group["lr"])


def set_learning_rate(optimiser: Muon, factor: float) -> None:
    """Scale every group's learning rate to `factor` times its first value."""
    for group in optimiser.param_groups:
        group.setdefault("peak_lr", group["lr"])
        group["lr"] = group["peak_lr"] * factor
