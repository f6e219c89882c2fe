"""One function over many values on several processes, when single values may crash a process.

    outcomes(work, values, workers)   as they finish, failures as values: for batches
    ordered(work, values, workers)    results in order, failures raised: for evaluation

Processes are spawned, not forked (forking a process that runs threads deadlocks), so `work` and
the values must be picklable. `workers=1` runs in this process. Each value is known to the process
that works on it: where that process dies (segmentation fault, out of memory) only that value fails.
"""

import os
import pickle
import signal
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from time import perf_counter
from typing import Any, Generic, TypeVar

from fabsight.task import FabsightError

V = TypeVar("V")
R = TypeVar("R")

# A value whose process died is tried once more: the kernel may have chosen it for memory that
# another process held.
ATTEMPTS = 2
# Workers are one per core already; libraries that start threads of their own would fight for them.
ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)
_STOP_S = 2.0  # then a worker that does not stop is killed


@dataclass(frozen=True)
class Failure:
    """Why there is no result.

    Attributes:
        message: One sentence: of a `FabsightError` its own, else "ZeroDivisionError: ...".
        trace: The traceback, "" where the process died or the error was a person's.
        errno: Of an `OSError` that was raised or that caused it, else 0.
        error: The exception itself where it was raised in this process.
        died: Whether the worker process died.
    """

    message: str
    trace: str = ""
    errno: int = 0
    error: Exception | None = None
    died: bool = False

    def exception(self) -> Exception:
        """What to raise: the exception itself, or one that carries the worker's traceback."""
        if self.error is not None:
            return self.error
        if self.trace:
            return RuntimeError(f"in a worker process: {self.message}\n{self.trace}")
        return FabsightError(self.message)


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """What came of value number `index`, and how long it took.

    Attributes:
        index: Place of the value, from 0.
        result: What `work` returned, or a `Failure`.
        seconds: Wall time inside `work`; 0 where the process died.
    """

    index: int
    result: R | Failure
    seconds: float


def outcomes(
    work: Callable[[V], R], values: Iterable[V], workers: int = 1
) -> Generator[Outcome[R], None, None]:
    """An `Outcome` for each value, in the order they finish; few values are held at a time.

    Closing it ends the worker processes.

    >>> [outcome.result for outcome in outcomes(abs, [-1, 2])]
    [1, 2]
    >>> next(outcomes(abs, ["one"])).result.message
    "TypeError: bad operand type for abs(): 'str'"
    """
    if workers < 1:
        raise FabsightError(f"run on {workers} workers: it must be 1 or more")
    if workers == 1:
        return (_attempt(work, index, value) for index, value in enumerate(values))
    return _parallel(work, values, workers)


def in_order(found: Iterable[Outcome[R]]) -> Iterator[Outcome[R]]:
    """The same outcomes by index, each as soon as all before it are known.

    >>> late = [Outcome(1, "b", 0.0), Outcome(0, "a", 0.0)]
    >>> [outcome.result for outcome in in_order(late)]
    ['a', 'b']
    """
    early: dict[int, Outcome[R]] = {}
    following = 0
    for outcome in found:
        early[outcome.index] = outcome
        while following in early:
            yield early.pop(following)
            following += 1


def ordered(work: Callable[[V], R], values: Iterable[V], workers: int = 1) -> Iterator[R]:
    """Results in the order of the values; the first failure is raised.

    >>> list(ordered(abs, [-3, 2, -1]))
    [3, 2, 1]
    """
    for outcome in in_order(outcomes(work, values, workers)):
        if isinstance(outcome.result, Failure):
            raise outcome.result.exception()
        yield outcome.result


def errno_of(error: BaseException | None) -> int:
    """The errno of the first `OSError` among an exception and its causes, else 0."""
    while error is not None:
        if isinstance(error, OSError):
            return error.errno or 0
        error = error.__cause__
    return 0


@contextmanager
def progress(
    title: str, total: int | None, show: bool | None = None, done: int = 0
) -> Iterator[Callable[[], None]]:
    """A bar with the time left on stderr; call what it gives once per finished piece.

    `show` None draws it only where stderr is a terminal; `done` pieces were finished before.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    hidden = not (console.is_terminal if show is None else show)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=hidden) as bar:
        job = bar.add_task(title, total=total, completed=done)
        yield lambda: bar.advance(job)


def tracked(
    values: Iterable[V], title: str, total: int | None, show: bool | None = None, done: int = 0
) -> Iterator[V]:
    """The same values, with a `progress` bar that counts them."""
    with progress(title, total, show, done) as step:
        for value in values:
            yield value
            step()


def _attempt(work: Callable[[V], R], index: int, value: V) -> Outcome[R]:
    begin = perf_counter()
    result: R | Failure
    try:
        result = work(value)
    except FabsightError as error:
        result = Failure(str(error), "", errno_of(error), error)
    except Exception as error:  # noqa: BLE001 - handed on with its traceback, never swallowed
        message = f"{type(error).__name__}: {error}"
        result = Failure(message, traceback.format_exc(), errno_of(error), error)
    return Outcome(index, result, perf_counter() - begin)


def _worker(connection: Connection, work: Callable[[Any], Any]) -> None:
    """Main function of a worker process: values in, outcomes out, until the other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    try:
        connection.send_bytes(b"ready")
        while True:
            index, value = connection.recv()
            connection.send_bytes(_packed(_attempt(work, index, value)))
    except (EOFError, BrokenPipeError, ConnectionResetError):  # the parent is done, or dead
        return


