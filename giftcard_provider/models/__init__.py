"""What the protocol keeps besides the ledger: who calls, whom we call, and what came of it."""

from giftcard_provider.models.credential import Caller, Credential, CredentialManager, OrderHook
from giftcard_provider.models.failed_call import Endpoint, FailedCall, Outcome
from giftcard_provider.models.hub_change import HubChange
from giftcard_provider.models.self_test import SelfTest
from giftcard_provider.models.vtex_keys import VtexKeys, is_safe_address

__all__ = [
    "Caller",
    "Credential",
    "CredentialManager",
    "Endpoint",
    "FailedCall",
    "HubChange",
    "OrderHook",
    "Outcome",
    "SelfTest",
    "VtexKeys",
    "is_safe_address",
]
