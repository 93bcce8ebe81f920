"""The navigation: what staff work with every day first, settings and proof last."""

from django.utils.translation import gettext_lazy as _

from loyalty.admin.book_pages import PAGES
from loyalty.admin.program_pages import PAGES as PROGRAM_PAGES
from loyalty.admin.program_pages import SEE
from loyalty.back_office import BackOfficeSite, Entry, Section

BackOfficeSite.sections[:] = [
    Section(
        "work",
        _("Customers and cards"),
        [
            Entry("loyalty.customer"),
            Entry("loyalty.giftcard"),
            Entry("loyalty.transaction"),
            Entry("verdicts", _("Why did my card not appear?"), "loyalty.view_giftcard"),
            Entry("loyalty.approval"),
            Entry("loyalty.notification"),
            Entry("loyalty.discrepancy"),
            Entry("loyalty.reconciliationrun"),
            Entry("loyalty.batch"),
            Entry("loyalty.batchowner"),
            Entry("loyalty.importfile"),
            Entry("giftcard_provider.failedcall"),
            Entry("loyalty.job"),
            Entry("periodic_work", _("Periodic work"), "loyalty.view_periodicwork"),
            Entry("loyalty.alert"),
        ],
    ),
    Section(
        "earning",
        _("Loyalty programs"),
        [
            *(Entry(name, label, SEE) for name, label in PROGRAM_PAGES),
            Entry("loyalty.earningrule"),
            Entry("loyalty.campaign"),
            Entry("loyalty.tierscheme"),
            Entry("loyalty.tierstanding"),
            Entry("loyalty.pointvaluechange"),
            Entry("loyalty.shoporder"),
            Entry("loyalty.earning"),
        ],
    ),
    Section("books", _("Books"), [Entry(name, label, need) for name, need, label in PAGES]),
    Section("more", _("Settings and proof"), []),
]
