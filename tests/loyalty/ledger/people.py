"""Customers who are merged and parted again, and what becomes of their cards, in plain Python."""

import datetime
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.loyalty.ledger.cards import LIMIT, Answer, Card, Lot, Refusal


@dataclass(eq=False)
class Merge:
    """Who was merged into whom, and all that has to be undone when they are parted."""

    number: int
    who: str
    into: str
    request_id: str
    cards: dict[int, int | None] = field(default_factory=dict)  # with what took their place
    moved: list[tuple[Lot, Lot]] = field(default_factory=list)  # what was sent, what arrived
    revalued: int = 0  # how often the wallet had been adjusted when it arrived
    undone_by: str = ""


class People:
    """The customers of a store by their names, and whose the cards are."""

    def __init__(self) -> None:
        self.cards: list[Card] = []
        self.lots: list[Lot] = []  # of all cards, as they were given
        self.merged: dict[str, str] = {}
        self.merges: list[Merge] = []
        self.stands_in_the_way: Callable[[Merge], bool] = lambda _made: False
        self.under_way = False  # whether cards are being adjusted to another point value
        self.seen: Counter[str] = Counter()  # what has happened at least once

    def person(self, name: str) -> str:
        """Who somebody is now."""
        return self.merged.get(name, name)

    def wallet_of(self, name: str) -> int | None:
        """The one open wallet of a customer."""
        return next(
            (
                number
                for number, card in enumerate(self.cards)
                if card.wallet and card.owner == name and self._is_open(card)
            ),
            None,
        )

    def merge(self, who: str, into: str, request_id: str, now: datetime.datetime) -> Answer:
        """Two customers become one, or nothing at all happens."""
        return self._answered(lambda: self._merge(who, into, request_id, now))

    def unmerge(self, made: Merge, request_id: str) -> Answer:
        """A merge is undone while nothing of it was used, or nothing at all happens."""
        return self._answered(lambda: self._unmerge(made, request_id))

    def _answered(self, verb: Callable[[], Merge]) -> Answer:
        try:
            return Answer("ok", number=verb().number)
        except Refusal as refusal:
            self.seen[refusal.answer.code] += 1
            return refusal.answer

    def _merge(self, who: str, into: str, request_id: str, now: datetime.datetime) -> Merge:
        if who == into:
            raise Refusal("same_customer", "refused")
        for made in self.merges:
            if made.request_id == request_id:
                if (made.who, made.into) != (who, into):
                    raise Refusal("request_conflict", "refused")
                self.seen["merged again"] += 1
                return made
        return self._merged(Merge(len(self.merges), who, into, request_id), now)

    def _merged(self, made: Merge, now: datetime.datetime) -> Merge:
        who, into = made.who, made.into
        if "stranger" in {who, into}:
            raise Refusal("unknown_customer", "refused")
        if {who, into} & set(self.merged):
            raise Refusal("already_merged", "refused")
        target = self.wallet_of(into)
        mine = [(number, card) for number, card in enumerate(self.cards) if card.owner == who]
        gone = [
            (number, card)
            for number, card in mine
            if target is not None and card.wallet and self._is_open(card)
        ]
        for _, card in gone:
            self._check_room(card, self.cards[target or 0], now)
        for number, card in mine:
            made.cards[number] = None
            card.owner = into
        for number, card in gone:
            made.cards[number] = card.merged_into = target
            self._transfer(made, card, self.cards[target or 0], now)
        for name, person in list(self.merged.items()):
            self.merged[name] = into if person == who else person
        self.merged[who] = into
        self.merges.append(made)
        self.seen["merged"] += 1
        return made

    def _check_room(self, card: Card, wallet: Card, now: datetime.datetime) -> None:
        living = self._living(card, wallet, now)
        if not living:
            return
        if "blocked" in {card.status, wallet.status}:
            raise Refusal("wallet_blocked", "refused")
        if self.under_way:
            raise Refusal("point_value_under_way", "refused")
        if wallet.totals["credited"] + sum(lot.remaining for lot in living) > LIMIT:
            raise Refusal("balance_limit_exceeded")

    @staticmethod
    def _living(card: Card, wallet: Card, now: datetime.datetime) -> list[Lot]:
        """What goes from one wallet to the other: all that has not ended, if it is one money."""
        if card.program != wallet.program or card.is_expired(now):
            return []
        lots = [lot for lot in card.lots if lot.remaining and not lot.is_expired(now)]
        return sorted(lots, key=lambda lot: (lot.funding, lot.number))

    def _transfer(self, made: Merge, card: Card, wallet: Card, now: datetime.datetime) -> None:
        living = self._living(card, wallet, now)
        made.revalued = wallet.revalued
        if not living:
            self.seen["a wallet beside the other"] += card.program != wallet.program
            return
        if wallet.is_expired(now):
            self.seen["an ended wallet goes on"] += 1
            self.book_expired(wallet, now)
            wallet.expires_at = card.expires_at
        elif wallet.expires_at and (not card.expires_at or wallet.expires_at < card.expires_at):
            wallet.expires_at = card.expires_at
        for lot in living:
            ends = [end for end in (lot.expires_at, card.expires_at) if end]
            arrived = self.open_lot(
                wallet, lot.funding, lot.remaining, lot.valid_from, min(ends, default=None)
            )
            arrived.came_from, arrived.given = lot, lot.given
            self._pass_on(lot, lot.remaining, card, wallet)
            made.moved.append((lot, arrived))
        self.seen["credit went to another wallet"] += 1

    def _unmerge(self, made: Merge, request_id: str) -> Merge:
        if made.undone_by:
            if made.undone_by != request_id:
                raise Refusal("not_merged", "refused")
            self.seen["parted again"] += 1
            return made
        if any(other.undone_by == request_id for other in self.merges):
            raise Refusal("request_conflict", "refused")
        self._check_parting(made)
        self._part(made)
        made.undone_by = request_id
        self.seen["parted"] += 1
        self.seen["credit came back from another wallet"] += bool(made.moved)
        return made

    def _check_parting(self, made: Merge) -> None:
        if made.into in self.merged or self.merged.get(made.who) != made.into:
            raise Refusal("merge_touched", "refused")
        if any(self.cards[number].owner != made.into for number in made.cards):
            raise Refusal("merge_touched", "refused")
        for sent, arrived in made.moved:
            self._check_return(made, self.cards[sent.card], self.cards[arrived.card])
            if arrived.remaining != arrived.amount:
                raise Refusal("merge_touched", "refused")
        if self.stands_in_the_way(made):
            raise Refusal("merge_touched", "refused")

    def _part(self, made: Merge) -> None:
        for sent, arrived in made.moved:
            self._pass_on(arrived, arrived.amount, self.cards[arrived.card], self.cards[sent.card])
            sent.remaining += arrived.amount
        for number, wallet in made.cards.items():
            self.cards[number].owner = made.who
            if wallet is not None:
                self.cards[number].merged_into = None
        del self.merged[made.who]
        for before in self.merges:
            if before.into == made.who and not before.undone_by:
                self.merged[before.who] = made.who

    def _check_return(self, made: Merge, card: Card, wallet: Card) -> None:
        if "blocked" in {card.status, wallet.status}:
            raise Refusal("wallet_blocked", "refused")
        if self.under_way:
            raise Refusal("point_value_under_way", "refused")
        if wallet.revalued > made.revalued or card.status == "closed":
            raise Refusal("merge_touched", "refused")

    def bring_back(self, own: Lot, amount: int, missing: int) -> None:
        """Credit that is taken back and went on to other wallets comes home for it."""
        away = [lot for lot in self.lots if lot.is_from(own) and lot.remaining]
        there = sum(lot.remaining for lot in away)
        if not there or there < amount:
            return
        self.seen["credit comes home to be taken back"] += 1
        for lot in sorted(away, key=lambda lot: lot.card):
            part = min(missing, lot.remaining)
            missing -= part
            self._pass_on(lot, part, self.cards[lot.card], self.cards[own.card])
            own.remaining += part

    @staticmethod
    def _pass_on(lot: Lot, part: int, card: Card, other: Card) -> None:
        lot.remaining -= part
        card.totals["credited"] -= part
        other.totals["credited"] += part

    @staticmethod
    def _is_open(card: Card) -> bool:
        return card.status != "closed" and card.merged_into is None

    def open_lot(
        self,
        card: Card,
        funding: str,
        amount: int,
        valid_from: datetime.datetime,
        expires_at: datetime.datetime | None,
    ) -> Lot:
        """Credit that was not on the card before."""
        number = self.cards.index(card)
        lot = Lot(len(card.lots), funding, amount, valid_from, expires_at, amount, card=number)
        card.lots.append(lot)
        self.lots.append(lot)
        return lot

    def book_expired(self, card: Card, now: datetime.datetime) -> int:
        """What is over is not available any more."""
        due = [lot for lot in card.lots if card.is_expired(now) or lot.is_expired(now)]
        amount = sum(lot.remaining for lot in due)
        for lot in due:
            lot.expired += lot.remaining
            lot.remaining = 0
        self.seen["expiry booked"] += bool(amount)
        card.totals["expired"] += amount
        return amount
