"""From files to questions about wafer maps: one for each wafer, with what the file says of it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from fabsight.settings import check_settings
from fabsight.task import Example, Image, Question
from fabsight.wafermap.claims import Answer, Choice, Claim, Description
from fabsight.wafermap.formats import read_wafers
from fabsight.wafermap.phrases import write
from fabsight.wafermap.scoring import TRUTH
from fabsight.wafermap.settings import WaferSettings
from fabsight.wafermap.synthesis import PROMPT
from fabsight.wafermap.wafer import Wafer

WHICH = "Which defect type does this wafer map show?"
WHICH_ALL = "Which defect types does this wafer map show?"
MIXED = "MixedWM38"  # bundles whose maps may show several patterns


def questions(paths: Sequence[Path], settings: WaferSettings) -> Iterator[Question[WaferSettings]]:
    """One question per wafer in the files, in their order."""
    check_settings(settings)
    for path in paths:
        for wafer in read_wafers(path, settings):
            yield asked_of(wafer, PROMPT, settings)


def asked_of(wafer: Wafer, text: str, settings: WaferSettings) -> Question[WaferSettings]:
    """A question about a wafer, which knows what the file says of it."""
    context = replace(settings, about=wafer.about)
    notes = list(wafer.warnings)
    if wafer.retests:
        notes.append(f"{wafer.retests} dies were tested again; their last result counts")
    return Question((Image(wafer.grid, warnings=tuple(notes)),), text, context, wafer.source)


def labelled(path: Path, settings: WaferSettings) -> Iterator[Example[WaferSettings]]:
    """Which defect type each labelled wafer of a file shows; wafers without label are left out.

    Where the labels exclude each other one type is asked for, else all that are there, unless the
    setting `patterns` says otherwise.
    """
    check_settings(settings)
    for wafer in read_wafers(path, settings):
        if wafer.labels is None:
            continue
        several = MIXED in wafer.about.format
        patterns = settings.patterns
        if patterns == "auto":
            patterns = "several" if several else "one"
        text = WHICH_ALL if several else WHICH
        question = asked_of(wafer, text, replace(settings, patterns=patterns))
        answer = write(Answer(tuple(Claim("pattern", name) for name in wafer.labels)))
        truth = Description(choices={"pattern": Choice(wafer.labels)})
        kind = " + ".join(wafer.labels)
        yield Example(question, answer, split=wafer.split, kind=kind, metadata={TRUTH: truth})
