"""The one dataset format on disk: a folder of images, `examples.jsonl` and a card.

    {"images": ["000001.png"], "question": "...", "answer": "...", "reference": "000001_mask.png"}

One line an example; at least one of answer and reference. Optional keys: group, split, kind,
difficulty, golden, context, shots, description, source, nm_per_px and scale_source (one for all
images, or a list), metadata. Other keys are kept in metadata. The golden image and the reference
have the first image's scale. Image paths are relative to the folder and stay inside it.

Writing is crash-safe: images are written whole before the line that names them, and a line cut off
by a crash is removed when writing goes on.
"""

import fcntl
import hashlib
import io
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np

from fabsight import images
from fabsight.files import clear_strays, replace_file
from fabsight.inputs import Unreadable
from fabsight.settings import parse_settings, settings_from_json, to_json
from fabsight.task import AnswerError, Example, FabsightError, Image, Question, Task

A = TypeVar("A")
C = TypeVar("C")

LINES = "examples.jsonl"
CARD = "README.md"
MASK, GOLDEN = "_mask", "_golden"
IMAGE_SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".webp", ".npy")
SYNC_EVERY = 64  # lines between two flushes to the disk itself
NO_RECORD = "expected an object {...} with the keys images, question, answer"
OF_EXAMPLE = ("group", "split", "kind", "difficulty")
OF_QUESTION = ("description", "source")
KNOWN = {*OF_EXAMPLE, *OF_QUESTION, "images", "question", "answer", "reference", "golden"}
TOP_LEVEL = ("rubric", "cameras")  # metadata that has a key of its own on disk
KNOWN |= {"context", "shots", "nm_per_px", "scale_source", "metadata"}


def write(
    folder: Path, examples: Iterable[Example[C]], task: Task[A, C], card: str | Mapping[str, Any]
) -> int:
    """Append examples to a dataset, then write its card; returns how many examples it now holds.

    To go on after a crash, skip the first `resume(folder)` examples and call again: the folder is
    then the same as if nothing had happened. `card` says what, how made, seed and licence, as
    Markdown or as a mapping; counts are added. Raises FabsightError when the folder cannot be
    written or another process writes it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LINES).open("ab") as file:
            _lock(file, folder)
            clear_strays(folder)
            index = _cut(folder / LINES)
            for example in examples:
                index += 1
                record = _record(folder, f"{index:06d}", example, task.context)
                text = json.dumps(record, ensure_ascii=False, allow_nan=False)
                file.write(text.encode("utf-8", "surrogatepass") + b"\n")
                file.flush()
                if index % SYNC_EVERY == 0:
                    os.fsync(file.fileno())
            os.fsync(file.fileno())
    except OSError as error:
        raise _unwritable(folder, error) from error
    replace_file(folder / CARD, _card(folder, task.name, card).encode())
    return index


def read(
    folder: Path,
    task: Task[A, C],
    split: str | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Example[C]]:
    """The examples of a dataset, one at a time; `split` keeps those of one split.

    `settings` (`--set` strings) win over the context of a line, which wins over the defaults.
    Without `examples.jsonl`, every image with a mask beside it (`x.png`, `x_mask.png`) is an
    example. Raises FabsightError naming file, line and fix for a line that cannot be used.
    """
    for found in scan(folder, task, split, settings):
        if isinstance(found, Unreadable):
            raise FabsightError(f"{found.path}: {found.error}")
        yield found


def scan(
    folder: Path,
    task: Task[A, C],
    split: str | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Example[C] | Unreadable]:
    """As `read`, but what cannot be used is an `Unreadable` in its place and the rest goes on.

    A line of which not even the split can be read is given whatever `split` asks for.
    """
    for where, example in _examples(folder, task, split):
        try:
            found: Example[C] | Unreadable = _answerable(_set(example(), task, settings), task)
        except FabsightError as error:
            found = Unreadable(where, str(error))
        yield found


def splits(folder: Path) -> Counter[str]:
    """How many examples there are of each split, of "" where none is named; reads no image."""
    if not (folder / LINES).is_file():
        return Counter({"": count(folder)})
    found: Counter[str] = Counter()
    for _, line in _lines(folder):
        with suppress(FabsightError):
            split = _parsed(line).get("split") or ""
            if isinstance(split, str):
                found[split] += 1
    return found


def count(folder: Path) -> int:
    """How many examples a dataset holds; images are not opened."""
    if not (folder / LINES).is_file():
        return sum(1 for _ in _masked_pairs(folder))
    return sum(1 for _ in _lines(folder))


def resume(folder: Path) -> int:
    """How many whole examples `examples.jsonl` holds, after cutting off what a crash left torn.

    Raises FabsightError when another process writes it.
    """
    try:
        with (folder / LINES).open("rb+") as file:
            _lock(file, folder)
            return _cut(folder / LINES)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise _unwritable(folder, error) from error


def _cut(path: Path) -> int:
    whole = kept = 0
    with path.open("rb+") as file:
        for line in file:
            if not line.endswith(b"\n") or b"\0" in line:  # cut off, or never reached the disk
                break
            kept += len(line)
            whole += bool(line.strip())
        file.truncate(kept)
    return whole


def _unwritable(folder: Path, error: OSError) -> FabsightError:
    return FabsightError(
        f"write dataset {folder}: {error.strerror or error}; check that it is a writable folder "
        "with space"
    )


def _lock(file: IO[bytes], folder: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise FabsightError(
            f"write dataset {folder}: another process is writing it; give another folder"
        ) from None


def _lines(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Where (file:line) and the bytes of each line that is not blank."""
    with (folder / LINES).open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield f"{folder / LINES}:{number}", line


