"""How far a suppression reaches: its own line, what begins on the next line, or the whole file."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from trainlint.document import Document, Node
from trainlint.suppress.comments import Directive
from trainlint.text import Span

_WRAPPERS = {"redirected_statement", "list", "pipeline", "negated_command"}


class Scopes:
    """The lines of one document, as suppressions see them. Lines count from 1."""

    def __init__(self, document: Document) -> None:
        self.document, self.source = document, document.source

    def line(self, offset: int) -> int:
        return self.source.position(offset).line

    def stands_alone(self, directive: Directive) -> bool:
        """Whether nothing but comment stands on its line. A `#SBATCH` line is more than a comment."""
        return self.line(directive.span.start) in self._comment_lines

    def of(self, directive: Directive) -> range:
        """The lines whose findings the suppression hides."""
        line = self.line(directive.span.start)
        if directive.whole_file:
            return range(1, self.source.line_count + 1)
        if not self.stands_alone(directive):
            return range(self.command_start(line), line + 1)
        target = self.below(line)
        return range(line + 1, (target if not self.source.line(target).strip() else self.last(target) + 1))

    def below(self, line: int) -> int:
        """The first line after `line` that is no comment; the last line where only comments follow."""
        target = line + 1
        while target <= self.source.line_count and (target in self._comment_lines or self.is_header(target)):
            target += 1
        return min(target, self.source.line_count)

    def last(self, line: int) -> int:
        """The last line of what begins on `line`: a command with its continuation lines, a key with its value."""
        return max(self._extents.get(line, line), line)

    def command_start(self, line: int) -> int:
        """The first of the lines that a `\\` at their end joins to `line`."""
        while line > 1 and self.document.format == "shell" and self.continues(line - 1):
            line -= 1
        return line

    def continues(self, line: int) -> bool:
        """Whether a line of a script ends in a `\\` that joins the next line to it."""
        text = self.source.line(line)
        return (len(text) - len(text.rstrip("\\"))) % 2 == 1 and line not in self._comment_lines

    @cached_property
    def _headers(self) -> set[int]:
        return {at.start.line for _, at in self.document.headers}

    @cached_property
    def _comment_lines(self) -> set[int]:
        lines = set()
        for comment in self.document.comments:
            line = self.line(comment.start)
            # in a notebook, a line of code is a JSON string
            if not self.source[Span(self.source.line_span(line).start, comment.start)].strip(' \t"'):
                lines.add(line)
        return lines - self._headers

    @cached_property
    def _parts(self) -> list[Span]:
        """What a suppression can cover as a whole."""
        if self.document.format == "shell":
            return list(_statements(self.document))
        return [*_entries(self.document.root), *_calls(self.document)]

    @cached_property
    def _extents(self) -> dict[int, int]:
        extents: dict[int, int] = {}
        for span in self._parts:
            # a block scalar's span may run into the next line
            end = span.start + len(self.source[span].rstrip())
            first = self.line(span.start)
            extents[first] = max(extents.get(first, first), self.line(end))
        return extents

    def line_above(self, offset: int) -> int:
        """The line before which a suppression of what stands at `offset` belongs."""
        line = self.line(offset)
        if self.document.format == "shell":
            line = min([line, *(self.line(span.start) for span in self._parts if offset in span)])
        return self.command_start(line)

    def is_header(self, line: int) -> bool:
        """Whether it is a `#SBATCH` line."""
        return line in self._headers

    def takes_comment(self, line: int) -> bool:
        """Whether a comment at the end of the line could be one; what is sure is only that otherwise it could not."""
        if self.document.format != "shell":
            return True
        # to bash a carriage return belongs to the last word of its line
        carriage_return = self.source.text.startswith("\r", self.source.line_span(line).end)
        return not (self.is_header(line) or carriage_return or line in self._here_documents)

    @cached_property
    def _here_documents(self) -> set[int]:
        """The lines of here-documents and those that end them, which the grammar takes with a comment, too."""
        from trainlint.readers.shell.code import Code, walk

        code = Code.of_file(self.source)
        nodes = [node for node in walk(code.tree.root_node) if node.type in ("heredoc_body", "heredoc_end")]
        return {line for node in nodes for line in range(self.line(code.start(node)), self.line(code.end(node)) + 1)}


def _statements(document: Document) -> Iterator[Span]:
    """Commands and assignments; not what holds others, such as `if` and `for`."""
    from trainlint.readers.shell.code import SIMPLE, Code, walk

    code = Code.of_file(document.source)
    for node in walk(code.tree.root_node):
        first = node
        while first.type in _WRAPPERS and first.named_children:
            first = first.named_children[0]
        if first.type in SIMPLE or first.type == "test_command":
            yield Span(code.start(node), code.end(node))
    for invocation in document.invocations:
        yield invocation.span


def _calls(document: Document) -> Iterator[Span]:
    for call in document.calls:
        yield call.whole.span
        for keyword in call.keywords.values():
            yield Span(keyword.key.span.start, max(keyword.key.span.end, keyword.at.span.end))


def _entries(root: Node | None) -> Iterator[Span]:
    stack = [root] if root is not None else []
    while stack:
        node = stack.pop()
        for entry in node.entries:
            if not entry.merged:
                yield Span(entry.key.span.start, max(entry.key.span.end, entry.value.span.end))
                stack.append(entry.value)
        for element in node.elements:
            yield element.span
            stack.append(element)
