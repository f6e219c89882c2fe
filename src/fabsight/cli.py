"""fabsight VERB: parse, call, print.

Nothing heavy is imported here: `fabsight --help` starts in a fraction of a second, and a verb loads
what it needs when it runs. What the verbs do is in `fabsight.commands`.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from fabsight.commands.console import Console, exit_code, guarded

app = typer.Typer(
    name="fabsight",
    help="Read semiconductor images; answer in programs and plain language that can be checked.",
    epilog="Exit codes: 0 done, 1 some inputs failed, 2 usage, 3 environment, 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

TaskName = Annotated[
    str, typer.Option("--task", "-t", help="The task; guessed from the content when not given.")
]
Model = Annotated[str, typer.Option("--model", "-m", help="What answers: embedded.")]
Json = Annotated[bool, typer.Option("--json", help="JSON lines on stdout and nothing else there.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No summary, no progress; errors only.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same bytes.")]
Workers = Annotated[
    int, typer.Option("--workers", "-j", min=1, help="Processes; the result is the same for any.")
]
Settings = Annotated[
    list[str],
    typer.Option(
        "--set",
        "-s",
        metavar="KEY=VALUE",
        help="A setting of the task, repeatable; --key value works too. docs/cli.md lists them.",
    ),
]
NONE: list[str] = []
# Part of the command line's design, and not in this version.
LATER = {
    "train": "learn from a dataset: sft, mope, gspo, ssl, probe, supervised, teach",
    "clean": "find duplicates, leaks and wrong labels in a dataset",
    "merge": "join the shards of several machines",
    "serve": "answer over HTTP, with a page",
}
LATER_OPTIONS = {"--engine": "run a batch on Ray"}


def _version(wanted: bool | None) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"fabsight {version('fabsight')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool | None,
        typer.Option("--version", callback=_version, is_eager=True, help="Say the version."),
    ] = None,
) -> None:
    """Read semiconductor images; answer in programs and plain language that can be checked."""


@app.command()
@guarded
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write.")] = Path(
        "fabsight-demo"
    ),
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Answer the bundled samples of every task. One HTML report, no network."""
    from fabsight.demo import demo

    return demo(out, Console(json, quiet))


