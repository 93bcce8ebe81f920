"""Redemption codes and tokens: made, found again, kept secret.

A code is found by a keyed digest (HMAC-SHA-256) and shown by decryption (AES-256-GCM); the database
alone gives neither. `LOYALTY_CODE_KEYS` holds the current key and, while it is being rotated out,
the previous one: both find and open, only the current one writes. 16 symbols of 32 are 80 random
bits: a digest without its key is useless, and guessing is bounded by the search's rate limit.
"""

import base64
import hmac
import secrets
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from loyalty.exceptions import InvalidCode

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # without 0 O 1 I
LENGTH = 16
MIN_IMPORTED, MAX_IMPORTED = 4, 255
_KEY_BYTES = 32
_NONCE_BYTES = 12
_KEY_ID_BYTES = 4


@dataclass(frozen=True, slots=True)
class _Key:
    """One master key and the keys derived from it, so that no key serves two purposes."""

    id: bytes
    finding: bytes
    sealing: bytes
    token: bytes
    files: bytes
    addresses: bytes
    chain: bytes

    @classmethod
    def from_base64(cls, encoded: str) -> "_Key":
        master = master_key(encoded)

        def derived(purpose: bytes) -> bytes:
            return hmac.digest(master, purpose, "sha256")

        return cls(
            id=sha256(master).digest()[:_KEY_ID_BYTES],
            finding=derived(b"find"),
            sealing=derived(b"seal"),
            token=derived(b"token"),
            files=derived(b"files"),
            addresses=derived(b"addresses"),
            chain=derived(b"chain"),
        )


def master_key(encoded: str) -> bytes:
    """The 32 bytes of a key as the settings hold it; `ValueError` when it is no such key."""
    master = base64.b64decode(encoded, validate=True)
    if len(master) != _KEY_BYTES:
        msg = "A code key must be 32 bytes in base64."
        raise ValueError(msg)
    return master


def _keys() -> tuple[_Key, ...]:
    return _keys_from(tuple(settings.LOYALTY_CODE_KEYS))


@lru_cache(maxsize=4)
def _keys_from(encoded: tuple[str, ...]) -> tuple[_Key, ...]:
    return tuple(map(_Key.from_base64, encoded))


def generate() -> str:
    """A new code: 16 symbols, 80 random bits, none that is mistaken for another."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def grouped(code: str) -> str:
    """A generated code as people read it: XXXX-XXXX-XXXX-XXXX."""
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))


def normalized(typed: str) -> str:
    """A typed code as we would have made it: upper case, no spaces, no hyphens."""
    return "".join(typed.split()).replace("-", "").upper()


def imported(text: str) -> str:
    """A code made elsewhere, kept to the letter; `InvalidCode` when nobody could type it."""
    code = text.strip()
    if not MIN_IMPORTED <= len(code) <= MAX_IMPORTED or not code.isprintable():
        raise InvalidCode
    return code


def last4(code: str) -> str:
    """What may be shown of a code: its last four symbols, of a short one no more than half."""
    return code[-min(4, len(code) // 2) :]


def masked(last4: str) -> str:
    """How a code is shown to everybody: its last four symbols."""
    return f"************{last4}"


def digest(code: str, *, is_imported: bool) -> bytes:
    """The digest under which a new card's code is stored."""
    return _digest(_keys()[0], code, is_imported=is_imported)


def digests(code: str, *, is_imported: bool) -> list[bytes]:
    """Every digest under which this exact code may be stored: one for each key."""
    return [_digest(key, code, is_imported=is_imported) for key in _keys()]


def typed_digests(typed: str) -> list[bytes]:
    """Every digest that a typed code may be found by.

    To the letter for imported codes, whose case may matter; normalized for codes that we made.
    """
    exact = typed.strip()
    return digests(exact, is_imported=True) + digests(normalized(typed), is_imported=False)


def _digest(key: _Key, code: str, *, is_imported: bool) -> bytes:
    kind = b"imported:" if is_imported else b"generated:"
    return hmac.digest(key.finding, kind + code.encode("utf-8", "surrogatepass"), "sha256")


def address_digest(address: str) -> bytes:
    """A keyed digest of an e-mail address: tells two apart, and names nobody."""
    return hmac.digest(_keys()[0].addresses, address.encode(), "sha256")


def seal(code: str, *, card_public_id: str) -> bytes:
    """The code encrypted for this one card: moved to another row, it no longer opens."""
    key = _keys()[0]
    return _sealed(key, key.sealing, code.encode(), card_public_id)


def unseal(sealed: bytes, *, card_public_id: str) -> str:
    """The code in clear. Raises `LookupError` when its key is gone from the settings."""
    return _unsealed(sealed, _sealed_with(sealed).sealing, card_public_id).decode()


def seal_file(content: bytes, *, name: str) -> bytes:
    """A file with codes in it, encrypted under this one name."""
    key = _keys()[0]
    return _sealed(key, key.files, content, name)


def unseal_file(sealed: bytes, *, name: str) -> bytes:
    """The file in clear. Raises `LookupError` when its key is gone from the settings."""
    return _unsealed(sealed, _sealed_with(sealed).files, name)


def _sealed(key: _Key, purpose: bytes, content: bytes, name: str) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return key.id + nonce + AESGCM(purpose).encrypt(nonce, content, name.encode())


def _unsealed(sealed: bytes, purpose: bytes, name: str) -> bytes:
    nonce = sealed[_KEY_ID_BYTES : _KEY_ID_BYTES + _NONCE_BYTES]
    return AESGCM(purpose).decrypt(nonce, sealed[_KEY_ID_BYTES + _NONCE_BYTES :], name.encode())


def _sealed_with(sealed: bytes) -> _Key:
    for key in _keys():
        if hmac.compare_digest(key.id, sealed[:_KEY_ID_BYTES]):
            return key
    msg = "The key of this code is not among LOYALTY_CODE_KEYS."
    raise LookupError(msg)


def chain_keys() -> list[tuple[str, bytes]]:
    """Name and key of the chains of entries: first the one that makes links, all that check."""
    return [(key.id.hex(), key.chain) for key in _keys()]


def is_current(sealed: bytes) -> bool:
    """Whether the code is sealed with the current key, so that rotation can skip it."""
    return hmac.compare_digest(_keys()[0].id, sealed[:_KEY_ID_BYTES])


def token(card_public_id: str) -> str:
    """The card's redemption token: opaque, derived, never stored, and never the code."""
    return _token(_keys()[0], card_public_id)


def is_token(candidate: str, *, card_public_id: str) -> bool:
    """Whether a caller holds the card's token, compared in constant time, under either key."""
    given = candidate.encode("utf-8", "surrogatepass")
    return any(hmac.compare_digest(_token(key, card_public_id).encode(), given) for key in _keys())


def _token(key: _Key, card_public_id: str) -> str:
    return hmac.digest(key.token, card_public_id.encode(), "sha256").hex()
