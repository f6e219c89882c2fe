"""fabsight reads semiconductor images and answers in programs and language that can be checked.

>>> import fabsight
>>> sorted(fabsight.TASKS)
['netdsl', 'wafermap']
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fabsight.task import Task

    TASKS: dict[str, Task[Any, Any]]

__all__ = ["TASKS"]


def __getattr__(name: str) -> Any:
    """Tasks are imported when first asked for: the command line starts without them."""
    if name != "TASKS":
        raise AttributeError(f"module 'fabsight' has no attribute {name!r}")
    from fabsight import netdsl, wafermap

    tasks = {task.name: task for task in (netdsl.TASK, wafermap.TASK)}
    globals()["TASKS"] = tasks
    return tasks
