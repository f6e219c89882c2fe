"""The one abstraction: a task is how to pose, answer, read, check and grade one kind of question.

A model of any size writes text in the task's small language. `parse` reads it into a value,
`verify` checks the value against the input without any truth, `refine` improves it, `score`
grades it against a known truth. Every verb of the package (synthesize, train, predict, evaluate,
report) is one loop over these functions and knows nothing else about a task.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import numpy as np
from jaxtyping import Float32, UInt8, UInt16

A = TypeVar("A")  # an answer, as a value
C = TypeVar("C")  # what a question may carry beside its images: a frozen dataclass of settings

Pixels: TypeAlias = (
    UInt8[np.ndarray, "height width"]
    | UInt8[np.ndarray, "height width 3"]
    | UInt16[np.ndarray, "height width"]
    | UInt16[np.ndarray, "height width 3"]
    | Float32[np.ndarray, "height width"]
    | Float32[np.ndarray, "height width 3"]
)
Picture: TypeAlias = UInt8[np.ndarray, "height width 3"]


class FabsightError(Exception):
    """What a person did or gave cannot be used; the message names the place and the fix."""


class AnswerError(FabsightError, ValueError):
    """The text is not an answer in the task's language.

    Attributes:
        line: 1-based line of the first offending token, 0 where no line applies.
        column: 1-based column of the first offending token, 0 where no column applies.
    """

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


@dataclass(frozen=True, eq=False)
class Image:
    """Pixels as they were read, and how large one is.

    Attributes:
        pixels: uint8, uint16 or float32; (height, width) grey or (height, width, 3) RGB; row 0 on
            top. Raw values: nothing is clipped or rescaled.
        nm_per_px: Pixel size in nanometres, None when unknown.
        scale_source: Where `nm_per_px` came from ("FEI tag 34682 PixelWidth", "user", ...), "" when
            unknown.
        warnings: What a person should know about how the file was read.
    """

    pixels: Pixels
    nm_per_px: float | None = None
    scale_source: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Question(Generic[C]):
    """What a model sees.

    Attributes:
        images: The images, in the task's order; none for an answer read from a file.
        text: The question in words.
        context: Settings and facts the task defines (edge convention, die grid, cameras, ...).
        source: Where it came from, for error messages and results: a path, or path#wafer.
        shots: Labelled examples shown before the question.
        golden: A reference image to compare with.
        description: The user's own words about the sample.
        nm_per_px: Pixel size where there is no image to say it; images say their own.
        scale_source: Where that came from.
    """

    images: tuple[Image, ...]
    text: str
    context: C
    source: str = ""
    shots: tuple["Example[C]", ...] = ()
    golden: Image | None = None
    description: str = ""
    nm_per_px: float | None = None
    scale_source: str = ""


@dataclass(frozen=True, eq=False)
class Example(Generic[C]):
    """A question and its truth.

    Attributes:
        question: What is asked.
        answer: The true answer in the task's language, or None when only a reference is known.
        reference: The truth as pixels (a mask), for data labelled without an answer text.
        group: Examples of one group come from one source and stay on one side of a split.
        split: "train", "val", "test" or "".
        kind: A free label evaluations can be broken down by (a topology, a question family).
        difficulty: "easy", "medium", "hard" or "".
        metadata: Whatever else the dataset knows; kept on reading and writing.
    """

    question: Question[C]
    answer: str | None = None
    reference: Image | None = None
    group: str = ""
    split: str = ""
    kind: str = ""
    difficulty: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """How well an answer agrees with its own input; no truth is used.

    Attributes:
        score: 0 (contradicted) to 1 (confirmed); the confidence a person sees.
        coverage: 0 to 1, how much of the input the answer accounts for: silence covers nothing.
        independent: Whether the evidence is other than the model that proposed the answer
            (rendering against pixels: yes; a classifier grading itself: no). RL needs True.
        evidence: Named numbers and sentences a person can follow.
    """

    score: float
    coverage: float
    independent: bool
    evidence: Mapping[str, float | str]


@dataclass(frozen=True)
class Metric(Generic[C]):
    """One number of a score.

    Attributes:
        better: Which direction is better; "target" where neither is and nearer to `best` is. The
            headline metric has a direction.
        best: What the truth itself scores.
        worst: What an unreadable answer scores; may depend on the example.
        unit: "" for shares, else "px", "nm", ...
        corpus: True when the total is computed by `Task.summarise`, not the mean of rows.
    """

    better: Literal["higher", "lower", "target"]
    best: float | Callable[[Example[C]], float]
    worst: float | Callable[[Example[C]], float]
    unit: str = ""
    corpus: bool = False

    def worst_for(self, example: Example[C]) -> float:
        """The value a failure on this example scores."""
        return self.worst(example) if callable(self.worst) else self.worst

    def best_for(self, example: Example[C]) -> float:
        """The value the truth of this example scores."""
        return self.best(example) if callable(self.best) else self.best


Row: TypeAlias = dict[str, float]


@dataclass(frozen=True, eq=False)
class Imported(Generic[A]):
    """An answer that a file of another tool holds, and what is known of its scale.

    Attributes:
        answer: The value.
        nm_per_px: Pixel size in nanometres, None when unknown.
        scale_source: Where `nm_per_px` came from; where it is unknown, what exports then assume.
        warnings: What a person should know about how the file was read.
    """

    answer: A
    nm_per_px: float | None = None
    scale_source: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wish:
    """Which variants of an answer a person asked for.

    Attributes:
        seed: Variant i depends on (seed, i) and what is varied, on nothing else.
        kinds: Edits to choose from; () for any the task has.
        look: How the images look, in the task's words.
    """

    seed: int
    kinds: tuple[str, ...] = ()
    look: str = ""


@dataclass(frozen=True, eq=False)
class Variants(Generic[C]):
    """The endless sequence of variants of one answer, and what a person should know about it."""

    draw: Callable[[int], Example[C]]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableView:
    """How a person reads one of a task's tables; the CSV files have every column all the same.

    A column that the table has in several units is named without: `cd` for cd_px and cd_nm.

    Attributes:
        first: Columns that stand first, in order, and what their heads say. A row without a number
            in any of them is left to the CSV file.
        charted: Those of `first` whose distribution a person decides by.
        by: A column that tells kinds of rows apart; each kind is shown by itself.
    """

    first: Mapping[str, str] = field(default_factory=dict)
    charted: Sequence[str] = ()
    by: str = ""


@dataclass(frozen=True, eq=False)
class Together:
    """What can be said of inputs that belong together, such as the wafers of a lot.

    Attributes:
        name: What they are: "lot A123".
        findings: Sentences, most important first.
        pictures: Caption -> uint8 RGB.
        tables: Name -> rows, for CSV files.
    """

    name: str
    findings: tuple[str, ...]
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    tables: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Lookup(Generic[C]):
    """How like cases are found again.

    Attributes:
        add: Brings the index in a folder up to date with files; says what was done. Files that are
            gone are forgotten.
        find: The cases in the index of a folder that are most like a question's, nearest first: a
            row each.
    """

    add: Callable[[Path, Sequence[Path], C], Mapping[str, Any]]
    find: Callable[[Path, Question[C], int], list[dict[str, Any]]]


@dataclass(frozen=True)
class Task(Generic[A, C]):
    """Everything the verbs need to know about one kind of question: plain functions.

    Attributes:
        name: What the command line calls it.
        prompt: The question asked when a person gives only an image.
        metrics: What `score` returns, the headline metric first.
        context: Frozen dataclass whose fields are the task's settings (`--set key=value`); its
            defaults are used when nothing is said, its docstring documents each field.
        recognises: How sure the task is (0 to 1) that a file is its input; reads little.
        read: Questions in files: one wafer file gives many, eight views give one.
        synthesize: Draws one example with exact truth; equal generators give equal bytes.
        solve: The embedded model: answers without a learned language model.
        parse: Reads answer text into a value; raises `AnswerError` with line and reason.
        write: The canonical text of a value; `write(parse(text))` is idempotent.
        verify: Checks a value against the question's images, without truth.
        refine: Improves a value; `verify` never falls; identity is allowed.
        score: Grades a value against an example's truth: one number per metric.
        summarise: Totals of corpus metrics from all rows, {} when there are none.
        draw: A picture of the answer over the input for a person, uint8 RGB.
        exports: Format name -> writer(question, answer, path).
        imports: Format name -> reader(path, settings) of an answer, for `convert` and `vary`. Any
            other file is text in the task's language, read by the format of the task's own name
            where it has one, by `parse` where it has none.
        show: The question's input as a person sees it, uint8 RGB; None where that is its first
            image as it is.
        labelled: Examples in a file that is no dataset folder but holds labels (a bundle of maps),
            for `evaluate`; None where there is no such kind of file.
        transcodes: Format name -> writer(source, out, settings) of an *input* file in another
            format, for `convert`; it returns what a person should know.
        together: What can be said of the inputs of a run together, a group at a time; given are
            questions and answers that could be read. None where each stands by itself.
        lookup: How like cases are found again, for `index`; None where they are not.
        vary: Labelled variants of an answer (defects, process variations), None without any; the
            question has the settings, and the pixel size where that is known.
        tables: Name -> rows of measurements (dicts) of an answer, for CSV and reports.
        uses: What of a question, beside images and context, can change an answer: "text", "golden",
            "shots". A person who gives what is not used is told so.
        views: Name of a table -> how a person reads it.
        guide: What a reader of a report must know: subject -> a sentence or two on what is drawn,
            what the check compares, which conventions hold, what is not judged.
    """

    name: str
    prompt: str
    metrics: Mapping[str, Metric[C]]
    context: type[C]
    recognises: Callable[[Path], float]
    read: Callable[[Sequence[Path], C], Iterator[Question[C]]]
    synthesize: Callable[[np.random.Generator], Example[C]]
    solve: Callable[[Question[C]], str]
    parse: Callable[[str, Question[C]], A]
    write: Callable[[A], str]
    verify: Callable[[Question[C], A], Check]
    refine: Callable[[Question[C], A], A]
    score: Callable[[A, Example[C]], Row]
    summarise: Callable[[Sequence[Row]], Row]
    draw: Callable[[Question[C], A], Picture]
    exports: Mapping[str, Callable[[Question[C], A, Path], None]]
    imports: Mapping[str, Callable[[Path, C], Imported[A]]] = field(default_factory=dict)
    show: Callable[[Question[C]], Picture] | None = None
    labelled: Callable[[Path, C], Iterator[Example[C]]] | None = None
    transcodes: Mapping[str, Callable[[Path, Path, C], tuple[str, ...]]] = field(
        default_factory=dict
    )
    together: Callable[[Sequence[Question[C]], Sequence[A]], Iterator[Together]] | None = None
    lookup: Lookup[C] | None = None
    vary: Callable[[Question[C], A, Wish], Variants[C]] | None = None
    tables: Mapping[str, Callable[[Question[C], A], list[dict[str, Any]]]] = field(
        default_factory=dict
    )
    uses: frozenset[Literal["text", "golden", "shots"]] = frozenset()
    views: Mapping[str, TableView] = field(default_factory=dict)
    guide: Mapping[str, str] = field(default_factory=dict)

    @property
    def headline(self) -> str:
        """The metric that ranks models and rewards training."""
        return next(iter(self.metrics))


@dataclass(frozen=True)
class Prediction:
    """What `predict` returns for one question; JSON keys are the contract of DESIGN.md.

    Attributes:
        path: Source of the question.
        task: Task name.
        model: Model name as given.
        text: What the model wrote, canonical where it could be read.
        answer: The parsed value as JSON-ready data, None when unreadable.
        check: The verifier's result, None when unreadable.
        nm_per_px: Scale used, None when unknown.
        scale_source: Where the scale came from.
        seconds: Wall time of this question.
        error: "" or one sentence saying what went wrong.
        warnings: What a person should know.
    """

    path: str
    task: str
    model: str
    text: str
    answer: Any
    check: Check | None
    nm_per_px: float | None
    scale_source: str
    seconds: float
    error: str = ""
    warnings: tuple[str, ...] = ()
