"""The probe's training once more in plain torch, without transformers and peft: an oracle for `trainlint.probe.train`.

A Llama with adapters on all linear layers, written from the papers' formulas: RMSNorm, rotary positions, SwiGLU, causal
attention, LoRA (W x + alpha / r B A x), AdamW with decoupled weight decay.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

HEADS, LAYERS, THETA, EPSILON = 4, 2, 10000.0, 1e-6


class Reference:
    """`weights` by the names of the base file, `adapters` (A, B) by layer name, `whole` those trained in full."""

    def __init__(
        self, weights: Mapping[str, Any], adapters: Mapping[str, tuple[Any, Any]], scale: float, whole: Sequence[str]
    ) -> None:
        self.weights = {name: weight.clone().requires_grad_(name in whole) for name, weight in weights.items()}
        self.adapters = {name: tuple(m.clone().requires_grad_() for m in pair) for name, pair in adapters.items()}
        self.scale = scale
        self.trained = [w for w in self.weights.values() if w.requires_grad]
        self.trained += [matrix for pair in self.adapters.values() for matrix in pair]

    def _linear(self, x: Any, name: str) -> Any:
        out = x @ self.weights[f"{name}.weight"].T
        if name in self.adapters:
            a, b = self.adapters[name]
            out = out + self.scale * (x @ a.T @ b.T)
        return out

    def _norm(self, x: Any, name: str) -> Any:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPSILON) * self.weights[f"{name}.weight"]

    def loss(self, ids: Any) -> Any:
        """Mean negative log likelihood, in nats, of every byte but the first of each row; `ids` of shape (rows, bytes)."""
        x = self.weights["model.embed_tokens.weight"][ids]
        rows, length, width = x.shape
        size = width // HEADS
        angle = torch.outer(torch.arange(length).float(), THETA ** (-torch.arange(0, size, 2).float() / size))
        cos, sin = (torch.cat([f(angle)] * 2, -1) for f in (torch.cos, torch.sin))
        mask = torch.full((length, length), -math.inf).triu(1)

        def turned(y: Any) -> Any:
            half = torch.cat([-y[..., size // 2 :], y[..., : size // 2]], -1)
            return y * cos + half * sin

        for i in range(LAYERS):
            name = f"model.layers.{i}"
            y = self._norm(x, f"{name}.input_layernorm")
            q, k, v = (
                self._linear(y, f"{name}.self_attn.{part}_proj").view(rows, length, HEADS, size).transpose(1, 2)
                for part in "qkv"
            )
            odds = torch.softmax(turned(q) @ turned(k).transpose(-1, -2) / math.sqrt(size) + mask, -1)
            seen = (odds @ v).transpose(1, 2).reshape(rows, length, width)
            x = x + self._linear(seen, f"{name}.self_attn.o_proj")
            y = self._norm(x, f"{name}.post_attention_layernorm")
            gate = torch.nn.functional.silu(self._linear(y, f"{name}.mlp.gate_proj"))
            x = x + self._linear(gate * self._linear(y, f"{name}.mlp.up_proj"), f"{name}.mlp.down_proj")
        logits = self._linear(self._norm(x, "model.norm"), "lm_head")
        picked = torch.log_softmax(logits[:, :-1], -1).gather(-1, ids[:, 1:, None])
        return -picked.mean()

    def train(
        self, batches: Sequence[Any], rates: Sequence[float], betas: tuple[float, float], decay: float, clip: float
    ) -> None:
        """AdamW with one learning rate for each batch, gradients clipped to a norm of `clip`."""
        first = [torch.zeros_like(w) for w in self.trained]
        second = [torch.zeros_like(w) for w in self.trained]
        for step, (batch, rate) in enumerate(zip(batches, rates, strict=True), 1):
            gradients = torch.autograd.grad(self.loss(batch), self.trained)
            norm = math.sqrt(sum(float(g.pow(2).sum()) for g in gradients))
            factor = min(1.0, clip / (norm + 1e-6))
            with torch.no_grad():
                for w, m, v, g in zip(self.trained, first, second, gradients, strict=True):
                    m.mul_(betas[0]).add_(g * factor, alpha=1 - betas[0])
                    v.mul_(betas[1]).add_((g * factor).pow(2), alpha=1 - betas[1])
                    w.mul_(1 - rate * decay)
                    w.sub_(rate * (m / (1 - betas[0] ** step)) / ((v / (1 - betas[1] ** step)).sqrt() + 1e-8))
