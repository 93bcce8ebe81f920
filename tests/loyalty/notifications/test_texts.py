"""The words of messages: a closed list of placeholders, and nothing else that means anything."""

import pytest
from django.utils import translation

from loyalty.models import MessageKind, MessageText
from loyalty.notifications.texts import (
    MEANINGS,
    PLACEHOLDERS,
    filled,
    problems,
    usual_words,
    words_of,
)
from tests.loyalty.notifications.builders import make_writing_program


def found(text: str, kind: str = MessageKind.ISSUED) -> list[str]:
    with translation.override("en"):
        return list(problems(kind, text))


@pytest.mark.parametrize("kind", MessageKind)
@pytest.mark.parametrize("language", ["pt-br", "es", "en"])
def test_the_usual_words_are_good_in_every_language(kind: MessageKind, language: str) -> None:
    words = usual_words(kind, language)

    assert found(words.subject, kind) == found(words.body, kind) == []
    assert words.subject
    assert words.body
    if language != "en":
        assert words != usual_words(kind, "en")


def test_every_placeholder_has_a_meaning() -> None:
    assert set(MEANINGS) == {name for names in PLACEHOLDERS.values() for name in names}


def test_an_unknown_placeholder_is_named_with_those_that_there_are() -> None:
    known = "{name}, {store}, {program}, {card}, {amount}, {validity}"

    assert found("Hello {nome}, {code}, {nome}") == [
        f"There is no placeholder {{{name}}} here. Use one of: {known}."
        for name in ("nome", "code")
    ]


@pytest.mark.parametrize("text", ["{", "}", "{name", "name}", "{{name}}", "{name}}"])
def test_a_lonely_brace_is_refused(text: str) -> None:
    assert len(found(text)) == 1


@pytest.mark.parametrize(
    "text", ["{name.password}", "{0}", "{}", "{name!r}", "{name:>99}", "{ name }"]
)
def test_nothing_can_be_reached_through_a_placeholder(text: str) -> None:
    assert len(found(text)) == 1
    assert filled(text, {"name": "Ana"}) == text


def test_percent_signs_and_tags_are_text() -> None:
    text = "100% {% now %} %(name)s <b>"

    assert filled(text.replace("{% now %}", ""), {"name": "Ana"}) == "100%  %(name)s <b>"


def test_what_is_filled_in_is_not_filled_again() -> None:
    assert filled("{name}", {"name": "{store}", "store": "Aurora"}) == "{store}"


@pytest.mark.django_db
def test_a_programs_own_words_come_first_in_their_language_alone() -> None:
    program, other = make_writing_program(), make_writing_program()
    MessageText.objects.create(
        program=program, kind="issued", language="es", subject="Hola", body="Tienes {amount}."
    )

    assert words_of(program, "issued", "es").subject == "Hola"
    assert words_of(program, "issued", "en") == usual_words("issued", "en")
    assert words_of(program, "credited", "es") == usual_words("credited", "es")
    assert words_of(other, "issued", "es") == usual_words("issued", "es")
