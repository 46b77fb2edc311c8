"""Make ``src/trainlint/data/frameworks/*.json``: which arguments every framework accepts, version by version.

The tool reads released packages (wheels, sdists, ``git archive`` tarballs) as text and their Python as syntax trees. Nothing
is unpacked, imported or executed, so it needs neither torch nor trust, and a version of 2023 is as easy to read as today's.

    python tools/extract_arguments.py DIR…            write the tables from the packages found in DIR…
    python tools/extract_arguments.py DIR… --check    write nothing; exit 1 and name the tables that would change

``frameworks.toml`` beside this file says what is read: package, versions, and the classes or launcher parsers of each section.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from argtables.archives import find_archive
from argtables.tables import build_table, read_recipes, render

HERE = Path(__file__).resolve().parent
RECIPES = HERE / "frameworks.toml"
TABLES = HERE.parent / "src" / "trainlint" / "data" / "frameworks"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "places", nargs="+", type=Path, metavar="DIR", help="directories with wheels and source tarballs"
    )
    parser.add_argument("--table", action="append", metavar="NAME", help="only this table (repeatable)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a table is stale")
    options = parser.parse_args(argv)
    stale = 0
    for recipe in read_recipes(RECIPES):
        if options.table and recipe.name not in options.table:
            continue
        wanted = {key for version in recipe.versions for key in recipe.packages(version)}
        found = {key: find_archive(*key, options.places) for key in sorted(wanted)}
        archives = {key: path for key, path in found.items() if path}
        if missing := [f"{p}=={v}" for p, v in found if (p, v) not in archives]:
            print(f"{recipe.name}: skipped, not here: {' '.join(missing)}", file=sys.stderr)
            continue
        text = render(build_table(recipe, archives))
        path = TABLES / f"{recipe.name}.json"
        if path.exists() and path.read_text("utf-8") == text:
            continue
        stale += 1
        if options.check:
            print(f"{recipe.name}: stale")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            print(f"{recipe.name}: written")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
