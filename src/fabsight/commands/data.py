"""synthesize: a dataset of random examples; and whose folder a dataset is."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fabsight.commands.console import OK, Console
from fabsight.commands.tasks import task_named
from fabsight.task import FabsightError

MARK = "made-from.json"


def synthesize(task: str, count: int, seed: int, out: Path, workers: int, console: Console) -> int:
    """Write `count` examples into `out`; goes on where an earlier, broken-off call stopped."""
    from fabsight import dataset, pool
    from fabsight.synthesis import synthesize

    chosen = task_named(task)
    claim("synthesize", out, {"task": task, "seed": seed, "fabsight": version("fabsight")})
    before = dataset.resume(out)
    quiet = False if console.json or console.quiet else None
    todo = max(count - before, 0)
    drawn = synthesize(chosen, todo, seed, start=before, workers=workers)
    card = {
        "what": f"random {task} examples with exact truth",
        "made by": f"fabsight synthesize {task} --seed {seed}",
        "seed": seed,
        "licence": "CC0-1.0",
    }
    held = dataset.write(out, pool.tracked(drawn, "examples", todo, quiet), chosen, card)
    tally = Tally(out, "examples", count, before, held)
    console.emit({"out": out, "task": task, "seed": seed, **tally.counts()})
    console.say(tally.words())
    return OK


@dataclass(frozen=True)
class Tally:
    """How many examples a folder was asked to hold, held before and holds now."""

    out: Path
    noun: str
    asked: int
    before: int
    held: int

    def counts(self) -> dict[str, int]:
        """As JSON: `count` is what the folder holds, `kept` what was there before."""
        new = self.held - self.before
        return {"count": self.held, "new": new, "kept": self.before, "asked": self.asked}

    def words(self) -> str:
        """In one line what was done, also where that is nothing."""
        said = f"{self.out}: {self.held} {self.noun}"
        if self.held > self.before:
            return said + f", {self.before} of them from before" * bool(self.before)
        more = f", more than the {self.asked} asked for" * (self.held > self.asked)
        return f"{said} from before are kept{more}; nothing to do"


def claim(verb: str, out: Path, purpose: Mapping[str, Any]) -> None:
    """Make the folder this dataset's own, or refuse one that holds something else."""
    from fabsight.shards import write_whole

    mark = out / MARK
    written = (json.dumps(purpose) + "\n").encode()
    if mark.is_file():
        if mark.read_bytes() != written:
            raise FabsightError(
                f"{verb}: {out} holds a dataset of another making ({_differences(mark, purpose)}); "
                "name another folder, or remove this one"
            )
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FabsightError(f"{verb}: {out} holds something else; name another folder")
    out.mkdir(parents=True, exist_ok=True)
    write_whole(mark, [written])


def _differences(mark: Path, purpose: Mapping[str, Any]) -> str:
    """What the folder's dataset was made from, where that differs from what is wanted now."""
    try:
        was = dict(json.loads(mark.read_bytes()))
    except (ValueError, TypeError):
        return f"{mark} is damaged"
    now = json.loads(json.dumps(dict(purpose)))  # a tuple is a list there
    keys = [key for key in was | now if was.get(key) != now.get(key)]
    said = (f"{key} was {json.dumps(was.get(key))}, now {json.dumps(now.get(key))}" for key in keys)
    return "; ".join(said) or f"{mark} is damaged"
