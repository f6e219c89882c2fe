"""Wafers, defects and parts read from public samples: our readers beside what PyPI has.

    python benchmarks/wafermap_formats.py [--peers PYTHON] [--data DIR] [--out DIR]

PYTHON is the interpreter of an environment of its own, where `pip install klarf-reader klarfrs
pystdf Semi-ATE-STDF` was run; a peer that is not there is said to be absent. pystdf is GPL: it runs
in that environment and is never imported here. `truth` was counted by hand in the text of the
files, or is what the tester's own summary (WRR) states. Then the time that large files take.
"""

import argparse
import bz2
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from _bench import RESULTS, ROOT, environment, header, save, table
from fabsight.task import FabsightError
from fabsight.wafermap.formats import read_wafers
from fabsight.wafermap.settings import WaferSettings

DATA = ROOT.parent / "shared" / "data" / "wafermap"
LIMIT_S = 120.0
LARGE_DEFECTS, LARGE_DIES = 100_000, 100_000
# File -> wafers, and defects in all (KLARF) or results on coordinates (STDF).
TRUTH: Mapping[str, str] = {
    "impro02_LAA_FAA_v12_800kB.000": "1 / 12263",
    "impro02_no_defect.000": "1 / 0",
    "jklarfreader_klarf12DefectListExample.klarf": "1 / 13",
    "jklarfreader_klarf12Example.klarf": "1 / 2",
    "jklarfreader_klarfWithImagelist.klarf": "1 / 6",
    "jklarfreader_simple12.klarf": "1 / 1",
    "jklarfreader_simple18.klarf": "2 / 4",
    "jklarfreader_bad12.klarf": "1 / 1, then refused",
    "lot2.stdf.bz2": "1569 on 1456",
}
PEERS: Mapping[str, str] = {
    "klarf-reader": """
from klarf_reader.klarf import Klarf
found = Klarf.load_from_file(path)
print(len(found.wafers), "/", sum(len(list(w.defects)) for w in found.wafers))
""",
    "klarfrs": """
import klarfrs
print("? /", len(klarfrs.parse_defects(str(path))))
""",
    "pystdf": """
from pystdf import V4
from pystdf.IO import Parser
class Sink:
    places, count = set(), 0
    def __getattr__(self, name):
        return lambda *_: None
    def before_send(self, source, data):
        if data[0] is V4.prr:
            row = dict(zip(V4.prr.fieldNames, data[1]))
            Sink.count += 1
            Sink.places.add((row["X_COORD"], row["Y_COORD"]))
with open(path, "rb") as file:
    parser = Parser(inp=file)
    parser.addSink(Sink())
    parser.parse()
print(Sink.count, "on", len(Sink.places))
""",
    "Semi-ATE-STDF": """
from Semi_ATE.STDF import records_from_file
rows = [r for r in records_from_file(str(path)) if type(r).__name__ == "PRR"]
print(len(rows), "on", len({(r.get_value("X_COORD"), r.get_value("Y_COORD")) for r in rows}))
""",
}


