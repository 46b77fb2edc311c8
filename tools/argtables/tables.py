"""From a recipe and the packages it names to one table, and the table to its file."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli

from argtables.archives import read_archive
from argtables.components import gather, read_components
from argtables.fields import Section, first_sentence, read_class
from argtables.keys import KeyReader
from argtables.keywords import agreeing, find_methods, read_keywords
from argtables.launchers import read_options
from argtables.nested import compose, flatten_class, flatten_function, flatten_values, read_attributes
from argtables.parsers import read_parsers
from trainlint.scripts.fields import Definition, Namer, constant_items
from trainlint.scripts.names import Bound, Library, Scope
from trainlint.scripts.values import evaluate, is_enum, is_model

SOURCES = ("classes", "reads", "parsers", "nested", "functions", "keywords", "yaml", "attributes", "components")
"""The keys of a section that say where its arguments stand."""


@dataclass(frozen=True)
class Recipe:
    """What ``frameworks.toml`` says about one table."""

    name: str
    package: str
    versions: list[str]
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)
    options: list[str] = field(default_factory=list)
    """The modules of a launcher whose parsers are read instead of classes."""
    dashes: bool = False
    """Whether the launcher takes ``--num-processes`` for ``--num_processes`` by itself."""
    picks: bool = False
    """Whether its command line is an HfArgumentParser's, which picks one type of a union."""
    beside: dict[str, Any] = field(default_factory=dict)
    """The package whose classes this one's annotations name, and its version for each of ours."""
    ends: str = ""
    """Why the releases after the last version have no table; empty where the table follows the newest one."""

    def packages(self, version: str) -> list[tuple[str, str]]:
        """The packages to read for one version."""
        needed = [(self.package, version)]
        if self.beside:
            needed.append((self.beside["package"], self.beside["versions"][self.versions.index(version)]))
        return needed


def read_recipes(path: Path) -> list[Recipe]:
    return [Recipe(name, **entry) for name, entry in tomli.loads(path.read_text("utf-8")).items()]


def read_version(recipe: Recipe, library: Library) -> dict[str, Section]:
    """All sections of one version; nested models become sections of their own."""
    sections: dict[str, Section] = {}
    waiting: dict[str, Bound] = {}
    for name, spec in recipe.sections.items():
        stop = spec.get("stop", spec.get("extends", "").rpartition(":")[2])
        namer: Namer = (lambda _, argument: argument) if "reads" in spec else class_name
        classes = list(find_classes(library, spec.get("classes", [])))
        read = [(c, read_class(c, stop, namer)) for c in classes]
        # where "*" found a model and the one that holds it, the former is no section of its own
        inner = [m.node for _, part in read for m in part.models.values()]
        parts = [part for c, part in read if c.node not in inner]
        arguments = {k: v for part in parts for k, v in part.arguments.items()}
        for part in parts:
            waiting |= part.models
        if "reads" in spec:
            reader = KeyReader()
            for cls in find_classes(library, [spec["reads"]]):
                reader.read_class(cls, spec["names"])
            sections |= reader.sections(name)
            arguments |= sections[name].arguments
        extra = sections[name].extra if name in sections else parts[-1].extra if parts else None
        arguments |= dotted(library, spec)
        sections |= read_components(library, spec.get("components", []), spec.get("key", ""))
        if rejected := rejected_keys(library, spec):
            arguments = (sections[name].arguments if name in sections else {}) | arguments | rejected
        for fact, told in (("type", spec.get("types", {})), ("choices", spec.get("choices", {}))):
            for argument in told.keys() & arguments.keys():
                arguments[argument][fact] = told[argument]
        if arguments:
            sections[name] = Section(arguments, extra=extra)
    while waiting:
        name, model = waiting.popitem()
        if name not in sections:
            sections[name] = read_class(model, None, class_name)
            waiting |= sections[name].models
    if not recipe.picks:
        for definition in (d for section in sections.values() for d in section.arguments.values()):
            definition.pop("picked", None)
    return sections


def dotted(library: Library, spec: Mapping[str, Any]) -> dict[str, Definition]:
    """The arguments that stand in parsers, nested dataclasses, functions and Hydra files; what a version lacks is passed over."""
    arguments: dict[str, Definition] = {}
    for pattern in spec.get("parsers", []):
        for module in library.matching(pattern):
            for name, definition in read_parsers(module).items():
                arguments[name] = either(arguments[name], definition) if name in arguments else definition
    for cls in find_classes(library, spec.get("nested", [])):
        arguments |= flatten_class(cls)
    for where, _, name in (text.partition(":") for text in spec.get("functions", [])):
        module_ = library.module(where)
        for function in module_.lookup(name) if module_ else []:
            arguments |= flatten_function(function)
    for cls, method in (text.rsplit(".", 1) for text in spec.get("keywords", [])):
        for function in (found for bound in find_classes(library, [cls]) for found in find_methods(bound, method)):
            for name, definition in read_keywords(function).items():
                arguments[name] = agreeing(arguments[name], definition) if name in arguments else definition
    for path in spec.get("yaml", []):
        if path in library.files:
            arguments |= flatten_values(compose(library.files, path))
    if "attributes" in spec:
        modules = [module for pattern in spec["attributes"] for module in library.matching(pattern)]
        arguments |= read_attributes(modules, spec["names"])
    return arguments


