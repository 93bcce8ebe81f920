"""REST-Range and REST-Content-Range, as VTEX pages its searches."""

import re
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

DEFAULT_SIZE = 50
# "resources=0-49"; also another unit, or none (both are sent).
_RANGE = re.compile(r"(?:[a-z-]+\s*[= ]\s*)?(\d{1,9})-(\d{1,9})", re.IGNORECASE)


def page(resources: Sequence[T], header: str | None) -> tuple[Sequence[T], str]:
    """The part that a REST-Range asks for, and its REST-Content-Range.

    A malformed range asks for the first 50, as none does.
    """
    start, stop = _bounds(header)
    part = resources[start:stop]
    if not part:
        return part, f"resources 0-0/{len(resources)}"
    return part, f"resources {start}-{start + len(part) - 1}/{len(resources)}"


def _bounds(header: str | None) -> tuple[int, int]:
    match = _RANGE.fullmatch((header or "").strip())
    if match:
        first, last = map(int, match.groups())
        if first <= last:
            return first, last + 1
    return 0, DEFAULT_SIZE
