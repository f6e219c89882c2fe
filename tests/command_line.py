"""What tests of the command line share; the fixture that runs one is in conftest.py."""

import json

import pytest


def ended(capsys, arguments):
    """Run a command line: (exit code, stdout, stderr)."""
    # Imported here: what is imported before the tests are set up has no shape checks.
    from fabsight.cli import main

    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return end.value.code or 0, said.out, said.err


def objects(text):
    """The JSON objects of lines."""
    return [json.loads(line) for line in text.splitlines()]


def tree(folder):
    """Every file below a folder: relative path -> bytes."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}
