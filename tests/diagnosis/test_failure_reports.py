"""A failure becomes a bounded, readable, secret-free report, whatever it brings along."""

import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.diagnosis.describe import REPORT_CHARS, describe_failure
from tasks.diagnosis.frames import Frame, frames_of, short_path
from tasks.diagnosis.report import FailureContext, QualityFinding
from tasks.diagnosis.safely import type_name

CANARY = "Canary-Value-4711"
ROOT = Path(__file__).resolve().parents[2]


def context(**changes):
    """A context as the pipeline gives it."""
    given_ = {
        "stage": "solutions",
        "batch": "b-1a2b3c",
        "tenant": "mesaply",
        "level": "HIGH",
        "scope": "tenant",
        "attempts": 2,
        "secrets": (CANARY,),
    }
    return FailureContext(**(given_ | changes))


def raised(make):
    """What `make` raises, with its traceback."""
    try:
        make()
    except BaseException as error:  # noqa: BLE001 - any exception is a specimen
        return error
    raise AssertionError("nothing was raised")


def everything(report):
    """All text of a report."""
    return repr(report)


def look_up():
    """Fail in a line worth showing."""
    return {"known": 1}["unknown"]


def test_the_failing_line_is_shown_with_its_neighbours():
    """The excerpt numbers five lines either side, marks the failing one and shortens the path."""
    report = describe_failure(raised(look_up), context())
    assert report.error == "KeyError"
    assert report.failing_line.startswith("tests/diagnosis/test_failure_reports.py:")
    assert report.failing_line.endswith('in look_up: return {"known": 1}["unknown"]')
    marked = [line for line in report.source.splitlines() if line.startswith(">")]
    assert any('return {"known": 1}["unknown"]' in line for line in marked)
    assert "def look_up():" in report.source
    assert str(ROOT) not in everything(report)


def test_the_context_is_kept_name_by_name():
    """Batch, tenant, level, scope, attempts and extras are in the report; what is named a secret is not."""
    extra = {"prompt": "insights@3", "webhook_token": "abc", "note": f"has {CANARY}"}
    report = describe_failure(ValueError("x"), context(extra=extra))
    assert report.shown()["batch"] == {
        "batch": "b-1a2b3c",
        "tenant": "mesaply",
        "level": "HIGH",
        "scope": "tenant",
        "attempts": "2",
        "prompt": "insights@3",
        "webhook_token": "[redacted]",
        "note": "has [redacted]",
    }
    assert set(report.shown()) == {"stage", "error", "message", "traceback", "source", "batch"}


def chained():
    """A failure with a cause, the cause with a context, and a note."""
    try:
        try:
            look_up()
        except KeyError:
            raise ConnectionResetError("peer gone")  # noqa: B904 - the context is the point
    except ConnectionResetError as cause:
        error = RuntimeError("no insight")
        error.add_note("while asking for item 3")
        raise error from cause


def test_causes_contexts_and_notes_are_told():
    """Every exception behind the failure is in the trace with how it came in."""
    report = describe_failure(raised(chained), context())
    assert [(link.error, link.relation) for link in report.chain] == [
        ("RuntimeError", "failure"),
        ("ConnectionResetError", "cause"),
        ("KeyError", "context"),
    ]
    for told in (
        "Failed with RuntimeError",
        "caused by Conn",
        "while handling KeyError",
        "note: while asking",
    ):
        assert told in report.traceback


def test_a_suppressed_context_stays_out():
    """`raise ... from None` is respected."""

    def fail():
        try:
            look_up()
        except KeyError:
            raise ValueError("plain") from None

    assert [link.error for link in describe_failure(raised(fail), context()).chain] == ["ValueError"]


def test_members_of_groups_are_told_and_bounded():
    """The first three of a group are in the chain, nested groups too, and never more than eight in all."""
    inner = ExceptionGroup("inner", [KeyError(n) for n in range(50)])
    report = describe_failure(BaseExceptionGroup("outer", [inner, SystemExit(2), inner]), context())
    assert [link.error for link in report.chain[:3]] == ["BaseExceptionGroup", "ExceptionGroup", "SystemExit"]
    assert len(report.chain) == 6
    wide = ExceptionGroup(
        "wide", [ExceptionGroup("w", [KeyError(n), KeyError(-n), OSError()]) for n in range(9)]
    )
    assert len(describe_failure(wide, context()).chain) == 8


