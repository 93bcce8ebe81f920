"""The proofs of the books and the differences that they found."""

from collections.abc import Mapping

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from loyalty.admin.base import ReadOnlyAdmin, badge, link
from loyalty.ledger.promises import INVARIANTS
from loyalty.models import Proof, ProofDifference
from loyalty.proofs import CHAIN, LINKS

CHAINED: Mapping[str, StrOrPromise] = {
    CHAIN: _("the entries of a card are those that were chained, under our key"),
    LINKS: _("no link of a chain is ever gone"),
}


@admin.register(Proof)
class ProofAdmin(ReadOnlyAdmin[Proof]):
    """Each proof, and what it found."""

    list_display = ("scope", "result", "cards", "links", "started_at", "finished_at")
    list_filter = ("scope",)
    fields = ("scope", "result", "cards", "differences", "links", "started_at", "finished_at")
    readonly_fields = ("result",)

    @admin.display(description=_("result"), ordering="differences")
    def result(self, proof: Proof) -> SafeString:
        """Whether the books were right."""
        if proof.finished_at is None:
            return badge("open", _("not finished"))
        if proof.differences:
            return badge("bad", _("differences"))
        return badge("good", _("the books are right"))


@admin.register(ProofDifference)
class ProofDifferenceAdmin(ReadOnlyAdmin[ProofDifference]):
    """What is not as promised; open ones first."""

    list_display = ("promise", "card_link", "state", "figures", "first_seen", "last_seen")
    list_filter = (("gone_at", admin.EmptyFieldListFilter),)
    list_select_related = ("card", "proof")
    fields = (
        *("promise", "meaning", "card_link", "state", "figures", "proof_link"),
        *("first_seen", "last_seen", "gone_at"),
    )
    readonly_fields = fields
    card_link = link("card", _("gift card"))
    proof_link = link("proof", _("first found by"))

    @admin.display(description=_("promise"), ordering="check_name")
    def promise(self, difference: ProofDifference) -> str:
        """Its short name, as `manage.py verify_ledger` prints it."""
        return difference.check_name

    @admin.display(description=_("what should be true"))
    def meaning(self, difference: ProofDifference) -> str:
        """The promise in words, as operators know it from `manage.py verify_ledger`."""
        if difference.check_name in CHAINED:
            return str(CHAINED[difference.check_name])
        return next(each.meaning for each in INVARIANTS if each.name == difference.check_name)

    @admin.display(description=_("state"), ordering="gone_at")
    def state(self, difference: ProofDifference) -> SafeString:
        """Whether it is still there."""
        return badge("neutral", _("gone")) if difference.gone_at else badge("bad", _("open"))
