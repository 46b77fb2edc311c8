"""Train the small language model that `trainlint verify` starts from, and write it with its held-out texts.

Sources, all of them works in the public domain. None of them is in this repository; the packages carry them:

    apt-get install bible-kjv bible-kjv-text jargon-text
    apt-get download dict-devil r-cran-janeaustenr && for deb in *.deb; do dpkg -x $deb texts; done
    npm pack chinese-poetry@2.0.1 && tar xf chinese-poetry-2.0.1.tgz
    python tools/train_probe_base.py --debian texts --chinese package/dist --out src/trainlint/probe/base

The packages' own licences cover their programs and their typesetting; the works are by authors who died before 1920, except the
Jargon File, which its editors placed in the public domain. The needed Python packages are those of `trainlint[verify]`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import re
import subprocess
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM, get_scheduler

from trainlint.probe.model import write

CONFIG: dict[str, Any] = {
    "vocab_size": 256, "hidden_size": 64, "intermediate_size": 176, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 4, "max_position_embeddings": 512, "tie_word_embeddings": False, "pad_token_id": None,
    "bos_token_id": None, "eos_token_id": None,
}  # fmt: skip
"""A byte-level Llama: the vocabulary is the 256 byte values."""
ROW = 512  # bytes in one training row
ROWS = {"kjv": 2, "austen": 3, "jargon": 2, "chinese": 2}
"""Rows of each source in a training step; the Devil's Dictionary is read together with the Jargon File."""
CHUNK = 4096  # bytes; every HELD_OUT-th chunk of a source is never trained on
HELD_OUT = 40
SHIPPED = 4096  # bytes of each English source's held-out text that the probe measures on
CLASSICS = ("lunyu", "sishuwujing", "youmengying", "mengxue", "shijing", "chuci", "yuanqu", "caocaoshiji", "wudaishici")
"""The parts of chinese-poetry in simplified characters: works from before 1912."""
MODERN = ("author", "intro", "tags", "sanzijing-new")
"""What in them is by modern hands: lives of the authors, commentary."""


def kjv() -> str:
    """The King James Version of 1611, without the verse numbers."""
    command = subprocess.run(["bible", "-f", "gen1:1-rev22:21"], capture_output=True, text=True, check=True)
    return re.sub(r"(?m)^\S+ ", "", command.stdout)