def test_circular_and_endless_causes_end():
    """An error that is its own cause, or has a thousand, is described."""
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert len(describe_failure(one, context()).chain) == 2
    last = ValueError("0")
    for n in range(1000):
        nxt = ValueError(str(n))
        nxt.__cause__ = last
        last = nxt
    assert len(describe_failure(last, context()).chain) == 8


def test_deep_recursion_is_described():
    """A stack of a thousand frames gives its innermost ones."""

    def deeper(n):
        return deeper(n + 1)

    report = describe_failure(raised(lambda: deeper(0)), context())
    assert report.error == "RecursionError"
    assert "in deeper: return deeper(n + 1)" in report.traceback
    assert report.traceback.count("  at ") == 8


def test_source_that_vanished_is_said_to_be_missing(tmp_path):
    """A file that is gone, was never one, or is a device yields a note instead of an excerpt."""
    for path in (tmp_path / "gone.py", "<string>", "/dev/zero", "bad\x00name"):
        filename = str(path).replace("\x00", "")
        code = compile("raise ValueError('here')", filename, "exec")
        report = describe_failure(raised(lambda code=code: exec(code)), context())  # noqa: S102
        assert "(source not available)" in report.source


def test_secrets_in_source_files_go_even_over_several_lines(tmp_path):
    """A key in the failing file is not in the excerpt, whichever of its lines the excerpt would show."""
    path, body = tmp_path / "config.py", "Q" * 40
    lines = [
        "PEM = '''",
        "-----BEGIN PRIVATE KEY-----",
        *[body] * 9,
        "-----END PRIVATE KEY-----",
        "'''",
    ]
    path.write_text("\n".join([*lines, f"PW = '{CANARY}'", "raise ValueError(PW)"]), encoding="utf-8")
    code = compile(path.read_text(encoding="utf-8"), str(path), "exec")
    report = describe_failure(raised(lambda: exec(code)), context())  # noqa: S102
    assert f"> {len(lines) + 2:>5} | raise ValueError(PW)" in report.source
    assert CANARY not in everything(report)
    assert body not in everything(report)


def test_paths_are_shortened_and_tell_no_home_folder():
    """Ours are relative to the root, installed ones begin at their package, others keep two parts."""
    root = Path("/home/ana/penstock")
    assert short_path("/home/ana/penstock/tasks/produce.py", root) == "tasks/produce.py"
    assert (
        short_path("/home/ana/penstock/.venv/lib/python3.11/site-packages/httpx/a.py", root) == "httpx/a.py"
    )
    assert short_path("/usr/lib/python3.11/asyncio/tasks.py", root) == "asyncio/tasks.py"
    assert short_path("/home/ana/other/deep/mod.py", root) == "deep/mod.py"
    assert short_path("<stdin>", root) == "<stdin>"
    installed = Path("/opt/lib/python3.11/site-packages")
    assert short_path("/opt/lib/python3.11/site-packages/tasks/produce.py", installed) == "tasks/produce.py"


def test_a_frame_without_line_or_trace_is_no_problem():
    """Line zero and a missing traceback give places without code."""
    assert frames_of(None, ()) == ()
    assert Frame(str(ROOT / "tasks" / "diagnosis" / "none.py"), 0, "f").code == ""
    assert str(Frame(str(ROOT / "tasks" / "none.py"), 3, "f")) == "tasks/none.py:3 in f"


class Evil(Exception):  # noqa: N818 - a specimen
    """Raises whatever it is told to, from everything it is asked."""

    def __init__(self, failure):
        self.failure = failure

    def __str__(self):
        raise self.failure

    __repr__ = __str__

    @property
    def __notes__(self):
        raise self.failure

    @property
    def __traceback__(self):
        raise self.failure

    @property
    def __cause__(self):
        raise self.failure

    @property
    def __class__(self):
        raise self.failure


