"""What is known of how a script will be called, which the script itself cannot say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Caller:
    """Variables of the environment by name and arguments by number, as far as the user vouches for them.

    `unset_is_empty`: there are no others, so that what the script does not set itself is empty, as bash would have it.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[int, str] = field(default_factory=dict)
    unset_is_empty: bool = False


ANYONE = Caller()
"""A call of which nothing is known."""