def main() -> None:
    """Print both tables and keep them."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--peers", type=Path, help="the Python of the peers' environment")
    asked.add_argument("--data", type=Path, default=DATA, help="folder with formats/ and bundles")
    asked.add_argument("--out", type=Path, default=RESULTS, help="where the JSON file goes")
    asked.add_argument("--quick", action="store_true", help="no bundle of maps")
    options = asked.parse_args()
    about = environment()
    print(header("wafermap_formats", about))
    counts = [_counted(options.data / "formats" / name, options.peers) for name in TRUTH]
    print("\nwafers / defects, or results on coordinates\n")
    columns = ("truth", "fabsight", *PEERS)
    print(table(("file", *columns), [(row["file"], *(row[c] for c in columns)) for row in counts]))
    times = _times(options.data, options.quick)
    print("\nprocessor time of one core\n")
    print(table(("file", "wafers", "seconds"), [tuple(row.values()) for row in times]))
    save(options.out, "wafermap_formats", {"environment": about, "counts": counts, "times": times})


def _counted(path: Path, peers: Path | None) -> dict[str, Any]:
    row: dict[str, Any] = {"file": path.name, "truth": TRUTH[path.name]}
    row["fabsight"] = _ours(path)
    with tempfile.TemporaryDirectory() as folder:
        plain = path
        if path.suffix == ".bz2" and path.is_file():
            plain = Path(folder) / path.stem
            plain.write_bytes(bz2.decompress(path.read_bytes()))
        for name, code in PEERS.items():
            stdf = name in ("pystdf", "Semi-ATE-STDF")
            row[name] = _peer(code, plain, peers) if stdf == (".stdf" in path.name) else "-"
    return row


def _ours(path: Path) -> str:
    wafers, defects, results, dies, refused = 0, 0, 0, 0, ""
    try:
        for wafer in read_wafers(path, WaferSettings()):
            wafers += 1
            dies += int((wafer.grid > 0).sum())
            results += int((wafer.grid > 0).sum()) + wafer.retests
            defects += 0 if wafer.defects is None else len(wafer.defects.id)
    except FabsightError:
        refused = ", then refused" if wafers else "refused"
    if ".stdf" in path.name:
        return f"{results} on {dies}{refused}"
    return f"{wafers} / {defects}{refused}"


def _peer(code: str, path: Path, python: Path | None) -> str:
    """What a peer prints; how it ended where it prints nothing."""
    if python is None:
        return "absent"
    program = f"import pathlib, sys\npath = pathlib.Path(sys.argv[1])\n{code}"
    try:
        done = subprocess.run(
            [python, "-c", program, path],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"> {LIMIT_S:.0f} s"
    if done.returncode == 0:
        return done.stdout.strip().splitlines()[-1]
    last = (done.stderr.strip().splitlines() or ["?"])[-1]
    return "absent" if last.startswith("ModuleNotFoundError") else last.partition(":")[0]


def _times(data: Path, quick: bool) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        klarf, csv = Path(folder) / "100,000 defects.klarf", Path(folder) / "100,000 dies.csv"
        klarf.write_text(_klarf(LARGE_DEFECTS))
        csv.write_text(_csv(LARGE_DIES))
        paths = [klarf, csv, data / "formats" / "lot2.stdf.bz2"]
        if not quick:
            paths += [data / "wm811k_trainval.npz"]
        return [_timed(path) for path in paths if path.is_file()]


def _timed(path: Path) -> dict[str, Any]:
    """The least of three runs."""
    seconds, wafers = [], 0
    for _ in range(3):
        began = time.process_time()
        wafers = sum(1 for _ in read_wafers(path, WaferSettings()))
        seconds.append(time.process_time() - began)
    return {"file": path.name, "wafers": wafers, "seconds": min(seconds)}


def _klarf(count: int) -> str:
    rows: Sequence[str] = [
        f" {k} {k % 977}.5 {k % 991}.25 {k % 31} {k % 29} 1.0 {k % 9} 1 1 1 7 0"
        for k in range(count)
    ]
    spec = "10 DEFECTID XREL YREL XINDEX YINDEX DSIZE CLASSNUMBER TEST IMAGECOUNT IMAGELIST"
    return (
        'FileVersion 1 2;\nLotID "L";\nSampleSize 1 300;\nDiePitch 9000 9000;\nWaferID "1";\n'
        f"SampleCenterLocation 135000 135000;\nDefectRecordSpec {spec};\nDefectList\n"
        + "\n".join(rows)
        + ";\nEndOfFile;\n"
    )


def _csv(count: int) -> str:
    rows = (f"L,{k // 4000},{k % 63},{k % 4000 // 63},{1 + k % 7},{k % 90}" for k in range(count))
    return "lot,wafer,x,y,hbin,sbin\n" + "\n".join(rows)


if __name__ == "__main__":
    main()