def _parsed(line: bytes) -> dict[str, Any]:
    """What a line says."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FabsightError(f"this line is no JSON ({error}); correct or remove it") from None
    if not isinstance(record, dict):
        raise FabsightError(NO_RECORD)
    return record


def _examples(
    folder: Path, task: Task[A, C], split: str | None
) -> Iterator[tuple[str, Callable[[], Example[C]]]]:
    """Where each example of a split stands, and what reads it (its images among it)."""
    if (folder / LINES).is_file():
        for where, line in _lines(folder):
            with suppress(FabsightError):  # reading it says so again
                if split is not None and (_parsed(line).get("split") or "") != split:
                    continue
            yield where, partial(_example_in, folder, line, task)
    elif not split:
        for picture, mask in _masked_pairs(folder):
            yield str(picture), partial(_masked, picture, mask, task)


def _example_in(folder: Path, line: bytes, task: Task[A, C]) -> Example[C]:
    return _example(folder, _parsed(line), task)


def _record(folder: Path, stem: str, example: Example[C], context: type[C]) -> dict[str, Any]:
    """The line of one example, its pictures written; keys with nothing to say are left out."""
    question, pictures = example.question, example.question.images
    if not isinstance(question.context, context):
        raise FabsightError(
            f"write dataset {folder}: the context is a {type(question.context).__name__}; this "
            f"task's is a {context.__name__}"
        )
    other = {key: item for key, item in example.metadata.items() if key not in TOP_LEVEL}
    roles = [f"_{k}" for k in range(len(pictures))] if len(pictures) > 1 else [""]
    record: dict[str, Any] = {
        "images": [_place(folder, stem, *pair) for pair in zip(pictures, roles, strict=False)],
        "question": question.text,
        "answer": example.answer,
        "reference": example.reference and _place(folder, stem, example.reference, MASK),
        "golden": question.golden and _place(folder, "", question.golden, GOLDEN),
        **{key: getattr(example, key) or None for key in OF_EXAMPLE},
        **{key: getattr(question, key) or None for key in OF_QUESTION},
        "context": to_json(question.context),
        "shots": [_record(folder, "", shot, context) for shot in question.shots] or None,
        **{key: to_json(example.metadata.get(key)) for key in TOP_LEVEL},
        "metadata": to_json(other) or None,
    }
    if any(image.nm_per_px is not None for image in pictures):
        record["nm_per_px"] = [image.nm_per_px for image in pictures]
        record["scale_source"] = [image.scale_source for image in pictures]
    return {key: value for key, value in record.items() if value is not None}


def _place(folder: Path, stem: str, image: Image, role: str) -> str:
    """Write a picture; returns its file name.

    Without a stem the picture may belong to many examples (a shot, a golden image): it is named
    after its content and written once.
    """
    pixels = np.ascontiguousarray(image.pixels)
    if not stem:
        digest = hashlib.sha256(f"{pixels.dtype} {pixels.shape} ".encode() + pixels.tobytes())
        stem = f"shared_{digest.hexdigest()[:16]}"
    name = stem + role + (".tif" if pixels.dtype == np.float32 else ".png")
    if stem.startswith("shared_") and (folder / name).exists():
        return name
    if pixels.dtype == np.float32:  # PNG holds no floats
        replace_file(folder / name, _float_tiff(pixels))
    else:
        images.save_png(folder / name, image.pixels)
    return name


def _float_tiff(pixels: np.ndarray) -> bytes:
    import tifffile

    buffer = io.BytesIO()
    kind = "rgb" if pixels.ndim == 3 else "minisblack"
    tifffile.imwrite(buffer, pixels, photometric=kind, compression="zlib", metadata=None)
    return buffer.getvalue()


def _card(folder: Path, task: str, card: str | Mapping[str, Any]) -> str:
    """The card as Markdown: what the caller says, then the counts."""
    if isinstance(card, Mapping):
        said = "\n".join(f"- {key}: {value}" for key, value in card.items())
        card = f"# {task} dataset\n\n{said}"
    tallies: dict[str, Counter[str]] = {key: Counter() for key in ("split", "kind", "difficulty")}
    total = 0
    for where, line in _lines(folder):
        try:
            record = _parsed(line)
        except FabsightError as error:
            raise FabsightError(f"{where}: {error}") from None
        total += 1
        for key, tally in tallies.items():
            tally[str(record.get(key, "") or "not given")] += 1
    rows = [f"| all | {total} |"]
    for key, tally in tallies.items():
        if set(tally) - {"not given"}:
            rows += [f"| {key} {name} | {number} |" for name, number in sorted(tally.items())]
    table = "\n".join(["| examples | count |", "|---|---|", *rows])
    return f"{card.rstrip()}\n\nTask `{task}`; one example a line in `{LINES}`.\n\n{table}\n"


def _masked(picture: Path, mask: Path, task: Task[A, C]) -> Example[C]:
    """The example of an image with a mask beside it."""
    image = images.read(picture)
    question = Question((image,), task.prompt, task.context(), str(picture))
    return Example(question, reference=_reference(mask, image), group=picture.stem)


def _masked_pairs(folder: Path) -> Iterator[tuple[Path, Path]]:
    if not folder.is_dir():
        raise FabsightError(f"read dataset {folder}: there is no such folder; check the path")
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    masks = {p.stem.removesuffix(MASK): p for p in files if p.stem.endswith(MASK)}
    pairs = [(p, masks[p.stem]) for p in files if p.stem in masks]
    if not pairs:
        raise FabsightError(
            f"read dataset {folder}: no {LINES}, and no image with a mask beside it; write one "
            f"(a line an example), or name masks like x{MASK}.png beside x.png"
        )
    yield from pairs


def _set(example: Example[C], task: Task[A, C], settings: Mapping[str, str] | None) -> Example[C]:
    if not settings:
        return example
    context = parse_settings(task.context, settings, example.question.context)
    return replace(example, question=replace(example.question, context=context))


def _answerable(example: Example[C], task: Task[A, C]) -> Example[C]:
    """The example, whose true answer is one in the task's language."""
    if example.answer is not None:
        try:
            task.parse(example.answer, example.question)
        except AnswerError as error:
            raise FabsightError(f"answer: {error}; correct or remove the line") from error
    return example


