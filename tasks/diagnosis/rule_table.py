"""The known failures: how each is recognised, what it means, what to do.

To teach the debugger a new one, add a `Rule`; the order matters, the more specific stand first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Rule:
    """A known failure: by the name of the exception or of a base of it, or by what it says (a pattern)."""

    summary: str
    cause: str
    fix: str
    kinds: frozenset[str] = frozenset()
    says: str | None = None


CRITERIA: Final[Mapping[str, str]] = {
    "relevance": "Compare the item with its events: if it speaks of something else, the prompt shows too "
    "few of "
    "them or asks too generally. Add an example of a good answer to the stage's prompt.",
    "clarity": "Read the item once. Ask in the stage's prompt for shorter sentences and fixed headings, "
    "and allow "
    "more output tokens if it is cut.",
    "tone": "Look for quotations of angry customers that were passed on as they were; ask the prompt to "
    "paraphrase them courteously.",
    "no_system_leakage": "Look for prompt text, markup or instructions in the item. An event may have "
    "carried an "
    "injection: find it by the batch's events before the batch is run again.",
    "user_actionable": "Ask in the stage's prompt for a next step with an owner and a due date.",
    "*": "Read the judge's reason and mend the stage's prompt; a new prompt version is judged afresh.",
}
"""What to do about a criterion below its threshold; `*` is for criteria of other rubrics."""

PROGRAM_FAULTS: Final = frozenset(
    {"LookupError", "AttributeError", "NameError", "TypeError", "ArithmeticError", "AssertionError"}
)
"""Exceptions whose message names a thing of the program; no pattern is tried on them."""

RULES: Final = (
    Rule(
        "Another worker has taken this batch over.",
        "The lease ran out before it was renewed: the process was paused, overloaded or cut off from the "
        "ledger.",
        "Nothing has to be repeated by hand, the other worker goes on from the last committed stage. If it "
        "happens often, raise PENSTOCK_LEASE_S or lower PENSTOCK_BATCHES_IN_FLIGHT.",
        frozenset({"LeaseLostError"}),
    ),
    Rule(
        "The judge could not be had.",
        "The judging model did not answer, or its answer was no verdict: without one nothing may leave.",
        "Nothing is lost and nothing generated again: the batch is judged anew by itself at the time that "
        "`penstock status` shows. If it stays held, `penstock doctor` says whether the model answers; another "
        "judge is set by PENSTOCK_JUDGE_MODEL.",
        frozenset({"JudgeOutageError"}),
    ),
    Rule(
        "The batch waits: an operator has paused this work, the model does not answer, or too much had to be repeated.",
        "No call may begin while a pause or an open breaker stands in its way, and retries are limited for all "
        "processes together, so that an outage is not made worse.",
        "Nothing is lost and nothing paid twice: the batch goes on by itself when that is over. `penstock status` "
        "shows what is paused and which breaker is open; `penstock resume` ends a pause, `penstock doctor` says "
        "whether the model answers.",
        frozenset({"CallHeldError"}),
    ),
    Rule(
        "The batch has nothing to say.",
        "None of its events has any text: they are empty, or their words stand in a field that the mapping "
        "does not know.",
        "Look at one of its events in its source. If it has words, name their field in the mapping "
        "(PENSTOCK_MAPPING); if not, nothing is to be done: nothing was generated, and nothing was paid.",
        frozenset({"NothingToSayError"}),
    ),
    Rule(
        "The attachment is of no type that is taken.",
        "Its content decides, whatever its name says: PNG, JPEG, GIF and WebP pictures and PDFs are taken.",
        "Ask whoever sent it for a picture or a PDF; under the same key it is taken as a new version. Then purge "
        "this letter.",
        frozenset({"AttachmentTypeError"}),
    ),
    Rule(
        "The attachment is too large, or would be once it is unpacked.",
        "Up to 50 MB, 40 million pixels and 500 pages are worked on: a small file may unpack to a very large one.",
        "Ask whoever sent it for a smaller one; under the same key it is taken as a new version. If it looks like an "
        "attack, put its hash on the denylist (PENSTOCK_ATTACHMENTS_DENYLIST).",
        frozenset({"AttachmentTooLargeError", "DecompressionBombError"}),
    ),
    Rule(
        "The attachment is on the denylist.",
        "The SHA-256 of its content stands in the file that PENSTOCK_ATTACHMENTS_DENYLIST names.",
        "Nothing is to be done. If it stands there by mistake, take the line out, start the attachments' worker "
        "again, and replay this letter.",
        frozenset({"DeniedAttachmentError"}),
    ),
    Rule(
        "The attachment cannot be read.",
        "It is damaged or encrypted, or reading it takes more time or memory than a file may take.",
        "Open it by hand. If it is whole, replay this letter: the machine may have been short of memory. If not, ask "
        "whoever sent it for another.",
        frozenset({"BrokenAttachmentError"}),
    ),
    Rule(
        "The attachment is not there any more.",
        "It was removed, or overwritten by another file, before it could be worked on again.",
        "Nothing is to be done: a file in its place is an attachment of its own. Purge this letter.",
        frozenset({"MissingAttachmentError"}),
    ),
    Rule(
        "The run was stopped from outside.",
        "The process was told to stop, or the run was cancelled or timed out as a whole.",
        "Start it again: finished stages are not repeated.",
        frozenset({"CancelledError", "KeyboardInterrupt", "SystemExit", "GeneratorExit"}),
    ),
    Rule(
        "The model provider refuses the key.",
        "ANTHROPIC_API_KEY is missing, mistyped, revoked, or may not use this model or address.",
        "Check the key with `penstock doctor`, set a valid one, then replay the dead letters.",
        frozenset({"AuthenticationError", "PermissionDeniedError"}),
        r"\b(HTTP|code:|status|status code) ?40[13]\b|invalid x-api-key|unauthori[sz]ed",
    ),
    Rule(
        "The model or address does not exist.",
        "A model name in the settings is mistyped or retired, or ANTHROPIC_BASE_URL points at the wrong "
        "path.",
        "Compare PENSTOCK_MODEL, PENSTOCK_JUDGE_MODEL and ANTHROPIC_BASE_URL with what `penstock doctor` "
        "lists.",
        frozenset({"NotFoundError"}),
        r"\b(HTTP|code:|status|status code) ?404\b|model not found|not_found_error",
    ),
    Rule(
        "The model provider limits our rate.",
        "More requests or tokens per minute than the account allows, beyond what the retries could wait for.",
        "Lower PENSTOCK_MODEL_REQUESTS_IN_FLIGHT or ask for higher limits, then replay the dead letters.",
        frozenset({"RateLimitError"}),
        r"\b(HTTP|code:|status|status code) ?429\b|rate.?limit|too many requests",
    ),
    Rule(
        "The model provider is overloaded or broken.",
        "It answered with a server error (5xx) through every retry; the request itself is most likely fine.",
        "Look at the provider's status page, wait, then replay the dead letters.",
        frozenset({"InternalServerError", "OverloadedError", "ServiceUnavailableError"}),
        r"\b(HTTP|code:|status|status code) ?5\d\d\b|overloaded",
    ),
    Rule(
        "The model provider rejects the request.",
        "The request is too large or malformed (HTTP 400, 413 or 422): it will be rejected each time.",
        "Read the provider's message; if it speaks of tokens or size, lower the batching token budget.",
        frozenset({"BadRequestError", "RequestTooLargeError", "UnprocessableEntityError"}),
        r"\b(HTTP|code:|status|status code) ?4(00|13|22)\b|invalid_request_error",
    ),
    Rule(
        "The model refused to answer.",
        "The content of the batch's events triggered the provider's policy.",
        "Read the batch's events; reject the one that asks for something harmful, then replay the rest.",
        says=r"model refused|\brefusal\b",
    ),
    Rule(
        "The model's answer was cut.",
        "The answer reached the limit of output tokens before it was complete.",
        "Raise PENSTOCK_MAX_OUTPUT_TOKENS, or make the batch smaller by its token budget.",
        says=r"ended early|max_tokens",
    ),
    Rule(
        "Data did not have the form it must have.",
        "What came, often a model's answer, is not valid JSON or lacks a field its schema requires.",
        "Read the field the message names. If the answer is cut, raise PENSTOCK_MAX_OUTPUT_TOKENS; if "
        "the field "
        "is new, the schema and the prompt have grown apart.",
        frozenset({"ValidationError", "JSONDecodeError"}),
        r"not valid JSON|validation error|AnswerUnusable|could not be generated: not an? ",
    ),
    Rule(
        "The disk is full.",
        "No space was left on the device that holds PENSTOCK_HOME or the temporary folder.",
        "Free space or move PENSTOCK_HOME, then start the batch again; nothing committed is lost.",
        says=r"no space left|disk is full|ENOSPC|disk quota",
    ),
    Rule(
        "The ledger is locked.",
        "Another process held the SQLite write lock longer than we wait, or the file is on a network drive.",
        "Close what writes to the ledger for long (an open transaction in a shell, a backup), or move "
        "the ledger to "
        "PostgreSQL with PENSTOCK_DATABASE_URL.",
        says=r"database (table )?is locked|SQLITE_BUSY",
    ),
    Rule(
        "The ledger or a folder cannot be written.",
        "The file system or the database is read-only, or belongs to another user.",
        "Check who owns PENSTOCK_HOME and whether its disk is mounted for writing.",
        frozenset({"PermissionError"}),
        r"read-?only (database|file system)|attempt to write a readonly|permission denied",
    ),
    Rule(
        "The ledger's tables are missing or old.",
        "The database was never migrated, or by an older or newer version.",
        "Run `penstock doctor`; it says which version the ledger has and how to bring it up to date.",
        frozenset({"NewerLedgerError"}),
        r"no such (table|column)|relation \"?\w+\"? does not exist|unable to open database",
    ),
    Rule(
        "Something took longer than it may.",
        "A server did not answer within the time limit, or the work is larger than the limit allows for.",
        "Try again; if it stays slow raise PENSTOCK_REQUEST_TIMEOUT_S or make the batch smaller.",
        frozenset({"TimeoutError", "APITimeoutError", "TimeoutException", "TimeoutExpired"}),
        r"timed? ?out",
    ),
    Rule(
        "A server cannot be reached.",
        "Nothing listens at the address, its name is unknown, or its certificate is not trusted.",
        "Check that the server runs and that the address and proxy settings are right; `penstock doctor` "
        "tries each.",
        frozenset(
            {"ConnectionError", "ConnectError", "APIConnectionError", "gaierror", "LedgerUnavailableError"}
        ),
        r"connection (refused|reset|aborted)|name or service not known|getaddrinfo|certificate.verify.failed",
    ),
    Rule(
        "Too many files are open.",
        "The process has reached its limit of file handles.",
        "Raise the limit (`ulimit -n`) or lower PENSTOCK_MODEL_REQUESTS_IN_FLIGHT.",
        says=r"too many open files|EMFILE",
    ),
    Rule(
        "A file or folder is missing.",
        "It was moved, deleted or never written, or a path in the settings is wrong.",
        "Check the path in the message against PENSTOCK_HOME and the settings.",
        frozenset({"FileNotFoundError", "NotADirectoryError", "IsADirectoryError"}),
    ),
    Rule(
        "Memory ran out.",
        "The process asked for more memory than it could have.",
        "Lower PENSTOCK_BATCHES_IN_FLIGHT or the batching thresholds, or give the worker more memory.",
        frozenset({"MemoryError"}),
    ),
    Rule(
        "A part of the program is not installed.",
        "An import failed: the environment is incomplete, or another Python is running.",
        "Run `make setup`, and start with `.venv/bin/penstock`.",
        frozenset({"ImportError"}),
    ),
    Rule(
        "A setting is wrong.",
        "The message names the setting and what it allows.",
        "Set it in the environment or in penstock.toml, then check with `penstock doctor`.",
        frozenset({"SettingsError", "MappingError", "PriceError"}),
    ),
    Rule(
        "The program looked something up that is not there.",
        "A key, index or attribute was expected in data that does not have it: a fault in our code, or "
        "data of a "
        "shape nobody foresaw.",
        "Look at the line below the trace: say what the code expects and why the data lacks it, then "
        "handle that case.",
        frozenset({"LookupError", "AttributeError", "NameError"}),
    ),
    Rule(
        "The program used a value of the wrong kind.",
        "A value of another type or range than the code can work with, often None: a fault in our code.",
        "Look at the failing line and find where the value comes from; check it there.",
        frozenset({"TypeError", "ValueError", "ArithmeticError", "AssertionError", "RecursionError"}),
    ),
)
"""All rules, most specific first."""
