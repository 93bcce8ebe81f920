"""The keys with which we call VTEX, and where."""

from urllib.parse import urlsplit

from django.db import models
from django.utils.translation import gettext_lazy as _

from loyalty import codes
from loyalty.models import Store
from loyalty.money import exponent_of

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def is_safe_address(url: str) -> bool:
    """Whether keys may be sent there: https, or a stand-in for VTEX on this machine."""
    parts = urlsplit(url)
    is_private = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    return is_private and bool(parts.hostname) and not parts.query


class VtexKeys(models.Model):
    """The AppKey and AppToken of a store's VTEX account, with which its orders are read.

    The token is sealed for this store with the first key of `LOYALTY_CODE_KEYS`.
    """

    store = models.OneToOneField(
        Store, models.PROTECT, related_name="vtex_keys", verbose_name=_("store")
    )
    app_key = models.CharField(_("AppKey"), max_length=150)
    token_sealed = models.BinaryField(_("sealed AppToken"))
    orders_url = models.CharField(
        _("address of the orders"),
        max_length=200,
        blank=True,
        help_text=_("Empty: the address that VTEX gives the account."),
    )
    payments_url = models.CharField(
        _("address of the payments"),
        max_length=200,
        blank=True,
        help_text=_("Empty: the address that VTEX gives the account."),
    )
    payment_name = models.CharField(
        _("name of the payment method"),
        max_length=100,
        blank=True,
        default="Vale",
        help_text=_("What VTEX calls gift cards in this account. Empty: every order is read."),
    )
    amount_digits = models.PositiveSmallIntegerField(
        _("digits of VTEX's amounts"),
        null=True,
        blank=True,
        help_text=_("Empty: those of the store's currency."),
    )
    is_active = models.BooleanField(_("active"), default=True)
    changed_at = models.DateTimeField(_("changed at"), auto_now=True)

    class Meta:
        verbose_name = _("keys for VTEX")
        verbose_name_plural = _("keys for VTEX accounts")
        ordering = ["store"]

    def __str__(self) -> str:
        return self.app_key

    @property
    def app_token(self) -> str:
        """The token in clear. Raises `LookupError` when its key is gone from the settings."""
        return codes.unseal_file(bytes(self.token_sealed), name=self._seal_name).decode()

    def seal(self, token: str) -> None:
        """Take this token from now on; not saved yet."""
        self.token_sealed = codes.seal_file(token.encode(), name=self._seal_name)

    @property
    def addresses(self) -> tuple[str, str]:
        """Where the Orders API and the Payments Gateway are, without a slash at the end."""
        account = self.store.account
        return (
            self.orders_url or f"https://{account}.vtexcommercestable.com.br",
            self.payments_url or f"https://{account}.vtexpayments.com.br",
        )

    @property
    def digits(self) -> int:
        """How many digits of VTEX's integer amounts come after the point."""
        is_own = self.amount_digits is None
        return exponent_of(self.store.currency) if is_own else self.amount_digits or 0

    @property
    def _seal_name(self) -> str:
        return f"vtex-keys:{self.store_id}"
