"""What every measuring script prints and keeps: machine, versions, seed, a table, a JSON file."""

import argparse
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
FIGURES = ROOT / "docs" / "figures"
WEIGHTS = ROOT / "src" / "fabsight" / "weights"
LABELS = ROOT.parent / "shared" / "data" / "netdsl" / "emsec_labels"
SEED = (2026, 11)  # development used seeds below 20000, never a pair
PACKAGES = ("fabsight", "numpy", "scipy", "opencv-python-headless", "onnxruntime", "vtracer")
DASH = "-"


def options(doc: str, count: int, quick_count: int) -> argparse.Namespace:
    """The options every script has: --count, --quick, --labels, --out; `count` is settled."""
    asked = argparse.ArgumentParser(description=doc.partition("\n")[0])
    asked.add_argument("--count", type=int, default=0, help=f"images per row (default {count})")
    asked.add_argument("--quick", action="store_true", help=f"{quick_count} images per row")
    asked.add_argument("--labels", type=Path, default=LABELS, help="folder of emsec label SVGs")
    asked.add_argument("--out", type=Path, default=RESULTS, help="where the JSON file goes")
    found = asked.parse_args()
    found.count = found.count or (quick_count if found.quick else count)
    return found


def environment(task: str = "netdsl") -> dict[str, Any]:
    """Processor, cores, versions, commit and the task's weights: what a figure depends on."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "load_average": os.getloadavg()[0],
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS", ""),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "commit": _commit(),
        "weights_sha256": _weights(task),
        "seed": list(SEED),
    }


def header(script: str, environment: Mapping[str, Any]) -> str:
    """The lines printed above a script's figures."""
    versions = ", ".join(f"{name} {v}" for name, v in environment["versions"].items())
    return (
        f"# {script}: seed {tuple(environment['seed'])}, commit {environment['commit']}, "
        f"weights {environment['weights_sha256']}\n"
        f"# {environment['cpu']}, {environment['cores']} cores, "
        f"load {environment['load_average']:.1f} at the start, "
        f"OMP_NUM_THREADS={environment['omp_num_threads'] or 'unset'}\n"
        f"# Python {environment['python']}, {versions}"
    )


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Columns side by side: the first to the left, the others to the right.

    >>> print(table(("set", "iou"), [("clean", 0.5)]))
    set      iou
    clean 0.5000
    """
    cells = [list(head), *([shown(value) for value in row] for row in rows)]
    wide = [max(len(row[k]) for row in cells) for k in range(len(head))]
    lines = []
    for row in cells:
        first, *others = (
            text.ljust(w) if k == 0 else text.rjust(w)
            for k, (text, w) in enumerate(zip(row, wide, strict=True))
        )
        lines.append(" ".join((first, *others)).rstrip())
    return "\n".join(lines)


def shown(value: Any) -> str:
    """A table's cell: four decimals below 1, fewer above, a dash for nothing."""
    if value is None or (isinstance(value, float) and value != value):
        return DASH
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4f}" if abs(value) < 1 else f"{value:.3f}" if value < 10 else f"{value:.1f}"


def save(folder: Path, script: str, found: Mapping[str, Any]) -> Path:
    """Write `found` as JSON; numbers are rounded to five decimals, not-a-numbers become null."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{script}.json"
    path.write_text(json.dumps(_plain(found), indent=1) + "\n", encoding="utf-8")
    print(f"\nwritten: {path}")
    return path


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return None if value != value else round(value, 5)
    return value


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _weights(task: str) -> str:
    """The first letters of the digest of a task's networks, all of them together."""
    digest = sha256()
    for path in sorted(WEIGHTS.glob(f"{task}_*.onnx")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def _commit() -> str:
    asked = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude", "*"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
