"""How wallets follow what is due: what is credited, taken back, forgiven or owed."""

import datetime
from fractions import Fraction

from tests.loyalty.earning.due import Due
from tests.loyalty.earning.facts import Earning, Key
from tests.loyalty.earning.houses import House
from tests.loyalty.ledger.cards import FOREVER, Call, Card, Lot

Take = tuple[Lot, int, int]  # of which lot, how many units, and what that is as the order counts


class Following(Due):
    """The customers' wallets in the ledger's own model."""

    def __init__(self, house: House) -> None:
        super().__init__(house)
        self.requests = 0
        self.earned: dict[Lot, Key] = {}
        self.credits: dict[Lot, int] = {}  # the transaction that gave it

    def follow(self, who: str, now: datetime.datetime) -> None:
        """Credit and take back as far as it goes by what is in the wallet."""
        self.keep_points(who, now)
        while self._moves(who, now):
            pass

    def keep_points(self, who: str, now: datetime.datetime) -> None:
        """While cards are adjusted to another point value, a customer's are before all else."""
        for number, card in enumerate(self.ledger.cards):
            if self.ledger.under_way and card.owner == who:
                self.adjust(number, now)

    def adjust(self, number: int, now: datetime.datetime) -> None:
        """As many points as before on what a card had been given before the change; once."""
        change = self.changes[-1]
        known = len(self.ledger.lots)
        self.call(
            Call(
                "revalue",
                number,
                request_id=f"change {len(self.changes)}",
                values=(change.before, change.after),
                given_until=change.at,
            ),
            now,
        )
        for lot in self.ledger.lots[known:]:
            self.seen["points grew"] += lot.grew_from in self.earned

    def _moves(self, who: str, now: datetime.datetime) -> bool:
        mine = [
            (key, each)
            for key, each in self.earnings.items()
            if self.whose[key[0]] == who and each.due != each.net
        ]
        there = [
            lot
            for lot in self.ledger.lots
            if self.ledger.cards[lot.card].owner == who
            and self.order_of(lot) is not None
            and lot.remaining
            and not lot.is_expired(now)
        ]
        left = {lot: lot.remaining for lot in there}
        if any(each.usable and each.due > each.net for _, each in mine):
            self._open_wallet(who, now)
        credits_due: list[tuple[Key, Earning, int]] = []
        takes: list[tuple[Earning, Take]] = []
        for key, each in mine:
            again = max(min(each.due - each.net, each.forgiven), 0)
            each.forgiven -= again
            self.seen["asked again"] += bool(again)
            if each.due > each.net and each.usable:
                units = int((each.due - each.net) * self._scale(key))
                if not self._is_hindered(who, each) and units:
                    credits_due.append((key, each, units))
            elif each.due < each.net:
                takes += [(each, take) for take in self._taken(key, each, there, left, now)]
        for key, each, units in credits_due:
            self._credit(who, key, each, units, now)
        for each, take in takes:
            self._take_back(each, take, now)
        return bool(credits_due or takes)

    def _scale(self, key: Key) -> Fraction:
        paid = self.orders[key[0]].paid
        return self.scale(paid) if paid else Fraction(1)

    def order_of(self, lot: Lot) -> int | None:
        """The order that earned it, wherever it went and whatever another value added."""
        before = lot.came_from or lot.grew_from
        if before:
            return self.order_of(before)
        return self.earned[lot][0] if lot in self.earned else None

    def _is_own(self, lot: Lot, key: Key) -> bool:
        """Of what grew in value it is only known which order it is of."""
        first = lot
        while first.came_from:
            first = first.came_from
        if first.grew_from:
            return self.order_of(first) == key[0]
        return self.earned.get(first) == key

    def _is_hindered(self, who: str, earning: Earning) -> bool:
        wallet = self.ledger.wallet_of(who)
        assert wallet is not None
        blocked = self.ledger.cards[wallet].status == "blocked"
        self.seen["blocked wallet"] += blocked
        self.seen["credited after an obstacle"] += earning.problem and not blocked
        earning.problem = blocked
        return blocked

    def _open_wallet(self, who: str, now: datetime.datetime) -> None:
        if self.ledger.wallet_of(who) is None:
            card = Card(now, validity_days=self.house.validity, owner=who, wallet=True)
            self.ledger.issue(card, 0)

    def _taken(
        self,
        key: Key,
        earning: Earning,
        there: list[Lot],
        left: dict[Lot, int],
        now: datetime.datetime,
    ) -> list[Take]:
        """From its own credit, then from other earnings: not usable yet first, then by expiry.

        What expired of its own is asked of no other.
        """
        in_turn = sorted(
            there,
            key=lambda lot: (
                lot.valid_from <= now,
                lot.expires_at or FOREVER,
                self.ledger.lots.index(lot),
            ),
        )
        own = [lot for lot in in_turn if self._is_own(lot, key)]
        scale = self._scale(key)
        owed = earning.net - earning.due
        takes = self._from(own, owed, left, scale)
        owed -= sum(worth for _, _, worth in takes)
        expired = min(owed, max(int(self._gone(key, now)) - earning.forgiven, 0))
        others = [lot for lot in in_turn if lot not in own]
        from_others = self._from(others, owed - expired, left, scale)
        owed -= expired + sum(worth for _, _, worth in from_others)
        self.seen["taken from another earning"] += bool(from_others)
        waived = owed if self.house.take_back == "waive" else 0
        self.seen["waived"] += bool(waived)
        self.seen["forgiven as expired"] += bool(expired)
        self.seen["owed"] += owed > waived
        earning.forgiven += expired + waived
        return takes + from_others

    def _gone(self, key: Key, now: datetime.datetime) -> Fraction:
        """What expired of its own, by what that was worth at its end."""
        paid, gone = self.orders[key[0]].paid, Fraction(0)
        for lot in self.ledger.lots:
            units = lot.expired + (lot.remaining if lot.is_expired(now) else 0)
            if units and self._is_own(lot, key):
                gone += units / (self.scale(paid, lot.expires_at) if paid else Fraction(1))
        return gone

    @staticmethod
    def _from(lots: list[Lot], owed: int, left: dict[Lot, int], scale: Fraction) -> list[Take]:
        """As many whole units as what is owed comes to now; what is owed still, whole units too."""
        takes = []
        for lot in lots:
            asked = int(owed * scale)
            if units := min(asked, left[lot]):
                left[lot] -= units
                rest = int((asked - units) / scale) if units < asked else 0
                takes.append((lot, units, owed - rest))
                owed = rest
        return takes

    def _credit(
        self, who: str, key: Key, earning: Earning, units: int, now: datetime.datetime
    ) -> None:
        assert earning.usable
        end = None
        if earning.validity is not None:
            end = self.ledger.end_of_day(earning.usable, earning.validity)
        wallet = self.ledger.wallet_of(who)
        assert wallet is not None
        self.call(
            Call(
                "credit",
                wallet,
                units,
                self._request(),
                funding="promotional",
                valid_from=earning.usable,
                expires_at=end,
            ),
            now,
        )
        self.seen["the difference credited"] += bool(earning.credited)
        self.seen["credited by another value"] += self._scale(key) != 1
        earning.credited += earning.due - earning.net
        lot = self.ledger.cards[wallet].lots[-1]
        self.earned[lot] = key
        self.credits[lot] = len(self.ledger.transactions) - 1

    def _take_back(self, earning: Earning, take: Take, now: datetime.datetime) -> None:
        lot, units, worth = take
        first = lot
        while first.came_from:
            first = first.came_from
        self.seen["taken unspent" if lot.valid_from <= now else "taken before usable"] += 1
        self.seen["taken by another value"] += units != worth
        if first.grew_from:
            self.seen["taken of what grew"] += 1
            self.call(Call("adjust", lot.card, -units, self._request(), lots=(lot.number,)), now)
        else:
            self.seen["taken from where it went"] += first is not lot
            credit = self.credits[first]
            self.call(Call("cancel", first.card, units, self._request(), transaction=credit), now)
        earning.taken += worth

    def call(self, call: Call, now: datetime.datetime) -> None:
        """The ledger's own model does it; here it is always possible."""
        answer = self.ledger.call(call, now)
        assert answer.outcome == "ok", answer

    def _request(self) -> str:
        self.requests += 1
        return f"earning {self.requests}"
