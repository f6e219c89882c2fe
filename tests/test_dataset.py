import json
import multiprocessing
import os
import signal
import time
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fabsight import dataset
from fabsight.files import strays
from fabsight.images import save_png
from fabsight.inputs import Unreadable
from fabsight.task import AnswerError, Check, Example, FabsightError, Image, Metric, Question, Task


@dataclass(frozen=True)
class Toy:
    """Settings of a toy task.

    Attributes:
        edge: An edge.
        size: A size.
    """

    edge: str = "mid"
    size: tuple[int, int] = (2, 3)


def toy_task(context=Toy):
    """Only name, prompt and context matter to a dataset."""
    return Task(
        name="toy",
        prompt="What is this?",
        metrics={"exact": Metric("higher", 1.0, 0.0)},
        context=context,
        recognises=lambda _: 0.0,
        read=lambda _paths, _context: iter(()),
        synthesize=lambda rng: numbered(int(rng.integers(9))),
        solve=lambda _: "",
        parse=lambda text, _: text,
        write=str,
        verify=lambda _q, _a: Check(0.0, 0.0, True, {}),
        refine=lambda _, answer: answer,
        score=lambda _a, _e: {},
        summarise=lambda _: {},
        draw=lambda question, _: question.images[0].pixels,
        exports={},
    )


TASK = toy_task()


def numbered(k, **changes):
    image = Image(np.full((4, 5), k, np.uint8), 2.5, "user")
    question = Question((image,), f"number {k}?", Toy(), source=f"toy/{k}")
    example = Example(
        question, f"it is {k}", group=f"g{k // 2}", split="train" if k % 3 else "test"
    )
    return replace(example, **changes)


def same_image(a, b):
    if a is None or b is None:
        return a is b
    same = a.pixels.dtype == b.pixels.dtype and np.array_equal(a.pixels, b.pixels)
    return same and (a.nm_per_px, a.scale_source) == (b.nm_per_px, b.scale_source)


def same(a, b):
    p, q = a.question, b.question
    assert len(p.images) == len(q.images)
    assert len(p.shots) == len(q.shots)
    assert all(map(same_image, (*p.images, p.golden), (*q.images, q.golden)))
    assert (p.text, p.context, p.source, p.description) == (
        q.text,
        q.context,
        q.source,
        q.description,
    )
    for s, t in zip(p.shots, q.shots, strict=True):
        same(s, t)
    assert same_image(a.reference, b.reference)
    keys = ("answer", "group", "split", "kind", "difficulty")
    assert [getattr(a, k) for k in keys] == [getattr(b, k) for k in keys]
    assert a.metadata == b.metadata


shapes = st.tuples(st.integers(1, 6), st.integers(1, 6))
shapes = shapes | shapes.map(lambda s: (*s, 3))
pixels = st.one_of(
    arrays.arrays(np.uint8, shapes),
    arrays.arrays(np.uint16, shapes),
    arrays.arrays(np.float32, shapes, elements=st.floats(-1e6, 1e6, width=32)),
)
scales = st.none() | st.floats(1e-3, 1e6)
texts = st.text(max_size=12)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def pictures(draw, nm=None):
    nm = draw(scales) if nm is None else nm
    return Image(draw(pixels), nm, "user" if nm else "")


@st.composite
def some_examples(draw, shots=2):
    views = tuple(draw(st.lists(pictures(), min_size=1, max_size=3)))
    beside = st.none() | pixels.map(lambda p: Image(p, views[0].nm_per_px, views[0].scale_source))
    question = Question(
        views,
        draw(texts),
        Toy(draw(texts), draw(st.tuples(st.integers(), st.integers()))),
        source=draw(texts.filter(bool)),
        shots=tuple(draw(some_examples(shots=0)) for _ in range(draw(st.integers(0, shots)))),
        golden=draw(beside),
        description=draw(texts),
    )
    reference = draw(beside)
    keys = {k: draw(texts) for k in ("group", "split", "kind", "difficulty")}
    names = st.sampled_from(["rubric", "cameras", "lot", "µ"])
    return Example(
        question,
        draw(texts) if reference is None else draw(st.none() | texts),
        reference,
        metadata=draw(
            st.dictionaries(names, json_values.filter(lambda v: v is not None), max_size=3)
        ),
        **keys,
    )


