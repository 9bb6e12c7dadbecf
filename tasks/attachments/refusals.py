"""Why an attachment is not taken. Each is a sentence for its dead letter; replayed it is looked at anew."""

from collections.abc import Iterator
from contextlib import contextmanager


class RefusedAttachmentError(Exception):
    """An attachment that is not taken; its subclass is the kind of reason."""


class AttachmentTypeError(RefusedAttachmentError):
    """Its content is of no type that is taken, whatever its name says."""


class AttachmentTooLargeError(RefusedAttachmentError):
    """It has more bytes, or pages, than are taken."""


class DecompressionBombError(RefusedAttachmentError):
    """Unpacked it would be much larger than it is."""


class DeniedAttachmentError(RefusedAttachmentError):
    """Its hash is on the operator's denylist."""


class BrokenAttachmentError(RefusedAttachmentError):
    """It cannot be read to its end, or not within the time and memory that it may take."""


class MissingAttachmentError(RefusedAttachmentError):
    """It was told of, and is not there any more."""


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Whatever comes out of a library that reads a file is the file's fault, but for what the machine lacks.

    Libraries raise errors of any kind over damaged files; those of the system have a number, such as a full disk's.
    """
    try:
        yield
    except (RefusedAttachmentError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise BrokenAttachmentError(f"{what} cannot be read: {type(error).__name__}: {error}") from None
