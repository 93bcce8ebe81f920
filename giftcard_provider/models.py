"""Who may call us (an AppKey, the hashes of its AppTokens), and the keys we call VTEX with.

Also what was asked of a store's Gift Card Hub, the self-tests of the protocol, and the calls that
got nothing.
"""

import datetime
import hmac
import logging
import secrets
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlsplit

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError, connection, models
from django.db.transaction import atomic
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from loyalty import codes, prepared
from loyalty.models import Customer, GiftCard, Job, Store
from loyalty.money import exponent_of


def _hash(token: str) -> str:
    # A fast hash is right for 256 random bits: there is nothing to guess.
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Caller:
    """The store behind a request, as the protocol needs it."""

    app_key: str
    store_id: int
    provider_id: str

    is_authenticated = True


_CALLER = """
    SELECT credential.token_hash, credential.previous_token_hash, store.id, store.provider_id,
        credential.last_used_on
    FROM giftcard_provider_credential credential
    JOIN loyalty_store store ON store.id = credential.store_id
    WHERE credential.app_key = %s AND credential.is_active
"""
# Once a day; who else is at the row (another call, a rotation) is not waited for.
_NOTE_USE = """
    UPDATE giftcard_provider_credential SET last_used_on = %(today)s
    WHERE id = (
        SELECT id FROM giftcard_provider_credential
        WHERE app_key = %(app_key)s AND last_used_on IS DISTINCT FROM %(today)s
        FOR NO KEY UPDATE SKIP LOCKED
    )
"""

log = logging.getLogger(__name__)


def _note_use(app_key: str, today: datetime.date) -> None:
    try:
        with atomic(), connection.cursor() as cursor:
            cursor.execute(_NOTE_USE, {"app_key": app_key, "today": today})
    except DatabaseError:
        # Whoever may call is served, even by a database that takes no writes.
        log.warning("The use of a credential could not be noted.", exc_info=True)


class CredentialManager(models.Manager["Credential"]):
    """Credentials are made here, the only moment when a token is in clear, and recognized here."""

    def caller(self, app_key: str, token: str) -> Caller | None:
        """Whose credential this is, if it is live; the token is compared in constant time."""
        # No key has characters that PostgreSQL cannot hold.
        found = prepared.rows(_CALLER, [app_key if app_key.isprintable() else ""])
        *hashes, store_id, provider_id, last_used_on = found[0] if found else ("", "", 0, "", None)
        given = _hash(token)
        # Both are compared, known key or not: the time taken tells nothing.
        fits = [hmac.compare_digest(given, known) for known in hashes]
        if not any(fits):
            return None
        today = timezone.now().date()
        if last_used_on != today:
            _note_use(app_key, today)
        return Caller(app_key, store_id, provider_id)

    def issue(self, store: Store) -> tuple["Credential", str]:
        """A new credential of a store, and its AppToken, which cannot be shown again."""
        token = secrets.token_urlsafe(32)
        credential = self.create(
            store=store,
            app_key=f"{store.account}-{secrets.token_hex(6)}",
            token_hash=_hash(token),
        )
        return credential, token


class Credential(models.Model):
    """An AppKey of a store, with up to two live AppTokens while one replaces the other."""

    store = models.ForeignKey(
        Store, models.PROTECT, related_name="credentials", verbose_name=_("store")
    )
    app_key = models.CharField(_("AppKey"), max_length=150, unique=True)
    token_hash = models.CharField(_("hash of the AppToken"), max_length=64, editable=False)
    previous_token_hash = models.CharField(
        _("hash of the previous AppToken"), max_length=64, blank=True, editable=False
    )
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    last_used_on = models.DateField(_("last used on"), null=True, editable=False)

    objects = CredentialManager()

    class Meta:
        verbose_name = _("credential")
        verbose_name_plural = _("credentials")
        ordering = ["store", "app_key"]

    def __str__(self) -> str:
        return self.app_key

    def rotate(self) -> str:
        """Make a new AppToken; the one before stays valid until `retire_previous`."""
        token = secrets.token_urlsafe(32)
        self.previous_token_hash, self.token_hash = self.token_hash, _hash(token)
        self.save(update_fields=["previous_token_hash", "token_hash"])
        return token

    def replace_token(self) -> str:
        """Make another AppToken in the place of the current one; the one before stays as it is."""
        token = secrets.token_urlsafe(32)
        self.token_hash = _hash(token)
        self.save(update_fields=["token_hash"])
        return token

    def retire_previous(self) -> None:
        """End the token before the current one, at once."""
        self.previous_token_hash = ""
        self.save(update_fields=["previous_token_hash"])

    def revoke(self) -> None:
        """End the credential, at once."""
        self.is_active = False
        self.save(update_fields=["is_active"])


