"""Everything this installation answers: the protocol, the back office, its health."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from config import health

urlpatterns = [
    path(f"{settings.GIFTCARD_PROVIDER_MOUNT}/", include("giftcard_provider.urls")),
    path("admin/", admin.site.urls),
    path("", include("loyalty.public.urls")),
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("", RedirectView.as_view(pattern_name="admin:index")),
]
