"""Where a verb's words go: results to stdout, everything else to stderr, and the exit codes.

0    done
1    some inputs failed; the others are answered
2    the command line, a file or a setting cannot be used
3    the machine: something is not installed, a place cannot be written, memory or disk ran out
130  interrupted; the message says how to resume
141  the reader of stdout went away, as `head` does
"""

import errno
import functools
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec

if TYPE_CHECKING:
    from fabsight.task import FabsightError

OK = 0
SOME_FAILED = 1
USAGE = 2
ENVIRONMENT = 3
INTERRUPTED = 130
BROKEN_PIPE = 141

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)

P = ParamSpec("P")


@dataclass(frozen=True)
class Console:
    """How a verb speaks.

    Attributes:
        json: Results as JSON, one object per line, and nothing else on stdout.
        quiet: No summaries and no progress; results that were asked for and errors only.
    """

    json: bool = False
    quiet: bool = False

    def emit(self, row: Mapping[str, Any]) -> None:
        """Write one result as a line of JSON, where JSON was asked for."""
        if self.json:
            from fabsight.settings import to_json

            write_line(json_line(to_json(row), sys.stdout.encoding or "utf-8"))

    def say(self, text: str) -> None:
        """Write a line for a person."""
        if not (self.json or self.quiet):
            write_line(text)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Write a table for a person; numbers are right-aligned."""
        if not (self.json or self.quiet):
            print_table(columns, [[cell(value) for value in row] for row in rows])


def write_line(text: str) -> None:
    """One line on stdout, at once: a reader of a pipe sees each result when it exists.

    What stdout's encoding cannot say (file names need not be UTF-8) is written as an escape.
    """
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    sys.stdout.flush()


def json_line(value: Any, encoding: str) -> str:
    r"""JSON as people read it; with escapes only, where the encoding cannot say it.

    >>> json_line({"path": "50 µm.png"}, "utf-8")
    '{"path": "50 µm.png"}'
    >>> json_line({"path": "\udcff.png"}, "utf-8")
    '{"path": "\\udcff.png"}'
    """
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return json.dumps(value)
    return text


def complain(text: str) -> None:
    """One sentence on stderr."""
    sys.stderr.write(f"fabsight: {one_line(text)}\n")
    sys.stderr.flush()


def one_line(text: str) -> str:
    r"""The text on one line, control characters (terminal escapes among them) made visible.

    >>> one_line("bad\n  file \x1b[31m")
    'bad file \\x1b[31m'
    """
    flat = " ".join(text.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in flat)


def cell(value: Any) -> str:
    """A value as a table shows it: numbers with four significant digits, None as a dash.

    >>> [cell(v) for v in (0.123456, 12345.678, 3, None, True, "a")]
    ['0.1235', '12346', '3', '-', 'yes', 'a']
    """
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.0f}" if 1000 <= abs(value) < 1e15 else f"{value:.4g}"
        case _:
            return one_line(str(value))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table to stdout, as wide as the terminal; into a pipe as wide as it needs."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console as Screen
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        numbers = [row[index] for row in rows]
        numeric = bool(rows) and all(_looks_numeric(text) for text in numbers)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(text) for text in row))
    width = None if sys.stdout.isatty() else 400
    Screen(file=sys.stdout, width=width, highlight=False).print(table, crop=False)
    sys.stdout.flush()


def _looks_numeric(text: str) -> bool:
    return text == "-" or text.replace(".", "", 1).replace("-", "").replace("e", "").isdigit()


def guarded(verb: Callable[P, int]) -> Callable[P, None]:
    """The verb, whose failures end in one sentence on stderr and the documented exit code.

    Only what a person can act on is caught; a fault in the program keeps its traceback.
    """

    @functools.wraps(verb)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        import typer

        raise typer.Exit(exit_code(lambda: verb(*args, **kwargs)))

    run.__annotations__ = {**verb.__annotations__, "return": None}
    return run


def exit_code(verb: Callable[[], int]) -> int:
    """What the process should end with after running the verb; failures are explained."""
    try:
        code = verb()
        sys.stdout.flush()
    except BrokenPipeError:
        # stdout has no reader: let the interpreter's last flush go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt:
        complain(
            "interrupted: run the same command again; predict --out, synthesize and vary go on "
            "where they stopped"
        )
        return INTERRUPTED
    except _fabsight_error() as error:
        complain(str(error))
        return ENVIRONMENT if _is_the_machine(error.__cause__) else USAGE
    except MemoryError:
        complain("out of memory: use fewer --workers, or crop or bin the images")
        return ENVIRONMENT
    except OSError as error:
        complain(_about_the_machine(error))
        return ENVIRONMENT
    return code


def _fabsight_error() -> "type[FabsightError]":
    """The class, imported only once something was raised: `--help` does without numpy."""
    from fabsight.task import FabsightError

    return FabsightError


def _is_the_machine(cause: BaseException | None) -> bool:
    """Whether something missing, locked or full, rather than what was asked, is behind an error."""
    full = isinstance(cause, OSError) and cause.errno in FULL
    return full or isinstance(cause, ModuleNotFoundError | PermissionError)


def _about_the_machine(error: OSError) -> str:
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror or error}: choose a place that can be read and written"
