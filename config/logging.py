"""JSON log lines on standard error: no bodies, no codes, no personal data.

Each says of which request it is (`config.context`).
"""

import logging
import re
from typing import Any

from pythonjsonlogger.json import JsonFormatter

# Whoever has such a link sees a card's code: it is not for whoever reads logs.
_LINK = re.compile(r"(/(?:card|messages/no-reminders)/)[^/\s\"']+")


class Formatter(JsonFormatter):
    """One JSON object, in which links of messages lead nowhere."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        return _LINK.sub(r"\1***", super().format(record))


def logging_config(*, level: str) -> dict[str, Any]:
    """The `LOGGING` setting: every record one JSON object with time, level, logger and message."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": "config.logging.Formatter",
                "fmt": "%(asctime)s %(levelname)s %(name)s %(message)s",
                "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger"},
            }
        },
        "filters": {"request": {"()": "config.context.RequestContextFilter"}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "json",
                "filters": ["request"],
            }
        },
        "root": {"handlers": ["stderr"], "level": level},
    }
