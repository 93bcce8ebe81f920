"""Where the rules are written: VTEX's own texts, by name."""

GUIDE = "VTEX guide: Configuring an external gift card provider"
PROTOCOL = "VTEX API reference: Gift Card Provider Protocol"
SYSTEM = "VTEX guide: Gift card integration, data structures"
RELEASE_2024_05_27 = "VTEX release note of May 27, 2024: authentication of external providers"
RELEASE_2023_07_30 = "VTEX release note of July 30, 2023: gift cards with several currencies"
RFC_8259 = "RFC 8259, JSON"


def issue(number: int) -> str:
    """An entry of VTEX's public list of known issues."""
    return f"VTEX known issue {number}"
