"""The eleven operations, in the order of the protocol's specification; then everything else.

Paths arrive here as `ProtocolMiddleware` leaves them: single slashes, none at the end.
"""

from django.urls import URLPattern, re_path

from giftcard_provider import views
from giftcard_provider.models import Endpoint

CARD = r"^giftcards/(?P<card_id>[A-Za-z0-9_-]{1,64})"
TRANSACTION = rf"{CARD}/transactions/(?P<transaction_id>[A-Za-z0-9_-]{{1,64}})"

urlpatterns: list[URLPattern] = [
    re_path(r"^giftcards/_search$", views.SearchView.as_view(), name=Endpoint.SEARCH),
    re_path(r"^giftcards$", views.CardsView.as_view(), name=Endpoint.CARDS),
    re_path(rf"{CARD}$", views.CardView.as_view(), name=Endpoint.CARD),
    re_path(rf"{CARD}/transactions$", views.TransactionsView.as_view(), name=Endpoint.TRANSACTIONS),
    re_path(rf"{TRANSACTION}$", views.TransactionView.as_view(), name=Endpoint.TRANSACTION),
    re_path(
        rf"{TRANSACTION}/authorization$",
        views.AuthorizationView.as_view(),
        name=Endpoint.AUTHORIZATION,
    ),
    re_path(
        rf"{TRANSACTION}/settlements$", views.SettlementsView.as_view(), name=Endpoint.SETTLEMENTS
    ),
    re_path(
        rf"{TRANSACTION}/cancellations$",
        views.CancellationsView.as_view(),
        name=Endpoint.CANCELLATIONS,
    ),
    # Also with line breaks in it: nothing below the mount is answered without credentials.
    re_path(r"^(?P<path>(?s:.*))$", views.UnknownPathView.as_view(), name=Endpoint.ELSEWHERE),
]
