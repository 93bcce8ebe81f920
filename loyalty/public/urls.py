"""Addresses that stand in messages: they stay for good."""

from django.urls import path

from loyalty.public import views

urlpatterns = [
    path("messages/no-reminders/<str:token>/", views.unsubscribe, name="unsubscribe"),
    path("card/<str:token>/", views.card, name="card_link"),
]
