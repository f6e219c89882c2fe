"""What tests of the command line share; the fixture that runs one is in conftest.py."""

import json


def objects(text):
    """The JSON objects of lines."""
    return [json.loads(line) for line in text.splitlines()]


def tree(folder):
    """Every file below a folder: relative path -> bytes."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}
