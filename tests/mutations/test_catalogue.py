"""The list of mutations keeps up with the code; that each is noticed is for `make test-long`."""

import re
import shutil
from pathlib import Path

import pytest

from tests.mutations.mutation import Mutation, NotApplicable
from tests.mutations.run import MUTATIONS, ROOT

TABLE = ROOT / "docs" / "mutations.md"


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_each_mutation_still_finds_the_one_place_that_it_breaks(
    mutation: Mutation, tmp_path: Path
) -> None:
    copy = tmp_path / mutation.file
    copy.parent.mkdir(parents=True)
    shutil.copy(ROOT / mutation.file, copy)

    mutation.apply(tmp_path)

    assert mutation.before not in copy.read_text() or mutation.before in mutation.after
    compile(copy.read_text(), mutation.file, "exec")


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_each_mutation_names_tests_that_exist(mutation: Mutation) -> None:
    assert mutation.tests
    for path in mutation.tests.split():
        assert (ROOT / path).exists()


def test_a_mutation_that_finds_nothing_or_too_much_says_so(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("one = 1\ntwo = 1\n")

    with pytest.raises(NotApplicable, match="found 2 times"):
        Mutation("twice", "code.py", "1", "2", "tests").apply(tmp_path)
    with pytest.raises(NotApplicable, match="found 0 times"):
        Mutation("never", "code.py", "3", "2", "tests").apply(tmp_path)

    assert (tmp_path / "code.py").read_text() == "one = 1\ntwo = 1\n"


def test_no_two_mutations_have_one_name() -> None:
    names = [mutation.name for mutation in MUTATIONS]

    assert sorted(set(names)) == sorted(names)


def test_the_table_has_each_mutation_in_its_turn_and_who_killed_it() -> None:
    rows = re.findall(r"^\| \d+ \| (.*?) \| (.*?) \| `(.+)` \|$", TABLE.read_text(), re.MULTILINE)

    assert [(name, file) for name, file, _ in rows] == [
        (each.name, each.file) for each in MUTATIONS
    ]
