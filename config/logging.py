"""JSON log lines on standard error: no bodies, no codes, no personal data.

Each says of which request it is (`config.context`).
"""

from typing import Any


def logging_config(*, level: str) -> dict[str, Any]:
    """The `LOGGING` setting: every record one JSON object with time, level, logger and message."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": "pythonjsonlogger.json.JsonFormatter",
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
