"""Dates as VTEX reads them."""

import datetime
import re
from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from giftcard_provider.self_check.check import Failed
from giftcard_provider.self_check.checkout import filled
from giftcard_provider.self_check.wire import Answer

# How far two clocks may be apart.
_TOLERANCE = datetime.timedelta(minutes=5)


def moment(answer: Answer, row: Mapping[str, Any], name: str) -> datetime.datetime:
    """A date and time in ISO 8601, UTC when it names no zone. Raises `Failed`."""
    text = str(filled(answer, row, name))
    cut = re.sub(r"(\.\d{6})\d+", r"\1", text)
    try:
        found = parse_datetime(cut)
    except ValueError:
        found = None
    if found is None or "T" not in text:
        raise Failed("date", call=answer.call, name=name, found=text)
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)


def just_now(answer: Answer, row: Mapping[str, Any], name: str) -> None:
    """A moment that is now, in UTC. Raises `Failed`."""
    found = moment(answer, row, name)
    if abs(found - timezone.now()) > _TOLERANCE:
        raise Failed("not_now", call=answer.call, name=name, found=row[name])
