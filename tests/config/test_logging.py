import json
import subprocess
import sys

from tests.config.processes import ROOT

SCRIPT = """
import logging, logging.config
from config.logging import logging_config

logging.config.dictConfig(logging_config(level="INFO"))
log = logging.getLogger("loyalty.expiry")
log.debug("not this")
log.info("%s cards expired", 3, extra={"store": "loja"})
try:
    1 / 0
except ZeroDivisionError:
    log.exception("failed")
"""


def test_every_record_is_one_json_object_on_standard_error() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=True
    )

    first, second = map(json.loads, done.stderr.splitlines())
    assert done.stdout == ""
    assert first.pop("time")
    assert first == {
        "level": "INFO",
        "logger": "loyalty.expiry",
        "message": "3 cards expired",
        "store": "loja",
    }
    assert second["level"] == "ERROR"
    assert "ZeroDivisionError" in second["exc_info"]


def test_links_of_messages_are_not_logged() -> None:
    script = """
import logging, logging.config
from config.logging import logging_config

logging.config.dictConfig(logging_config(level="INFO"))
for path in ("/card/228.1:1xWDj1:NSE0/", "/messages/no-reminders/1:GxJi/", "/health/card"):
    logging.warning("Not Found: %s", path, extra={"call": f"<WSGIRequest: GET '{path}'>"})
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )

    lines = [json.loads(line) for line in done.stderr.splitlines()]
    paths = ("/card/***/", "/messages/no-reminders/***/", "/health/card")
    assert [(line["message"], line["call"]) for line in lines] == [
        (f"Not Found: {path}", f"<WSGIRequest: GET '{path}'>") for path in paths
    ]
