"""Who owns cards: the only table with personal data."""

from typing import Any, Self

from django.db import models
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from loyalty.identity import Identity
from loyalty.models.store import Language, Store

IDENTITY = ("email", "document", "corporate_document", "profile_id")


class CustomerQuerySet(models.QuerySet["Customer"]):
    """Customers of a store."""

    def identified_by(self, identity: Identity) -> Self:
        """The customers that an identity matches; nobody for an empty one."""
        return self.filter(identity_filter(identity))

    def people(self) -> QuerySet["Customer", int]:
        """The keys of who they are now: of one merged into another, the other's."""
        return self.values_list(Coalesce("merged_into", "pk"), flat=True)


def identity_filter(identity: Identity, prefix: str = "") -> Q:
    """`Identity.matches` as a condition on customers reached through `prefix` (as in "owner__")."""

    def equal(field: str, value: str) -> Q:
        return Q(**{f"{prefix}{field}": value})

    found = Q(pk__in=[])
    for field in ("profile_id", "document", "corporate_document"):
        if value := getattr(identity, field):
            found |= equal(field, value)
    if identity.email:
        same_email = equal("email", identity.email)
        for field in ("document", "corporate_document"):
            if value := getattr(identity, field):
                same_email &= equal(field, "") | equal(field, value)
        found |= same_email
    return found


class Customer(models.Model):
    """A person or company of one store, as far as known; kept normalized."""

    store = models.ForeignKey(
        Store, models.PROTECT, related_name="customers", verbose_name=_("store")
    )
    profile_id = models.CharField(_("VTEX profile id"), max_length=254, blank=True)
    email = models.CharField(_("e-mail"), max_length=254, blank=True)
    document = models.CharField(_("personal document"), max_length=254, blank=True)
    corporate_document = models.CharField(_("company document"), max_length=254, blank=True)
    name = models.CharField(_("name"), max_length=200, blank=True)
    language = models.CharField(
        _("language"),
        max_length=8,
        choices=Language,
        blank=True,
        help_text=_("Of messages to this person; empty: the store's."),
    )
    reminders_stopped_at = models.DateTimeField(
        _("wants no reminders since"), null=True, blank=True, editable=False
    )
    # The one with whom the person goes on; never one that was merged itself.
    merged_into = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="merged",
        db_index=False,  # few rows have one
        verbose_name=_("merged into"),
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    erased_at = models.DateTimeField(_("erased at"), null=True, blank=True, editable=False)

    objects = CustomerQuerySet.as_manager()

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        ordering = ["-id"]
        permissions = [
            ("export_person", "Can export a person's data"),
            ("erase_person", "Can erase a person"),
            ("merge_customers", "Can merge customers"),
        ]
        constraints = [
            # An erased person is nobody: nothing is learned about them again.
            models.CheckConstraint(
                condition=Q(erased_at=None)
                | Q(profile_id="", email="", document="", corporate_document="", name=""),
                name="customer_erased_is_nobody",
            ),
            models.UniqueConstraint(
                fields=["store", "profile_id"],
                # One that was merged keeps what it is found by.
                condition=~Q(profile_id="") & Q(merged_into=None),
                name="customer_profile_in_store",
            ),
            models.CheckConstraint(
                condition=Q(merged_into=None) | ~Q(merged_into=F("id")),
                name="customer_merged_into_another",
            ),
        ]
        # The unique profiles above are those of some rows only: no search by profile can use them.
        indexes = [
            models.Index(fields=["store", "profile_id"], name="customer_profile"),
            models.Index(fields=["store", "email"], name="customer_email"),
            models.Index(fields=["store", "document"], name="customer_document"),
            models.Index(
                fields=["store", "corporate_document"], name="customer_corporate_document"
            ),
            models.Index(
                fields=["merged_into"],
                condition=Q(merged_into__isnull=False),
                name="customer_merged",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.email or self.document or self.corporate_document or str(self.pk)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keep what is stored in the form in which it is searched."""
        identity = self.identity
        self.email, self.profile_id = identity.email, identity.profile_id
        self.document, self.corporate_document = identity.document, identity.corporate_document
        if not self._state.adding and kwargs.get("update_fields") is None:
            # A row read before the person was erased must not bring them back; nor reminders.
            kwargs["update_fields"] = [
                field.name
                for field in self._meta.concrete_fields
                if field.name not in {"id", "erased_at", "reminders_stopped_at", "merged_into"}
            ]
            super().save(*args, **kwargs)
            self.tell_merged()
            return
        super().save(*args, **kwargs)

    @property
    def identity(self) -> Identity:
        """The customer as search and debit compare it."""
        return Identity.of(
            profile_id=self.profile_id,
            email=self.email,
            document=self.document,
            corporate_document=self.corporate_document,
        )

    @property
    def person(self) -> "Customer":
        """Who this is now: itself, or the customer that it was merged into."""
        return self.merged_into or self

    @property
    def is_nobody(self) -> bool:
        """Whether nothing new can be theirs: erased, or merged into another."""
        return self.erased_at is not None or self.merged_into_id is not None

    @property
    def spoken_language(self) -> str:
        """The language in which the person is written to."""
        return self.language or self.store.language

    def learn(self, identity: Identity, *, name: str = "", language: str = "") -> None:
        """Fill in what was not known yet; nothing known is ever overwritten. Safe to repeat.

        Of an erased person nothing is learned.
        """
        for field, value in {
            "email": identity.email,
            "document": identity.document,
            "corporate_document": identity.corporate_document,
            "name": name.strip()[:200],
            "language": language,
        }.items():
            if value and not getattr(self, field):
                unknown = Customer.objects.filter(pk=self.pk, erased_at=None, **{field: ""})
                if unknown.update(**{field: value}):
                    setattr(self, field, value)
                    self.tell_merged(field)

    def tell_merged(self, *fields: str) -> None:
        """What is known of the person is known of whoever was merged into them.

        So an old e-mail beside a document that contradicts the person's finds nobody.
        """
        for field in fields or IDENTITY:
            if value := getattr(self, field):
                unknown = Customer.objects.filter(merged_into=self, erased_at=None, **{field: ""})
                unknown.update(**{field: value})
