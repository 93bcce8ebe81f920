"""The stand-in for VTEX as tests use it; `make run` starts the same for the demo."""

from giftcard_provider.stand_in import Payment, Purchase, Scenario, StandIn, Trouble

__all__ = ["Payment", "Purchase", "Scenario", "StandIn", "Trouble"]
