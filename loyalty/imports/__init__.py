"""Cards brought in from a CSV file: uploaded, checked by a dry run, then applied as a whole.

| step                        | the batch is                  | done by                            |
|-----------------------------|-------------------------------|------------------------------------|
| `upload`                    | a draft with a sealed file    | whoever uploads                    |
| `check_chunk`               | still a draft; problems noted | a job, started by the upload       |
| `start`                     | being issued                  | `loyalty.actions.ApplyImport`      |
| `apply_chunk`               | issued, the file emptied      | a job                              |
| `loyalty.batches` undoes it | undone                        | a job, while no card was used      |
"""

from loyalty.imports.columns import LABELS, NAMES
from loyalty.imports.problems import MAX_KEPT, Problem
from loyalty.imports.sheet import MAX_BYTES, MAX_ROWS, Unreadable
from loyalty.imports.work import apply_chunk, check_chunk
from loyalty.imports.workflow import (
    back_to_draft,
    discard,
    favors,
    is_ready,
    same_file,
    start,
    upload,
    wait,
)

__all__ = [
    "LABELS",
    "MAX_BYTES",
    "MAX_KEPT",
    "MAX_ROWS",
    "NAMES",
    "Problem",
    "Unreadable",
    "apply_chunk",
    "back_to_draft",
    "check_chunk",
    "discard",
    "favors",
    "is_ready",
    "same_file",
    "start",
    "upload",
    "wait",
]
