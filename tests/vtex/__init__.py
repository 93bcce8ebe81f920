"""A stand-in for VTEX: the endpoints of orders and payments that the reconciliation reads."""

from tests.vtex.scenario import Payment, Purchase, Scenario
from tests.vtex.server import StandIn, Trouble

__all__ = ["Payment", "Purchase", "Scenario", "StandIn", "Trouble"]
