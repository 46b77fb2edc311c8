"""A tiny LoRA experiment: what two groups of settings cost a very small language model.

Only `trainlint.cli.verify` imports this package. `train` and `model` import torch, and only the workers import these two.
"""
