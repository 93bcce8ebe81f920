"""Amounts: integer units inside, exact decimals at the edges, never a float.

A unit is 10^-exponent of the card's currency. The exponent is the currency's own (ISO 4217), or up
to `FINER_DIGITS` more on the cards of a points program.
"""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal

from loyalty.exceptions import InvalidAmount, UnknownCurrency

MAX_UNITS = 2**63 - 1  # PostgreSQL's BIGINT
FINER_DIGITS = 4

# ISO 4217, the currencies in use by the digits of their minor unit.
_BY_EXPONENT = {
    0: """
        BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF
    """,
    2: """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD
        CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP
        GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK
        LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO
        NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS
        SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST
        XCD XCG YER ZAR ZMW ZWG
    """,
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
EXPONENTS = {
    currency: exponent
    for exponent, currencies in _BY_EXPONENT.items()
    for currency in currencies.split()
}

# What a binary float may leave behind a decimal amount, as a share of the currency's smallest step.
_NOISE = Decimal("0.000001")
# Beyond these powers of ten nothing can pass; it also keeps 1e999999999 from being computed.
_LARGEST, _SMALLEST = 25, -25
# Wide enough for any amount that can pass, so that no step below rounds.
_EXACT = Context(prec=80)


def exponent_of(currency: str) -> int:
    """Digits after the point of a currency, from ISO 4217; `UnknownCurrency` for anything else."""
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise UnknownCurrency from None


def to_units(value: Decimal, *, currency: str, exponent: int) -> int:
    """The integer units of a decimal amount in major units (28.4 BRL is 2840).

    Binary noise (14.990000000000002) is rounded away. Raises `InvalidAmount` for what is not a
    positive amount of this currency: zero, negative, not finite, too fine, too large.
    """
    if not value.is_finite() or value <= 0 or not _SMALLEST <= value.adjusted() <= _LARGEST:
        raise InvalidAmount
    digits = exponent_of(currency)
    scaled = _EXACT.scaleb(_EXACT.plus(value), digits)
    steps = scaled.quantize(Decimal(1), rounding=ROUND_HALF_EVEN, context=_EXACT)
    if abs(_EXACT.subtract(scaled, steps)) > _NOISE:
        raise InvalidAmount
    return checked(int(steps) * 10 ** (exponent - digits))


def checked(units: int) -> int:
    """The same units, when they are an amount that the ledger can move; else `InvalidAmount`."""
    if not 0 < units <= MAX_UNITS:
        raise InvalidAmount
    return units


def to_decimal(units: int, *, exponent: int) -> Decimal:
    """The exact decimal amount in major units (2840 of exponent 2 is 28.40)."""
    return Decimal(units).scaleb(-exponent, context=_EXACT)


def shown(units: int, *, currency: str, exponent: int) -> Decimal:
    """The decimal amount with the currency's own digits, rounded down: never more than there is."""
    step = Decimal(1).scaleb(-exponent_of(currency))
    return to_decimal(units, exponent=exponent).quantize(step, rounding=ROUND_DOWN, context=_EXACT)