@given(st.lists(some_examples(), max_size=3))
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
def test_what_is_written_reads_back(tmp_path_factory, examples):
    folder = tmp_path_factory.mktemp("set")
    assert dataset.write(folder, examples, TASK, "a card") == len(examples)
    back = list(dataset.read(folder, TASK))
    assert len(back) == dataset.count(folder) == len(examples)
    for a, b in zip(examples, back, strict=True):
        same(a, b)
    again = tmp_path_factory.mktemp("again")
    dataset.write(again, back, TASK, "a card")
    assert files_of(again) == files_of(folder)


def files_of(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_the_format_is_the_documented_one(tmp_path):
    mask = Image(np.eye(4, 5, dtype=np.uint8), 2.5, "user")
    dataset.write(tmp_path, [numbered(1, reference=mask)], TASK, "x")
    record = json.loads((tmp_path / "examples.jsonl").read_text())
    assert record == {
        "images": ["000001.png"],
        "question": "number 1?",
        "answer": "it is 1",
        "reference": "000001_mask.png",
        "group": "g0",
        "split": "train",
        "source": "toy/1",
        "context": {"edge": "mid", "size": [2, 3]},
        "nm_per_px": [2.5],
        "scale_source": ["user"],
    }
    assert sorted(files_of(tmp_path)) == [
        "000001.png", "000001_mask.png", "README.md", "examples.jsonl",
    ]  # fmt: skip


def test_shots_and_golden_images_are_stored_once(tmp_path):
    golden = Image(np.full((4, 5), 99, np.uint8), 2.5, "user")
    shots = (numbered(7), numbered(8))
    question = replace(numbered(1).question, golden=golden, shots=shots)
    dataset.write(tmp_path, [numbered(1, question=question)] * 5, TASK, "x")
    assert len(list(tmp_path.glob("shared_*.png"))) == 3
    assert len(list(tmp_path.glob("*.png"))) == 5 + 3


def test_the_card_says_what_and_how_many(tmp_path):
    card = {"what": "numbers", "seed": 3, "licence": "CC0"}
    dataset.write(tmp_path, map(numbered, range(6)), TASK, card)
    text = (tmp_path / "README.md").read_text()
    for line in (
        "# toy dataset",
        "- seed: 3",
        "| all | 6 |",
        "| split test | 2 |",
        "| split train | 4 |",
    ):
        assert line in text.splitlines()
    assert "kind" not in text


def test_splits_and_lazy_reading(tmp_path):
    dataset.write(tmp_path, map(numbered, range(6)), TASK, "x")
    assert [e.answer for e in dataset.read(tmp_path, TASK, "test")] == ["it is 0", "it is 3"]
    (tmp_path / "000006.png").unlink()
    reader = dataset.read(tmp_path, TASK)
    assert [next(reader).answer for _ in range(5)][-1] == "it is 4"
    with pytest.raises(
        FabsightError, match=r"examples.jsonl:6: read image: .*000006.png: there is no"
    ):
        next(reader)


def test_a_torn_tail_is_cut_and_writing_goes_on(tmp_path):
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    dataset.write(whole, map(numbered, range(5)), TASK, "x")
    dataset.write(torn, map(numbered, range(3)), TASK, "x")
    for rest in (b'{"images": ["0000', b"\0\0\0\0\n", b'{"images"\xff'):
        with (torn / "examples.jsonl").open("ab") as file:
            file.write(rest)
        assert dataset.resume(torn) == 3
    assert dataset.write(torn, map(numbered, range(3, 5)), TASK, "x") == 5
    assert files_of(torn) == files_of(whole)


def _endless(folder):
    dataset.write(
        folder, (numbered(k % 200) for k in range(dataset.resume(folder), 10**9)), TASK, "x"
    )


def test_killed_writers_lose_nothing_and_write_nothing_twice(tmp_path):
    context = multiprocessing.get_context("fork")
    for _ in range(10):
        before = dataset.resume(tmp_path)
        writer = context.Process(target=_endless, args=(tmp_path,))
        writer.start()
        limit = time.monotonic() + 20
        while dataset_lines(tmp_path) < before + 3 and time.monotonic() < limit:
            time.sleep(0.005)
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
    (tmp_path / ".fabsight-4711-0123abcd.tmp").write_text("half")
    number = dataset.write(tmp_path, [], TASK, "x")
    assert number >= 30
    for k, example in enumerate(dataset.read(tmp_path, TASK)):
        assert example.answer == f"it is {k % 200}"
        assert example.question.images[0].pixels[0, 0] == k % 200
    assert strays(tmp_path) == []


def dataset_lines(folder):
    path = folder / "examples.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_two_writers_do_not_mix(tmp_path):
    def nested():
        yield numbered(0)
        with pytest.raises(FabsightError, match="another process is writing"):
            dataset.write(tmp_path, [numbered(9)], TASK, "x")
        with pytest.raises(FabsightError, match="another process is writing"):
            dataset.resume(tmp_path)
        yield numbered(1)

    assert dataset.write(tmp_path, nested(), TASK, "x") == 2


def hand_written(folder, **changes):
    folder.mkdir(exist_ok=True)
    save_png(folder / "a.png", np.full((4, 5), 3, np.uint8))
    record = {"images": ["a.png"], "answer": "three", **changes}
    text = json.dumps({k: v for k, v in record.items() if v != "absent"})
    (folder / "examples.jsonl").write_text('{"images": "a.png", "answer": ""}\n\n' + text + "\n")
    return folder


def test_hand_written_lines_may_be_short(tmp_path):
    folder = hand_written(tmp_path, nm_per_px=4, rubric=["a"], lot="L7", metadata={"wafer": 3})
    first, second = dataset.read(folder, TASK)
    assert (first.answer, first.question.text, first.question.context) == ("", TASK.prompt, Toy())
    assert second.question.images[0].nm_per_px == 4
    assert second.question.images[0].scale_source == "dataset"
    assert second.question.source == str(folder / "a.png")
    assert second.metadata == {"rubric": ["a"], "lot": "L7", "wafer": 3}
    assert dataset.count(folder) == 2


def test_settings_win_over_a_lines_context_and_that_over_the_defaults(tmp_path):
    folder = hand_written(tmp_path, context={"size": [7, 8]})
    contexts = [e.question.context for e in dataset.read(folder, TASK, settings={"edge": "outer"})]
    assert contexts == [Toy("outer", (2, 3)), Toy("outer", (7, 8))]
    with pytest.raises(FabsightError, match="there is no setting 'egde'"):
        list(dataset.read(folder, TASK, settings={"egde": "outer"}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"images": ["../secret.png"]}, r"'\.\./secret\.png' lies outside"),
        ({"images": ["/etc/passwd"]}, "lies outside"),
        ({"images": ["a\0.png"]}, "lies outside"),
        ({"reference": "x/../../y.png"}, "lies outside"),
        ({"images": ["b.png"]}, "there is no such file"),
        ({"images": ["examples.jsonl"]}, "this is a text file"),
        ({"images": []}, "no images; give their names"),
        ({"images": "absent"}, "no images; give their names"),
        ({"images": {"a": 1}}, "images is .*; give a list"),
        ({"images": [3]}, "3 is no image name"),
        ({"answer": "absent"}, "neither answer nor reference"),
        ({"answer": 3}, "answer is 3; write text in quotes"),
        ({"context": {"egde": "mid"}}, "there is no setting 'egde'; did you mean 'edge'"),
        ({"context": {"size": [1]}}, "expected 2 values, got 1"),
        ({"context": [1]}, "expected an object"),
        ({"metadata": [1]}, "metadata is .*; give an object"),
        ({"nm_per_px": [1, 2]}, "nm_per_px has 2 values for 1 images"),
        ({"nm_per_px": -1}, "nm_per_px is -1; give a number above 0"),
        ({"nm_per_px": "4 nm"}, 'nm_per_px is "4 nm"'),
        ({"shots": [{"images": ["a.png"]}]}, "neither answer nor reference"),
        ({"shots": 3}, "shots is 3; give a list"),
        ({"shots": [3]}, "expected an object"),
        ({"golden": "../a.png"}, "lies outside"),
    ],
)
def test_what_cannot_be_used_is_refused_with_file_and_line(tmp_path, changes, said):
    reader = dataset.read(hand_written(tmp_path / "set", **changes), TASK)
    assert next(reader).answer == ""
    with pytest.raises(FabsightError, match=said) as caught:
        next(reader)
    assert "examples.jsonl:3: " in str(caught.value)


