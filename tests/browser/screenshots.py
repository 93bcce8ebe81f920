"""`make screenshots`: the pictures of docs/back-office.md, from the demo and in Portuguese.

The whole project is started on a free port with an empty folder. What a picture shows is done in
the browser, as staff do it. Each page is taken in light and in dark.
"""

import io
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import simplejson
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from config.env import BASE_DIR
from config.launch import Launch
from tests.browser.chromium import ARGUMENTS, CHROMIUM
from tests.config.processes import free_port

IMAGES = BASE_DIR / "docs" / "images"
WIDTH, TALLEST, NARROW = 1280, 1000, 390
COLORS = 256
MOST_BYTES = 150_000
PATIENCE = 60_000  # ms, for the worker


class Album:
    """The running demo, and what is taken of it."""

    def __init__(self, browser: Browser, data: Path) -> None:
        self._browser = browser
        self._demo = simplejson.loads((data / "demo.json").read_text())
        self.site = self._demo["admin_url"].removesuffix("/admin/")
        self.customer = self._demo["customer"]["email"]

    @contextmanager
    def desk(self, role: str, *, width: int = WIDTH) -> Iterator[Page]:
        """Somebody of this role, signed in; nobody, without one."""
        context = self._browser.new_context(
            locale="pt-BR", viewport={"width": width, "height": 800}
        )
        page = context.new_page()
        page.goto(f"{self.site}/admin/")
        if role:
            page.fill("input[name=username]", self._demo["staff"][role]["username"])
            page.fill("input[name=password]", self._demo["staff"][role]["password"])
            page.click("[type=submit]")
            page.wait_for_url(f"{self.site}/admin/")
        yield page
        context.close()

    def take(self, page: Page, name: str) -> None:
        """The page as it is, in light and in dark."""
        height = min(page.evaluate("document.documentElement.scrollHeight"), TALLEST)
        width = page.viewport_size["width"] if page.viewport_size else WIDTH
        area = {"x": 0.0, "y": 0.0, "width": float(width), "height": float(height)}
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            content = page.screenshot(full_page=True, clip=area, animations="disabled")  # type: ignore[arg-type]
            _keep(f"{name}-{scheme}", content)
        page.emulate_media(color_scheme="light")


def _keep(name: str, content: bytes) -> None:
    """Write a picture with as few colors as pages have."""
    path = IMAGES / f"{name}.png"
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    picture.quantize(COLORS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
        path, optimize=True
    )
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"{path} is larger than {MOST_BYTES} bytes")


def _find(page: Page, typed: str) -> None:
    page.fill("#site-search", typed)
    page.press("#site-search", "Enter")
    page.wait_for_url("**/change/")


def _first_row(page: Page, address: str) -> None:
    """Open the first row of a list."""
    page.goto(address)
    page.click("#result_list tbody tr:first-child th a, #result_list tbody tr:first-child td a")
    page.wait_for_url("**/change/**")


def _until_somebody_watches(page: Page) -> None:
    """Until the periodic work has run for the first time, the home page warns that nothing does."""
    for _ in range(40):
        if not page.locator(".notice-bad", has_text="segundo plano").count():
            return
        page.wait_for_timeout(3_000)
        page.reload()
    raise TimeoutError(page.inner_text(".notice-bad >> nth=0"))


def at_the_door(album: Album) -> None:
    """The sign in, and setting up one-time passwords."""
    with album.desk("") as page:
        album.take(page, "sign-in")
    with album.desk("viewer") as page:
        page.goto(f"{album.site}/admin/sign-in/set-up/")
        # The key of this picture opens nothing: the demo ends with it.
        album.take(page, "set-up")


