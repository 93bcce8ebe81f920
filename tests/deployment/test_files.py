"""The files in deploy/ and for containers name what exists."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")


def composed() -> dict[str, Any]:
    made: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return made


def commands() -> list[str]:
    units = [re.search(r"^ExecStart=(.+)$", unit.read_text(), re.MULTILINE) for unit in UNITS]
    services = composed()["services"]
    return [
        *(found[1] for found in units if found),
        *(" ".join(services[name]["command"]) for name in ("worker", "beat")),
        (ROOT / "Dockerfile").read_text(),
    ]


def test_there_is_a_unit_for_each_process() -> None:
    assert [unit.stem for unit in UNITS] == ["giftcards-beat", "giftcards-web", "giftcards-worker"]


@pytest.mark.parametrize("command", commands())
def test_every_command_names_a_module_that_exists(command: str) -> None:
    modules = re.findall(r"\b(config\.(?:gunicorn|celery))\b", command)

    assert modules
    assert all((ROOT / f"{name.replace('.', '/')}.py").exists() for name in modules)


def test_the_image_has_every_package_and_nothing_of_the_tests() -> None:
    copied = re.findall(r"^COPY (?!--)(\S+) ", (ROOT / "Dockerfile").read_text(), re.MULTILINE)

    assert {"manage.py", "config", "giftcard_provider", "loyalty", "templates"} <= set(copied)
    assert all((ROOT / name).exists() for name in copied)
    assert "tests" not in copied


def test_every_variable_of_the_compose_file_is_a_setting() -> None:
    documented = (ROOT / "docs" / "operations.md").read_text()
    names = composed()["x-application"]["environment"]

    assert [name for name in names if f"`{name.removesuffix('_FILE')}`" not in documented] == []


def test_every_secret_of_the_compose_file_is_declared() -> None:
    made = composed()
    used = {
        secret for service in made["services"].values() for secret in service.get("secrets", [])
    }

    assert used == set(made["secrets"])


@pytest.mark.skipif(not NGINX, reason="no nginx on this machine: apt-get install nginx-light")
def test_nginx_accepts_its_file(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test"),
            *("-days", "1", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    text = re.sub(r"(ssl_certificate) \S+;", rf"\1 {certificate};", text)
    text = re.sub(r"(ssl_certificate_key) \S+;", rf"\1 {key};", text)
    whole = tmp_path / "nginx.conf"
    whole.write_text(f"pid {tmp_path}/nginx.pid;\nevents {{}}\nhttp {{\n{text}\n}}\n")

    assert NGINX
    checked = subprocess.run(
        [NGINX, "-t", "-q", "-c", str(whole), "-e", str(tmp_path / "error.log")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (checked.returncode, checked.stderr) == (0, "")
