"""What the database refuses whatever the code does, each rule taken away."""

from tests.mutations.ledger import RACES, VERBS, broken

GUARDS = f"{VERBS}/test_invariants.py tests/loyalty/test_database_guards.py"
INITIAL = "loyalty/migrations/0001_initial.py"
BACK_OFFICE = "loyalty/migrations/0003_back_office.py"
TRAIL = "loyalty/migrations/0004_back_office_guards.py"
HISTORY = "loyalty/migrations/0002_refuse_rewriting_history.py"

DATABASE = [
    *broken(
        INITIAL,
        f"{GUARDS} {RACES}",
        {
            "the database lets a request happen twice": (
                "models.F('request_id'), models.Case(",
                "models.F('request_id'), models.F('oid'), models.Case(",
            ),
            "the database lets each debit of a request open a transaction": (
                (
                    "models.Case(models.When(kind__in=['settle', 'cancel'],"
                    " then=models.F('transaction')), default=models.Value(0))"
                ),
                "models.F('transaction')",
            ),
            "the database lets money appear": (
                "models.F('available'), '+', models.F('held')",
                "models.F('available'), '*', models.F('held')",
            ),
        },
    ),
    *broken(
        HISTORY,
        GUARDS,
        {
            "the database lets operations be rewritten": (
                'APPEND_ONLY = ("loyalty_entry", "loyalty_operation")',
                'APPEND_ONLY = ("loyalty_entry",)',
            ),
            "the database lets entries be rewritten": (
                'APPEND_ONLY = ("loyalty_entry", "loyalty_operation")',
                'APPEND_ONLY = ("loyalty_operation",)',
            ),
            "the database lets tables be emptied": (
                "    *(no_truncate(table) for table in (*APPEND_ONLY, *NEVER_DELETED)),\n",
                "",
            ),
            "the database lets a card change its currency": (
                '"public_id, store_id, program_id, currency, exponent, created_at"',
                '"public_id, store_id, program_id, exponent, created_at"',
            ),
        },
    ),
    *broken(
        BACK_OFFICE,
        GUARDS,
        {
            "the database lets an adjustment be reversed twice": (
                "fields=('reverses',), name='operation_reversed_once'",
                "fields=('reverses', 'oid'), name='operation_reversed_once'",
            ),
            "the database lets a batch have a number twice": (
                "fields=('batch', 'batch_number'), name='card_number_in_batch'",
                "fields=('batch', 'public_id'), name='card_number_in_batch'",
            ),
        },
    ),
    *broken(
        TRAIL,
        f"{GUARDS} tests/loyalty/test_back_office_guards.py",
        {
            "the database lets the audit trail be rewritten": (
                'APPEND_ONLY = ("loyalty_auditevent",)',
                "APPEND_ONLY = ()",
            ),
            "the database lets a card change its batch": (
                '    "loyalty_giftcard": "batch_id, batch_number",\n',
                "",
            ),
        },
    ),
]
