"""A real browser on the real pages: headless Chromium, with the strict Content-Security-Policy.

Without Chromium these tests are skipped and say so; with REQUIRE_BROWSER set they fail instead.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import Permission, User
from django.db import connections
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from loyalty import jobs
from loyalty.models import SpendingLimit
from loyalty.tasks import HANDLERS
from tests.browser.chromium import ARGUMENTS, CHROMIUM
from tests.builders import new_id

PASSWORD = "a long password"

DeskOf = Callable[..., "Desk"]

# Playwright keeps an event loop in this thread; Django would take the test for asynchronous.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs the database as the server sees it, and a browser."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.django_db(transaction=True))
            if not CHROMIUM and not os.environ.get("REQUIRE_BROWSER"):
                item.add_marker(pytest.mark.skip(reason="no Chromium on this machine"))


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One browser for all these tests, and gone before any other test.

    While Playwright's event loop runs in this thread, Django keeps other connections than before
    and after: they are closed here, or nobody could, and the database could not be dropped.
    """
    assert CHROMIUM, "REQUIRE_BROWSER is set and there is no Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield running
        running.close()
        connections.close_all()


@dataclass
class Desk:
    """A person at the back office: a page of their own, and what the browser complained about."""

    page: Page
    site: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """Go to a page of the back office."""
        answer = self.page.goto(f"{self.site}{path}")
        assert answer is not None
        assert answer.ok, f"{path}: {answer.status}"
        return self.page

    def check(self) -> None:
        """The browser had nothing to complain about, and the page is accessible."""
        # A click waits until the next page begins, not until it is there.
        self.page.wait_for_load_state()
        assert self.complaints == []
        found = Axe().run(self.page)
        self.complaints.clear()  # of axe's own style
        assert found.violations_count == 0, found.generate_report()


@pytest.fixture
def desk(browser: Browser, live_server: LiveServer) -> Iterator[Callable[..., Desk]]:
    """Make a desk: `desk(user)` is signed in, `desk()` is at the door."""
    contexts = []

    def make(
        user: User | None = None,
        *,
        language: str = "en",
        width: int = 1400,
        is_dark: bool = False,
    ) -> Desk:
        context = browser.new_context(
            locale=language,
            viewport={"width": width, "height": 900},
            color_scheme="dark" if is_dark else "light",
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        made = Desk(page, live_server.url)

        def listen(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"}:
                made.complaints.append(message.text)

        page.on("console", listen)
        page.on("pageerror", lambda error: made.complaints.append(str(error)))
        if user is not None:
            sign_in(made, user)
        return made

    yield make
    for context in contexts:
        context.close()


def sign_in(desk: Desk, user: User) -> None:
    """With the password, as people do."""
    type_password(desk, user)
    desk.page.wait_for_url(f"{desk.site}/admin/")


def type_password(desk: Desk, user: User) -> None:
    """The first step of the sign in; what comes next is up to the person's role."""
    desk.open("/admin/login/")
    desk.page.fill("input[name=username]", user.get_username())
    desk.page.fill("input[name=password]", PASSWORD)
    desk.page.click("[type=submit]")


def make_person(*permissions: str, per_action: int = 0) -> User:
    """Staff with these permissions, who moves so much alone, and ten times that on a day."""
    user = User.objects.create_user(new_id("person"), password=PASSWORD, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    SpendingLimit.objects.create(
        user=user, currency="BRL", per_action=per_action, per_day=per_action * 10
    )
    return user


@pytest.fixture
def boss() -> User:
    """Somebody who may do everything."""
    return User.objects.create_superuser("boss", password=PASSWORD)


def work() -> None:
    """What the worker does until no job is left."""
    while jobs.run_next(HANDLERS):
        pass


def preview(desk: Desk) -> None:
    """Send the form of an action, and look at what it would change."""
    desk.check()
    desk.page.click("form.panel button.button-primary")
    desk.page.wait_for_selector("button[name=confirm]")
    desk.check()


def confirm(desk: Desk) -> str:
    """Confirm what the page shows; what it says then."""
    desk.page.click("button[name=confirm]")
    said = desk.page.wait_for_selector(".messagelist")
    assert said is not None
    desk.check()
    return said.inner_text()
