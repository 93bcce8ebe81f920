"""What staff of the demo ask for and others decide: two merges, and another point value."""

import datetime

from loyalty import approvals, earning, jobs, ledger
from loyalty.actions import Action, ChangePointValue, Merge
from loyalty.demo.clock import Dice, Story
from loyalty.demo.shop import LOYALTY, RETURN, Shop
from loyalty.demo.staff import actor
from loyalty.models import Approval, Customer, JobKind, Origin, PointValueChange, Reason
from loyalty.roles import Role

MERGED, ASKED, REVALUED = 9, 1, 24  # days ago
_BEFORE_IT = 18
_CUSTOMER_OF_MERGED, _CUSTOMER_OF_ASKED = 2, 6


def merged(shop: Shop) -> Story:
    """A customer bought as a guest before, with credit of their own; now both are one."""
    yield from _pair(shop, _CUSTOMER_OF_MERGED, asked=MERGED, is_decided=True)


def to_be_merged(shop: Shop) -> Story:
    """Another one, about whom nobody has decided yet."""
    yield from _pair(shop, _CUSTOMER_OF_ASKED, asked=ASKED, is_decided=False)


def other_point_value(shop: Shop) -> Story:
    """Points are worth more than in the beginning; as many are left on every card."""
    program, better = shop.programs[LOYALTY], shop.plan.better_point
    if program.point_units is None or better is None:
        return
    yield shop.ago(REVALUED, Dice(f"{shop.plan.account} point value"))
    change = ChangePointValue(
        program_id=program.pk,
        before=shop.plan.programs[LOYALTY]["point_units"],
        after=better,
        policy=PointValueChange.Policy.KEEP_POINTS,
        reason=Reason.CAMPAIGN,
        note=shop.plan.notes["point"],
    )
    _decide(_ask(change, Role.MANAGER), Role.FINANCE)
    while jobs.run_next({JobKind.CHANGE_POINTS: earning.revalue_chunk}):
        pass


def _pair(shop: Shop, number: int, *, asked: int, is_decided: bool) -> Story:
    """Who was a guest with another address has a wallet and a return paid as credit."""
    known = shop.customer(number)
    dice = Dice(f"{shop.plan.account} guest {number}")
    yield shop.ago(asked + _BEFORE_IT, dice)
    email = known.email.replace("@", ".2@")
    guest, _is_new = Customer.objects.get_or_create(
        store=shop.store, email=email, defaults={"name": known.name}
    )
    if guest.merged_into_id is None:
        yield from _credit(shop, guest, number, dice)
    yield shop.ago(asked, dice)
    merge = Merge(
        customer_id=guest.pk,
        into_id=known.pk,
        reason=Reason.CUSTOMER_SERVICE,
        note=shop.plan.notes["merge"],
    )
    approval = _ask(merge, Role.SUPPORT)
    if is_decided:
        yield shop.ago(asked, dice) + datetime.timedelta(days=1)
        _decide(approval, Role.MANAGER)


def _credit(shop: Shop, guest: Customer, number: int, dice: Dice) -> Story:
    ledger.issue(
        shop.programs[RETURN],
        actor=shop.vtex,
        amount=dice.pick(shop.plan.prices),
        owner=guest,
        reason=Reason.RETURN,
        public_id=shop.card_id("guest return", number),
    )
    wallet = ledger.issue(
        shop.programs[LOYALTY],
        actor=shop.vtex,
        owner=guest,
        public_id=shop.card_id("guest wallet", number),
    )
    ledger.credit(
        wallet.pk,
        amount=shop.units(dice.pick(shop.plan.prices) * 5 // 100, wallet),
        request_id=dice.hexadecimal(32),
        actor=shop.vtex,
        origin=Origin.REWARD,
    )
    yield from ()


def _ask(action: Action, role: Role) -> Approval:
    """Told again after an interruption, it is the same request."""
    outcome = approvals.carry_out(action, actor=actor(role), token=action.note)
    if outcome.approval is None:  # pragma: no cover - staff has no limits yet: everything waits
        raise RuntimeError
    return outcome.approval


def _decide(approval: Approval, role: Role) -> None:
    if approval.status == Approval.Status.WAITING:
        approvals.approve(approval, actor=actor(role))
    else:
        approvals.finish(approval)
