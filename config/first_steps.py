"""What `make run` says when everything answers: where to look, who to be, what to call first."""

import json
from pathlib import Path
from shlex import quote


def first_steps(demo: Path) -> str:
    """The text, from what the demo wrote down about itself."""
    facts = json.loads(demo.read_text(), parse_float=str)  # balances to the digit
    role, login = next(iter(facts["staff"].items()))
    card = facts["cards"][0]
    search = {
        "client": facts["customer"],
        "cart": {"grandTotal": 100, "redemptionCode": card["code"], "items": []},
    }
    curl = [
        f"curl -s {quote(facts['service_url'] + '/giftcards/_search')}",
        f"-H {quote('X-PROVIDER-API-AppKey: ' + facts['app_key'])}",
        f"-H {quote('X-PROVIDER-API-AppToken: ' + facts['app_token'])}",
        "-H 'Content-Type: application/json'",
        f"-d {quote(json.dumps(search))}",
    ]
    return "\n".join(
        [
            "",
            f"Back office    {facts['admin_url']}",
            f"               {login['username']} / {login['password']}  ({role})",
            f"VTEX protocol  {facts['service_url']}",
            f"               AppKey {facts['app_key']}  AppToken {facts['app_token']}",
            f"The rest       {demo}",
            "",
            f"Find a card of {card['balance']} {card['currency']}:",
            "",
            "  " + " \\\n    ".join(curl),
            "",
            "Ctrl-C stops everything; the data stays.",
        ]
    )
