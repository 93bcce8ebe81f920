"""Many cards at once: drafted, issued, undone and extended, in chunks that a worker repeats safely.

`start*` changes the batch's state and leaves a job, in one transaction; asked again, it answers
with the job that there is. `*_chunk` is what the worker calls (`loyalty.jobs`) until nothing is
left. Each card goes through the ledger's own verbs.
"""

from loyalty.batches.codes import Code, codes, take_codes
from loyalty.batches.drafts import MAX_CARDS, Plan, back_to_draft, discard, draft, wait
from loyalty.batches.extending import extend_chunk, start_extend
from loyalty.batches.figures import Figures, figures, outstanding, used_cards
from loyalty.batches.issuing import issue_chunk, start
from loyalty.batches.owners import Problem, Wanted, find_owners
from loyalty.batches.steps import actor_of, begin
from loyalty.batches.undoing import start_undo, undo_chunk

__all__ = [
    "MAX_CARDS",
    "Code",
    "Figures",
    "Plan",
    "Problem",
    "Wanted",
    "actor_of",
    "back_to_draft",
    "begin",
    "codes",
    "discard",
    "draft",
    "extend_chunk",
    "figures",
    "find_owners",
    "issue_chunk",
    "outstanding",
    "start",
    "start_extend",
    "start_undo",
    "take_codes",
    "undo_chunk",
    "used_cards",
    "wait",
]
