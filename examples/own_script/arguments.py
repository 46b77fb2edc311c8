"""Arguments that several scripts share."""

import argparse


def add_lora_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("LoRA")
    group.add_argument("--lora-r", type=int, default=16)
    group.add_argument("--max-len", type=int, default=1024)
