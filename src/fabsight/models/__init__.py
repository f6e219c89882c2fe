"""What can answer: a model is a function from questions to replies, in the same order.

`embedded` is the task's own solver: no download, no GPU. Whatever else answers (a checkpoint
folder, a hub id, an endpoint) has the same type, so the verbs cannot tell them apart.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from importlib.resources import files
from typing import Any, TypeAlias

from fabsight.task import FabsightError, Question, Task

EMBEDDED = "embedded"


@dataclass(frozen=True)
class Ask:
    """How the questions are asked.

    Attributes:
        n: Replies wanted to each question.
        max_tokens: Where a reply is cut off.
        temperature: 0 is greedy: the same reply every time.
        grammar: What the reply must match (GBNF), "" for anything.
        logprobs: Whether `Reply.logprob` is wanted.

    A model without a dial ignores it: a solver has no temperature.
    """

    n: int = 1
    max_tokens: int = 2048
    temperature: float = 0.0
    grammar: str = ""
    logprobs: bool = False


@dataclass(frozen=True)
class Reply:
    """What a model wrote, or why it could not.

    Attributes:
        text: The answer as written; nothing has been read or checked yet.
        logprob: Log probability of the text (nats), None where unknown.
        usage: Counts such as {"prompt_tokens": 300, "completion_tokens": 41}.
        error: "" or one sentence saying why there is no text.
    """

    text: str
    logprob: float | None = None
    usage: Mapping[str, int] = field(default_factory=dict)
    error: str = ""


Model: TypeAlias = Callable[[Sequence[Question[Any]], Ask], list[Reply]]
"""`ask.n` replies to each question, question by question: n * i to n * (i + 1) answer question i.

A model is called from worker processes too, so it can be pickled: a module-level function, a
`functools.partial` of one, or a frozen dataclass with `__call__`.
"""


def load(name: str, task: Task[Any, Any]) -> Model:
    """The model called `name`, ready to answer questions of `task`.

    Raises:
        FabsightError: There is no such model; names those there are.
    """
    if name == EMBEDDED:
        return partial(solve, task)
    raise FabsightError(
        f"load model {name!r} for {task.name}: no such model; available: {EMBEDDED}"
    )


def identity(name: str, task: Task[Any, Any]) -> dict[str, str]:
    """What, beside its name, a model's answers depend on: SHA-256 of each file of its weights.

    A run that was broken off is not gone on with under other weights. The weights of an embedded
    model are the package's `weights/TASK_*`.
    """
    if name != EMBEDDED:
        return {}
    kept = sorted((files("fabsight") / "weights").iterdir(), key=lambda entry: entry.name)
    return {
        entry.name: sha256(entry.read_bytes()).hexdigest()
        for entry in kept
        if entry.name.startswith(f"{task.name}_") and not entry.name.endswith(".md")
    }


def solve(task: Task[Any, Any], questions: Sequence[Question[Any]], ask: Ask) -> list[Reply]:
    """The embedded solver's replies; a question it refuses (`FabsightError`) gets `Reply.error`.

    Any other exception is a bug in the solver and propagates.
    """
    replies = []
    for question in questions:
        try:
            reply = Reply(task.solve(question))
        except FabsightError as error:
            reply = Reply("", error=str(error))
        replies += [reply] * ask.n
    return replies


def replies_to(
    model: Model, questions: Sequence[Question[Any]], ask: Ask
) -> list[tuple[Reply, ...]]:
    """Replies grouped by question, shape (questions, ask.n).

    Raises:
        ValueError: The model broke its contract and gave another number of replies.

    >>> def parrot(questions, ask):
    ...     return [Reply(q.text) for q in questions for _ in range(ask.n)]
    >>> question = Question((), "hello", None)
    >>> [[reply.text for reply in group] for group in replies_to(parrot, [question], Ask(n=2))]
    [['hello', 'hello']]
    """
    replies = model(questions, ask)
    if len(replies) != len(questions) * ask.n:
        raise ValueError(
            f"model gave {len(replies)} replies to {len(questions)} questions asked {ask.n} times "
            f"each: a model returns exactly n replies to each question, in their order"
        )
    return [tuple(replies[i : i + ask.n]) for i in range(0, len(replies), ask.n)]
