"""The purchase of README.md, typed into a shell exactly as it is printed there."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from django.conf import settings
from pytest_django.live_server_helper import LiveServer

from giftcard_provider.models import Credential
from loyalty.models import Transaction
from tests.builders import buckets, make_card, make_program, make_store

README = Path(__file__).resolve().parent.parent / "README.md"


def shell_of(heading: str) -> str:
    """The shell lines below a heading."""
    section = README.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    (lines,) = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return str(lines)


@pytest.mark.django_db(transaction=True)
def test_the_first_purchase_works_as_printed(live_server: LiveServer, tmp_path: Path) -> None:
    store = make_store()
    card = make_card(make_program(store), balance=500_00)
    credential, token = Credential.objects.issue(store)
    demo = {
        "service_url": f"{live_server.url}/{settings.GIFTCARD_PROVIDER_MOUNT}",
        "app_key": credential.app_key,
        "app_token": token,
        "cards": [{"id": card.public_id, "code": card.code}],
    }
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "demo.json").write_text(json.dumps(demo))
    lines = shell_of("A first purchase")

    done = subprocess.run(
        ["/bin/sh", "-e", "-c", lines], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    found, before, settlement, after = map(json.loads, done.stdout.splitlines())
    assert [hit["id"] for hit in found] == [card.public_id]
    assert (before["balance"], settlement["value"], after["balance"]) == (500, 10, 490)
    assert len(re.findall(r"\bcurl -", lines)) == 5
    assert buckets(card) == {"credited": 500_00, "available": 490_00, "spent": 10_00}
    assert Transaction.objects.get().state == Transaction.State.SETTLED


def test_every_file_and_page_that_is_named_exists() -> None:
    pages = [README, *(README.parent / name for name in ("CONTRIBUTING.md", "CHANGELOG.md"))]
    pages += (README.parent / "docs").glob("*.md")
    broken = [
        f"{page.name}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / target).exists()
    ]

    assert broken == []


def test_paths_in_the_documents_exist() -> None:
    root = README.parent
    pages = [root / "CONTRIBUTING.md", root / "docs" / "architecture.md"]
    named = {
        path
        for page in pages
        for path in re.findall(
            r"`((?:loyalty|giftcard_provider|config|tests|docs|templates)/[\w./]*)`",
            page.read_text(),
        )
    }

    assert sorted(path for path in named if not (root / path).exists()) == []
    assert named
