"""Rules of the house that no tool checks: they are read from the source itself."""

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.db.utils import load_backend

ROOT = Path(__file__).resolve().parent.parent
MONEY = ("Balance", "Grant", "Transaction", "Operation", "Entry")
WRITER = ROOT / "loyalty" / "ledger" / "posting.py"
WRITING_METHODS = {
    *("save", "asave", "delete", "adelete"),
    *("create", "acreate", "update", "aupdate", "bulk_create", "abulk_create"),
    *("bulk_update", "abulk_update", "get_or_create", "aget_or_create"),
    *("update_or_create", "aupdate_or_create"),
}
WRITING_SQL = re.compile(
    r"\b(insert\s+into|update|delete\s+from|truncate(\s+table)?|copy|merge\s+into)\s+(only\s+)?"
    r'"?loyalty_(balance|grant|transaction|operation|entry)\b',
    re.IGNORECASE,
)


def sources(*packages: str) -> list[Path]:
    return [
        path
        for package in packages
        for path in sorted((ROOT / package).rglob("*.py"))
        if "migrations" not in path.parts
    ]


def names_in(chain: ast.expr) -> Iterator[str]:
    """`Balance.objects.filter(...)` → filter, objects, Balance."""
    while True:
        match chain:
            case ast.Call(func=inner) | ast.Subscript(value=inner):
                chain = inner
            case ast.Attribute(value=inner, attr=name):
                yield name
                chain = inner
            case ast.Name(id=name):
                yield name
                return
            case _:
                return


def money_names() -> set[str]:
    """The models, what an instance is usually called, and every relation that leads to one."""
    relations = {
        accessor
        for model in apps.get_app_config("loyalty").get_models()
        for relation in model._meta.related_objects
        if getattr(relation.related_model, "__name__", "") in MONEY
        and (accessor := relation.get_accessor_name()) is not None
    }
    return {*MONEY, *(name.lower() for name in MONEY), *relations}


def writes_of_money(tree: ast.AST, names: set[str]) -> Iterator[int]:
    """The lines that write one of the five tables, by the ORM or by SQL."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=owner, attr=method)) if (
                method in WRITING_METHODS and names.intersection(names_in(owner))
            ):
                yield node.lineno
            case ast.Constant(value=str(text), lineno=line) if WRITING_SQL.search(text):
                yield line


def test_money_is_written_only_by_the_one_writer() -> None:
    names = money_names()
    elsewhere = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sources("loyalty", "giftcard_provider", "config")
        if path != WRITER
        for line in writes_of_money(ast.parse(path.read_text()), names)
    ]

    assert elsewhere == []


@pytest.mark.parametrize(
    "line",
    [
        "Balance.objects.create(card=card)",
        "Balance.objects.filter(card=card).update(held=0)",
        "balance.save(update_fields=['held'])",
        "self.entry.delete()",
        "Entry.objects.bulk_create([first, second])",
        "cursor.execute('UPDATE loyalty_balance SET held = 0')",
        "cursor.execute(f'insert into \"loyalty_entry\" values ({values})')",
    ],
)
def test_a_second_writer_would_be_seen(line: str) -> None:
    assert list(writes_of_money(ast.parse(line), money_names())) == [1]


@pytest.mark.parametrize(
    "line",
    [
        "Balance.objects.filter(card=card).exists()",
        "customer.save()",
        "Store.objects.create(name=name)",
        "cursor.execute('SELECT held FROM loyalty_balance FOR NO KEY UPDATE')",
    ],
)
def test_readers_and_other_tables_are_free(line: str) -> None:
    assert list(writes_of_money(ast.parse(line), money_names())) == []


def test_the_word_transaction_stays_free_for_the_domain() -> None:
    taken = [
        str(path.relative_to(ROOT))
        for path in sources("loyalty", "giftcard_provider")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        and node.module == "django.db"
        and any(alias.name == "transaction" for alias in node.names)
    ]

    assert taken == [], "write: from django.db.transaction import atomic"


def test_no_request_is_one_transaction() -> None:
    """A verb commits by itself (`durable`), so that a 200 is never followed by a rollback."""
    from django.conf import settings

    assert settings.DATABASES["default"]["ATOMIC_REQUESTS"] is False


def test_psycopg_3_is_not_installed() -> None:
    """Django would silently prefer it, and the tests would prove another driver."""
    assert importlib.util.find_spec("psycopg") is None
    assert load_backend("django.db.backends.postgresql").Database.__name__ == "psycopg2"


def variables_read() -> set[str]:
    return {
        name
        for path in sources("config")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in _variable(node)
    }


def _variable(node: ast.AST) -> list[str]:
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="env") | ast.Attribute(attr="environ")),
            args=[ast.Constant(value=str(name)), *_],
        ) if name.isupper() and name != "DJANGO_SETTINGS_MODULE":
            return [name]
        case _:
            return []


def test_every_setting_is_documented_and_nothing_else() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    documented = {
        name
        for row in re.findall(r"^\| ([^|]+) \|", page, re.MULTILINE)
        for name in re.findall(r"`([A-Z_]+)`", row)
    }
    of_the_tests = {"TEST_DATABASE_URL", "TEST_REDIS_URL", "LONG", "REQUIRE_BROWSER"}

    assert documented - of_the_tests == variables_read()
