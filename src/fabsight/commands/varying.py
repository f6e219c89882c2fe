"""vary: an answer to labelled variants of it, defect images beside the image of the sound one."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from fabsight.commands.console import OK, Console
from fabsight.commands.converting import read_answer, said_scale
from fabsight.commands.data import Tally, claim
from fabsight.commands.tasks import all_tasks
from fabsight.task import FabsightError, Wish


@dataclass(frozen=True)
class Origin:
    """The file whose answer is varied, and how it is read."""

    file: Path
    task: str
    settings: Sequence[str]


def vary(origin: Origin, wish: Wish, count: int, out: Path, console: Console) -> int:
    """Write `count` variants into `out`; goes on where an earlier, broken-off call stopped."""
    from fabsight import dataset

    source = read_answer("vary", origin.file, origin.task or _the_only_one(), origin.settings)
    if source.task.vary is None:
        raise FabsightError(f"vary: {source.task.name} has no variants; choose {_offers()}")
    variants = source.task.vary(source.question, source.value, wish)
    made_from = {
        "answer": sha256(source.task.write(source.value).encode()).hexdigest(),
        "nm_per_px": source.scale["nm_per_px"],
        "settings": list(origin.settings),
        **asdict(wish),
        "fabsight": version("fabsight"),
    }
    claim("vary", out, made_from)
    before = dataset.resume(out)
    made = (replace(variants.draw(i), group=origin.file.name) for i in range(before, count))
    name = origin.file.name.encode(errors="backslashreplace").decode()
    card = {
        "what": "variants of one answer; `kind` is the edit, `golden` the image of the sound one",
        "made by": f"fabsight vary {name} --seed {wish.seed} --look {wish.look}",
        "seed": wish.seed,
        "licence": "as what was varied",
    }
    tally = Tally(out, "variants", count, before, dataset.write(out, made, source.task, card))
    warnings = (*source.warnings, *variants.warnings)
    row = {"out": out, "task": source.task.name, "seed": wish.seed, **tally.counts()}
    console.emit({**row, "scale": source.scale, "warnings": warnings})
    console.say(f"{tally.words()}; {said_scale(source)}")
    for warning in warnings:
        console.say(f"  {warning}")
    return OK


def _the_only_one() -> str:
    """The name of the one task that offers variants, "" where several do: the file then decides."""
    offering = [task.name for task in all_tasks().values() if task.vary is not None]
    return offering[0] if len(offering) == 1 else ""


def _offers() -> str:
    return " or ".join(task.name for task in all_tasks().values() if task.vary is not None)
