# ruff: noqa: N815 - serializers that are spelled as their JSON
"""The same debit and the same read the common way: serializers, the ORM, `select_for_update`.

An ordinary, careful REST framework view; it keeps the same promises about money as long as all goes
well: authenticated, validated, idempotent, locked, in one transaction.
"""

import hmac
import secrets
from decimal import Decimal
from hashlib import sha256
from typing import Any, cast

from django.db import transaction
from django.db.models import Q
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from giftcard_provider.models import Credential
from loyalty.models import Balance, Entry, GiftCard, Grant, Operation, Store, Transaction


class HeaderAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[None, Credential]:
        key = request.headers.get("X-PROVIDER-API-AppKey", "")
        token = request.headers.get("X-PROVIDER-API-AppToken", "")
        credential = (
            Credential.objects.select_related("store").filter(app_key=key, is_active=True).first()
        )
        given = sha256(token.encode()).hexdigest()
        if credential is None or not hmac.compare_digest(given, credential.token_hash):
            raise AuthenticationFailed
        return None, credential


class ProfileSerializer(serializers.Serializer[Any]):
    email = serializers.EmailField()
    firstName = serializers.CharField()
    lastName = serializers.CharField()
    document = serializers.CharField()


class OrderSerializer(serializers.Serializer[Any]):
    orderId = serializers.CharField(max_length=64)
    sequence = serializers.CharField(max_length=32)
    clientProfile = ProfileSerializer()


class DebitSerializer(serializers.Serializer[Any]):
    operation = serializers.ChoiceField(choices=["Debit", "Credit"])
    value = serializers.DecimalField(max_digits=12, decimal_places=2, min_value=Decimal("0.01"))
    requestId = serializers.CharField(max_length=128)
    redemptionToken = serializers.CharField(max_length=512, allow_blank=True)
    redemptionCode = serializers.CharField(max_length=512, allow_blank=True)
    orderInfo = OrderSerializer()


class CardSerializer(serializers.ModelSerializer[GiftCard]):
    id = serializers.CharField(source="public_id")
    redemptionCode = serializers.CharField(source="code_last4")
    balance = serializers.SerializerMethodField()
    emissionDate = serializers.DateTimeField(source="created_at")
    expiringDate = serializers.DateTimeField(source="expires_at")
    currencyCode = serializers.CharField(source="currency")

    class Meta:
        model = GiftCard
        fields = [
            "id",
            "redemptionCode",
            "balance",
            "emissionDate",
            "expiringDate",
            "currencyCode",
            "caption",
        ]

    def get_balance(self, card: GiftCard) -> float:
        now = timezone.now()
        usable = card.grants.filter(
            Q(expires_at=None) | Q(expires_at__gt=now), valid_from__lte=now, remaining__gt=0
        )
        return sum(grant.remaining for grant in usable) / 100


class StoreView(APIView):
    authentication_classes = [HeaderAuthentication]

    @property
    def store(self) -> Store:
        return cast("Credential", self.request.auth).store


class CardView(StoreView):
    def get(self, request: Request, public_id: str) -> Response:
        card = get_object_or_404(GiftCard, store=self.store, public_id=public_id)
        return Response(CardSerializer(card).data)


class TransactionsView(StoreView):
    def post(self, request: Request, public_id: str) -> Response:
        serializer = DebitSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        debit = self.hold(self.store, public_id, serializer.validated_data)
        link = f"giftcards/{public_id}/transactions/{debit.public_id}"
        return Response({"cardId": public_id, "id": debit.public_id, "_self": {"href": link}})

    @transaction.atomic
    def hold(self, store: Store, public_id: str, data: dict[str, Any]) -> Transaction:
        card = get_object_or_404(
            GiftCard.objects.select_for_update(of=["self"]), store=store, public_id=public_id
        )
        balance = Balance.objects.select_for_update().get(card=card)
        known = Operation.objects.filter(
            card=card, kind=Operation.Kind.AUTHORIZE, request_id=data["requestId"]
        ).select_related("transaction")
        if first := known.first():
            assert first.transaction is not None
            return first.transaction
        now, amount = timezone.now(), int(data["value"] * 100)
        if not card.is_valid_at(now):
            raise ValidationError("The card is not valid.")
        debit = Transaction.objects.create(
            public_id=secrets.token_hex(16),
            card=card,
            kind=Transaction.Kind.DEBIT,
            amount=amount,
            request_id=data["requestId"],
            order_id=data["orderInfo"]["orderId"],
            order_sequence=data["orderInfo"]["sequence"],
            created_at=now,
        )
        operation = Operation.objects.create(
            oid=secrets.token_hex(16),
            card=card,
            transaction=debit,
            kind=Operation.Kind.AUTHORIZE,
            request_id=data["requestId"],
            amount=amount,
            applied=amount,
            outcome="ok",
            actor="plain",
            created_at=now,
        )
        self.take(balance, operation, amount)
        return debit

    def take(self, balance: Balance, operation: Operation, amount: int) -> None:
        now = operation.created_at
        lots = Grant.objects.select_for_update().filter(
            Q(expires_at=None) | Q(expires_at__gt=now),
            card=balance.card_id,
            valid_from__lte=now,
            remaining__gt=0,
        )
        for lot in lots.order_by("expires_at", "id"):
            share = min(amount, lot.remaining)
            if not share:
                break
            amount -= share
            lot.remaining -= share
            lot.save(update_fields=["remaining"])
            balance.available -= share
            balance.held += share
            balance.version += 1
            Entry.objects.create(
                card_id=balance.card_id,
                seq=balance.version,
                operation=operation,
                transaction=operation.transaction,
                grant=lot,
                source="available",
                target="held",
                amount=share,
                available_after=balance.available,
                held_after=balance.held,
                created_at=now,
            )
        if amount:
            raise ValidationError("Not enough balance.")
        balance.save()
