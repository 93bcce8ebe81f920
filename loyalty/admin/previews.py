"""E-mails as staff see them: a document of its own in a frame of the page.

E-mail needs its styles inline, which the pages of the back office do not allow. The document may
have them and nothing else: no script, no form, no request to anywhere.
"""

from django.http import HttpResponse

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'self'"


def preview_response(document: str) -> HttpResponse:
    """The document, for a frame of ours only."""
    return HttpResponse(
        document,
        headers={
            "Content-Security-Policy": _POLICY,
            "X-Frame-Options": "SAMEORIGIN",
            "Cache-Control": "no-store",
        },
    )


def with_frame(response: HttpResponse) -> HttpResponse:
    """A page of ours that may show such a document."""
    response._csp_update = {"frame-src": ["'self'"]}  # type: ignore[attr-defined]
    return response