@app.command()
@guarded
def predict(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files, folders, globs.")],
    task: TaskName = "",
    model: Model = "embedded",
    question: Annotated[
        str, typer.Option("--question", "-q", help="What to ask; the task's own prompt if not.")
    ] = "",
    golden: Annotated[
        Path | None, typer.Option("--golden", help="A good image to compare with.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="A folder for answers, overlays, exports and a report."),
    ] = None,
    workers: Workers = 1,
    settings: Settings = NONE,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Answer questions about images. Text, check, measurements; with --out files to go on with.

    With --out an interrupted run goes on where it stopped when the same command runs again.
    """
    from fabsight.commands.answering import Request, predict

    request = Request(paths, task, model, question, golden, tuple(settings))
    return predict(request, out, workers, Console(json, quiet))


@app.command()
@guarded
def evaluate(
    task: Annotated[str, typer.Argument(metavar="TASK", help="The task.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="A dataset folder.")],
    model: Model = "embedded",
    split: Annotated[str, typer.Option("--split", help="train, val or test; all if not.")] = "",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A folder for rows and a report.")
    ] = None,
    workers: Workers = 1,
    settings: Settings = NONE,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Grade a model on labelled data. Intervals, floors, failures counted as worst."""
    from fabsight.commands.grading import Grading, evaluate

    grading = Grading(task, data, model, split, tuple(settings))
    return evaluate(grading, out, workers, Console(json, quiet))


@app.command()
@guarded
def synthesize(
    task: Annotated[str, typer.Argument(metavar="TASK", help="The task.")],
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many examples.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The dataset folder to write.")],
    seed: Seed = 0,
    workers: Workers = 1,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Write a dataset of random examples with exact truth."""
    from fabsight.commands.data import synthesize

    return synthesize(task, count, seed, out, workers, Console(json, quiet))


@app.command()
@guarded
def convert(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An answer: a program, a layout.")],
    to: Annotated[str, typer.Option("--to", help="The format to write, such as gds or svg.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")],
    task: TaskName = "",
    settings: Settings = NONE,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Rewrite an answer in another format. A program as GDSII, a GDSII layout as a program.

    A text file has no pixel size: --nm-per-px 2.5 says it.
    """
    from fabsight.commands.converting import convert

    return convert(file, to, out, task, settings, Console(json, quiet))


@app.command()
@guarded
def vary(
    program: Annotated[Path, typer.Argument(metavar="PROGRAM", help="A layout: text, GDSII, SVG.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The dataset folder to write.")],
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many variants.")] = 10,
    seed: Seed = 0,
    kinds: Annotated[
        list[str], typer.Option("--kind", "-k", help="An edit to make, repeatable; any if not.")
    ] = NONE,
    look: Annotated[
        str, typer.Option("--look", help="How the images look: clean, mild, hard or wild.")
    ] = "mild",
    task: TaskName = "",
    settings: Settings = NONE,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Write a layout's variants as defect images. Label, box and program of each are exact.

    The dataset says the pixel size of the layout file; a text has none: --nm-per-px 2.5 says it.
    """
    from fabsight.commands.varying import Origin, vary
    from fabsight.task import Wish

    wish = Wish(seed, tuple(kinds), look)
    return vary(Origin(program, task, tuple(settings)), wish, count, out, Console(json, quiet))


@app.command()
@guarded
def index(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of inputs.")],
    like: Annotated[
        Path | None, typer.Option("--like", help="A file: say which indexed cases are like it.")
    ] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many to name.")] = 10,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where the index is; inside DIR if not.")
    ] = None,
    task: TaskName = "",
    settings: Settings = NONE,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Index a folder and find like cases in it. The index is kept and brought up to date.

    Without --like the index is made, or brought up to date with what has changed. With it the cases
    most like the file's are named, in whichever rotation they are, and nothing is indexed.
    """
    from fabsight.commands import indexing

    wanted = indexing.Wanted(folder, task, out, tuple(settings))
    if like is None:
        return indexing.build(wanted, Console(json, quiet))
    return indexing.search(wanted, like, count, Console(json, quiet))


@app.command()
@guarded
def report(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A folder predict, evaluate or demo wrote.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="FILE.html, or a folder, instead of RUN/report.html."),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Write the HTML page and the CSV of a run. The page is complete in itself."""
    from fabsight.reporting import report

    console = Console(json, quiet)
    page = report(run, out)
    console.emit({"report": page})
    console.say(str(page))
    return 0


@app.command()
@guarded
def doctor(json: Json = False, quiet: Quiet = False) -> int:
    """Say what is installed and what is missing. And what this machine allows."""
    from fabsight.doctor import doctor

    return doctor(Console(json, quiet))


@app.command()
@guarded
def bench(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A script of benchmarks/, a task for all of its scripts (netdsl), or all; "
            "none lists them.",
        ),
    ] = "",
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Run the scripts behind published numbers. Only from a checkout."""
    from fabsight.commands.benchmarks import bench

    return bench(name, Console(json, quiet))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; ends the process with a documented exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)

    def run() -> int:
        _refuse_later(given)
        given[:] = _with_settings(given)
        return 0

    if code := exit_code(run):
        raise SystemExit(code)
    app(args=given, prog_name="fabsight")


def _refuse_later(given: Sequence[str]) -> None:
    """Say of a verb or option that is to come, and is not there yet, that it is not."""
    verb = next((argument for argument in given if not argument.startswith("-")), "")
    message = ""
    if verb in LATER:
        there = ", ".join(getattr(typer.main.get_command(app), "commands", {}))
        message = f"{verb} is not in this version; there are: {there}"
    for argument in given:
        if (option := argument.partition("=")[0]) in LATER_OPTIONS:
            message = f"{option} is not in this version; see: fabsight {verb} --help"
    if message:
        from fabsight.task import FabsightError

        raise FabsightError(message)


def _with_settings(given: list[str]) -> list[str]:
    """The arguments with a task's settings as `--set`, for the verbs that take settings."""
    command = next((i for i, argument in enumerate(given) if not argument.startswith("-")), None)
    options = {} if command is None else options_of(given[command])
    if command is None or "--set" not in options:
        return given
    from fabsight.commands.options import Verb, settings_as_options

    head, tail = given[: command + 1], given[command + 1 :]
    return head + settings_as_options(Verb(given[command], options), tail)


def options_of(verb: str) -> dict[str, bool]:
    """The verb's options and whether each takes a value; {} for an unknown verb."""
    commands = getattr(typer.main.get_command(app), "commands", {})
    if verb not in commands:
        return {}
    found = {"--help": False, "-h": False}
    for parameter in commands[verb].params:
        if parameter.param_type_name == "option":
            found |= dict.fromkeys(parameter.opts, not getattr(parameter, "is_flag", False))
    return found
