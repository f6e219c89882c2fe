"""Long options that are settings of a task: `--edge outer` means `--set edge=outer`.

The command line knows few options; a task's own settings are the fields of its context. An option
the verb does not know is looked up there before it is refused with the nearest name.
"""

import difflib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fabsight.commands.tasks import task_settings


@dataclass(frozen=True)
class Verb:
    """What rewriting needs to know of a verb: its options and whether each takes a value."""

    name: str
    takes_value: Mapping[str, bool]


def settings_as_options(verb: Verb, arguments: Sequence[str]) -> list[str]:
    """The arguments with `--key value` of a task's settings written as `--set key=value`.

    `--flag` alone stands for `--set flag=true` where the setting is a yes or no, and `--no-flag`
    for false; true, false, yes, no, on, off, 1 or 0 right after `--flag` is its value (a file of
    that name is ./no). Raises FabsightError for an option that is neither, naming the nearest.

    >>> verb = Verb("predict", {"--set": True, "--json": False})
    >>> settings_as_options(verb, ["a.png", "--edge", "outer", "--extended", "--json"])
    ['a.png', '--set', 'edge=outer', '--set', 'extended=true', '--json']
    """
    return list(_rewritten(verb, deque(arguments)))


def _rewritten(verb: Verb, arguments: deque[str]) -> Iterator[str]:
    while arguments:
        argument = arguments.popleft()
        name, equals, value = argument.partition("=")
        if argument == "--":
            yield argument
            yield from arguments
            return
        if name.startswith("--") and name not in verb.takes_value:
            yield "--set"
            yield _setting(verb, name, value if equals else None, arguments)
            continue
        yield argument
        if verb.takes_value.get(argument) and arguments:
            yield arguments.popleft()


def _setting(verb: Verb, option: str, value: str | None, arguments: deque[str]) -> str:
    """`key=value` of one unknown option; takes the value from the arguments where it needs one."""
    from fabsight.settings import FALSE, TRUE

    settings = task_settings()
    key = option.removeprefix("--").replace("-", "_")
    negated = key.removeprefix("no_")
    if key not in settings and key != negated and settings.get(negated) is bool:
        if value is not None:
            raise _usage(f"{verb.name}: {option} takes no value; write --{option[5:]}={value}")
        return f"{negated}=false"
    if key not in settings:
        raise _unknown(verb, option, [f"--{name}" for name in settings])
    if value is None and settings[key] is bool:
        said = arguments and arguments[0].lower() in TRUE + FALSE
        return f"{key}={arguments.popleft() if said else 'true'}"
    if value is None:
        if not arguments:
            raise _usage(f"{verb.name}: {option} needs a value, as in {option} VALUE")
        value = arguments.popleft()
    return f"{key}={value}"


def _unknown(verb: Verb, option: str, settings: Sequence[str]) -> Exception:
    written = option.replace("_", "-")
    shown = {name.replace("_", "-"): name for name in (*verb.takes_value, *settings)}
    near = difflib.get_close_matches(written, list(shown), n=1)
    fix = f"did you mean {near[0]}?" if near else f"see: fabsight {verb.name} --help"
    return _usage(f"{verb.name}: there is no option {option}; {fix}")


def _usage(message: str) -> Exception:
    from fabsight.task import FabsightError

    return FabsightError(message)
