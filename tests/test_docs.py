"""Documentation says what the code does: generated parts are fresh, links lead somewhere."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md"), *(ROOT / "changelog.d").glob("*.md")]
)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_parts_are_what_the_code_says(generate):
    stale = [path.name for path in generate.stale()]
    assert stale == [], "run `make docs`"


def test_every_verb_and_option_is_documented(generate):
    page = (ROOT / "docs" / "cli.md").read_text()
    for name, command in generate.commands().items():
        (section,) = re.findall(rf"^## fabsight {name}$(.*?)(?=^## )", page, re.M | re.S)
        for parameter in command.params:
            option = parameter.param_type_name == "option"
            for each in parameter.opts if option else [parameter.metavar]:
                assert each in section, f"{name}: {each}"


def test_every_setting_of_every_task_is_documented(generate):
    from fabsight.settings import describe_settings

    page = (ROOT / "docs" / "cli.md").read_text()
    for task in generate.all_tasks().values():
        for setting in describe_settings(task.context):
            assert f"| `{setting.name}` |" in page
            assert setting.help, f"{task.name}: {setting.name} has no meaning in the docstring"


def test_the_tree_in_the_readme_is_the_source(generate):
    readme = (ROOT / "README.md").read_text()
    assert all(marker in readme for marker in generate.TREE)
    assert generate.tree() in readme


def test_every_module_says_what_it_is(generate):
    modules = list(generate.SOURCE.rglob("*.py"))
    silent = [p.relative_to(ROOT).as_posix() for p in modules if not generate.headline(p)]
    assert silent == []


@pytest.mark.parametrize("page", PAGES, ids=[p.relative_to(ROOT).as_posix() for p in PAGES])
def test_links_lead_somewhere(page):
    for target in LINK.findall(page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=[p.relative_to(ROOT).as_posix() for p in PAGES])
def test_python_in_the_documentation_compiles(page):
    for number, block in enumerate(PYTHON.findall(page.read_text())):
        compile(block, f"{page.name} block {number}", "exec")


def test_the_task_in_the_contribution_guide_works():
    from fabsight.evaluation import evaluate
    from fabsight.models import load
    from fabsight.synthesis import synthesize

    block = PYTHON.findall((ROOT / "CONTRIBUTING.md").read_text())[0]
    names = {"__name__": "bright"}
    exec(block, names)
    task = names["BRIGHT"]
    graded = evaluate(task, list(synthesize(task, 40)), load("embedded", task), "embedded")
    assert graded.metrics["accuracy"] == 1.0 > graded.floor["accuracy"]


def test_the_reader_in_the_contribution_guide_works(tmp_path):
    from fabsight.netdsl.language import Program, straight
    from fabsight.netdsl.rendering import render
    from fabsight.task import AnswerError, Imported

    block = next(b for b in PYTHON.findall((ROOT / "CONTRIBUTING.md").read_text()) if "rects" in b)
    names = {"AnswerError": AnswerError, "Program": Program, "straight": straight}
    names["Imported"] = Imported
    exec(block, names)
    (tmp_path / "two.rects").write_text("0 0 10 4\n20 8 2 2\n")
    assert render(names["read_rects"](tmp_path / "two.rects", None).answer).sum() == 44
    (tmp_path / "bad.rects").write_text("0 0 10\n")
    with pytest.raises(AnswerError, match=r"bad\.rects:1: expected x y width height"):
        names["read_rects"](tmp_path / "bad.rects", None)
