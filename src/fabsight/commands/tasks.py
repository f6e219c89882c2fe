"""Which task is meant: by name, or by what the files look like."""

import difflib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_type_hints

if TYPE_CHECKING:
    from fabsight.task import Task


def all_tasks() -> "Mapping[str, Task[Any, Any]]":
    """Every task by name."""
    import fabsight

    return fabsight.TASKS


def task_settings() -> dict[str, Any]:
    """Every task's settings: name -> type (the first task's, where two share a name)."""
    found: dict[str, Any] = {}
    for task in all_tasks().values():
        for name, kind in get_type_hints(task.context).items():
            found.setdefault(name, kind)
    return found


def task_named(name: str) -> "Task[Any, Any]":
    """The task of that name; FabsightError names the nearest."""
    from fabsight.task import FabsightError

    tasks = all_tasks()
    if name in tasks:
        return tasks[name]
    near = difflib.get_close_matches(name, tasks, n=1)
    fix = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(tasks)}"
    raise FabsightError(f"there is no task {name!r}; {fix}")


def task_for(name: str, paths: Sequence[str]) -> "Task[Any, Any]":
    """The named task, or without a name the one that recognises the first path best."""
    from fabsight.inputs import guess_task

    return task_named(name) if name else guess_task(paths[0], all_tasks())


def read_settings(task: "Task[Any, Any]", pairs: Sequence[str]) -> Any:
    """The task's context with `key=value` settings applied."""
    from fabsight.settings import parse_settings, split_settings

    return parse_settings(task.context, split_settings(pairs))
