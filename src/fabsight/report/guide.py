"""How to read a page: what its words, numbers and colours mean, and how the run was made."""

from collections.abc import Mapping, Sequence
from typing import Any

from fabsight.report.entries import CONFIRMED, DOUBTFUL
from fabsight.report.markup import element, escape, number, section

GENERAL = {
    "Check": (
        "Each answer is compared with its own input; no truth is used. 1: the input confirms it, "
        f"0: it contradicts it. From {CONFIRMED:.2f} this page says confirmed, from {DOUBTFUL:.2f} "
        "doubtful, below contradicted. Empty: the answer accounts for nothing of the input."
    ),
    "Coverage": "The share of the input that the answer accounts for, 0 to 1.",
    "Not judged": (
        "How far answers are from the truth: that takes inputs with known answers "
        "(fabsight evaluate)."
    ),
    "3 sigma": (
        "Three times the sample standard deviation of the values shown, differences by design "
        "among them. Dashed lines: mean - 3 sigma and mean + 3 sigma."
    ),
}


def guide(
    general: Mapping[str, str], of_tasks: Mapping[str, Mapping[str, str]], made: Sequence[str]
) -> str:
    """The last section: general words, those of each task, and how the run was made."""
    parts = [_list(general)]
    for name, texts in of_tasks.items():
        parts += [element("h3", escape(name)), _list(texts)] if texts else []
    if made:
        parts += [element("h3", "This run"), *(element("p", escape(line)) for line in made)]
    return section("How to read this page", "".join(parts), "guide")


def made_with(name: str, batch: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """One line: task, model, question and settings of a run, those that are not the default first.

    `batch` is what batch.json holds, {} where there is none.
    """
    said = batch.get("settings", {})
    context = said.get("context") or {}
    changed = {k: v for k, v in context.items() if k in defaults and defaults[k] != v}
    parts = [f"{name}: model {said['model']}"] if "model" in said else []
    parts += [f"question {said['question']!r}"] if said.get("question") else []
    parts += ["compared with a golden image"] if said.get("golden") else []
    parts += [f"{key} {number(value)} (changed)" for key, value in changed.items()]
    parts += [f"{key} {number(value)}" for key, value in context.items() if key not in changed]
    parts += [f"made by fabsight {batch['version']}"] if "version" in batch else []
    return " · ".join(parts)


def _list(texts: Mapping[str, str]) -> str:
    items = [element("dt", escape(k)) + element("dd", escape(v)) for k, v in texts.items()]
    return element("dl", "".join(items), class_="guide")