def test_links_that_lead_out_are_refused(tmp_path):
    save_png(tmp_path / "secret.png", np.zeros((2, 2), np.uint8))
    folder = hand_written(tmp_path / "set", images=["link.png"])
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(FabsightError, match="lies outside"):
        list(dataset.read(folder, TASK))


@pytest.mark.parametrize(
    "line", ["{", "[" * 100_000, "nonsense", "[1]", "3", '{"images": ["a.png"]']
)
def test_lines_that_are_no_records_are_named(tmp_path, line):
    folder = hand_written(tmp_path)
    with (folder / "examples.jsonl").open("a") as file:
        file.write(line)
    with pytest.raises(FabsightError, match=r"examples\.jsonl:4: "):
        list(dataset.read(folder, TASK))


def test_scanning_goes_on_after_what_cannot_be_used(tmp_path):
    def parse(text, _):
        if text == "it is 4":
            raise AnswerError("toy line 1: four is no number", 1, 1)
        return text

    dataset.write(tmp_path, map(numbered, range(6)), TASK, "x")
    lines = (tmp_path / "examples.jsonl").read_text().splitlines()
    lines[1] = "nonsense"
    (tmp_path / "examples.jsonl").write_text("\n".join(lines))
    (tmp_path / "000003.png").unlink()
    task = replace(TASK, parse=parse)
    place = str(tmp_path / "examples.jsonl")
    found = list(dataset.scan(tmp_path, task))
    broken = {e.path.removeprefix(place): e.error for e in found if isinstance(e, Unreadable)}
    assert [e.answer for e in found if isinstance(e, Example)] == ["it is 0", "it is 3", "it is 5"]
    assert list(broken) == [":2", ":3", ":5"]
    assert "is no JSON" in broken[":2"]
    assert "000003.png: there is no such file" in broken[":3"]
    assert "answer: toy line 1: four is no number" in broken[":5"]
    # What split line 2 is of cannot be read: it counts in each.
    test = dataset.scan(tmp_path, task, "test")
    test = [e.path if isinstance(e, Unreadable) else e.answer for e in test]
    assert test == ["it is 0", f"{place}:2", "it is 3"]
    with (tmp_path / "examples.jsonl").open("a") as file:
        file.write('\n{"images": ["000001.png"], "split": 7}\n')
    assert dataset.splits(tmp_path) == {"train": 3, "test": 2}


