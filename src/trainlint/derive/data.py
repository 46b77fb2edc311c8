"""What the data on disk says. Files are measured, and the first megabytes looked into; nothing of them is run or fetched."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from trainlint.derive import data_files, tokenizer
from trainlint.facts import Fact, Unknown, View
from trainlint.rows import Rows

COMPRESSED = frozenset({".parquet", ".gz", ".zst", ".arrow"})
"""What such files weigh says little about the text in them."""


def dataset_bytes(r: View) -> int:
    """Bytes on disk."""
    try:
        return sum(file.stat().st_size for file in data_files.training_files(r))
    except OSError as error:
        raise Unknown(f"{error.filename} cannot be read: {error.strerror}", "dataset_bytes") from None


def dataset_tokens(r: View) -> int:
    """Estimated from the bytes: by the text and the Chinese in the part that was looked into, else from all of them."""
    size = r.dataset_bytes
    if "dataset_bytes" in r.run.stated:
        r.assume(f"about {tokenizer.USUAL.bytes_per_token} bytes a token")
        return int(tokenizer.USUAL.tokens(0, size))
    try:
        sample: Rows = r.data_sample
    except Unknown:
        packed = next((file.name for file in data_files.training_files(r) if file.suffix in COMPRESSED), None)
        if packed is not None:
            raise Unknown(
                f"{packed} is compressed: its size says little about the text in it", "dataset_tokens"
            ) from None
        sample = Rows("")
        r.read.pop("data_sample", None)
    # of a file that ends beyond the limit, or has more rows than are looked at, the rest is taken to be like the beginning
    if sample.looked_at and sample.bytes_read:
        whole = size / sample.bytes_on_disk * (sample.count / sample.looked_at if sample.divided else 1)
        return int(tokenizer.tokens(sample, tokenizer.family(r)) * whole)
    r.assume(f"about {tokenizer.USUAL.bytes_per_token} bytes a token")
    if sample.text_bytes is not None:
        size = int(sample.text_bytes * size / sample.bytes_on_disk)
    return int(tokenizer.USUAL.tokens(0, size))


def dataset_examples(r: View) -> int:
    """Examples that are trained on: what is used of the files, without what is held out of it."""
    used = r.used_examples
    held = r.held_out_examples if "eval_split" in r.run.derivations else 0
    if held >= used > 0:
        raise Unknown(f"{held:,} of {used:,} examples are to be held out", "dataset_examples")
    return int(used - held)


def available_examples(r: View) -> int:
    """All rows of these files, whatever is used of them."""
    return sum(_count(r, group) for group in data_files.trained(r))


def used_examples(r: View) -> int:
    return sum(used_of_each(r))


def used_of_each(r: View) -> list[int]:
    """Of each data set: as many as it is sampled to, else its rows; at most `max_samples`. Some may be held out of these."""
    sampled = r.sampled_examples if "sampled_examples" in r.run.derivations else [None] * len(r.datasets)
    named = data_files.splits_read(r, "dataset_splits", r.datasets)
    return [
        _capped(r, int(number) if number is not None else _count(r, data_files.grouped(r, [name], [split])[0]))
        for name, split, number in zip(r.datasets, named, sampled, strict=True)
    ]


def _capped(r: View, count: int) -> int:
    cap = r.max_samples if "max_samples" in r.run.derivations else None
    return min(count, int(cap)) if cap is not None else count


# ------------------------------------------------------------------------------------------------------ evaluation


def held_out_examples(r: View) -> int:
    """As `train_test_split` of the datasets library takes them: a number, or a share that is rounded up."""
    split = r.eval_split
    return int(split) if split >= 1 else math.ceil(split * r.used_examples) if split else 0


def eval_examples(r: View) -> int:
    """Rows of the evaluation's own files, else what is held out of the training data; at most `max_eval_samples`."""
    files = r.eval_datasets if "eval_datasets" in r.run.derivations else []
    count = sum(_capped(r, _count(r, group)) for group in data_files.evaluated(r)) if files else r.held_out_examples
    if not count:
        raise Unknown("there is nothing to evaluate on", "eval_examples")
    cap = r.max_eval_samples if "max_eval_samples" in r.run.derivations else None
    return int(min(count, cap) if cap is not None else count)


def _count(r: View, files: list[Path]) -> int:
    rows = _look(r, [files])
    if not rows.divided:
        raise Unknown(f"{rows} is not counted in examples", "dataset_examples")
    if not rows.complete:
        raise Unknown(f"{rows} is too large to count its examples, or cannot be read to its end", "dataset_examples")
    return rows.count


