"""A card on paper: its code in letters and as a QR code, what it is worth, until when, terms."""

import io
from dataclasses import dataclass
from xml.sax.saxutils import escape

from django.utils.translation import gettext as _
from reportlab.graphics.barcode.qr import QrCodeWidget
from reportlab.graphics.shapes import Drawing
from reportlab.lib.pagesizes import A6, landscape
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph

PAGE = landscape(A6)
_MARGIN, _QR_SIDE = 8 * mm, 38 * mm
_LINE = 5 * mm
# Built into every reader: nothing is loaded, and Latin letters have their accents.
_FONT, _BOLD, _MONO = "Helvetica", "Helvetica-Bold", "Courier-Bold"


@dataclass(frozen=True, slots=True)
class PrintedCard:
    """What stands on the paper, in the reader's words."""

    store: str
    title: str
    amount: str
    validity: str
    code: str
    terms: str = ""


def pdf_of(card: PrintedCard) -> bytes:
    """One page of A6, landscape."""
    page = io.BytesIO()
    canvas = Canvas(page, pagesize=PAGE, invariant=True)
    canvas.setTitle(card.title)
    canvas.setAuthor(card.store)
    width, height = PAGE
    text = canvas.beginText(_MARGIN, height - _MARGIN - 4 * mm)
    text.setFont(_BOLD, 15)
    text.textLine(card.store)
    text.setFont(_FONT, 11)
    text.textLine(card.title)
    text.moveCursor(0, _LINE)
    text.setFont(_BOLD, 20)
    text.textLine(card.amount)
    text.setFont(_FONT, 9)
    text.textLine(card.validity)
    text.moveCursor(0, _LINE)
    text.textLine(_("Code"))
    text.setFont(_MONO, 13)
    text.textLine(card.code)
    canvas.drawText(text)
    _draw_qr(canvas, card.code, width - _MARGIN - _QR_SIDE, height - _MARGIN - _QR_SIDE)
    _draw_terms(canvas, card.terms, width - 2 * _MARGIN)
    canvas.showPage()
    canvas.save()
    return page.getvalue()


def _draw_qr(canvas: Canvas, code: str, left: float, bottom: float) -> None:
    widget = QrCodeWidget(code, barLevel="M")
    x0, y0, x1, _ = widget.getBounds()
    scale = _QR_SIDE / (x1 - x0)
    drawing = Drawing(_QR_SIDE, _QR_SIDE, transform=[scale, 0, 0, scale, -x0 * scale, -y0 * scale])
    drawing.add(widget)
    drawing.drawOn(canvas, left, bottom)


def _draw_terms(canvas: Canvas, terms: str, width: float) -> None:
    if not terms:
        return
    style = ParagraphStyle("terms", fontName=_FONT, fontSize=6, leading=7)
    paragraph = Paragraph(escape(terms), style)
    _, height = paragraph.wrap(width, 28 * mm)
    if height > 28 * mm:
        paragraph = paragraph.split(width, 28 * mm)[0]  # type: ignore[assignment]
        _, height = paragraph.wrap(width, 28 * mm)
    paragraph.drawOn(canvas, _MARGIN, _MARGIN - 2 * mm)
