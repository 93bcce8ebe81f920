"""Who may call us and what we call VTEX with, in the back office of `loyalty.admin`."""

from giftcard_provider.admin import credentials, vtex_keys

__all__ = ["credentials", "vtex_keys"]