def test_images_without_lines_have_no_split_and_broken_ones_are_named(tmp_path):
    for name in ("a", "b"):
        save_png(tmp_path / f"{name}.png", np.full((4, 5), 7, np.uint8))
        save_png(tmp_path / f"{name}_mask.png", np.eye(4, 5, dtype=np.uint8))
    (tmp_path / "a.png").write_bytes(b"torn")
    first, second = dataset.scan(tmp_path, TASK)
    assert (first.path, second.group) == (str(tmp_path / "a.png"), "b")
    assert list(dataset.scan(tmp_path, TASK, "test")) == []
    assert dataset.splits(tmp_path) == {"": 2}


@given(st.binary(max_size=200))
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
def test_any_line_gives_examples_or_one_clear_error(tmp_path, noise):
    (tmp_path / "examples.jsonl").write_bytes(noise)
    try:
        list(dataset.read(tmp_path, TASK))
    except FabsightError as error:
        message = str(error)
    else:
        message = "examples.jsonl:"
    assert "examples.jsonl:" in message


def test_images_with_masks_beside_them_are_a_dataset(tmp_path):
    mask = np.eye(4, 5, dtype=np.uint8)
    for name in ("b", "a"):
        save_png(tmp_path / f"{name}.png", np.full((4, 5), ord(name), np.uint8))
        save_png(tmp_path / f"{name}_mask.png", mask)
    save_png(tmp_path / "lonely.png", mask)
    found = list(dataset.read(tmp_path, TASK))
    assert [e.group for e in found] == ["a", "b"]
    assert np.array_equal(found[0].reference.pixels, mask)
    assert dataset.count(tmp_path) == 2


def test_folders_that_are_no_dataset_say_so(tmp_path):
    assert dataset.resume(tmp_path) == dataset.resume(tmp_path / "none") == 0
    with pytest.raises(FabsightError, match="no such folder"):
        list(dataset.read(tmp_path / "none", TASK))
    with pytest.raises(FabsightError, match=r"no examples\.jsonl, and no image with a mask"):
        list(dataset.read(tmp_path, TASK))
    (tmp_path / "file").write_text("x")
    with pytest.raises(FabsightError, match="check that it is a writable folder"):
        dataset.write(tmp_path / "file", [], TASK, "x")


def test_appending_to_a_broken_dataset_names_the_line(tmp_path):
    folder = hand_written(tmp_path)
    with (folder / "examples.jsonl").open("a") as file:
        file.write("nonsense\n")
    with pytest.raises(FabsightError, match=r"examples\.jsonl:4: this line is no JSON"):
        dataset.write(folder, [numbered(1)], TASK, "x")


def test_a_context_of_another_task_is_refused(tmp_path):
    other = numbered(
        0, question=Question(numbered(0).question.images, "?", context={"edge": "mid"})
    )
    with pytest.raises(FabsightError, match="the context is a dict; this task's is a Toy"):
        dataset.write(tmp_path, [other], TASK, "x")
