"""Everything this installation answers: the protocol, the back office, the document of its API.

Health and metrics come before (`config.observe`).
"""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from giftcard_provider import document_pages
from giftcard_provider.hooks import order_hook

urlpatterns = [
    path(f"{settings.GIFTCARD_PROVIDER_MOUNT}/", include("giftcard_provider.urls")),
    path("hooks/orders/<slug:account>", order_hook, name="order_hook"),
    path("admin/", admin.site.urls),
    path("", include("loyalty.public.urls")),
    path("docs/api/", document_pages.as_page, name="api_document"),
    path("docs/openapi.json", document_pages.as_json, name="openapi"),
    path("", RedirectView.as_view(pattern_name="admin:index")),
]