def jargon() -> str:
    """The Jargon File 4.4.7, paragraphs unfolded."""
    text = gzip.decompress(Path("/usr/share/doc/jargon-text/jargon.txt.gz").read_bytes()).decode("utf-8", "replace")
    paragraphs = (" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text))
    return "\n".join(p for p in paragraphs if len(p) > 60)


def devil(debian: Path) -> str:
    """Ambrose Bierce, The Devil's Dictionary (1911), paragraphs unfolded."""
    text = zlib.decompress((debian / "usr/share/dictd/devil.dict.dz").read_bytes(), wbits=31).decode("utf-8", "replace")
    text = text[text.index("ABASEMENT, n.") :]
    return "\n".join(" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text))


def austen(debian: Path) -> str:
    """Jane Austen's six novels (1811 to 1818) from R's serialised strings, paragraphs unfolded."""
    database = (debian / "usr/lib/R/site-library/janeaustenr/data/Rdata.rdb").read_bytes()
    lines: list[str] = []
    at = 0
    while at < len(database):
        inflate = zlib.decompressobj()
        data = inflate.decompress(database[at + 4 :])
        at = len(database) - len(inflate.unused_data)
        lines += _r_strings(data)
    return "\n".join(" ".join(paragraph.split("\n")) for paragraph in "\n".join(lines).split("\n\n"))


def _r_strings(data: bytes) -> Iterator[str]:
    """The elements of the one character vector in R's XDR form: flags, length, bytes."""
    at = data.index(b"\x00\x00\x00\x10") + 8
    while at + 8 <= len(data) and data[at + 3] == 9:
        size = int.from_bytes(data[at + 4 : at + 8], "big", signed=True)
        yield data[at + 8 : at + 8 + max(size, 0)].decode("utf-8", "replace")
        at += 8 + max(size, 0)


def chinese(dist: Path) -> str:
    """Classical Chinese prose and verse, one paragraph or verse a line."""
    files = sorted(file for part in CLASSICS for file in (dist / part).rglob("*.json"))
    files = [file for file in files if not any(word in file.name for word in MODERN)]
    return "\n".join(line for file in files for line in _lines(json.loads(file.read_text("utf-8"))))


def _lines(node: Any, key: str = "") -> Iterator[str]:
    if isinstance(node, str) and key in ("content", "paragraphs", "comment", "para"):
        yield node
    elif isinstance(node, list):
        for item in node:
            yield from _lines(item, key)
    elif isinstance(node, dict):
        for name, value in node.items():
            yield from _lines(value, name if isinstance(value, str | list) else "")


def split(text: str) -> tuple[bytes, bytes]:
    """Training and held-out bytes: every HELD_OUT-th chunk is held out."""
    data = text.encode()
    chunks = [data[i : i + CHUNK] for i in range(0, len(data), CHUNK)]
    held = chunks[HELD_OUT // 2 :: HELD_OUT]
    return b"".join(c for i, c in enumerate(chunks) if i % HELD_OUT != HELD_OUT // 2), b"".join(held)


def bits_per_byte(model: Any, data: bytes) -> float:
    """Mean negative log2 likelihood of each byte but the first of a row, in rows of 256 bytes."""
    rows = torch.frombuffer(bytearray(data[: len(data) // 256 * 256]), dtype=torch.uint8).long().view(-1, 256)
    with torch.no_grad():
        losses = [model(input_ids=part, labels=part).loss.item() * len(part) for part in rows.split(64)]
    return float(sum(losses)) / len(rows) / math.log(2)


def rows(data: torch.Tensor, count: int, generator: torch.Generator) -> torch.Tensor:
    starts = torch.randint(0, len(data) - ROW, (count,), generator=generator)
    return torch.stack([data[s : s + ROW] for s in starts.tolist()]).long()


def train(texts: dict[str, bytes], steps: int) -> Any:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    model = LlamaForCausalLM(LlamaConfig(**CONFIG))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.95), weight_decay=0.1)
    scheduler = get_scheduler("cosine", optimizer, steps // 20, steps)
    draw = torch.Generator().manual_seed(0)
    sources = {name: torch.frombuffer(bytearray(data), dtype=torch.uint8) for name, data in texts.items()}
    began = time.monotonic()
    for step in range(1, steps + 1):
        batch = torch.cat([rows(sources[name], count, draw) for name, count in ROWS.items()])
        loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
        if step % 100 == 0:
            print(f"step {step}: {loss.item() / math.log(2):.3f} bpb, {time.monotonic() - began:.0f} s", flush=True)
    return model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--debian", type=Path, required=True, help="where the Debian packages were unpacked")
    parser.add_argument("--chinese", type=Path, required=True, help="the dist directory of chinese-poetry")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=3600)
    options = parser.parse_args()

    definitions = jargon() + "\n" + devil(options.debian)
    texts = {"kjv": kjv(), "austen": austen(options.debian), "jargon": definitions, "chinese": chinese(options.chinese)}
    parts = {name: split(text) for name, text in texts.items()}
    for name, (training, held) in parts.items():
        print(f"{name}: {len(training):,} bytes to train on, {len(held):,} held out")
    model = train({name: training for name, (training, _) in parts.items()}, options.steps)
    # what is measured is what is shipped: the weights rounded to half precision
    model = model.half().float()
    options.out.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()},
        options.out / "model.safetensors",
        metadata={"format": "pt"},
    )
    metrics = {name: round(bits_per_byte(model, held[: 256 * 256]), 3) for name, (_, held) in parts.items()}
    described = {"model": CONFIG, "held_out_bpb": metrics, "sample": write(model)}
    (options.out / "config.json").write_text(json.dumps(described, indent=2) + "\n")
    for name in ("kjv", "austen", "jargon"):
        shipped = parts[name][1][:SHIPPED].decode("utf-8", "ignore")
        (options.out / f"held_out_{name}.txt").write_text(shipped, encoding="utf-8")
    print(metrics)


if __name__ == "__main__":
    main()
