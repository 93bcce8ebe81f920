import base64
from pathlib import Path

import pytest

from config.workstation import AlreadyRunning, keys, locked, write_environment


def test_keys_are_made_once_and_only_for_the_owner(tmp_path: Path) -> None:
    first = keys(tmp_path)

    assert keys(tmp_path) == first
    assert len(first["SECRET_KEY"]) >= 50
    assert len(base64.b64decode(first["LOYALTY_CODE_KEYS"])) == 32
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600


def test_two_installations_have_different_keys(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()

    one, two = keys(tmp_path / "one"), keys(tmp_path / "two")

    assert one["SECRET_KEY"] != two["SECRET_KEY"]
    assert one["LOYALTY_CODE_KEYS"] != two["LOYALTY_CODE_KEYS"]


def test_an_environment_file_is_replaced_and_stays_private(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text("OLD='1'\n")
    path.chmod(0o644)

    write_environment(path, {"NEW": "a=b c"})

    assert path.read_text() == "NEW='a=b c'\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_data_folder_serves_one_run_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"

    with locked(folder), pytest.raises(AlreadyRunning), locked(folder):
        pass
    with locked(folder):
        pass