# ----------------------------------------------------------------------------------------- what the first megabytes show


def data_sample(r: View) -> Rows:
    """The rows that were looked into."""
    return _look(r, _here(r, data_files.trained))


def _here(r: View, grouped: Callable[[View], list[list[Path]]]) -> list[list[Path]]:
    """The files behind each data set. What is missing is the data itself: no option can say what is in it."""
    try:
        return grouped(r)
    except Unknown as missing:
        raise Unknown(missing.reason, "data_sample") from None


def _look(r: View, groups: list[list[Path]]) -> Rows:
    rows: Rows = r.run.context["files"].rows([file for group in groups for file in group])
    return rows


def _examples(r: View) -> Rows:
    """The sample, where it is made of examples."""
    sample: Rows = r.data_sample
    if not sample.divided:
        raise Unknown(f"{sample} is text, not divided into examples")
    if sample.text_bytes is not None and not sample.looked_at:
        raise Unknown(f"the rows of {sample} can be looked into only where pyarrow is installed")
    if not sample.looked_at:
        raise Unknown(f"{sample} holds no example")
    return sample


def examined_examples(r: View) -> int:
    return _examples(r).looked_at


def empty_examples(r: View) -> int:
    return _examples(r).empty


def unanswered_examples(r: View) -> int:
    return _examples(r).unanswered


def unfinished_examples(r: View) -> int:
    return _examples(r).unfinished


def undecided_examples(r: View) -> int:
    return _examples(r).undecided


def damaged_share(r: View) -> float:
    """Of the examples, or of a text's lines."""
    sample: Rows = r.data_sample
    return sample.damaged / ((sample.looked_at if sample.divided else 0) + sample.lines)


def duplicate_examples(r: View) -> int:
    return _examples(r).duplicates


def unreadable_examples(r: View) -> int:
    return int(r.data_sample.unreadable)


def first_unreadable(r: View) -> str:
    return str(r.data_sample.first_unreadable)


def mean_characters(r: View) -> float:
    lengths = _examples(r).characters
    return sum(lengths) / len(lengths)


def p95_characters(r: View) -> int:
    lengths = sorted(_examples(r).characters)
    return lengths[int(0.95 * (len(lengths) - 1))]


def chinese_share(r: View) -> float:
    """Of the characters."""
    sample: Rows = r.data_sample
    return sum(sample.chinese) / sum(sample.characters)


def truncated_share(r: View) -> float:
    """Of the examples, those whose text alone makes more tokens than a sequence holds: the template comes on top."""
    if r.stage != "sft":
        raise Unknown(f"a sequence is not one example in the stage {r.stage}")
    examples, length, family = _examples(r), r.sequence_length, tokenizer.family(r)
    longer = sum(
        family.tokens(chinese, other) > length
        for chinese, other in zip(examples.chinese, examples.other_bytes, strict=True)
    )
    return float(longer / examples.looked_at)


def missing_columns(r: View) -> list[str]:
    """Columns that the framework reads and that no row has, each with the file that lacks it."""
    found = []
    for group, required in zip(_here(r, data_files.trained), r.required_columns, strict=True):
        rows = _look(r, [group])
        if rows.columns:
            r.use("data_sample", Fact("data_sample", rows, "known", r.read["datasets"].origin))
            found += [f"{_any_of(wanted)} ({rows})" for wanted in required if not _has(rows.columns, wanted)]
    return found


def _any_of(wanted: str | tuple[str, ...]) -> str:
    return wanted if isinstance(wanted, str) else " or ".join(wanted)


def _has(columns: set[str], wanted: str | tuple[str, ...]) -> bool:
    """Is one of the wanted there? What is inside messages is not missed where none were seen."""
    for name in (wanted,) if isinstance(wanted, str) else wanted:
        mark = " = " if " = " in name else "[]."
        outer, inside, _ = name.partition(mark)
        if name in columns or (inside and not any(column.startswith(outer + mark) for column in columns)):
            return True
    return False


def evaluation_overlap(r: View) -> float:
    """The share of the evaluation's examples that are training examples, too."""
    evaluated, trained = _look(r, _here(r, data_files.evaluated)), _examples(r)
    if not evaluated.divided or not evaluated.contents:
        raise Unknown(f"{evaluated} holds no examples")
    return len(evaluated.contents & trained.contents) / len(evaluated.contents)
