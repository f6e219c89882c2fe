"""demo: the bundled samples of every task through predict and report, without network."""

import shutil
from importlib.resources import as_file, files
from pathlib import Path

from fabsight.commands.answering import Request, job_of, predict_into
from fabsight.commands.console import OK, SOME_FAILED, Console
from fabsight.commands.tasks import all_tasks
from fabsight.inputs import find_inputs
from fabsight.reporting import RUNS_OF, report
from fabsight.task import FabsightError

MARK = RUNS_OF


def demo(out: Path, console: Console) -> int:
    """Answer the samples into `out`/TASK, write one page about all, print its path last.

    Starts afresh in a folder that a demo made before; refuses any other that is not empty.
    """
    _claim(out)
    silent = Console(json=False, quiet=True)
    failed, count = 0, 0
    with as_file(files("fabsight") / "samples") as samples:
        for name in all_tasks():
            if not (samples / name).is_dir():
                continue
            request = Request([str(samples / name)], name)
            job = job_of(request)
            found = find_inputs(job.task, request.paths).found
            console.say(f"{name}: {len(found)} samples")
            failed += predict_into(job, found, out / name, 1, silent)
            count += len(found)
    if not count:
        raise FabsightError("demo: this installation holds no samples; install fabsight again")
    page = report(out)
    console.emit({"samples": count, "failed": failed, "report": page})
    console.say(str(page))
    return SOME_FAILED if failed else OK


def _claim(out: Path) -> None:
    """Make the folder this demo's own."""
    if out.exists():
        if not (out / MARK).is_file() and (not out.is_dir() or any(out.iterdir())):
            raise FabsightError(
                f"demo: {out} holds something else; name another folder: --out FOLDER"
            )
        shutil.rmtree(out)
    out.mkdir(parents=True)
    (out / MARK).touch()
