"""No more reminders, and the code of a card: pages behind signed links.

Mail programs and their scanners open links by themselves, so that opening one only shows a page;
what it is for happens when the button is pressed. Nothing here is kept by a cache, found by a
search engine, or told to another site.
"""

import datetime
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone, translation
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from loyalty import audit, notifications
from loyalty.models import AuditAction, AuditEvent, GiftCard
from loyalty.notifications import figures, links
from loyalty.notifications.contents import shown_code

# How often the code of a card is shown by its link, within an hour.
MOST_SHOWN, WINDOW = 10, datetime.timedelta(hours=1)

View = Callable[[HttpRequest, str], HttpResponse]


def private(view: View) -> View:
    """Nobody keeps, finds or passes on what this page shows."""

    @wraps(view)
    def wrapped(request: HttpRequest, token: str) -> HttpResponse:
        answer = view(request, token)
        answer["X-Robots-Tag"] = "noindex, nofollow"
        # Not "no-referrer": a browser would hide where the button is, and the button be refused.
        answer["Referrer-Policy"] = "same-origin"
        return answer

    return never_cache(require_http_methods(["GET", "HEAD", "POST"])(wrapped))


# The signed address is what allows it: mail programs post here without having seen a page.
@csrf_exempt
@private
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """No more reminders for whoever the link was sent to, or reminders again."""
    customer = links.customer_of(token)
    if customer is None:
        return _gone(request)
    if request.method == "POST":
        if "resume" in request.POST:
            notifications.resume_reminders(customer)
        else:
            notifications.stop_reminders(customer)
        customer.refresh_from_db(fields=["reminders_stopped_at"])
    with translation.override(customer.spoken_language):
        context = {
            "store": customer.store.name,
            "is_stopped": customer.reminders_stopped_at is not None,
            "is_done": request.method == "POST",
        }
        return render(request, "public/unsubscribe.html", context)


@private
def card(request: HttpRequest, token: str) -> HttpResponse:
    """What the card is worth; its code when the button is pressed, which is kept in the trail."""
    link = links.card_of(token)
    if link is None or link.card is None:
        return _gone(request, link.language if link else "")
    found = link.card
    context: dict[str, object] = {}
    status = HTTPStatus.OK
    if request.method == "POST":
        if _was_shown_often(found):
            context["is_too_often"] = True
            status = HTTPStatus.TOO_MANY_REQUESTS
        else:
            audit.record(
                AuditAction.CODE_OPENED, None, card=found, customer=found.owner, subject=found
            )
            context["code"] = shown_code(found)
    with translation.override(link.language):
        context |= {
            "store": found.store.name,
            "title": figures.title(found.program, found.caption),
            "balance": figures.amount_on(found, figures.usable(found)),
            "validity": figures.validity(found.expires_at, found.store),
            "terms": found.program.terms,
        }
        return render(request, "public/card.html", context, status=status)


def _was_shown_often(card: GiftCard) -> bool:
    shown = AuditEvent.objects.filter(
        card=card, action=AuditAction.CODE_OPENED, at__gt=timezone.now() - WINDOW
    )
    return shown.count() >= MOST_SHOWN


def _gone(request: HttpRequest, language: str = "") -> HttpResponse:
    """One answer to a made-up link, an old one, and one of a card that went to somebody else."""
    with translation.override(language or translation.get_language()):
        return render(request, "public/gone.html", status=HTTPStatus.NOT_FOUND)
