"""The stand-in for VTEX as tests use it; `make run` starts the same for the demo."""

from giftcard_provider.stand_in import Line, Payment, Purchase, Scenario, StandIn, Trouble

__all__ = ["Line", "Payment", "Purchase", "Scenario", "StandIn", "Trouble"]
