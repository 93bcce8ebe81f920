"""What a mutation is."""

from dataclasses import dataclass
from pathlib import Path


class NotApplicable(Exception):
    """The text is not there exactly once: the code has moved on, and so must the list."""


@dataclass(frozen=True)
class Mutation:
    """One rule broken: in `file`, the text `before` (found exactly once) becomes `after`."""

    name: str
    file: str
    before: str
    after: str
    tests: str  # the files or folders that should notice, the quickest first

    def apply(self, root: Path) -> None:
        """Break the rule in the tree at `root`. Raises `NotApplicable`."""
        path = root / self.file
        text = path.read_text()
        if (found := text.count(self.before)) != 1:
            raise NotApplicable(f"{self.name}: found {found} times in {self.file}: {self.before}")
        path.write_text(text.replace(self.before, self.after))
