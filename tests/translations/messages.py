"""The texts that people read, found in the source, and the catalogues that translate them.

`python -m tests.translations.messages` (`make messages`) brings the .po files up to date with the
source and compiles them. No gettext tools needed: Python's own parser and Django's template engine
find the texts, polib writes the files.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polib

ROOT = Path(__file__).resolve().parent.parent.parent
LOCALES = ROOT / "loyalty" / "locale"
LANGUAGES = ("pt_BR", "es")
PACKAGES = ("config", "loyalty", "giftcard_provider")
_SINGULAR = {"_", "gettext", "gettext_lazy", "gettext_noop"}
_PLURAL = {"ngettext", "ngettext_lazy"}
_IN_CONTEXT = {"pgettext", "pgettext_lazy"}


@dataclass(frozen=True, order=True)
class Message:
    """One text, in English as it stands in the source."""

    text: str
    plural: str = ""
    context: str = ""


def messages() -> dict[Message, set[str]]:
    """Every text of the project, with the files in which it stands."""
    found: dict[Message, set[str]] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for message in in_python(path.read_text()):
                found.setdefault(message, set()).add(str(path.relative_to(ROOT)))
    for path in sorted((ROOT / "templates").rglob("*")):
        if path.suffix in {".html", ".txt"}:
            for message in in_template(path):
                found.setdefault(message, set()).add(str(path.relative_to(ROOT)))
    return found


def in_python(source: str) -> Iterator[Message]:
    """The texts that Python source marks."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[*arguments]) if (
                arguments
            ):
                texts = [
                    each.value if isinstance(each, ast.Constant) else None for each in arguments
                ]
            case _:
                continue
        match name, texts:
            case _, [str(text), *_] if name in _SINGULAR:
                yield Message(text)
            case _, [str(text), str(plural), *_] if name in _PLURAL:
                yield Message(text, plural)
            case _, [str(context), str(text), *_] if name in _IN_CONTEXT:
                yield Message(text, context=context)


def in_template(path: Path) -> Iterator[Message]:
    """The texts that a template marks."""
    from django.template import Engine
    from django.template.base import Token
    from django.templatetags.i18n import BlockTranslateNode, TranslateNode
    from django.utils.translation import trim_whitespace

    template = Engine.get_default().from_string(path.read_text())
    nodes: Any = template.nodelist.get_nodes_by_type(TranslateNode)
    for node in nodes:
        yield Message(str(node.filter_expression.var.literal))
    nodes = template.nodelist.get_nodes_by_type(BlockTranslateNode)
    for node in nodes:

        def text_of(tokens: list[Token], node: BlockTranslateNode = node) -> str:
            text = node.render_token_list(tokens)[0]
            return str(trim_whitespace(text) if node.trimmed else text)

        plural = text_of(node.plural) if node.plural else ""
        yield Message(text_of(node.singular), plural)


def catalogue(language: str) -> Path:
    """The file with a language's translations."""
    return LOCALES / language / "LC_MESSAGES" / "django.po"


def key_of(entry: polib.POEntry) -> Message:
    """The message that an entry translates."""
    return Message(entry.msgid, entry.msgid_plural, entry.msgctxt or "")


def update(language: str) -> int:
    """Add what is new and drop what is gone; how many texts have no translation yet."""
    path = catalogue(language)
    known = {key_of(entry): entry for entry in polib.pofile(str(path))} if path.exists() else {}
    fresh = polib.POFile(wrapwidth=100)
    fresh.metadata = {
        "Content-Type": "text/plain; charset=UTF-8",
        "Content-Transfer-Encoding": "8bit",
        "Language": language,
        "Plural-Forms": "nplurals=2; plural=(n > 1);"
        if language == "pt_BR"
        else "nplurals=2; plural=(n != 1);",
    }
    for message, paths in sorted(messages().items()):
        entry = known.get(message) or polib.POEntry(
            msgid=message.text,
            msgid_plural=message.plural,
            msgctxt=message.context or None,
            msgstr_plural={0: "", 1: ""} if message.plural else {},
        )
        entry.occurrences = [(each, "") for each in sorted(paths)]
        fresh.append(entry)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh.save(str(path))
    fresh.save_as_mofile(str(path.with_suffix(".mo")))
    return len(fresh.untranslated_entries())


def main() -> None:
    """Bring every catalogue up to date."""
    import django

    django.setup()
    for language in LANGUAGES:
        print(f"{language}: {update(language)} without a translation")  # noqa: T201


if __name__ == "__main__":
    main()
