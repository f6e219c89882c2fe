"""What a person may set about a wafer map (`--set key=value`, or `--key value`)."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from fabsight.settings import Range
from fabsight.wafermap.wafer import About


@dataclass(frozen=True)
class WaferSettings:
    """Settings of `wafermap`.

    Attributes:
        notch: Where the notch is in the file; "file" believes what it says, down where it says
            nothing.
        pass_bins: Hard bins that pass, where the file does not say which do.
        fail_bins: Hard bins to look at: only their dies count as failing. None given: all that do
            not pass.
        classes: Defect classes of a KLARF file to look at; none given: all defects.
        patterns: Whether one pattern is reported or all that are there; auto decides.
        abstain: Below this probability the answer names no pattern.
        reticle: Dies of one exposure across and down; 0,0 finds it out.
        index: Folder of an index of maps (`fabsight index`) in which similar wafers are counted.
        alike: From this similarity on, 0 to 1, two maps count as similar.
        per_class: Maps of each class that `convert --to dataset` takes, as unlike as they come.
        per_map: Questions it asks about each.
        context_table: CSV of process context: a row a wafer, columns such as lot, wafer, tool,
            chamber, slot, time.
        about: What the file said of the wafer.
    """

    notch: Literal["file", "down", "left", "up", "right"] = "file"
    pass_bins: tuple[int, ...] = (1,)
    fail_bins: tuple[int, ...] = ()
    classes: tuple[int, ...] = ()
    patterns: Literal["auto", "one", "several"] = "auto"
    abstain: Annotated[float, Range(0, 1)] = 0.0
    reticle: tuple[int, int] = (0, 0)
    index: Path | None = None
    alike: Annotated[float, Range(0, 1)] = 0.8
    per_class: Annotated[int, Range(1, 1_000_000)] = 200
    per_map: Annotated[int, Range(1, 10)] = 4
    context_table: Path | None = None
    about: About = field(default_factory=About)
