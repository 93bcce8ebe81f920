"""One process that opens every page on the database that it is given, and prints what it found."""

import argparse
import json
import sys
from dataclasses import asdict

import django


def main(arguments: list[str]) -> None:
    """Open every page; each answer (`report.Answer`) is a line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.pages", description=main.__doc__)
    parser.add_argument("--vary", action="store_true", help="first add what staff look for")
    parser.add_argument("--only", default="", help="pages whose address or group has this")
    wanted = parser.parse_args(arguments)
    django.setup()

    from django.contrib.auth.models import User
    from django.test import Client
    from django.test.utils import setup_test_environment

    from loyalty.sign_in.confirmation import note_password
    from tests.bench.pages.measure import open_page
    from tests.bench.pages.variety import vary
    from tests.bench.pages.walk import every_visit

    setup_test_environment(debug=False)
    if wanted.vary:
        vary()
    user, _made = User.objects.get_or_create(username="boss", is_staff=True, is_superuser=True)
    client = Client(headers={"accept-language": "pt-br"}, raise_request_exception=False)
    client.force_login(user)
    session = client.session
    note_password(session)
    session.save()
    for visit in every_visit(client):
        if wanted.only in f"{visit.group} {visit.path}":
            print(json.dumps(asdict(open_page(client, visit))))  # noqa: T201 - the answer


if __name__ == "__main__":
    main(sys.argv[1:])
