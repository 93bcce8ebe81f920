"""A person's or company's document, as people type it."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from localflavor.br.validators import BRCPFValidator

from loyalty.identity import is_cnpj, normalized_document

_CPF_LENGTH, _CNPJ_LENGTH = 11, 14


def checked_document(typed: str) -> str:
    """A CPF or CNPJ that is one; documents of other countries as they are. Normalized."""
    document = normalized_document(typed)
    if len(document) == _CPF_LENGTH:
        try:
            BRCPFValidator()(document)
        except ValidationError as error:
            raise ValidationError(_("This is not a CPF. Check its digits.")) from error
    elif len(document) == _CNPJ_LENGTH and not is_cnpj(document):
        raise ValidationError(_("This is not a CNPJ. Check its digits."))
    return document
