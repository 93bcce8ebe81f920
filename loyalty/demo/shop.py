"""The two stores of the demo: what they give, what things cost there, when people shop."""

import datetime
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from loyalty.demo.clock import Dice
from loyalty.demo.people import customers
from loyalty.models import Customer, Funding, GiftCard, Program, Store

RELATION = "loyalty-program"  # what makes checkout list a card as loyalty credit
GIFT, RETURN, LOYALTY, PROMOTION = (
    Program.Kind.GIFT_CARD,
    Program.Kind.RETURN_CREDIT,
    Program.Kind.LOYALTY,
    Program.Kind.PROMOTION,
)
_OPENS, _CLOSES = 8, 22


@dataclass(frozen=True, slots=True)
class Plan:
    """A store before it exists; `prices` and `gifts` in major units times 10^`digits`."""

    account: str
    store: dict[str, Any]
    programs: dict[str, dict[str, Any]]
    prices: tuple[int, ...]
    gifts: tuple[int, ...]
    cards: dict[str, int]
    earning: dict[str, str]
    tiers: dict[str, int]  # from which spend on, lowest first
    notes: dict[str, str]  # what staff write to what they ask for
    better_point: int | None = None  # the units of a point since some weeks


BRAZIL = Plan(
    account="demobrasil",
    store={
        "name": "Casa Aurora",
        "provider_id": "aurora-credito",
        "currency": "BRL",
        "time_zone": "America/Sao_Paulo",
    },
    programs={
        GIFT: {"name": "Vale-presente", "caption": "Vale-presente", "validity_days": 365},
        RETURN: {
            "name": "Vale-troca",
            "caption": "Vale-troca",
            "validity_days": 180,
            "is_restricted": True,
        },
        LOYALTY: {
            "name": "Aurora Pontos",
            "caption": "Aurora Pontos",
            "relation_name": RELATION,
            "funding": Funding.PROMOTIONAL,
            "validity_days": 120,
            "is_restricted": True,
            "is_reloadable": True,
            "unit_name": "pontos",
            "finer_digits": 2,
            "point_units": 25,
        },
        PROMOTION: {
            "name": "Bônus de aniversário",
            "caption": "Bônus de aniversário",
            "funding": Funding.PROMOTIONAL,
            "validity_days": 30,
            "is_restricted": True,
            "is_reusable": False,
        },
    },
    prices=(2490, 3990, 4990, 5990, 7990, 8990, 11990, 14990, 18990, 24990),
    gifts=(5000, 10000, 10000, 15000, 20000, 25000, 30000, 50000),
    cards={GIFT: 76, RETURN: 26, LOYALTY: 26, PROMOTION: 26},
    earning={
        "usual": "10 pontos por real",
        "first": "Primeira compra",
        "draft": "Pix em dobro",
        "campaign": "Semana Aurora",
        "granted": "Duas entregas atrasadas",
    },
    tiers={"Bronze": 0, "Prata": 40000, "Ouro": 90000},
    notes={
        "merge": "Comprou como visitante com outro e-mail; confirmou por telefone",
        "point": "Pontos valem mais no fim do ano",
    },
    better_point=30,
)
CHILE = Plan(
    account="demochile",
    store={
        "name": "Tienda Cordillera",
        "provider_id": "cordillera-credito",
        "currency": "CLP",
        "time_zone": "America/Santiago",
        "language": "es",
        "refund_grace_days": 45,
    },
    programs={
        GIFT: {"name": "Tarjeta de regalo", "caption": "Tarjeta de regalo", "validity_days": 365},
        RETURN: {
            "name": "Crédito por devolución",
            "caption": "Crédito por devolución",
            "validity_days": 180,
            "is_restricted": True,
        },
        LOYALTY: {
            "name": "Monedero Cordillera",
            "caption": "Monedero Cordillera",
            "relation_name": RELATION,
            "funding": Funding.PROMOTIONAL,
            "validity_days": 120,
            "is_restricted": True,
            "is_reloadable": True,
        },
        PROMOTION: {
            "name": "Bono de bienvenida",
            "caption": "Bono de bienvenida",
            "funding": Funding.PROMOTIONAL,
            "validity_days": 30,
            "is_restricted": True,
            "is_reusable": False,
        },
    },
    prices=(4990, 7990, 9990, 12990, 14990, 19990, 24990, 34990),
    gifts=(10000, 20000, 20000, 30000, 50000),
    cards={GIFT: 32, RETURN: 12, LOYALTY: 15, PROMOTION: 12},
    earning={
        "usual": "3 % de cada compra",
        "first": "Primera compra",
        "draft": "Webpay doble",
        "campaign": "Semana Cordillera",
        "granted": "Dos entregas atrasadas",
    },
    tiers={"Bronce": 0, "Plata": 60000, "Oro": 120000},
    notes={"merge": "Compró como invitado con otro correo; lo confirmó por teléfono"},
)


class Shop:
    """A store of the demo, and what its stories ask about it."""

    def __init__(self, plan: Plan, account: str, *, now: datetime.datetime) -> None:
        """Make the store, its programs and customers, as far as they are not there yet."""
        self.plan = plan
        self.now = now
        self.store, _ = Store.objects.get_or_create(account=account, defaults=plan.store)
        self.programs = {kind: self._program(kind) for kind in plan.programs}
        self.customers = customers(self.store)
        self.vtex = f"vtex:{plan.account}"

    def _program(self, kind: str) -> Program:
        fields = self.plan.programs[kind]
        program, _ = Program.objects.get_or_create(
            store=self.store, kind=kind, name=fields["name"], defaults=fields
        )
        return program

    def customer(self, number: int) -> Customer:
        """The customers in turn."""
        return self.customers[number % len(self.customers)]

    def card_id(self, story: str, number: int = 0) -> str:
        """The id of a story's card: told again after an interruption, it is the same card."""
        return Dice(f"{self.plan.account} {story} card {number}").hexadecimal(32)

    def units(self, amount: int, card: GiftCard) -> int:
        """An amount of the store's currency in the units of a card of this store."""
        finer: int = card.program.finer_digits
        return amount * int(10**finer)

    def ago(self, days: int, dice: Dice) -> datetime.datetime:
        """Some time while shops are open, so many days ago."""
        return self._open(timezone.localdate(self.now, self.store.zone), -days, dice)

    def later(self, instant: datetime.datetime, days: int, dice: Dice) -> datetime.datetime:
        """Some time while shops are open, so many days (1 or more) after an instant."""
        return self._open(timezone.localdate(instant, self.store.zone), days, dice)

    def _open(self, day: datetime.date, days: int, dice: Dice) -> datetime.datetime:
        minute = dice.between(_OPENS * 60, _CLOSES * 60 - 1)
        time = datetime.time(minute // 60, minute % 60, dice.below(60), dice.below(10**6))
        return datetime.datetime.combine(
            day + datetime.timedelta(days=days), time, tzinfo=self.store.zone
        )
