"""The pictures of docs/back-office.md: there, of both themes, small, and none that nobody sees."""

import re

from config.env import BASE_DIR
from tests.browser.screenshots import IMAGES, MOST_BYTES

THEMES = ("dark", "light")
TEXT = (BASE_DIR / "docs" / "back-office.md").read_text()


def test_every_picture_is_there_in_light_and_in_dark_and_every_one_is_shown() -> None:
    dark, light = (re.findall(rf'"images/([\w-]+)-{theme}\.png"', TEXT) for theme in THEMES)

    assert dark == light
    assert sorted(path.name for path in IMAGES.iterdir()) == sorted(
        f"{name}-{theme}.png" for name in light for theme in THEMES
    )


def test_no_picture_is_large() -> None:
    large = [path.name for path in IMAGES.iterdir() if path.stat().st_size > MOST_BYTES]

    assert large == []


def test_who_cannot_see_a_picture_reads_what_it_shows() -> None:
    assert TEXT.count("<img ") == len(re.findall(r'<img alt="[^"]{10,}"', TEXT))
