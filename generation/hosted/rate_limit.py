"""Keep to a provider's limits: requests and tokens a minute evenly spread, and pauses it asks for."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0


class Pace:
    """When the next request may be sent.

    Parameters
    ----------
    requests_per_minute, tokens_per_minute
        None is no limit.
    """

    def __init__(
        self,
        requests_per_minute: float | None,
        tokens_per_minute: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._s_a_request = 60.0 / requests_per_minute if requests_per_minute else 0.0
        self._s_a_token = 60.0 / tokens_per_minute if tokens_per_minute else 0.0
        self._clock = clock
        self._sleep = sleep
        self._next = clock()
        self._paused_until = clock()

    async def turn(self, tokens: int) -> None:
        """Wait until a request of so many tokens may be sent."""
        mine = max(self._next, self._clock())
        self._next = mine + max(self._s_a_request, tokens * self._s_a_token)
        while (wait := max(mine, self._paused_until) - self._clock()) > 0:
            await self._sleep(wait)

    def pause(self, seconds: float) -> None:
        """Send nothing for so many seconds."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)


def backoff_s(attempt: int, rng: random.Random) -> float:
    """Seconds to wait after a failed attempt (0 is the first): doubling, with full jitter.

    Brooker (2015), https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0**attempt)
    return rng.uniform(0.1 * longest, longest)
