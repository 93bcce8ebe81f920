"""The back office's pages. Read only: whoever opens them cannot change, add or delete anything."""

from loyalty.admin import cards, movements, stores

__all__ = ["cards", "movements", "stores"]
