"""A trainer with arguments of its own. trainlint reads what it declares and never runs it."""

import argparse

from arguments import add_lora_arguments


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="gpt2")
    parser.add_argument("--lr", type=float, default=2e-4)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--grad-accum", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--scheduler", choices=["linear", "cosine"], default="cosine")
    add_lora_arguments(parser)
    return parser.parse_args()


if __name__ == "__main__":
    print(parse())
