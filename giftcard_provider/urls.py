"""The eleven operations."""

urlpatterns = []