def _packed(outcome: Outcome[Any]) -> bytes:
    if isinstance(outcome.result, Failure):  # not every exception survives pickling
        outcome = replace(outcome, result=replace(outcome.result, error=None))
    try:
        return pickle.dumps(outcome)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        message = f"the result cannot leave the worker process: {error}"
        return pickle.dumps(replace(outcome, result=Failure(message, traceback.format_exc())))


@dataclass(frozen=True)
class _Job:
    index: int
    value: Any
    attempt: int = 1


@dataclass
class _Hand:
    """A worker process and the job it has in hand."""

    process: SpawnProcess
    connection: Connection
    job: _Job | None = None
    started: bool = False

    def give(self, job: _Job) -> None:
        self.job = job
        if self.started:
            self._send()

    def take(self) -> Outcome[Any] | None:
        """The finished outcome; None when it only says that it is ready; EOFError when dead."""
        message = self.connection.recv_bytes()
        if not self.started:
            self.started = True
            self._send()
            return None
        self.job = None
        outcome: Outcome[Any] = pickle.loads(message)
        return outcome

    def _send(self) -> None:
        if self.job:
            # A hand that has died cannot take the job; reading from it will say so.
            with suppress(BrokenPipeError, ConnectionResetError):
                self.connection.send((self.job.index, self.job.value))

    def bury(self) -> Outcome[Any] | _Job:
        """After its death: the job to try again, or the outcome of one that was tried enough."""
        self.process.join()
        code = self.process.exitcode or 0
        job = self.job
        if job is None or not self.started:
            raise FabsightError(
                f"start worker process: it ended with exit code {code} before its first job; its "
                "own message is above. A script that starts workers needs the guard "
                "`if __name__ == '__main__':`; workers=1 needs none"
            )
        if job.attempt < ATTEMPTS:
            return _Job(job.index, job.value, job.attempt + 1)
        cause = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        hint = ", out of memory?" if code == -signal.SIGKILL else ""
        message = f"the process died on this input {ATTEMPTS} times ({cause}{hint})"
        return Outcome(job.index, Failure(message, died=True), 0.0)


def _parallel(
    work: Callable[[V], R], values: Iterable[V], workers: int
) -> Generator[Outcome[R], None, None]:
    _require_picklable(work)
    jobs = (_Job(index, value) for index, value in enumerate(values))
    again: deque[_Job] = deque()
    hands: list[_Hand] = []
    try:
        while True:
            _give_out(jobs, again, hands, work, workers)
            busy = {hand.connection: hand for hand in hands if hand.job}
            if not busy:
                return
            for connection in wait(list(busy)):
                hand = busy[connection]  # type: ignore[index]
                try:
                    result = hand.take()
                except (EOFError, OSError):  # gone, perhaps in the middle of a result
                    hands.remove(hand)
                    rest = hand.bury()
                    if isinstance(rest, _Job):
                        again.append(rest)
                        continue
                    result = rest
                if result:
                    yield result
    finally:
        _dismiss(hands)


def _give_out(
    jobs: Iterator[_Job],
    again: deque[_Job],
    hands: list[_Hand],
    work: Callable[[Any], Any],
    workers: int,
) -> None:
    """Give every idle hand a job, hiring while there are jobs and places."""
    while True:
        idle = next((hand for hand in hands if hand.job is None), None)
        if idle is None and len(hands) >= workers:
            return
        job = again.popleft() if again else next(jobs, None)
        if job is None:
            return
        if idle is None:
            hands.append(idle := _hire(work))
        idle.give(job)


def _hire(work: Callable[[Any], Any]) -> _Hand:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_worker, args=(theirs, work), daemon=True)
    missing = [name for name in ONE_THREAD if name not in os.environ]
    os.environ.update(dict.fromkeys(missing, "1"))
    try:
        process.start()
    finally:
        for name in missing:
            del os.environ[name]
        theirs.close()  # else the end of the process would not be seen here
    return _Hand(process, ours)


def _dismiss(hands: list[_Hand]) -> None:
    for hand in hands:
        hand.connection.close()  # an idle hand takes this as the end of the day
        if hand.job:
            hand.process.terminate()
    for hand in hands:
        hand.process.join(_STOP_S)
        if hand.process.is_alive():
            hand.process.kill()
            hand.process.join()


def _require_picklable(work: Callable[[Any], Any]) -> None:
    try:
        pickle.dumps(work)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise FabsightError(
            f"start worker processes: {error}; use module-level functions, or workers=1"
        ) from error
