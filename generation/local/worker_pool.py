"""Work on every core: helper processes lay out the same work and carry out parts of it; one process stores."""

from __future__ import annotations

import contextlib
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from typing import Protocol

from seedlock.prereg.base.machine import helpers as begin

GRACE_S = 10.0
"""How long a helper without work may take to end by itself."""


class Task[T](Protocol):
    """Something to be made, on its own, in any process."""

    def make(self) -> T:
        """Make it."""
        ...


type LayOut[T] = Callable[[], Sequence[Task[T]]]
type Part = tuple[int, ...]


def carried_out[T](lay_out: LayOut[T], parts: Sequence[Part], *, workers: int, preload: str) -> Iterator[tuple[int, T]]:
    """Yield each task by its index with what it made, as helpers finish them.

    A task that fails, or whose helper dies, is left out: the caller makes it itself, and meets the failure there.

    Parameters
    ----------
    lay_out
        Gives the same tasks in the same order in any process.
    parts
        Indices of tasks, handed out together.
    preload
        Module that helpers have imported before they are forked.
    """
    context = begin([preload])
    left = deque(parts)
    pipes: list[Connection] = []
    helpers = []
    try:
        for _ in range(min(workers, len(parts))):
            ours, theirs = context.Pipe()
            helper = context.Process(target=_serve, args=(theirs, lay_out, dict(os.environ)), daemon=True)
            helper.start()
            theirs.close()
            ours.send(left.popleft())
            pipes.append(ours)
            helpers.append(helper)
        while pipes:
            for pipe in wait(pipes):
                yield from _heard(pipe, pipes, left)  # type: ignore[arg-type]  # wait() gives back what it was given
    finally:
        for pipe in pipes:  # work was left: nobody waits for it
            pipe.close()
        for helper in helpers:
            helper.join(0.0 if pipes else GRACE_S)
            helper.terminate()
            helper.join()


def _heard[T](pipe: Connection, pipes: list[Connection], left: deque[Part]) -> Iterator[tuple[int, T]]:
    """Yield what a helper sent; give an idle one its next part, and forget one that is gone or not needed."""
    try:
        told = pipe.recv()
        if told is not None:
            yield told
            return
        if left:
            pipe.send(left.popleft())
            return
    except (EOFError, OSError):
        pass
    pipes.remove(pipe)
    pipe.close()


def _serve[T](pipe: Connection, lay_out: LayOut[T], environment: Mapping[str, str]) -> None:
    """Carry out parts until the driver is gone; what fails ends the helper, and Ctrl-C is the driver's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.clear()
    os.environ.update(environment)
    with contextlib.suppress(Exception):
        work = lay_out()
        while True:
            for index in pipe.recv():
                pipe.send((index, work[index].make()))
            pipe.send(None)
