"""Many cards or credits at once: drafted, done and undone in chunks that a worker repeats safely.

`start*` changes the batch's state and leaves a job, in one transaction; asked again, it answers
with the job that there is. `*_chunk` is what the worker calls (`loyalty.jobs`) until nothing is
left. Each card goes through the ledger's own verbs.
"""

from loyalty.batches.codes import Code, codes, take_codes
from loyalty.batches.crediting import (
    BLOCKED,
    FULL,
    OTHER_PROGRAM,
    OWN,
    REPEATED,
    Outcome,
    credit_chunk,
    outcome,
    survey,
)
from loyalty.batches.drafts import MAX_CARDS, Plan, Recipient, back_to_draft, discard, draft, wait
from loyalty.batches.extending import extend_chunk, start_extend
from loyalty.batches.figures import Figures, figures, outstanding, used_cards
from loyalty.batches.issuing import issue_chunk, start
from loyalty.batches.owners import Problem, Wanted, find_owners, find_people
from loyalty.batches.selection import Selection, chosen
from loyalty.batches.steps import actor_of, begin
from loyalty.batches.undoing import start_undo, undo_chunk

__all__ = [
    "BLOCKED",
    "FULL",
    "MAX_CARDS",
    "OTHER_PROGRAM",
    "OWN",
    "REPEATED",
    "Code",
    "Figures",
    "Outcome",
    "Plan",
    "Problem",
    "Recipient",
    "Selection",
    "Wanted",
    "actor_of",
    "back_to_draft",
    "begin",
    "chosen",
    "codes",
    "credit_chunk",
    "discard",
    "draft",
    "extend_chunk",
    "figures",
    "find_owners",
    "find_people",
    "issue_chunk",
    "outcome",
    "outstanding",
    "start",
    "start_extend",
    "start_undo",
    "survey",
    "take_codes",
    "undo_chunk",
    "used_cards",
    "wait",
]
