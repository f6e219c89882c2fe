"""Long options that are settings of a task: `--edge outer` means `--set edge=outer`.

The command line knows few options; a task's own settings are the fields of its context. An option
the verb does not know is looked up there before it is refused with the nearest name.
"""

import difflib
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
    for false. Raises FabsightError for an option that is neither, naming the nearest.

    >>> verb = Verb("predict", {"--set": True, "--json": False})
    >>> settings_as_options(verb, ["a.png", "--edge", "outer", "--extended", "--json"])
    ['a.png', '--set', 'edge=outer', '--set', 'extended=true', '--json']
    """
    return list(_rewritten(verb, iter(arguments)))


def _rewritten(verb: Verb, arguments: Iterator[str]) -> Iterator[str]:
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if argument == "--":
            yield argument
            yield from arguments
        elif not name.startswith("--"):
            yield argument
            if verb.takes_value.get(argument):
                yield from _next(arguments)
        elif name in verb.takes_value:
            yield argument
            if verb.takes_value[name] and not equals:
                yield from _next(arguments)
        else:
            yield "--set"
            yield _setting(verb, name, value if equals else None, arguments)


def _next(arguments: Iterator[str]) -> Iterator[str]:
    value = next(arguments, None)
    if value is not None:
        yield value


def _setting(verb: Verb, option: str, value: str | None, arguments: Iterator[str]) -> str:
    """`key=value` of one unknown option; takes the value from the arguments where it needs one."""
    settings = task_settings()
    key = option.removeprefix("--").replace("-", "_")
    negated = key.removeprefix("no_")
    if key not in settings and key != negated and settings.get(negated) is bool:
        return f"{negated}=false"
    if key not in settings:
        raise _unknown(verb, option, [f"--{name}" for name in settings])
    if value is None and settings[key] is bool:
        return f"{key}=true"
    if value is None:
        value = next(arguments, None)
    if value is None:
        raise _usage(f"{verb.name}: {option} needs a value, as in {option} VALUE")
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
