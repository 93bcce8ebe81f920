"""VTEX's part, played against any provider by its URL: what VTEX does, and what goes wrong.

`check_provider` needs a credential and a test card, and gives back what it takes. It knows nothing
of this project's ledger: another provider is asked exactly the same.
"""

from giftcard_provider.self_check.check import VERDICTS, Verdict, told
from giftcard_provider.self_check.run import BY_ID, CHECKS, Report, Result, check_provider
from giftcard_provider.self_check.wire import Target

__all__ = [
    "BY_ID",
    "CHECKS",
    "VERDICTS",
    "Report",
    "Result",
    "Target",
    "Verdict",
    "check_provider",
    "told",
]
