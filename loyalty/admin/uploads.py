"""Uploaded files stay in memory: what staff upload holds codes and people, and touches no disk."""

from io import BytesIO
from typing import Any

from django.core.files.uploadedfile import InMemoryUploadedFile, UploadedFile
from django.core.files.uploadhandler import MemoryFileUploadHandler

from loyalty.imports import MAX_BYTES

_FORM_BYTES = 64 * 1024  # the other fields and the frame around the file


class InMemoryUpload(MemoryFileUploadHandler):
    """Keeps a file up to the largest that an import takes; of a larger one only the size."""

    def handle_raw_input(
        self,
        input_data: Any,
        META: Any,  # noqa: N803 - Django's name
        content_length: int,
        boundary: Any,
        encoding: str | None = None,
    ) -> None:
        """Decide by the size of the whole request."""
        self.activated = content_length <= MAX_BYTES + _FORM_BYTES

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        """Keep it or drop it; no handler after this one sees it."""
        if self.activated:
            self.file.write(raw_data)
        return None

    def file_complete(self, file_size: int) -> UploadedFile | None:
        """The file, or what tells the form how large it was."""
        if self.activated:
            return super().file_complete(file_size)
        return InMemoryUploadedFile(
            BytesIO(), self.field_name, self.file_name or "", self.content_type, file_size, None
        )
