"""Who may call us: an AppKey with the hashes of its AppTokens, and the token of the order hook."""

import datetime
import hmac
import logging
import secrets
from dataclasses import dataclass
from hashlib import sha256

from django.db import DatabaseError, connection, models
from django.db.transaction import atomic
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from loyalty import prepared
from loyalty.models import Store


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
