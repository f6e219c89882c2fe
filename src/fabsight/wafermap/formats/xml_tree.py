"""XML as a tree of plain nodes, of files that nobody vouches for.

Document types and entities are refused, so nothing is expanded and nothing is fetched; depth and
number of elements are bounded. Names are compared without namespace and in small letters.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from fabsight.task import FabsightError
from fabsight.wafermap.formats.contents import MAX_TEXT_BYTES, opened

MAX_DEPTH = 64
MAX_ELEMENTS = 1_000_000


@dataclass
class Node:
    """An element.

    Attributes:
        name: In small letters, without namespace.
        line: Where it begins.
        attributes: By name likewise.
        text: All text directly in it.
        children: Elements directly in it.
    """

    name: str
    line: int
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: list["Node"] = field(default_factory=list)

    def all(self, name: str) -> Iterator["Node"]:
        """Elements of a name at any depth, in order."""
        for child in self.children:
            if child.name == name:
                yield child
            yield from child.all(name)

    def first(self, name: str) -> "Node | None":
        """The first element of a name at any depth."""
        return next(self.all(name), None)

    def get(self, name: str) -> str:
        """An attribute, or the text of a child of that name; "" where there is neither."""
        if name in self.attributes:
            return self.attributes[name].strip()
        found = next((child for child in self.children if child.name == name), None)
        return found.text.strip() if found else ""


def read_tree(path: Path) -> Node:
    """The outermost element of a file.

    Raises FabsightError naming the line where it is not well-formed or not harmless.
    """
    with opened(path) as stream:
        data = stream.read(MAX_TEXT_BYTES + 1)
    if len(data) > MAX_TEXT_BYTES:
        raise FabsightError(f"read {path}: more than {MAX_TEXT_BYTES // 2**20} MiB of XML")
    return parse_tree(data, str(path))


def parse_tree(data: bytes, path: str) -> Node:
    """The outermost element of a document.

    >>> parse_tree(b'<Map xmlns="u"><Row><![CDATA[1 2]]></Row></Map>', "a").get("row")
    '1 2'
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    root = Node("", 0)
    stack, pieces = [root], [[""]]
    count = 0

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        line = parser.CurrentLineNumber
        if len(stack) > MAX_DEPTH or count > MAX_ELEMENTS:
            raise FabsightError(
                f"read {path}:{line}: more than {MAX_DEPTH} elements in one another, or "
                f"{MAX_ELEMENTS:,} in all; no wafer map is like that"
            )
        node = Node(_local(name), line, {_local(key): attributes[key] for key in attributes})
        stack[-1].children.append(node)
        stack.append(node)
        pieces.append([])

    def read(text: str) -> None:
        pieces[-1].append(text)

    def end(_name: str) -> None:
        stack.pop().text = "".join(pieces.pop())

    def refuse(*_: object) -> None:
        raise FabsightError(
            f"read {path}:{parser.CurrentLineNumber}: it declares a document type or an entity; "
            "wafer maps need neither, and files that do can be attacks. Remove the declaration"
        )

    parser.StartElementHandler = begin
    parser.EndElementHandler = end
    parser.CharacterDataHandler = read
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse  # type: ignore[assignment]
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise FabsightError(
            f"read {path}:{parser.CurrentLineNumber}: it is not well-formed XML: {error}"
        ) from error
    return root.children[0]


def _local(name: str) -> str:
    return name.rpartition(":")[2].lower()
