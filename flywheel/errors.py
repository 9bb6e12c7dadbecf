"""What can go wrong with a lake, in words that say what to do."""


class LakeError(Exception):
    """Anything wrong with a lake; the message says where and what to do."""


class LakeNotFoundError(LakeError):
    """There is no lake where one was looked for."""


class LakeSchemaError(LakeError):
    """A frame or a file does not have the columns that `flywheel.tables` declares."""
