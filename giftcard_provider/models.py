"""Who may call: an AppKey and the hashes of its AppTokens."""

import hmac
import secrets
from dataclasses import dataclass
from hashlib import sha256

from django.db import models
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
    SELECT credential.token_hash, credential.previous_token_hash, store.id, store.provider_id
    FROM giftcard_provider_credential credential
    JOIN loyalty_store store ON store.id = credential.store_id
    WHERE credential.app_key = %s AND credential.is_active
"""


class CredentialManager(models.Manager["Credential"]):
    """Credentials are made here, the only moment when a token is in clear, and recognized here."""

    def caller(self, app_key: str, token: str) -> Caller | None:
        """Whose credential this is, if it is live; the token is compared in constant time."""
        # No key has characters that PostgreSQL cannot hold.
        found = prepared.rows(_CALLER, [app_key if app_key.isprintable() else ""])
        *hashes, store_id, provider_id = found[0] if found else ("", "", 0, "")
        given = _hash(token)
        # Both are compared, known key or not: the time taken tells nothing.
        fits = [hmac.compare_digest(given, known) for known in hashes]
        return Caller(app_key, store_id, provider_id) if any(fits) else None

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

    def retire_previous(self) -> None:
        """End the token before the current one, at once."""
        self.previous_token_hash = ""
        self.save(update_fields=["previous_token_hash"])

    def revoke(self) -> None:
        """End the credential, at once."""
        self.is_active = False
        self.save(update_fields=["is_active"])
