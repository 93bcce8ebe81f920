"""Play VTEX against a gift card provider, this one or another, and say what is wrong with it."""

import json
import textwrap
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

from django.core.management.base import (
    BaseCommand,
    CommandError,
    CommandParser,
    no_translations,
)

from giftcard_provider import self_check
from giftcard_provider.self_check import BY_ID, Report, Result, Target, Verdict

_MARKS = {Verdict.PASSED: "ok", Verdict.FAILED: "FAILED", Verdict.SKIPPED: "skipped"}
_WIDTH = 96
_INDENT = " " * 9


class Command(BaseCommand):
    """Needs a credential and a test card: reusable, and with 40 of its currency's smallest steps.

    Every purchase is given back, and the output says whether the card holds what it held before.
    The provider keeps them in the card's history, of orders that begin with self-check. Exit code
    0 when no check failed, 1 when one did, 2 for arguments that make no sense.
    """

    help = "Drive a gift card provider through what VTEX does, and through what goes wrong."

    def add_arguments(self, parser: CommandParser) -> None:
        """The provider, the card, and how to say it."""
        parser.add_argument("url", metavar="URL", help="its service URL: https://your-host/vtex")
        parser.add_argument("--app-key", required=True)
        parser.add_argument("--app-token", required=True)
        parser.add_argument("--card", default="", metavar="ID", help="the test card's id")
        parser.add_argument("--code", default="", help="the test card's code; some checks need it")
        parser.add_argument("--email", default="", help="of the test card's owner")
        parser.add_argument("--document", default="", help="of the test card's owner")
        parser.add_argument(
            "--profile-id", default="", help="a customer for whom a wallet is opened, for good"
        )
        parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
        parser.add_argument("--junit", metavar="FILE", help="also write a JUnit report")

    @no_translations
    def handle(self, *_args: Any, **options: Any) -> None:
        """Run every check, and print the verdicts."""
        if not options["card"] and not options["code"]:
            raise CommandError("Name the test card: --card or --code.", returncode=2)
        parts = urlsplit(options["url"])
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
            raise CommandError(f"{options['url']!r} is no http address.", returncode=2)
        report = self_check.check_provider(
            Target(
                url=options["url"].rstrip("/"),
                app_key=options["app_key"],
                app_token=options["app_token"],
                card_id=options["card"],
                code=options["code"],
                email=options["email"],
                document=options["document"],
                profile_id=options["profile_id"],
            )
        )
        self.stdout.write(_json(report) if options["json"] else _table(report))
        if options["junit"]:
            Path(options["junit"]).write_bytes(_junit(report))
        if not report.is_passed:
            raise CommandError(f"Failed checks: {report.count(Verdict.FAILED)}.")


def _reason(result: Result) -> str:
    return self_check.told(result.reason, result.values)


def _table(report: Report) -> str:
    lines = []
    for result in report.results:
        check = BY_ID[result.check_id]
        lines.append(f"{_MARKS[result.verdict]:<8} {check.id:<27} {check.sentence}")
        if result.verdict == Verdict.FAILED:
            lines += _indented(_reason(result))
            lines += _indented(f"Rule: {check.source}")
        elif result.verdict == Verdict.SKIPPED:
            lines += _indented(_reason(result))
    counts = ", ".join(f"{report.count(verdict)} {verdict}" for verdict in Verdict)
    return "\n".join([*lines, "", f"{counts}.", _balance(report)])


def _balance(report: Report) -> str:
    if report.before is None:
        return "No test card was found: nothing was bought."
    if report.after is None:
        return (
            f"The test card held {report.currency} {report.before}; nobody tells what it holds now."
        )
    if report.before == report.after:
        return f"The test card holds {report.currency} {report.after}, as before."
    return f"The test card held {report.currency} {report.before} and holds {report.after} now."


def _indented(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)


def _json(report: Report) -> str:
    data = report.as_data()
    for row, result in zip(data["results"], report.results, strict=True):
        check = BY_ID[result.check_id]
        row |= {"rule": str(check.sentence), "source": check.source, "message": _reason(result)}
    data |= {verdict.value: report.count(verdict) for verdict in Verdict}
    return json.dumps(data, indent=2, ensure_ascii=False)


def _junit(report: Report) -> bytes:
    suite = ElementTree.Element(
        "testsuite",
        name="Gift Card Provider Protocol",
        tests=str(len(report.results)),
        failures=str(report.count(Verdict.FAILED)),
        skipped=str(report.count(Verdict.SKIPPED)),
        errors="0",
        time=f"{sum(result.seconds for result in report.results):.3f}",
        timestamp=time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()),
    )
    for result in report.results:
        check = BY_ID[result.check_id]
        area, _point, name = check.id.partition(".")
        case = ElementTree.SubElement(
            suite, "testcase", classname=area, name=name, time=f"{result.seconds:.3f}"
        )
        if result.verdict == Verdict.FAILED:
            failure = ElementTree.SubElement(case, "failure", message=_reason(result))
            failure.text = f"{check.sentence}\nRule: {check.source}"
        elif result.verdict == Verdict.SKIPPED:
            ElementTree.SubElement(case, "skipped", message=_reason(result))
    document: bytes = ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)
    return document