_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def is_safe_address(url: str) -> bool:
    """Whether keys may be sent there: https, or a stand-in for VTEX on this machine."""
    parts = urlsplit(url)
    is_private = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    return is_private and bool(parts.hostname) and not parts.query


class OrderHook(models.Model):
    """The token with which a store's VTEX account may tell us that an order changed."""

    store = models.OneToOneField(
        Store, models.PROTECT, related_name="order_hook", verbose_name=_("store")
    )
    token_hash = models.CharField(_("hash of the token"), max_length=64, editable=False)
    heard_at = models.DateTimeField(_("last heard at"), null=True, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("order hook")
        verbose_name_plural = _("order hooks")
        ordering = ["store"]

    def __str__(self) -> str:
        return str(self.store)

    @classmethod
    def issue(cls, store: Store) -> str:
        """A new token of the store's hook, which cannot be shown again; the one before ends."""
        token = secrets.token_urlsafe(32)
        cls.objects.update_or_create(store=store, defaults={"token_hash": _hash(token)})
        return token

    def takes(self, token: str) -> bool:
        """Whether this is its token, in constant time."""
        return hmac.compare_digest(_hash(token), self.token_hash)


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


class HubChange(models.Model):
    """Something asked of a store's Gift Card Hub: what was there before, and what came of it.

    `before` and `after` are the account's providers as the Hub tells them, without any secret: it
    never tells one. `before` is what `registration.restore` puts back.
    """

    class Kind(models.TextChoices):
        """What was asked for."""

        LOOK = "look", _("look, change nothing")
        REGISTER = "register", _("register")
        UNREGISTER = "unregister", _("unregister")
        RESTORE = "restore", _("put other providers back")

    class Status(models.TextChoices):
        """How far it is; of what was sent nobody knows yet whether VTEX did it."""

        WAITING = "waiting", _("waiting")
        SENT = "sent", _("sent, not seen yet")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    class Refusal(models.TextChoices):
        """Why nothing was sent, or what is wrong with what came of it."""

        NO_KEYS = (
            "no_keys",
            _("There are no keys for the store's VTEX account. Set them with set_vtex_keys."),
        )
        BAD_ADDRESS = (
            "bad_address",
            _(
                "The service URL has to be an https address that VTEX reaches, with at least one"
                " path segment, no slash at its end and no query."
            ),
        )
        BAD_ID = (
            "bad_id",
            _("The store's provider id may have letters, digits, - and _ only: it goes into URLs."),
        )
        NOT_OURS = (
            "not_ours",
            _(
                "The account has a provider of this id that was not registered from here, or was"
                " changed by somebody else since. It is left alone: remove it in the account, or"
                " give the store another provider id."
            ),
        )
        NOT_THERE = "not_there", _("The account has no provider of this id.")
        NOTHING_SAVED = (
            "nothing_saved",
            _("Nothing was saved of this account: no provider was registered from here."),
        )
        NOT_AS_SENT = (
            "not_as_sent",
            _("VTEX took the request, but what the account has now is not what was sent."),
        )
        VTEX = "vtex", _("VTEX could not be asked, or refused.")

    store = models.ForeignKey(
        Store, models.PROTECT, related_name="hub_changes", verbose_name=_("store")
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    provider_id = models.CharField(_("provider id"), max_length=100)
    service_url = models.CharField(_("service URL"), max_length=500, blank=True)
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.WAITING)
    refusal = models.CharField(_("problem"), max_length=16, choices=Refusal, blank=True)
    error = models.TextField(_("error"), blank=True)
    credential = models.ForeignKey(
        Credential, models.PROTECT, null=True, related_name="+", verbose_name=_("credential")
    )
    before = models.JSONField(_("before"), null=True, encoder=DjangoJSONEncoder)
    after = models.JSONField(_("after"), null=True, encoder=DjangoJSONEncoder)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("asked for by"),
    )
    job = models.ForeignKey(Job, models.PROTECT, null=True, related_name="+", verbose_name=_("job"))
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)

    class Meta:
        verbose_name = _("change of a Gift Card Hub")
        verbose_name_plural = _("changes of Gift Card Hubs")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.provider_id}"

    @property
    def is_open(self) -> bool:
        """Whether it is still to be done, or under way."""
        return self.status in {self.Status.WAITING, self.Status.SENT}


