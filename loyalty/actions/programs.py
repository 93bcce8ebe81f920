"""What staff do to a program as a whole."""

from dataclasses import dataclass
from functools import cached_property

from loyalty import point_values
from loyalty.actions.base import Action, Figures, Preview, Subject
from loyalty.audit import user_named
from loyalty.exceptions import PointValueOutdated
from loyalty.models import AuditAction, PointValueChange, Program, Store


@dataclass(frozen=True, kw_only=True)
class ChangePointValue(Action):
    """Let a program's point be worth `after` units instead of `before`.

    Whoever is a member gains or loses as all others do: that is nobody's credit to themselves.
    """

    name = AuditAction.POINT_VALUE
    permission = "loyalty.add_pointvaluechange"
    moving = frozenset({"cards", "points", "available"})

    program_id: int
    before: int
    after: int
    policy: str

    @cached_property
    def program(self) -> Program:
        """The program."""
        return Program.objects.select_related("store").get(pk=self.program_id)

    @cached_property
    def effect(self) -> point_values.Effect:
        """What is on its cards, and what would be by either policy."""
        return point_values.effect(self.program_id, before=self.before, after=self.after)

    @property
    def store(self) -> Store:
        """The program's store."""
        return self.program.store

    @property
    def currency(self) -> str:
        """The store's currency."""
        return self.store.currency

    @property
    def exponent(self) -> int:
        """The digits of the program's cards."""
        return self.program.exponent

    @property
    def amount(self) -> int:
        """What all cards gain or lose; nothing when the money stays."""
        _points, units = self.effect.after(self.policy)
        return abs(units - self.effect.units)

    @property
    def subject(self) -> Program:
        """The program."""
        return self.program

    def figures(self) -> Figures:
        """What a point is worth."""
        return {"point_units": Program.objects.get(pk=self.program_id).point_units}

    def preview(self, *, request_id: str = "rehearsal") -> Preview:
        """Added up, not rehearsed: the cards are adjusted by a job."""
        program = Program.objects.get(pk=self.program_id)
        point_values.refuse_now(program)
        if program.point_units != self.before or self.after == self.before:
            raise PointValueOutdated
        points, units = self.effect.after(self.policy)
        return Preview(
            {
                "point_units": self.before,
                "policy": None,
                "cards": self.effect.cards,
                "points": self.effect.points,
                "available": self.effect.units,
            },
            {
                "point_units": self.after,
                "policy": self.policy,
                "cards": self.effect.cards,
                "points": points,
                "available": units,
            },
        )

    def perform(self, *, request_id: str, actor: str) -> Subject:
        """Change it, and leave the job that adjusts the cards, if any."""
        return point_values.change(
            self.program,
            before=self.before,
            after=self.after,
            policy=PointValueChange.Policy(self.policy),
            requested_by=user_named(actor),
            reason=self.reason,
            note=self.note,
            request_id=request_id,
        )
