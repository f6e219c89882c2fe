"""Rewrite the generated parts of the documentation from the code: `python docs/generate.py`.

    docs/cli.md    every verb, argument, option and exit code, and every task's settings
    docs/wafermap-causes.md    the table of root-cause hypotheses, with sources
    README.md      the tree of the source, between <!-- tree --> and <!-- /tree -->

`--check` writes nothing and ends with 1 where a file is not what the code says.
"""

import ast
import sys
from pathlib import Path

import typer

from fabsight import cli
from fabsight.cli import app
from fabsight.commands import console
from fabsight.commands.tasks import all_tasks
from fabsight.settings import describe_settings
from fabsight.wafermap import causes
from fabsight.wafermap.causes import CAUSES, REASONS, SOURCES

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "fabsight"
TREE = ("<!-- tree -->", "<!-- /tree -->")
CONTENT = ("samples", "weights")  # folders of data, named in the tree though they hold no module


def cli_page() -> str:
    """docs/cli.md."""
    verbs = commands()
    parts = [
        "# Command line\n\nGenerated from the code by `make docs`.\n",
        "\n".join(
            f"- [`fabsight {name}`](#fabsight-{name}): {short(verbs[name])}" for name in verbs
        ),
        *(verb_section(name, verbs[name]) for name in verbs),
        settings_section(),
        exit_codes_section(),
        later_section(),
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def commands() -> dict[str, typer.core.TyperCommand]:
    """Every verb's command by name."""
    return dict(typer.main.get_command(app).commands)


def short(command: typer.core.TyperCommand) -> str:
    """The first paragraph of a verb's help on one line."""
    return " ".join((command.help or "").split("\n\n")[0].split())


def verb_section(name: str, command: typer.core.TyperCommand) -> str:
    """One verb: what it does, its arguments and options."""
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    shown = [
        (p.metavar or p.name.upper()) if p.required else f"[{p.metavar or p.name.upper()}]"
        for p in arguments
    ]
    rows = [(f"`{shown[i]}`", p.help or "", "") for i, p in enumerate(arguments)]
    rows += [(f"`{', '.join(p.opts)}`", p.help or "", default_of(p)) for p in options]
    usage = " ".join(["fabsight", name, *shown, "[OPTIONS]"])
    text = "\n\n".join(" ".join(part.split()) for part in (command.help or "").split("\n\n"))
    lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    table = "\n".join(["| | | default |", "|---|---|---|", *lines])
    return f"## fabsight {name}\n\n    {usage}\n\n{text}\n\n{table}"


def default_of(option: typer.core.TyperOption) -> str:
    """An option's default as the table shows it."""
    if option.required:
        return "required"
    value = option.default() if callable(option.default) else option.default
    return "" if value is None or value is False or value in ("", []) else f"`{value}`"


def settings_section() -> str:
    """Every task's settings: what `--set key=value`, or `--key value`, may say."""
    parts = ["## Settings\n\n`--set key=value`, or `--key value`, by task."]
    for task in all_tasks().values():
        rows = [
            f"| `{s.name}` | {s.type.replace('|', chr(92) + '|')} | `{s.default}` | {s.help} |"
            for s in describe_settings(task.context)
        ]
        head = "| setting | values | default | |\n|---|---|---|---|"
        parts.append(f"### {task.name}\n\n" + "\n".join([head, *rows]))
    return "\n\n".join(parts)


def causes_page() -> str:
    """docs/wafermap-causes.md: the table of root-cause hypotheses."""
    rows = []
    for key, cause in CAUSES.items():
        patterns = ", ".join(f"{name} {weight:g}" for name, weight in cause.patterns.items())
        reasons = "; ".join(f"{REASONS[k].text} {w:+g}" for k, w in cause.reasons.items())
        needs = (
            f" (needs: {', '.join(REASONS[k].text for k in cause.needs)})" if cause.needs else ""
        )
        sources = ", ".join(f"[{name}](#{name})" for name in cause.sources)
        rows.append(f"| `{key}` | {cause.name} | {patterns} | {reasons}{needs} | {sources} |")
    listed = "\n".join(f'- <a id="{key}"></a>{text}' for key, text in SOURCES.items())
    text = (causes.__doc__ or "").partition("\n\n")[2].strip()
    return (
        "# Root-cause hypotheses of wafer maps\n\nGenerated from the code by `make docs`.\n\n"
        f"{text}\n\nThe weight of a hypothesis is that of the best fitting pattern plus that of "
        "every reason that holds; those above 0.2 are named, three at most, likeliest first. The "
        "weights are judgement, not statistics: no public data tell true causes. The sources "
        "describe the mechanisms.\n\n"
        "| key | hypothesis | patterns | reasons | sources |\n|---|---|---|---|---|\n"
        + "\n".join(rows)
        + f"\n\n## Sources\n\n{listed}\n"
    )


def exit_codes_section() -> str:
    """The exit codes, as `fabsight.commands.console` documents them."""
    text = (console.__doc__ or "").partition("\n\n")[2].strip()
    rows = [" | ".join(line.strip().split(maxsplit=1)) for line in text.splitlines()]
    return "\n".join(["## Exit codes\n\n| | |\n|---|---|", *(f"| {row} |" for row in rows)])


def later_section() -> str:
    """Verbs and options that are part of the design and not there yet."""
    rows = [f"| `{name}` | {what} |" for name, what in (cli.LATER | cli.LATER_OPTIONS).items()]
    return "\n".join(["## Not in this version\n\n| | to come |\n|---|---|", *rows])


def tree() -> str:
    """The source as a tree: every module and folder with the first line of its docstring."""
    lines = ["    src/fabsight/"]
    entries = [p for p in SOURCE.iterdir() if describes(p)]
    for path in sorted(entries, key=lambda p: (p.is_dir(), p.name)):
        name = path.name + "/" * path.is_dir()
        lines.append(f"        {name:<18}{headline(path)}".rstrip())
    return "\n".join(lines)


def describes(path: Path) -> bool:
    """Whether the tree names this entry: modules with a docstring, packages, folders of data."""
    if path.is_dir():
        return (path / "__init__.py").is_file() or path.name in CONTENT
    return path.suffix == ".py"


def headline(path: Path) -> str:
    """The first line of a module's or package's docstring, without what repeats its name."""
    module = path / "__init__.py" if path.is_dir() else path
    if not module.is_file():
        return "data; each with a README of its sources"
    text = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0].removeprefix(f"{path.stem}: ").rstrip(".")


def with_tree(text: str) -> str:
    """The text with the tree between its markers; unchanged without markers."""
    before, start, rest = text.partition(TREE[0])
    _, end, after = rest.partition(TREE[1])
    if not (start and end):
        return text
    return f"{before}{start}\n\n{tree()}\n\n{end}{after}"


def pages() -> dict[Path, str]:
    """What each generated file should hold."""
    readme = ROOT / "README.md"
    return {
        ROOT / "docs" / "cli.md": cli_page(),
        ROOT / "docs" / "wafermap-causes.md": causes_page(),
        readme: with_tree(readme.read_text(encoding="utf-8")),
    }


def stale() -> list[Path]:
    """Files that are not what the code says."""
    return [
        path
        for path, text in pages().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


def main() -> None:
    """Write what is stale, or with --check only name it."""
    found = stale()
    for path in found:
        sys.stderr.write(f"{path.relative_to(ROOT)}\n")
        if "--check" not in sys.argv:
            path.write_text(pages()[path], encoding="utf-8")
    raise SystemExit(bool(found) if "--check" in sys.argv else 0)


if __name__ == "__main__":
    main()
