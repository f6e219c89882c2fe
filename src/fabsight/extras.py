"""Parts that are installed only when asked for: import one, or say how to get it."""

import importlib
from types import ModuleType

from fabsight.task import FabsightError


def need(module: str, extra: str) -> ModuleType:
    """The imported module; `extra` is the optional part of fabsight that installs it.

    Raises FabsightError with the command to run when the module, or one it imports, is absent.
    A module that is there but fails while it is imported raises its own error: that is a broken
    installation, not a missing one.

    >>> need("json", extra="train").__name__
    'json'
    >>> need("torchless", extra="train")
    Traceback (most recent call last):
    ...
    fabsight.task.FabsightError: this needs torchless: pip install 'fabsight[train]'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        wanted = module if missing.name in (None, module) else f"{module} (and its {missing.name})"
        raise FabsightError(f"this needs {wanted}: pip install 'fabsight[{extra}]'") from missing