@pytest.mark.parametrize(
    "failure", [ValueError("x"), SystemExit(3), KeyboardInterrupt(), MemoryError(), RecursionError()]
)
def test_an_error_that_breaks_whatever_is_asked_of_it_is_described(failure):
    """Broken text, notes, trace, cause and class leave its type's name."""
    report = describe_failure(Evil(failure), context())
    assert report.error == "Evil"
    assert report.message == "<Evil whose text cannot be read>"


def test_a_text_that_is_not_quite_a_text_is_read():
    """A subclass of str that overrides everything cannot mislead the redaction."""

    class Sly(str):
        __slots__ = ()

        def __len__(self):
            return 0

        def __getitem__(self, _):
            return CANARY

        def encode(self, *_):
            return CANARY.encode()

    class Odd(Exception):  # noqa: N818 - a specimen
        def __str__(self):
            return Sly("harmless")

    assert CANARY not in everything(describe_failure(Odd(), context()))


def test_types_with_broken_names_have_one():
    """A metaclass that hides the name does not stop the description."""

    class Meta(type):
        @property
        def __name__(cls):
            raise OSError("no name")

    class Nameless(metaclass=Meta):
        pass

    assert type_name(Nameless()) == "Nameless"


@pytest.mark.parametrize("thing", [None, "text", 3, object(), ValueError])
def test_things_that_are_no_exceptions_are_described(thing):
    """Even what is no exception at all gives a report."""
    assert describe_failure(thing, context()).error


def test_a_context_that_is_none_gives_the_last_resort():
    """Without a usable context nothing is known, and that is said."""
    assert describe_failure(ValueError("x"), None).message == "the failure could not be described"


def test_broken_parts_of_the_context_leave_the_rest():
    """Extras that are no mapping and findings that are no findings are left out, the error stays."""
    report = describe_failure(ValueError("x"), context(extra=3, findings=(None,)))
    assert (report.error, report.batch, report.findings) == ("ValueError", {}, ())


def test_huge_failures_stay_small():
    """Megabytes of message, extras and reasons make a report of 12,000 characters and a little."""
    error = ValueError(f"{CANARY} " * 200_000)
    error.add_note("n" * 1_000_000)
    extra = {f"name {n}" * 100: "v" * 100_000 for n in range(500)}
    findings = tuple(QualityFinding("i", "tone", 0.1, 0.7, "r" * 9_000) for _ in range(30))
    report = describe_failure(error, context(extra=extra, findings=findings))
    shown = report.shown()
    batch = shown.pop("batch")
    assert sum(map(len, shown.values())) + sum(map(len, [*batch, *batch.values()])) <= REPORT_CHARS
    assert len(report.findings) == 20
    assert CANARY not in everything(report)


@settings(max_examples=60)
@given(
    parts=st.lists(st.text(st.characters(codec=None), max_size=50), max_size=3),
    extra=st.dictionaries(st.text(max_size=8), st.text(max_size=30), max_size=4),
    deep=st.integers(0, 4),
)
def test_a_canary_planted_anywhere_never_survives(parts, extra, deep):
    """Message, note, cause, stage, tenant, extra and finding may hold a secret; the report does not."""
    error = ValueError(*parts, CANARY)
    for _ in range(deep):
        outer = RuntimeError(f"wrapped {CANARY}{''.join(parts)}")
        outer.__cause__ = error
        outer.add_note(CANARY)
        error = outer
    finding = QualityFinding("item", "tone", 0.2, 0.7, f"quotes {CANARY}")
    report = describe_failure(
        error,
        context(stage=CANARY, tenant=CANARY, extra=extra | {CANARY: CANARY}, findings=(finding,)),
    )
    assert CANARY not in everything(report)
    assert report.findings


def test_this_interpreters_own_files_are_named_by_module():
    """A failure inside the standard library names its file without the interpreter's folder."""
    import json  # noqa: PLC0415 - the specimen

    report = describe_failure(raised(lambda: json.loads("{")), context())
    assert "json/decoder.py" in report.traceback
    assert sys.prefix not in report.traceback
    assert "def raw_decode" in report.source
