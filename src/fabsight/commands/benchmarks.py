"""bench: run the scripts behind the published numbers, from a checkout.

A script is named after its task: `bench netdsl` runs every benchmarks/netdsl_*.py. Scripts that
make something the package ships (`make_*`, `calibrate_*`) are run by their own name only.
"""

import ast
import difflib
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from fabsight.commands.console import OK, SOME_FAILED, Console, complain
from fabsight.task import FabsightError

ALL = "all"
MAKERS = ("make_", "calibrate_")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # what published times hold for
STDERR = 2  # file descriptor


def bench(name: str, console: Console) -> int:
    """List the scripts, run one, a task's or all; a script's output goes where ours does."""
    scripts = scripts_in(folder())
    if not name:
        for script in scripts.values():
            console.emit({"name": script.stem, "what": summary(script)})
        console.table(("name", "what"), [(s.stem, summary(s)) for s in scripts.values()])
        console.say(f"several at once: {', '.join(groups(scripts))}")
        return OK
    failed = 0
    for script in chosen(name, scripts):
        began = time.perf_counter()
        code = _run(script, console)
        seconds = round(time.perf_counter() - began, 1)
        console.emit({"name": script.stem, "exit_code": code, "seconds": seconds})
        if code:
            failed += 1
            complain(f"bench {script.stem}: ended with exit code {code} after {seconds} s")
    return SOME_FAILED if failed else OK


def folder() -> Path:
    """The checkout's benchmarks/; FabsightError where this is no checkout."""
    import fabsight

    checkout = Path(fabsight.__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").is_file() and (checkout / "benchmarks").is_dir():
        return checkout / "benchmarks"
    raise FabsightError(
        "bench: the benchmark scripts are in the source checkout, not in the installed package; "
        "clone the repository, then `pip install -e .` there"
    )


def scripts_in(place: Path) -> dict[str, Path]:
    """Scripts by name, those whose name begins with _ left out."""
    return {p.stem: p for p in sorted(place.glob("*.py")) if not p.name.startswith("_")}


def summary(script: Path) -> str:
    """The first line of the script's docstring."""
    text = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]


def groups(scripts: Iterable[str]) -> list[str]:
    """The names that stand for several scripts: those of a task, and all.

    >>> groups(("netdsl_a", "netdsl_b", "make_c", "d"))
    ['netdsl', 'all']
    """
    measuring = [name for name in scripts if not name.startswith(MAKERS)]
    return [*dict.fromkeys(n.partition("_")[0] for n in measuring if "_" in n), ALL]


def chosen(name: str, scripts: dict[str, Path]) -> list[Path]:
    """The scripts a name stands for: one of that name, all that measure, or those of a task.

    >>> found = chosen("netdsl", {n: Path(n) for n in ("netdsl_a", "make_b", "verify")})
    >>> [path.name for path in found]
    ['netdsl_a']
    """
    measuring = {n: path for n, path in scripts.items() if not n.startswith(MAKERS)}
    if name == ALL:
        return list(measuring.values())
    if name in scripts:
        return [scripts[name]]
    if group := [path for n, path in measuring.items() if n.startswith(f"{name}_")]:
        return group
    there = [*scripts, *groups(scripts)]
    near = difflib.get_close_matches(name, there, n=1)
    fix = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(there)}"
    raise FabsightError(f"bench: there is no script {name!r}; {fix}")


def _run(script: Path, console: Console) -> int:
    """Exit code of one script; with --json its own words go to stderr."""
    output = STDERR if console.json else None
    command = [sys.executable, str(script)]
    environment = {**os.environ, **ONE_THREAD}
    return subprocess.run(command, stdout=output, env=environment, check=False).returncode