def at_support(album: Album) -> None:
    """A customer is found and given credit, above what support may give alone."""
    with album.desk("support") as page:
        _find(page, album.customer)
        album.take(page, "customer")
        page.click("a[href$='/do/give/']")
        page.select_option("select[name=destination]", label="Vale-troca")
        page.fill("input[name=amount]", "350,00")
        page.select_option("select[name=reason]", "customer_service")
        page.fill("textarea[name=note]", "Pedido extraviado duas vezes")
        page.click("form.panel button.button-primary")
        page.wait_for_selector("button[name=confirm]")
        album.take(page, "before-after")
        page.click("button[name=confirm]")
        page.wait_for_selector(".messagelist")
        page.goto(f"{album.site}/admin/loyalty/transaction/?kind__exact=debit")
        page.click("#result_list a[href*='/loyalty/order/']")
        page.wait_for_url("**/order/**")
        album.take(page, "order")
        page.click("a[href*='/loyalty/transaction/'][href$='/change/']")
        page.wait_for_url("**/transaction/*/change/**")
        album.take(page, "transaction")
        page.click(".facts a[href*='/loyalty/giftcard/']")
        page.wait_for_url("**/giftcard/*/change/**")
        album.take(page, "card")


def at_management(album: Album) -> None:
    """Requests wait; cards and points are given in batches, and cards come in from a file."""
    with album.desk("manager") as page:
        _first_row(page, f"{album.site}/admin/loyalty/approval/?status__exact=waiting")
        album.take(page, "approval")
        _first_row(page, f"{album.site}/admin/loyalty/approval/?status__exact=waiting&action=merge")
        album.take(page, "merging")
    with album.desk("administrator") as page:
        page.goto(f"{album.site}/admin/loyalty/batch/new/1/")
        page.fill("input[name=name]", "Natal para clientes")
        page.fill("input[name=amount]", "25,00")
        page.fill("input[name=count]", "1000")
        page.select_option("select[name=reason]", "campaign")
        page.click("form.panel button[type=submit]")
        page.wait_for_url("**/change/")
        page.click("a.button-primary")
        page.click("button[name=confirm]")
        page.wait_for_selector(".state-good", timeout=PATIENCE)
        album.take(page, "batch")
        page.goto(f"{album.site}/admin/loyalty/batch/credit/3/filter/")
        page.fill("input[name=name]", "Obrigado por comprar conosco")
        page.fill("input[name=amount]", "1.500")
        page.select_option("select[name=reason]", "campaign")
        page.click("form.panel button[type=submit]")
        page.wait_for_url("**/change/")
        page.click("a.button-primary")
        page.click("button[name=confirm]")
        page.wait_for_selector(".state-good", timeout=PATIENCE)
        album.take(page, "credit-for-many")
        page.goto(f"{album.site}/admin/loyalty/importfile/upload/")
        page.select_option("select[name=program]", label="Casa Aurora · Vale-presente (BRL)")
        page.set_input_files(
            "input[name=file]", BASE_DIR / "loyalty/static/loyalty/sample-import.csv"
        )
        page.click("form.panel button[type=submit]")
        page.wait_for_selector(".state-good", timeout=PATIENCE)
        album.take(page, "import")


def at_finance(album: Album) -> None:
    """The home page, the books, the differences, the audit trail."""
    pages = {
        "home": "",
        "books": "loyalty/monthclosing/outstanding/",
        "roll-forward": "loyalty/monthclosing/roll-forward/",
        "curves": "loyalty/monthclosing/curves/",
        "program-figures": "programs/figures/",
        "differences": "loyalty/discrepancy/",
        "audit": "loyalty/auditevent/",
    }
    with album.desk("finance") as page:
        _until_somebody_watches(page)
        for name, address in pages.items():
            page.goto(f"{album.site}/admin/{address}")
            album.take(page, name)
    with album.desk("finance", width=NARROW) as page:
        album.take(page, "home-narrow")


def main() -> int:
    """Take all of them."""
    if not CHROMIUM:
        print("Chromium is needed: apt-get install chromium", file=sys.stderr)  # noqa: T201
        return 2
    IMAGES.mkdir(exist_ok=True)
    with ExitStack() as cleanup:
        data = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="screenshots-")))
        launch = cleanup.enter_context(Launch(port=free_port(), data=data))
        launch.start_services()
        launch.prepare()
        launch.serve()
        playwright = cleanup.enter_context(sync_playwright())
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*ARGUMENTS, "--lang=pt-BR"]
        )
        cleanup.callback(browser.close)
        album = Album(browser, data)
        for scene in (at_the_door, at_support, at_finance, at_management):
            scene(album)
    return 0


if __name__ == "__main__":
    sys.exit(main())
