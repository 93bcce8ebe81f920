"""The floor below `floor/`, the plain version below `plain/`, under the protocol's own paths."""

from django.urls import path

from tests.bench.yardsticks import floor, plain

urlpatterns = [
    path("floor/giftcards/<str:public_id>", floor.card),
    path("floor/giftcards/<str:public_id>/transactions", floor.authorize),
    path("plain/giftcards/<str:public_id>", plain.CardView.as_view()),
    path("plain/giftcards/<str:public_id>/transactions", plain.TransactionsView.as_view()),
]
