"""Made-up customers with documents whose check digits are right. The addresses reach nobody."""

import unicodedata
from collections.abc import Iterator, Sequence
from uuid import NAMESPACE_DNS, uuid5

from loyalty.demo.clock import Dice
from loyalty.models import Customer, Store

BRAZILIANS = [
    "Ana Beatriz Souza",
    "Bruno Carvalho",
    "Camila Ferreira",
    "Daniel Ribeiro",
    "Eduarda Martins",
    "Felipe Araújo",
    "Gabriela Nogueira",
    "Henrique Barbosa",
    "Isabela Teixeira",
    "João Pedro Lima",
    "Karina Duarte",
    "Lucas Moreira",
    "Mariana Castro",
    "Natália Freitas",
    "Otávio Mendes",
    "Patrícia Gonçalves",
    "Rafael Antunes",
    "Sabrina Peixoto",
    "Thiago Azevedo",
    "Úrsula Campos",
    "Vinícius Rocha",
    "Yasmin Cardoso",
    "Letícia Moraes",
    "Gustavo Pires",
    "Aline Batista",
    "Marcelo Tavares",
    "Renata Siqueira",
    "Caio Vasconcelos",
    "Débora Prado",
    "Rodrigo Falcão",
]
CHILEANS = [
    "Catalina Rojas",
    "Matías Fuentes",
    "Javiera Soto",
    "Benjamín Contreras",
    "Antonia Sepúlveda",
    "Vicente Morales",
    "Florencia Araya",
    "Tomás Espinoza",
    "Constanza Reyes",
    "Diego Valenzuela",
    "Isidora Tapia",
    "Joaquín Herrera",
    "Fernanda Castillo",
    "Martín Núñez",
    "Trinidad Vergara",
    "Agustín Pizarro",
]
# The second one is of the alphanumeric kind that exists since 2026.
COMPANIES = [
    ("Padaria Estrela do Sul Ltda", "11222333000181"),
    ("Ateliê Horizonte Ltda", "12ABC34501DE35"),
]

_CPF_DIGITS = 9
_ELEVEN = 11


def customers(store: Store) -> list[Customer]:
    """The store's customers, made when they are not there yet; companies come last."""
    is_brazilian = store.currency == "BRL"
    names = BRAZILIANS if is_brazilian else CHILEANS
    documents = (cpf if is_brazilian else rut)(Dice(f"documents of {store.name}"))
    people = [
        _customer(store, name, document=document)
        for name, document in zip(names, documents, strict=False)
    ]
    if is_brazilian:
        people += [_customer(store, name, corporate_document=cnpj) for name, cnpj in COMPANIES]
    return people


def _customer(store: Store, name: str, **documents: str) -> Customer:
    email = f"{_ascii(name)}@example.com"
    customer, _is_new = Customer.objects.get_or_create(
        store=store,
        email=email,
        defaults={"name": name, "profile_id": str(uuid5(NAMESPACE_DNS, email)), **documents},
    )
    return customer


def _ascii(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return plain.lower().replace(" ", ".")


def cpf(dice: Dice) -> Iterator[str]:
    """Brazilian personal documents, without punctuation."""
    while True:
        digits = [dice.below(10) for _ in range(_CPF_DIGITS)]
        for _ in range(2):
            check = _check(digits, range(len(digits) + 1, 1, -1))
            digits.append(0 if check in {10, 11} else check)
        yield "".join(map(str, digits))


def rut(dice: Dice) -> Iterator[str]:
    """Chilean personal documents, without punctuation."""
    while True:
        digits = [int(digit) for digit in str(dice.between(8_000_000, 21_000_000))]
        weights = [2 + place % 6 for place in range(len(digits))][::-1]
        yield "".join(map(str, digits)) + "0123456789K0"[_check(digits, weights)]


def _check(digits: Sequence[int], weights: Sequence[int]) -> int:
    total = sum(digit * weight for digit, weight in zip(digits, weights, strict=True))
    return _ELEVEN - total % _ELEVEN if total % _ELEVEN else _ELEVEN
