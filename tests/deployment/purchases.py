"""So many purchases, held and settled: `-m tests.deployment.purchases 3`."""

import sys

import django


def main(number: int) -> None:
    """Hold and settle 10.00 on each card in turn."""
    django.setup()
    from loyalty.models import GiftCard
    from tests.builders import make_purchase

    cards = list(GiftCard.objects.order_by("pk"))
    for index in range(number):
        make_purchase(cards[index % len(cards)])


if __name__ == "__main__":
    main(int(sys.argv[1]))
