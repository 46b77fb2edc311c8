"""What this house wants of a training run, for trainlint: it looks for the five names below."""

from pathlib import Path

from trainlint_house import loom, outputs, table

rules = Path(__file__).parent / "rules"
checks = {"house.shared_output": outputs.shared}
dialects = [loom.DIALECT]
hints = ["loom:"]
reporters = {"csv": table}
