"""Every text that people read is there in Portuguese and Spanish, whole, and compiled."""

import re
from pathlib import Path

import polib
import pytest

from tests.translations.messages import LANGUAGES, Message, catalogue, in_python, key_of, messages

PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|<[^>]+>")

every_language = pytest.mark.parametrize("language", LANGUAGES)


def entries(language: str) -> dict[Message, polib.POEntry]:
    return {key_of(entry): entry for entry in polib.pofile(str(catalogue(language)))}


def translations(entry: polib.POEntry) -> list[str]:
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


@every_language
def test_the_catalogue_has_every_text_and_no_other(language: str) -> None:
    in_catalogue, in_source = set(entries(language)), set(messages())

    assert sorted(in_source - in_catalogue) == [], "run `make messages`, then translate them"
    assert sorted(in_catalogue - in_source) == [], "run `make messages`"


@every_language
def test_every_text_is_translated(language: str) -> None:
    missing = [
        entry.msgid
        for entry in entries(language).values()
        if entry.fuzzy or not all(map(str.strip, translations(entry)))
    ]

    assert missing == []


@every_language
def test_what_stands_for_a_value_is_in_the_translation_too(language: str) -> None:
    differing = [
        (entry.msgid, translated)
        for entry in entries(language).values()
        for translated in translations(entry)
        if sorted(set(PLACEHOLDER.findall(translated)))
        != sorted(set(PLACEHOLDER.findall(entry.msgid)))
    ]

    assert differing == []


@every_language
def test_a_sentence_ends_as_it_does_in_english(language: str) -> None:
    differing = [
        (entry.msgid, translated)
        for entry in entries(language).values()
        for translated in translations(entry)
        if entry.msgid.endswith(".") != translated.endswith(".")
    ]

    assert differing == []


@every_language
def test_what_is_compiled_is_what_is_written(language: str, tmp_path: Path) -> None:
    path = catalogue(language)
    compiled = tmp_path / "django.mo"
    polib.pofile(str(path)).save_as_mofile(str(compiled))

    assert path.with_suffix(".mo").read_bytes() == compiled.read_bytes(), "run `make messages`"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('_("Confirm")', Message("Confirm")),
        ('gettext_lazy("two " "parts")', Message("two parts")),
        ('ngettext("%(n)s day", "%(n)s days", n)', Message("%(n)s day", "%(n)s days")),
        ('pgettext("verb", "block")', Message("block", context="verb")),
        ('translation.gettext("qualified")', Message("qualified")),
    ],
)
def test_a_marked_text_is_found(source: str, message: Message) -> None:
    assert list(in_python(source)) == [message]


def test_a_new_text_would_be_missed() -> None:
    assert list(in_python("not_marked('text')")) == []
