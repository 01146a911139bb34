"""Between an event loop and a node: orders go in and answers come back without a thread of their own."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tradezone.sequencer import EnvelopeRejectedError
from tradezone.service import Answer, ServiceError, Submission

from .errors import ApiError, Problem
from .orders import FrameSubmission

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tradezone.engine import Engine
    from tradezone.sequencer import LeafRun
    from tradezone.service import Node

_T = TypeVar("_T")
ANSWER_S: Final = 10.0  # seconds until who waits is told that the answer did not come yet


class Door:
    """Submits to a node from one event loop. All answers that are ready cross over in one step."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready: deque[Callable[[], None]] = deque()
        self._is_scheduled = False

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Deliver into this loop."""
        self._loop = loop

    def call(self, function: Callable[[], None]) -> None:
        """Run a function in the loop soon; from any thread. Nothing happens once the loop is closed."""
        self._ready.append(function)
        if self._is_scheduled or self._loop is None:
            return
        self._is_scheduled = True
        try:
            self._loop.call_soon_threadsafe(self._flush)
        except RuntimeError:  # the loop is closed: who waited there is gone
            self._ready.clear()

    def _flush(self) -> None:
        self._is_scheduled = False
        while self._ready:
            self._ready.popleft()()

    def submit(self, leaves: Sequence[bytes]) -> asyncio.Future[list[Answer]]:
        """Submit leaves; the future has what became of each. Raises what `Pipeline.submit` raises."""
        future: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()

        def deliver(answers: list[Answer]) -> None:
            self.call(lambda: None if future.done() else future.set_result(answers))

        self._submit(Submission(leaves, self.node.clock.now(), deliver))
        return future

    def submit_frames(self, leaves: LeafRun, deliver: Callable[[bytes], None]) -> None:
        """Submit leaves of a binary request; ``deliver`` is handed the binary answer, in the loop."""

        def cross(answer: bytes) -> None:
            self.call(lambda: deliver(answer))

        self._submit(FrameSubmission(leaves, self.node.clock.now(), cross))

    def submit_checked(
        self, leaves: Sequence[bytes]
    ) -> asyncio.Future[list[EnvelopeRejectedError | None]]:
        """Submit leaves; the future has what the checks said of each. They are not numbered by then."""
        future: asyncio.Future[list[EnvelopeRejectedError | None]]
        future = asyncio.get_running_loop().create_future()

        def check(errors: list[EnvelopeRejectedError | None]) -> None:
            self.call(lambda: None if future.done() else future.set_result(errors))

        def deliver(_: list[Answer]) -> None:
            check([])  # the zone went down before they were checked

        self._submit(Submission(leaves, self.node.clock.now(), deliver, check))
        return future

    def _submit(self, submission: Submission) -> None:
        try:
            self.node.pipeline.submit(submission)
        except ServiceError as error:
            if type(error) is ServiceError:
                raise ApiError(Problem.BAD_REQUEST, error.text, error.hint) from error
            raise

    async def execute(self, leaves: Sequence[bytes]) -> list[Answer]:
        """Submit leaves and wait. ApiError TIMEOUT if the answer does not come: what became of them is open."""
        return await self._wait(self.submit(leaves))

    async def _wait(self, future: asyncio.Future[_T]) -> _T:
        try:
            return await asyncio.wait_for(future, ANSWER_S)
        except TimeoutError:
            text = f"no answer within {ANSWER_S:.0f} s: the envelopes may or may not be executed"
            hint = "ask for the receipt by leaf hash: GET /v1/leaves/{hash}"
            raise ApiError(Problem.TIMEOUT, text, hint) from None

    async def execute_frames(self, leaves: LeafRun) -> bytes:
        """Submit leaves of a binary request and wait for the binary answer; ApiError as of `execute`."""
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.submit_frames(leaves, lambda a: None if future.done() else future.set_result(a))
        return await self._wait(future)

    async def ask(self, name: str, *arguments: Any) -> Any:
        """Ask the views (`Feeds.get_<name>`). ViewsError if they are not there."""
        try:
            return await asyncio.wait_for(
                asyncio.wrap_future(self.node.views.ask(name, *arguments)), ANSWER_S
            )
        except TimeoutError:
            text = "market data do not answer: their process is far behind"
            raise ApiError(Problem.NO_MARKET_DATA, text, retry_after_ms=1_000) from None

    async def query(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """Run a function of the engine between two blocks: ``function(engine, *arguments)``."""

        def run(engine: Engine) -> _T:
            return function(engine, *arguments)

        return await asyncio.wrap_future(self.node.pipeline.query(run))
