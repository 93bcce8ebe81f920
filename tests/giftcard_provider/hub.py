"""The Gift Card Hub, as VTEX's guide tells it: what it posts depends on what it adds up."""

from decimal import Decimal

from tests.giftcard_provider.conftest import Answer, Protocol
from tests.giftcard_provider.payloads import DEBIT, Body, changed, search, step


class Purchase:
    """One payment with one card, from the payment screen to the refund."""

    def __init__(self, protocol: Protocol, request_id: str = "B56CBE231DEE4E1A859183C1030CE926"):
        self.protocol = protocol
        self.request_id = request_id
        self.card = ""
        self.transaction = ""

    def choose(self, *, code: str | None = None, client: Body | None = None) -> list[Body]:
        """The cards that checkout offers, of which it takes the first."""
        found: list[Body] = self.protocol.post("giftcards/_search", search(code, client)).data
        if found:
            self.card = found[0]["id"]
        return found

    def use(self) -> Body:
        """The card, as "Use card" sees it."""
        answer: Body = self.protocol.get(f"giftcards/{self.card}?ts=639091131481342036").data
        return answer

    def place(self, value: Decimal | int, **changes: object) -> Answer:
        """Place the order: a debit, with the token that the card was seen with."""
        body = changed(DEBIT, value=value, requestId=self.request_id)
        body |= {"redemptionToken": self.use()["redemptionToken"]} | changes
        answer = self.protocol.post(f"giftcards/{self.card}/transactions", body)
        if answer.status == 200:
            self.transaction = answer.data["id"]
        return answer

    @property
    def path(self) -> str:
        """Of the transaction."""
        return f"giftcards/{self.card}/transactions/{self.transaction}"

    def settled(self) -> Decimal:
        """What the Hub adds up before it posts a settlement."""
        return self._sum("settlements")

    def canceled(self) -> Decimal:
        """What the Hub adds up before it posts a cancellation."""
        return self._sum("cancellations")

    def settle(self, value: Decimal | int, request_id: str = "settle-1") -> Answer | None:
        """Capture: nothing is posted once the transaction is settled in full."""
        if self.settled() >= self._value():
            return None
        return self.protocol.post(f"{self.path}/settlements", step(value, request_id))

    def cancel(self, value: Decimal | int, request_id: str = "cancel-1") -> Answer | None:
        """Release or refund: nothing is posted once the transaction is canceled in full."""
        if self.canceled() >= self._value():
            return None
        return self.protocol.post(f"{self.path}/cancellations", step(value, request_id))

    def _value(self) -> Decimal:
        value: Decimal = self.protocol.get(f"{self.path}/authorization").data["value"]
        return value

    def _sum(self, kind: str) -> Decimal:
        steps = self.protocol.get(f"{self.path}/{kind}").data
        return sum((each["value"] for each in steps), Decimal(0))