def either(one: Definition, other: Definition) -> Definition:
    """What two parsers of a section make of one argument: the later one, with what the earlier one takes besides."""
    if "choices" not in one or "choices" not in other:
        return {key: value for key, value in other.items() if key != "choices"}
    return {**other, "choices": list(dict.fromkeys([*one["choices"], *other["choices"]]))}


def class_name(model: Bound, _argument: str) -> str:
    """A nested model is known by its class."""
    assert isinstance(model.node, ast.ClassDef)
    return model.node.name


def rejected_keys(library: Library, spec: Mapping[str, Any]) -> dict[str, Definition]:
    """The keys of the dictionary that a package keeps of what it no longer takes."""
    where, _, name = spec.get("rejected", "").partition(":")
    module = library.module(where)
    found: dict[str, Definition] = {}
    for bound in module.lookup(name) if module else []:
        if isinstance(bound.node, ast.expr):
            for key, text in constant_items(bound.node).items():
                found[key] = {"type": "any", "rejected": first_sentence(evaluate(text, Scope(bound.module)))}
    return found


def find_classes(library: Library, patterns: Iterable[str]) -> Iterator[Bound]:
    """The classes named by ``module:Class``; ``*`` as class means every model that the module defines."""
    for pattern in patterns:
        where, _, name = pattern.partition(":")
        for module in library.matching(where):
            if name != "*":
                yield from (b for b in module.lookup(name) if isinstance(b.node, ast.ClassDef))
                continue
            for nodes in module.bindings.values():
                found = [Bound(n, module) for n in nodes if isinstance(n, ast.ClassDef)]
                yield from (c for c in found if is_model(c) and not is_enum(c))


def editions(history: Mapping[str, Definition | None]) -> list[Definition]:
    """One entry for each unbroken run of versions that say the same about an argument."""
    runs: list[Definition] = []
    previous: str | None = None
    for version, definition in history.items():
        text = json.dumps(definition, sort_keys=True)
        if definition is None:
            pass
        elif text == previous:
            runs[-1]["to"] = version
        else:
            runs.append({"from": version, "to": version, **definition})
        previous = text
    return runs


def build_table(recipe: Recipe, archives: Mapping[tuple[str, str], Path]) -> dict[str, Any]:
    """The whole table of one package."""
    libraries = {v: Library(*(read_archive(archives[key]) for key in recipe.packages(v))) for v in recipe.versions}
    table: dict[str, Any] = {"package": recipe.package, "versions": recipe.versions}
    if recipe.options:
        table["source"] = ", ".join(f"{m.replace('.', '/')}.py" for m in recipe.options)
        library = libraries[recipe.versions[-1]]
        modules = [m for name in recipe.options for m in library.matching(name)]
        options = {k: v for m in modules for k, v in sorted(read_options(m, recipe.dashes).items())}
        abbreviations = not any("allow_abbrev=False" in m.source for m in modules)
        return table | {"abbreviations": abbreviations, "options": options}
    table["source"] = ", ".join(
        dict.fromkeys(c for s in recipe.sections.values() for key in SOURCES for c in _listed(s.get(key, [])))
    )
    by_version = {v: read_version(recipe, library) for v, library in libraries.items()}
    table["sections"] = {}
    for name in sorted({name for sections in by_version.values() for name in sections}):
        sections = {v: s[name] if name in s else Section({}) for v, s in by_version.items()}
        arguments = sorted({a for s in sections.values() for a in s.arguments})
        told = [s.extra for s in sections.values() if s.arguments]
        extra = ["allow"] if "allow" in told else told[-1:]
        table["sections"][name] = {
            "extends": recipe.sections.get(name, {}).get("extends"),
            **({"extra": extra[0]} if extra and extra[0] else {}),
            "arguments": {a: editions({v: s.arguments.get(a) for v, s in sections.items()}) for a in arguments},
        }
    if any("components" in spec for spec in recipe.sections.values()):
        table["sections"] = gather(table["sections"])
    return table


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else value


def render(table: Mapping[str, Any]) -> str:
    """JSON with one argument or option per line, so that a diff shows what a release changed."""

    def line(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)

    def block(entries: Mapping[str, Any], indent: str) -> str:
        lines = ",\n".join(f"{indent} {line(k)}: {line(v)}" for k, v in entries.items())
        return f"{{\n{lines}\n{indent}}}" if entries else "{}"

    parts = [f" {line(k)}: {line(v)}" for k, v in table.items() if k not in ("sections", "options")]
    if "options" in table:
        parts.append(f' "options": {block(table["options"], " ")}')
    if "sections" in table:
        sections = []
        for name, section in table["sections"].items():
            head = "".join(f"{line(k)}: {line(v)}, " for k, v in section.items() if k != "arguments")
            sections.append(f'  {line(name)}: {{{head}"arguments": {block(section["arguments"], "  ")}}}')
        parts.append(' "sections": {\n' + ",\n".join(sections) + "\n }")
    return "{\n" + ",\n".join(parts) + "\n}\n"