def _reference(path: Path, image: Image) -> Image:
    """A mask or golden image, with the scale of the image it belongs to."""
    read_image = images.read(path)
    return replace(read_image, nm_per_px=image.nm_per_px, scale_source=image.scale_source)


def _example(folder: Path, record: Any, task: Task[A, C]) -> Example[C]:
    """The example that a line, or a shot in it, describes."""
    if not isinstance(record, dict):
        raise FabsightError(NO_RECORD)
    for key in ("question", "answer", "reference", "golden", *OF_EXAMPLE, *OF_QUESTION):
        if not isinstance(record.get(key), str | None):
            raise FabsightError(f"{key} is {json.dumps(record[key])[:80]}; write text in quotes")
    if record.get("answer") is None and record.get("reference") is None:
        raise FabsightError("neither answer nor reference; give at least one of them")
    pictures = _pictures(folder, record)
    known = {key: record.get(key) or "" for key in (*OF_EXAMPLE, *OF_QUESTION)}
    question = Question(
        pictures,
        task.prompt if record.get("question") is None else record["question"],
        settings_from_json(task.context, record.get("context") or {}),
        source=known["source"] or str(folder / _listed(record, "images")[0]),
        shots=tuple(_example(folder, shot, task) for shot in _listed(record, "shots")),
        golden=_beside(folder, record, "golden", pictures[0]),
        description=known["description"],
    )
    return Example(
        question,
        answer=record.get("answer"),
        reference=_beside(folder, record, "reference", pictures[0]),
        metadata=_metadata(record),
        **{key: known[key] for key in OF_EXAMPLE},
    )


