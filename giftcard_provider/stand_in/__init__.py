"""A stand-in for VTEX on this machine, for the demo and the tests. It moves no money.

| module   | does                                                                          |
|----------|-------------------------------------------------------------------------------|
| scenario | what an account knows, in plain data, and how VTEX's APIs write it             |
| server   | answers from a scenario over HTTP, counts the calls, misbehaves when told to   |
| account  | the scenario of a store of the demo: its purchases, some of them as they went wrong |

Another endpoint: a row in `server.ROUTES`, a method of `StandIn`, and a shape in `scenario`.
"""

from giftcard_provider.stand_in.scenario import Line, Payment, Purchase, Scenario
from giftcard_provider.stand_in.server import StandIn, Trouble

__all__ = ["Line", "Payment", "Purchase", "Scenario", "StandIn", "Trouble"]
