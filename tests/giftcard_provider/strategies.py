"""Arbitrary JSON for hypothesis, and how long to try it."""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

TEXTS = st.text(st.characters(), max_size=30)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)

property_test = settings(
    max_examples=2_000 if os.environ.get("LONG") else 60,
    deadline=None,
    # The fixtures only read, or make cards that every example may use.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
