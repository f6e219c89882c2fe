"""Starting the command line is quick because nothing heavy is imported; this test can fail too."""

import os
import subprocess
import sys

HEAVY = ["numpy", "scipy", "cv2", "matplotlib", "PIL", "tifffile", "gdstk", "onnxruntime"]
HEAVY += ["rich", "jaxtyping", "torch", "transformers", "skimage"]
START_S = 0.3
TRIES = 3


def run(code):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return ended.stdout


def heavy_after(code):
    seen = f"import sys; print([m for m in {HEAVY} if m in sys.modules], file=sys.__stdout__)"
    return run(f"{code}\n{seen}").strip().splitlines()[-1]


def test_the_command_line_imports_nothing_heavy():
    assert heavy_after("import fabsight.cli") == "[]"


def test_help_imports_nothing_heavy():
    ask = "from fabsight.cli import main\ntry: main(['predict', '--help'])\nexcept SystemExit: pass"
    assert heavy_after(ask) == "[]"


def test_importing_the_package_imports_nothing_heavy():
    assert heavy_after("import fabsight") == "[]"


def test_the_tests_above_can_fail():
    assert heavy_after("import fabsight.task") == "['numpy', 'jaxtyping']"


def test_help_starts_in_a_fraction_of_a_second():
    # The process's own time: what else the machine does at the moment is not the command line's.
    code = "from fabsight.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += "import time; print('took', time.process_time())"
    took = [float(run(code).split()[-1]) for _ in range(TRIES)]
    assert min(took) < START_S