class SelfTest(models.Model):
    """A run of the protocol's self-check against a provider, with the verdict of every check."""

    class Status(models.TextChoices):
        """Where it is."""

        WAITING = "waiting", _("waiting")
        PASSED = "passed", _("passed")
        FAILED = "failed", _("failed")

    store = models.ForeignKey(
        Store, models.PROTECT, related_name="self_tests", verbose_name=_("store")
    )
    service_url = models.CharField(_("service URL"), max_length=500)
    card = models.ForeignKey(
        GiftCard, models.PROTECT, related_name="+", verbose_name=_("test card")
    )
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.WAITING)
    # As `self_check.Report.as_data` writes it.
    report = models.JSONField(_("report"), default=dict)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("asked for by"),
    )
    job = models.ForeignKey(Job, models.PROTECT, null=True, related_name="+", verbose_name=_("job"))
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)

    class Meta:
        verbose_name = _("self-test")
        verbose_name_plural = _("self-tests")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.store} {self.created_at:%Y-%m-%d %H:%M}"


class Outcome(models.TextChoices):
    """How a call ended; also the metrics' word for it."""

    OK = "ok", _("served")
    NO_MATCH = "no_match", _("no card for the code")
    DECLINED = "declined", _("declined")
    CONFLICT = "conflict", _("request id used for something else")
    UNKNOWN = "unknown", _("no such card, transaction or path")
    MALFORMED = "malformed", _("malformed")
    NO_ENTRY = "no_entry", _("credentials missing or wrong")
    TOO_MANY = "too_many", _("too many calls")
    BUSY = "busy", _("busy: to be repeated")
    FAILED = "failed", _("our own failure")


class Endpoint(models.TextChoices):
    """What is called: the names of the protocol's paths."""

    SEARCH = "search", _("search for cards")
    CARDS = "cards", _("open a wallet")
    CARD = "card", _("read a card")
    TRANSACTIONS = "transactions", _("debit, credit or list")
    TRANSACTION = "transaction", _("read a transaction")
    AUTHORIZATION = "authorization", _("read an authorization")
    SETTLEMENTS = "settlements", _("settle or list")
    CANCELLATIONS = "cancellations", _("cancel or list")
    ELSEWHERE = "elsewhere", _("another path")


class FailedCall(models.Model):
    """A call that failed, was declined, or searched for a code without finding a card.

    Kept `RETENTION_FAILED_CALL_DAYS` days; no code, token or personal data is in it
    (`giftcard_provider.masking`). `customer` is who asked, where they are known.
    """

    created_at = models.DateTimeField(_("at"), db_index=True)
    store = models.ForeignKey(
        Store, models.PROTECT, null=True, related_name="+", verbose_name=_("store")
    )
    app_key = models.CharField(_("AppKey"), max_length=150, blank=True)
    endpoint = models.CharField(_("called"), max_length=16, choices=Endpoint)
    method = models.CharField(_("method"), max_length=8)
    path = models.CharField(_("path"), max_length=255)
    outcome = models.CharField(_("outcome"), max_length=12, choices=Outcome)
    status = models.PositiveSmallIntegerField(_("status"))
    code = models.CharField(_("reason"), max_length=64, blank=True)
    request_body = models.TextField(_("what was sent"), blank=True)
    answer = models.TextField(_("what was answered"), blank=True)
    milliseconds = models.PositiveIntegerField(_("milliseconds"))
    operation_id = models.CharField(_("VTEX operation id"), max_length=128, blank=True)
    request_id = models.CharField(_("request id (payment)"), max_length=128, blank=True)
    order_id = models.CharField(_("order"), max_length=64, blank=True)
    card = models.ForeignKey(
        GiftCard, models.PROTECT, null=True, related_name="+", verbose_name=_("gift card")
    )
    customer = models.ForeignKey(
        Customer, models.SET_NULL, null=True, related_name="+", verbose_name=_("customer")
    )

    class Meta:
        verbose_name = _("failed call")
        verbose_name_plural = _("failed calls")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["operation_id"], name="failed_call_operation"),
            models.Index(fields=["request_id"], name="failed_call_request"),
            models.Index(fields=["order_id"], name="failed_call_order"),
        ]

    def __str__(self) -> str:
        return f"{self.get_endpoint_display()} {self.pk}"
