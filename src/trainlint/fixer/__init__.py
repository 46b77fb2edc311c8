"""Fixes: edits said in facts and written in a file's own spelling, applied until nothing more applies, and written safely.

`spell` makes the edits, `apply` splices and judges them, `diff` shows and `write` stores the result.
"""

from __future__ import annotations

from trainlint.fixer.spell import change, remove

__all__ = ["change", "remove"]
