"""doctor: what is installed, what this machine allows, and how to get what is missing."""

import hashlib
import os
import platform
import re
import resource
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import Literal

from fabsight.commands.console import ENVIRONMENT, OK, Console

ENOUGH_MEMORY_GIB = 2.0
ENOUGH_FILES = 256
REQUIREMENT = re.compile(r"^\s*([A-Za-z0-9._-]+)")
EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Attributes:
        area: "package", "dependency", "extra", "weights", "machine" or "place".
        name: What was looked at.
        status: "ok", "missing" (optional and absent) or "problem".
        value: What was found.
        fix: What to do, "" where nothing needs doing.
    """

    area: str
    name: str
    status: Literal["ok", "missing", "problem"]
    value: str
    fix: str = ""


def doctor(console: Console) -> int:
    """Print every finding; the exit code is 3 where one of them is a problem."""
    findings = list(findings_here())
    for finding in findings:
        console.emit(asdict(finding))
    console.table(
        ("area", "name", "status", "found", "to do"),
        [(f.area, f.name, f.status, f.value, f.fix or None) for f in findings],
    )
    problems = [f for f in findings if f.status == "problem"]
    console.say(f"{len(problems)} problems" if problems else "no problems")
    return ENVIRONMENT if problems else OK


def findings_here() -> Iterator[Finding]:
    """What there is to say about this installation and this machine."""
    yield Finding("package", "fabsight", "ok", metadata.version("fabsight"))
    yield Finding("package", "python", "ok", f"{platform.python_version()} ({sys.executable})")
    yield from requirements()
    yield from weights()
    yield from machine()
    yield from places()


def requirements() -> Iterator[Finding]:
    """Every dependency with its version, and every extra with what it lacks and how to get it."""
    lacking: dict[str, list[str]] = {}
    for line in metadata.requires("fabsight") or ():
        found = REQUIREMENT.match(line)
        if not found:
            continue
        name, extra = found[1], EXTRA.search(line)
        version = installed(name)
        if extra:
            lacking.setdefault(extra[1], []).extend(() if version else (name,))
        elif version:
            yield Finding("dependency", name, "ok", version)
        else:
            yield Finding("dependency", name, "problem", "not installed", "pip install fabsight")
    for extra_name, absent in lacking.items():
        if absent:
            get = f"pip install 'fabsight[{extra_name}]'"
            yield Finding("extra", extra_name, "missing", f"without {', '.join(absent)}", get)
        else:
            yield Finding("extra", extra_name, "ok", "complete")


def installed(name: str) -> str:
    """The version of a distribution, "" where it is absent."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def weights() -> Iterator[Finding]:
    """Every embedded weight file: whether it loads, and its checksum."""
    folder = files("fabsight") / "weights"
    for entry in sorted(folder.iterdir(), key=lambda e: e.name) if folder.is_dir() else ():
        if entry.name.endswith(".onnx"):
            data = entry.read_bytes()
            digest = f"sha256 {hashlib.sha256(data).hexdigest()[:16]}, {len(data):,} bytes"
            reason = _refused(data)
            if reason:
                fix = "the file is damaged: pip install --force-reinstall fabsight"
                yield Finding("weights", entry.name, "problem", f"{digest}: {reason}", fix)
            else:
                yield Finding("weights", entry.name, "ok", digest)


def _refused(data: bytes) -> str:
    """Why onnxruntime does not load the model, "" when it does."""
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    try:
        onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    except (state.Fail, state.InvalidProtobuf, state.InvalidGraph, state.NotImplemented) as error:
        return str(error).partition("\n")[0]
    return ""


def machine() -> Iterator[Finding]:
    """Cores, threads, memory, limits of the process."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = os.environ.get("OMP_NUM_THREADS", "not set")
    yield Finding("machine", "cores", "ok", f"{cores}, OMP_NUM_THREADS {threads}")
    free = memory_gib()
    if free is not None:
        low = free < ENOUGH_MEMORY_GIB
        fix = "close other programs, use one worker" if low else ""
        status: Literal["ok", "problem"] = "problem" if low else "ok"
        yield Finding("machine", "memory", status, f"{free:.1f} GiB available", fix)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = soft < ENOUGH_FILES
    status = "problem" if few else "ok"
    fix = f"ulimit -n {ENOUGH_FILES}" if few else ""
    yield Finding("machine", "open files", status, f"{soft} of {hard}", fix)
    space, _ = resource.getrlimit(resource.RLIMIT_AS)
    shown = "unlimited" if space == resource.RLIM_INFINITY else f"{space / 2**30:.1f} GiB"
    yield Finding("machine", "address space", "ok", shown)


def memory_gib() -> float | None:
    """Memory that programs can have now, in GiB; None where the system does not say."""
    table = Path("/proc/meminfo")
    if not table.is_file():
        return None
    found = re.search(r"^MemAvailable:\s+(\d+) kB", table.read_text(), re.MULTILINE)
    return int(found[1]) / 2**20 if found else None


def places() -> Iterator[Finding]:
    """Where results and temporary files would go, and whether they can."""
    for name, place in (("here", Path.cwd()), ("temporary", Path(tempfile.gettempdir()))):
        try:
            with tempfile.TemporaryFile(dir=place):
                yield Finding("place", name, "ok", str(place))
        except OSError as error:
            fix = "choose another: --out" if name == "here" else "set TMPDIR"
            yield Finding("place", name, "problem", f"{place}: {error.strerror}", fix)
