"""What VTEX sends: the bodies of its own documentation, and short forms of them with changes."""

import copy
from typing import Any

Body = dict[str, Any]

# "VTEX - Giftcard Provider Protocol.json" of 2019-12-25: a code typed by the shopper.
SEARCH_BY_CODE: Body = {
    "client": {
        "id": "3b1abc17-988e-4a14-8b7f-31fc6a5b955c",
        "email": "email@domain.com",
        "document": "234235",
    },
    "cart": {
        "grandTotal": 182,
        "relationName": None,
        "redemptionCode": "XTYB-IOBW-WLJE-SEYG",
        "discounts": -20,
        "shipping": 2,
        "taxes": 0,
        "items": [
            {
                "productId": "2000000",
                "id": "2000002",
                "refId": "MEV41",
                "name": None,
                "price": 200,
                "quantity": 1,
            }
        ],
        "itemsTotal": 200,
    },
}

# "VTEX - GiftCard Hub API.json" of 2022-10-26: a relation, and a code all the same.
SEARCH_OF_LOYALTY: Body = {
    "client": {
        "id": "3b1abc17-988e-4a14-8b7f-31fc6a5b955c",
        "email": "convidadovtex@gmail.com",
        "document": "42151783120",
    },
    "cart": SEARCH_BY_CODE["cart"]
    | {"relationName": "loyalty-program", "redemptionCode": "FASD-ASDS-ASDA-ASDA"},
}

# "VTEX - Giftcard Provider Protocol.json" of 2023-07-17: its expiry has long passed.
CREATE_CARD: Body = {
    "relationName": "loyalty-program",
    "emissionDate": "2011-02-04T17:02:19.17",
    "expiringDate": "2020-02-04T17:02:19.17",
    "caption": "Loyalty Program",
    "restrictedToOwner": True,
    "multipleRedemptions": True,
    "multipleCredits": True,
    "profileId": "92de2449-0e02-4ca9-a4aa-a09cc9d8f7ff",
    "currencyCode": "USD",
}

# The same document: a capture of a purchase. The token is whatever GET card answered.
DEBIT: Body = {
    "operation": "Debit",
    "value": 3,
    "description": "GiftCardHub",
    "redemptionToken": "b2dac6f2-f365-48cd-82a9-0b376a55557a",
    "redemptionCode": "",
    "requestId": "B56CBE231DEE4E1A859183C1030CE926",
    "orderInfo": {
        "orderId": "v5006128str",
        "sequence": 5006128,
        "cart": {
            "items": [
                {
                    "id": "2001023",
                    "productId": "2000492",
                    "refId": "35994",
                    "name": "Vaporizador Des. ColC4nia Branco",
                    "value": 14.99,
                    "price": 14.99,
                    "quantity": 1,
                    "shippingDiscount": 0,
                    "discount": -7.5,
                    "priceTags": [
                        {
                            "name": (
                                "discount@price-discount_store_183"
                                "#4911bf6f-22a2-4af1-a365-cce895c3df2c"
                            ),
                            "value": 0,
                        }
                    ],
                }
            ],
            "grandTotal": 0,
            "discounts": -7.5,
            "shipping": 7.27,
            "taxes": 0,
            "itemsTotal": 14.99,
        },
        "clientProfile": {
            "email": "miguel.scott96@yahoo.com.br",
            "firstName": "miguel",
            "lastName": "scott",
            "document": "02906792063",
            "phone": "+551111111111",
            "birthDate": "0001-01-01T00:00:00",
            "isCorporate": False,
        },
        "shipping": {
            "receiverName": "miguel scott",
            "postalCode": "22250040",
            "city": "Rio de Janeiro",
            "state": "RJ",
            "country": "BRA",
            "street": "Praia de Botafogo",
            "number": "111",
            "neighborhood": "Botafogo",
            "complement": None,
            "reference": None,
        },
    },
}

# "VTEX - Giftcard Provider Protocol.json" of 2019-12-25: the reward of an order.
CREDIT: Body = {
    "operation": "Credit",
    "value": 28.4,
    "description": "Order v2915869org-01",
    "redemptionToken": "QFJA-AUKP-TXKU-GCKV",
    "redemptionCode": None,
    "requestId": "v2915869org-01",
    "orderInfo": {
        "orderId": "v2915869org-01",
        "sequence": 2915869,
        "cart": {
            "items": [
                {
                    "id": "2000330",
                    "productId": "2000196",
                    "refId": None,
                    "name": "T-Shirt M",
                    "value": 15,
                    "price": 15,
                    "quantity": 1,
                    "shippingDiscount": 0,
                    "discount": 0,
                    "priceTags": [],
                }
            ],
            "grandTotal": 0,
            "discounts": 0,
            "shipping": 0,
            "taxes": 0,
            "itemsTotal": 15,
        },
        "clientProfile": {
            "email": "email@domain.com",
            "firstName": "John",
            "lastName": "Smith",
            "document": "10617764093",
            "documentType": "cpf",
            "phone": "+5521993759875",
            "birthDate": "0001-01-01T00:00:00",
            "isCorporate": False,
        },
        "shipping": {
            "receiverName": "John Smith",
            "postalCode": "24417-246",
            "city": "Leblon",
            "state": "RJ",
            "country": "BRA",
            "street": "Rua Aidea Barreto do Couto",
            "number": "9678",
            "neighborhood": "",
            "complement": "",
            "reference": "",
        },
    },
}

# The same document. Settlement and cancellation show one request id: ids are told apart by kind.
SETTLEMENT: Body = {"value": 1.8, "requestId": "12093812masoidj120398"}
CANCELLATION: Body = {"value": 4.1, "requestId": "12093812masoidj120398"}


def changed(body: Body, **changes: Any) -> Body:
    """A copy with other top-level fields."""
    return copy.deepcopy(body) | changes


def debit(value: object, request_id: str = "payment-1", **changes: Any) -> Body:
    """A purchase as the Hub reserves it, without the token."""
    body = changed(DEBIT, value=value, requestId=request_id, redemptionToken=None)
    return body | changes


def debit_by(client: Body, value: object = 10, request_id: str = "payment-1") -> Body:
    """A purchase by a certain shopper."""
    order = changed(DEBIT["orderInfo"], clientProfile=client)
    return debit(value, request_id, orderInfo=order)


def credit(value: object, request_id: str = "reward-1", **changes: Any) -> Body:
    """A reward as VTEX gives it: token and code null."""
    body = changed(CREDIT, value=value, requestId=request_id, redemptionToken=None)
    return body | changes


def step(value: object, request_id: str = "step-1") -> Body:
    """A settlement or cancellation."""
    return {"value": value, "requestId": request_id}


def search(code: object = None, client: object = None, **cart: Any) -> Body:
    """A search in a cart: by typed code, or else for the client."""
    return {
        "client": client,
        "cart": changed(SEARCH_BY_CODE["cart"], redemptionCode=code, **cart),
    }
