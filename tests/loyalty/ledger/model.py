"""The ledger in plain Python, without a database, a lock or a line of the ledger's own code.

It is the judge of the property tests: one call goes to the ledger and to the model, and both have
to give the same answer and to hold the same amounts. Written from the design, the short way round.
"""

import datetime
from collections import Counter
from dataclasses import replace
from zoneinfo import ZoneInfo

from tests.loyalty.ledger.cards import (
    FOREVER,
    LIMIT,
    Adjustment,
    Answer,
    Call,
    Card,
    Lot,
    Refusal,
    Share,
    Transaction,
)
from tests.loyalty.ledger.people import People


class Model(People):
    """All cards of one store."""

    def __init__(self, *, zone: str = "America/Sao_Paulo", grace_days: int = 30) -> None:
        super().__init__()
        self.zone = ZoneInfo(zone)
        self.grace_days = grace_days
        self.transactions: list[Transaction] = []
        self.operations: list[int] = []  # the card of each
        self.adjustments: dict[int, Adjustment] = {}

    def knows(self, call: Call) -> bool:
        """Whether the request was made before, with this meaning or another."""
        return self._key(call) in self.cards[call.card].answers

    def state(self, number: int, now: datetime.datetime) -> dict[str, object]:
        """All that a card is and has, in plain values."""
        card = self.cards[number]
        may_pay = (
            card.status == "active"
            and card.valid_from <= now
            and not card.is_expired(now)
            and (card.reusable or not self._has_open_purchase(number))
        )
        buckets = {**card.totals, "available": card.available}
        return {
            "status": card.status,
            "owner": card.owner,
            "merged into": card.merged_into,
            "expires at": card.expires_at,
            "buckets": {bucket: amount for bucket, amount in buckets.items() if amount},
            "lots": Counter(
                (lot.funding, lot.amount, lot.remaining, lot.valid_from, lot.expires_at)
                for lot in card.lots
            ),
            "transactions": [
                (done.kind, done.amount, done.settled, done.released, done.refunded)
                for done in self.transactions
                if done.card == number
            ],
            "usable": sum(lot.remaining for lot in card.usable(now)) if may_pay else 0,
        }

    def issue(self, card: Card, amount: int) -> None:
        self.cards.append(card)
        end = card.expires_at
        if end is None and card.validity_days is not None:
            end = self.end_of_day(card.valid_from, card.validity_days)
        if not card.reloadable:
            card.expires_at = end
        if amount:
            self._open(card, card.funding, amount, card.valid_from, end, card.valid_from)
            card.totals["credited"] += amount

    def call(self, call: Call, now: datetime.datetime) -> Answer:
        """Carry out a call, or repeat the first answer to it."""
        if abs(call.amount) > LIMIT:
            return Answer("refused", "invalid_amount")
        return self._carry_out(call, now)

    def _carry_out(self, call: Call, now: datetime.datetime) -> Answer:
        card, key = self.cards[call.card], self._key(call)
        if call.verb != "expire" and key in card.answers:
            return self._repeat(call, *card.answers[key])
        if call.verb == "settle" and self.transactions[call.transaction].kind == "credit":
            return self._settle_credit(call)
        try:
            applied = getattr(self, f"_{call.verb}")(card, call, now)
        except Refusal as refusal:
            answer = refusal.answer
            self.seen.update([answer.outcome, answer.code])
        else:
            self.seen["ok"] += 1
            if call.verb in {"authorize", "credit"}:
                answer = Answer("ok", number=len(self.transactions) - 1, applied=applied)
            elif call.verb in {"expire", "revalue"} and not applied:
                return Answer("ok")
            else:
                answer = Answer("ok", number=len(self.operations), applied=applied)
                self.operations.append(call.card)
        if answer.outcome != "refused":
            card.answers[key] = call, answer
        return answer

    def _repeat(self, call: Call, first: Call, answer: Answer) -> Answer:
        if (first.verb, first.amount, first.operation) != (call.verb, call.amount, call.operation):
            self.seen["conflict"] += 1
            return Answer("refused", "request_conflict")
        self.seen["replay" if answer.outcome == "ok" else "replayed decline"] += 1
        return answer

    @staticmethod
    def _key(call: Call) -> tuple[object, ...]:
        if call.verb in {"authorize", "credit"}:
            return "purchase", call.request_id
        if call.verb in {"settle", "cancel"}:
            return call.verb, call.transaction, call.request_id, call.amount
        return call.verb, call.request_id

    def _open(
        self,
        card: Card,
        funding: str,
        amount: int,
        valid_from: datetime.datetime,
        expires_at: datetime.datetime | None,
        now: datetime.datetime,
    ) -> Lot:
        lot = self.open_lot(card, funding, amount, valid_from, expires_at)
        lot.given = now
        return lot

    def end_of_day(self, instant: datetime.datetime, days: int) -> datetime.datetime:
        day = instant.astimezone(self.zone).date() + datetime.timedelta(days)
        return datetime.datetime(
            day.year, day.month, day.day, 23, 59, 59, 999999, tzinfo=self.zone
        ).astimezone(datetime.UTC)

    def _fund(self, card: Card, call: Call, now: datetime.datetime, funding: str) -> Lot:
        start, end = call.valid_from or now, call.expires_at
        if end is None and card.validity_days is not None:
            end = self.end_of_day(start, card.validity_days)
        if card.expires_at is not None:
            end = min(end or card.expires_at, card.expires_at)
        if end is not None and end <= start:
            raise Refusal("invalid_dates", "refused")
        card.totals["credited"] += call.amount
        return self._open(card, funding, call.amount, start, end, now)

    def _take(self, lots: list[Lot], amount: int) -> list[Share]:
        shares = []
        for lot in lots:
            part = min(amount, lot.remaining)
            if part:
                lot.remaining -= part
                amount -= part
                shares.append(Share(lot, part))
        assert not amount
        return shares

    def _credit(self, card: Card, call: Call, now: datetime.datetime) -> int:
        for wrong, code in (
            (card.status == "closed", "card_closed"),
            (card.is_expired(now), "card_expired"),
            (card.status == "blocked", "card_blocked"),
            (card.totals["credited"] and not card.reloadable, "not_reloadable"),
            (card.totals["credited"] + call.amount > LIMIT, "balance_limit_exceeded"),
        ):
            if wrong:
                raise Refusal(code)
        lot = self._fund(card, call, now, call.funding)
        self.transactions.append(Transaction("credit", call.card, call.amount, lot=lot))
        return call.amount

    def _authorize(self, card: Card, call: Call, now: datetime.datetime) -> int:
        usable, buyer = card.usable(now), self.person(call.buyer)
        for wrong, code in (
            (card.status == "closed", "card_closed"),
            (card.status == "blocked", "card_blocked"),
            (now < card.valid_from, "card_not_yet_valid"),
            (card.is_expired(now), "card_expired"),
            (call.token == "wrong", "wrong_token"),
            (card.restricted and buyer and card.owner not in {"", buyer}, "wrong_owner"),
            (not card.reusable and self._has_open_purchase(call.card), "single_use_card_spent"),
            (call.amount > sum(lot.remaining for lot in usable), "insufficient_balance"),
        ):
            if wrong:
                raise Refusal(code)
        shares = self._take(usable, call.amount)
        self.seen["lot-spanning debit"] += len(shares) > 1
        card.totals["held"] += call.amount
        self.transactions.append(Transaction("debit", call.card, call.amount, shares))
        return call.amount

    def _has_open_purchase(self, number: int) -> bool:
        return any(
            debit.kind == "debit" and debit.left
            for debit in self.transactions
            if debit.card == number
        )

    def _settle(self, card: Card, call: Call, _now: datetime.datetime) -> int:
        debit = self.transactions[call.transaction]
        if call.amount > debit.held:
            raise Refusal("exceeds_hold")
        left = call.amount
        for share in debit.shares:
            part = min(left, share.held)
            share.held -= part
            share.spent += part
            left -= part
        debit.settled += call.amount
        card.totals.update(held=-call.amount, spent=call.amount)
        return call.amount

    def _settle_credit(self, call: Call) -> Answer:
        """A credit is settled by nature: nothing moves, and nothing is recorded."""
        if call.amount > self.transactions[call.transaction].amount:
            return Answer("declined", "exceeds_hold")
        return Answer("ok", "settled by nature", call.transaction, call.amount)

    def _cancel(self, card: Card, call: Call, now: datetime.datetime) -> int:
        transaction = self.transactions[call.transaction]
        if transaction.kind == "credit":
            return self._take_back(card, transaction, call.amount)
        amount = call.amount
        if amount > transaction.left and amount == transaction.amount and transaction.left:
            self.seen["full-after-partial cancel"] += 1
            amount = transaction.left
        if amount > transaction.left:
            raise Refusal("exceeds_transaction")
        release = min(amount, transaction.held)
        refund = amount - release
        self.seen["split cancel"] += bool(release and refund)
        self._land(card, transaction, {"held": release, "spent": refund}, now)
        transaction.released += release
        transaction.refunded += refund
        card.totals.update(held=-release, spent=-refund)
        return amount

    def _land(
        self, card: Card, debit: Transaction, left: dict[str, int], now: datetime.datetime
    ) -> None:
        """Back to the lots it came from, last taken first; from expired ones to new lots."""
        parts = []
        for bucket in ("held", "spent"):
            for share in reversed(debit.shares):
                part = min(left[bucket], getattr(share, bucket))
                setattr(share, bucket, getattr(share, bucket) - part)
                left[bucket] -= part
                parts.append((share.lot, part))
        self._give_back(card, parts, now)

    def _give_back(self, card: Card, parts: list[tuple[Lot, int]], now: datetime.datetime) -> None:
        late: Counter[str] = Counter()
        for lot, part in parts:
            if self.grace_days and (lot.is_expired(now) or card.is_expired(now)):
                late[lot.funding] += part
            else:
                lot.remaining += part
        end = self.end_of_day(now, self.grace_days)
        for funding, part in sorted((+late).items()):
            self._open(card, funding, part, now, end, now)
            self.seen["expired-grant restore"] += 1
        if +late and card.expires_at is not None:
            card.expires_at = max(card.expires_at, end)

    def _take_back(self, card: Card, credit: Transaction, amount: int) -> int:
        if amount > credit.left:
            raise Refusal("exceeds_transaction")
        own = credit.lot
        assert own
        others = [lot for lot in card.lots if lot is not own and lot.funding == own.funding]
        lots = [own, *sorted(others, key=lambda lot: lot.turn)]
        if amount > own.remaining:
            here = sum(lot.remaining for lot in lots)
            self.bring_back(own, amount - here, amount - own.remaining)
        if amount > sum(lot.remaining for lot in lots):
            raise Refusal("credit_spent")
        self.seen["credit taken back from another grant"] += amount > own.remaining
        self._take(lots, amount)
        credit.released += amount
        card.totals["removed"] += amount
        return amount

    def _expire(self, card: Card, _call: Call, now: datetime.datetime) -> int:
        return self.book_expired(card, now)

    def _adjust(self, card: Card, call: Call, now: datetime.datetime) -> int:
        if call.lots:
            [lot] = (card.lots[number] for number in call.lots)
            card.totals["removed"] -= call.amount
            self._take([lot], -call.amount)
            return -call.amount
        if call.amount < 0:
            taken = self._remove(card, -call.amount, now)
            self._adjusted(call, None, taken)
            return -call.amount
        for wrong, code in (
            (card.status == "closed", "card_closed"),
            (card.is_expired(now), "card_expired"),
            (card.totals["credited"] + call.amount > LIMIT, "balance_limit_exceeded"),
        ):
            if wrong:
                raise Refusal(code)
        lot = self._fund(card, replace(call, valid_from=None), now, card.funding)
        self._adjusted(call, lot, [])
        return call.amount

    def _adjusted(self, call: Call, opened: Lot | None, taken: list[Share]) -> None:
        number = len(self.operations)
        self.adjustments[number] = Adjustment(call.card, abs(call.amount), opened, taken)

    def _reverse(self, card: Card, call: Call, now: datetime.datetime) -> int:
        adjustment = self.adjustments.get(call.operation)
        if adjustment is None:
            raise Refusal("not_reversible", "refused")
        if adjustment.is_reversed:
            raise Refusal("already_reversed")
        amount, own = adjustment.amount, adjustment.opened
        if own:
            lots = [own, *(lot for lot in card.lots if lot is not own)]
            lots = [lot for lot in lots if lot.funding == own.funding]
            if card.status == "closed" or amount > sum(lot.remaining for lot in lots):
                self.seen["reversal too late"] += 1
                raise Refusal("credit_spent")
            self.seen["reversal from another grant"] += amount > own.remaining
            self._take([own, *sorted(lots[1:], key=lambda lot: lot.turn)], amount)
            card.totals["removed"] += amount
        else:
            if card.status == "closed":
                raise Refusal("card_closed")
            parts = [(share.lot, share.held) for share in adjustment.taken]
            self.seen["late reversal"] += any(lot.is_expired(now) for lot, _ in parts)
            self._give_back(card, parts, now)
            card.totals["removed"] -= amount
        self.seen["reversal up" if own else "reversal down"] += 1
        adjustment.is_reversed = True
        return amount

    def _remove(self, card: Card, amount: int, now: datetime.datetime) -> list[Share]:
        if amount > card.available:
            raise Refusal("below_zero")
        usable = card.usable(now)
        rest = sorted((lot for lot in card.lots if lot not in usable), key=lambda lot: lot.turn)
        card.totals["removed"] += amount
        return self._take([*usable, *rest], amount)

    def _block(self, card: Card, call: Call, _now: datetime.datetime) -> int:
        if card.status == "closed":
            raise Refusal("card_closed")
        card.status = {"block": "blocked", "unblock": "active"}[call.verb]
        return 0

    _unblock = _block

    def _close(self, card: Card, _call: Call, now: datetime.datetime) -> int:
        if card.status == "closed" and not card.available:
            raise Refusal("card_closed")
        if card.totals["held"]:
            raise Refusal("money_held")
        self.seen["closed again after a refund"] += card.status == "closed"
        card.status = "closed"
        amount = card.available
        self._remove(card, amount, now)
        return amount

    def _renew(self, card: Card, call: Call, now: datetime.datetime) -> int:
        if call.expires_at is not None and (
            card.expires_at is None or call.expires_at <= max(now, card.valid_from, card.expires_at)
        ):
            raise Refusal("invalid_dates", "refused")
        if card.status == "closed":
            raise Refusal("card_closed")
        booked = self._expire(card, call, now)
        card.expires_at = call.expires_at
        self.seen["renewal"] += 1
        return booked

    def _extend(self, card: Card, call: Call, now: datetime.datetime) -> int:
        end = call.expires_at
        named = [card.lots[number] for number in set(call.lots) if number < len(card.lots)]
        if not named or len(named) < len(set(call.lots)) or (end or FOREVER) <= now:
            raise Refusal("invalid_dates", "refused")
        if any((end or FOREVER) <= (lot.expires_at or FOREVER) for lot in named):
            raise Refusal("invalid_dates", "refused")
        if card.status == "closed":
            raise Refusal("card_closed")
        revived = 0
        for lot in named:
            lot.expires_at = end
            lot.remaining += lot.expired
            revived += lot.expired
            lot.expired = 0
        card.totals["expired"] -= revived
        if card.expires_at is not None:
            card.expires_at = max(card.expires_at, end) if end else None
        self.seen["extension"] += 1
        self.seen["revival"] += bool(revived)
        return revived

    def _revalue(self, card: Card, call: Call, now: datetime.datetime) -> int:
        if card.status == "closed" or card.is_expired(now):
            return 0
        before, after = call.values
        old = new = 0
        changes: list[tuple[Lot, int]] = []
        standing = [lot for lot in card.lots if lot.remaining and not lot.is_expired(now)]
        if call.given_until:
            standing = [lot for lot in standing if lot.given and lot.given < call.given_until]
        for lot in sorted(standing, key=lambda lot: lot.turn):
            old += lot.remaining
            part = old * after // before - new
            new += part
            changes.append((lot, part - lot.remaining))
        total = sum(abs(change) for _lot, change in changes)
        if after > before and card.totals["credited"] + total > LIMIT:
            raise Refusal("balance_limit_exceeded")
        card.revalued += bool(total)
        for lot, change in sorted(changes, key=lambda each: each[0].funding):
            if change > 0:
                more = self._open(card, lot.funding, change, lot.valid_from, lot.expires_at, now)
                more.grew_from = lot
                card.totals["credited"] += change
            else:
                lot.remaining += change
                card.totals["removed"] -= change
        self.seen["points worth more"] += bool(total) and after > before
        self.seen["points worth less"] += bool(total) and after < before
        return total

    def _change_owner(self, card: Card, call: Call, _now: datetime.datetime) -> int:
        if call.buyer in {"stranger", *self.merged}:
            raise Refusal("unknown_customer", "refused")
        if card.status == "closed":
            raise Refusal("card_closed")
        wallet = self.wallet_of(call.buyer) if card.wallet and call.buyer else None
        if card.merged_into is None and wallet not in {None, call.card}:
            raise Refusal("wallet_exists", "refused")
        self.seen["another owner"] += card.owner != call.buyer
        card.owner = call.buyer
        return 0
