"""The environment: every setting of an installation, and nothing else, comes from here.

`NAME_FILE` may stand in for any `NAME` (secrets mounted as files). A missing or malformed variable
raises `ImproperlyConfigured` with its name, so that a process never starts on a guess.
"""

import os
from pathlib import Path

from environ import FileAwareEnv

BASE_DIR = Path(__file__).resolve().parent.parent

env = FileAwareEnv()
# `make run` leaves the addresses and keys of its demo here, so that manage.py reaches the same one.
env.read_env(Path(os.environ.get("DATA_DIR") or BASE_DIR / ".local") / "env")