def _pictures(folder: Path, record: Mapping[str, Any]) -> tuple[Image, ...]:
    names = _listed(record, "images")
    if not names:
        raise FabsightError('no images; give their names, as in "images": ["0001.png"]')
    scales = _each(record, "nm_per_px", len(names))
    sources = _each(record, "scale_source", len(names))
    found = []
    for name, nm, source in zip(names, scales, sources, strict=True):
        image = images.read(_inside(folder, name))
        if nm is not None:
            if not isinstance(nm, int | float) or not 0 < nm < float("inf"):
                raise FabsightError(f"nm_per_px is {json.dumps(nm)}; give a number above 0 or null")
            image = replace(image, nm_per_px=float(nm), scale_source=str(source or "dataset"))
        found.append(image)
    return tuple(found)


def _beside(folder: Path, record: Mapping[str, Any], key: str, image: Image) -> Image | None:
    name = record.get(key)
    return None if name is None else _reference(_inside(folder, name), image)


def _inside(folder: Path, name: Any) -> Path:
    """The file of that name in the folder; names that lead out of it are refused."""
    if not isinstance(name, str) or not name:
        raise FabsightError(f"{json.dumps(name)[:80]} is no image name; give a file of the folder")
    path = folder / name
    if "\0" in name or not path.resolve().is_relative_to(folder.resolve()):
        raise FabsightError(f"{name!r} lies outside {folder}; copy it into the folder")
    return path


def _listed(record: Mapping[str, Any], key: str) -> list[Any]:
    value = record.get(key)
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        raise FabsightError(f"{key} is {json.dumps(value)[:80]}; give a list")
    return value


def _each(record: Mapping[str, Any], key: str, number: int) -> list[Any]:
    """One value per image, from one for all or a list."""
    value = record.get(key)
    if not isinstance(value, list):
        return [value] * number
    if len(value) != number:
        raise FabsightError(f"{key} has {len(value)} values for {number} images; give one each")
    return value


def _metadata(record: Mapping[str, Any]) -> dict[str, Any]:
    stored = record.get("metadata") or {}
    if not isinstance(stored, dict):
        raise FabsightError(f"metadata is {json.dumps(stored)[:80]}; give an object {{...}}")
    return {**{k: v for k, v in record.items() if k not in KNOWN}, **stored}
