"""Months of history in seconds: stories that say when they go on, told in the order of time."""

import datetime
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from heapq import heapify, heappop, heappush
from typing import TypeVar
from unittest.mock import patch

T = TypeVar("T")

# Yields the instant of its next step, and takes the step when it is resumed.
Story = Iterator[datetime.datetime]


class Dice:
    """The same throws for the same name, on every machine and in every version."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._throws = 0

    def below(self, limit: int) -> int:
        """A whole number from 0 up to, not including, `limit`."""
        self._throws += 1
        digest = sha256(f"{self._name}:{self._throws}".encode()).digest()
        return int.from_bytes(digest) % limit

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + self.below(high - low + 1)

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices."""
        return choices[self.below(len(choices))]

    def hexadecimal(self, digits: int) -> str:
        """An id as VTEX makes them."""
        return f"{self.below(16**digits):0{digits}X}"


@contextmanager
def stopped(instant: datetime.datetime) -> Iterator[None]:
    """Let it be `instant` for whatever asks `django.utils.timezone.now`, in this whole process."""
    with patch("django.utils.timezone.now", return_value=instant):
        yield


def tell(stories: Iterable[Story], *, until: datetime.datetime) -> None:
    """Take every step of every story in the order of time; what lies after `until` is left out."""
    queue = [
        (first, number, story)
        for number, story in enumerate(stories)
        if (first := next(story, None)) is not None
    ]
    heapify(queue)
    while queue and queue[0][0] < until:
        instant, number, story = heappop(queue)
        with stopped(instant):
            following = next(story, None)
        if following is not None:
            heappush(queue, (max(following, instant), number, story))
