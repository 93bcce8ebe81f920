"""The columns of an import file, and the names by which files call them in three languages."""

import unicodedata
from collections.abc import Mapping
from typing import NamedTuple

from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

NAMES: Mapping[str, str] = {
    "code": """
        code codigo codigo_do_vale codigo_do_cartao codigo_de_resgate codigo_de_la_tarjeta
        codigo_de_canje redemption_code redemptioncode gift_card_code card_code
    """,
    "balance": "balance saldo amount value valor monto importe saldo_atual saldo_actual",
    "points": """
        points pontos puntos saldo_de_pontos saldo_em_pontos saldo_de_puntos saldo_en_puntos
    """,
    "currency": "currency moeda moneda currency_code currencycode",
    "owner_email": """
        owner_email email customer_email email_do_dono email_do_titular email_do_cliente
        correo correo_electronico email_del_titular email_del_cliente
    """,
    "owner_document": """
        owner_document document documento cpf cnpj cpf_cnpj cpf_ou_cnpj documento_do_dono
        documento_do_titular documento_do_cliente documento_del_titular documento_del_cliente
    """,
    "owner_profile_id": """
        owner_profile_id profile_id profileid profile perfil id_do_perfil id_del_perfil id_de_perfil
    """,
    "owner_name": """
        owner_name name customer_name nome nombre nome_do_dono nome_do_titular nome_do_cliente
        nombre_del_titular nombre_del_cliente
    """,
    "owner_language": """
        owner_language language idioma lingua idioma_do_dono idioma_do_titular idioma_do_cliente
        idioma_del_titular idioma_del_cliente
    """,
    "valid_from": """
        valid_from start_date valido_desde valido_a_partir_de valido_a_partir inicio
        inicio_da_validade inicio_de_la_validez
    """,
    "expires_at": """
        expires_at expires expiry expiry_date expiration expiration_date expiringdate last_day
        validade valido_ate vencimento vence_em expira_em data_de_validade ultimo_dia
        vencimiento vence_el expira_el valido_hasta fecha_de_vencimiento
    """,
}

LABELS: Mapping[str, StrOrPromise] = {
    "": _("whole row"),
    "code": _("code"),
    "balance": _("balance"),
    "points": _("points"),
    "currency": _("currency"),
    "owner_email": _("owner's e-mail"),
    "owner_document": _("owner's document"),
    "owner_profile_id": _("owner's VTEX profile id"),
    "owner_name": _("owner's name"),
    "owner_language": _("owner's language"),
    "valid_from": _("valid from"),
    "expires_at": _("expires at"),
}

_COLUMN_OF = {name: column for column, names in NAMES.items() for name in names.split()}


class Row(NamedTuple):
    """A row as it was typed: its number among the rows with data, its line in the file, its cells.

    `is_ragged` when it has more or fewer cells than the header.
    """

    number: int
    line: int
    is_ragged: bool
    code: str = ""
    balance: str = ""
    points: str = ""
    currency: str = ""
    owner_email: str = ""
    owner_document: str = ""
    owner_profile_id: str = ""
    owner_name: str = ""
    owner_language: str = ""
    valid_from: str = ""
    expires_at: str = ""


def column_named(header: str) -> str | None:
    """The column that a header names, whatever its case, accents, spaces and punctuation."""
    plain = unicodedata.normalize("NFKD", header.strip().lower())
    letters = "".join(c for c in plain if not unicodedata.combining(c))
    words = "".join(c if c.isalnum() else " " for c in letters).split()
    return _COLUMN_OF.get("_".join(words).replace("e_mail", "email"))


__all__ = ["LABELS", "NAMES", "Row", "column_named"]
