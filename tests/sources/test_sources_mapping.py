"""The mapping file: what is wrong with it is said with file, key and what is allowed."""

import tomllib

import pytest

from contracts.events import Kind, Priority
from tasks.sources.mapping import Mapping, MappingError, Rule, load_mapping
from tasks.sources.rules import condition, first_of, getter

SHIPPED = (load_mapping.__globals__["files"]("tasks.sources") / "mapping.toml").read_text()


def test_the_shipped_mapping_knows_every_kind_and_names_no_tenant(mapping):
    """Documents have their own pipeline; everything else is worked on for insights."""
    assert set(mapping.kinds) == set(Kind)
    assert {
        kind: rules.pipeline for kind, rules in mapping.kinds.items() if rules.pipeline != "insights"
    } == {Kind.DOCUMENT: "documents"}
    assert mapping.default_tenant is None


def test_a_file_of_the_operators_replaces_the_shipped_one(tmp_path):
    """A copy with one line changed is what is used."""
    path = tmp_path / "mine.toml"
    path.write_text(SHIPPED.replace('# default_tenant = "unassigned"', 'default_tenant = "shared"'))
    assert load_mapping(path).default_tenant == "shared"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('op = "in"', 'op = "within"', "rules.0.op.*'eq'.*'absent'"),
        ("value = [4, 5]", "value = 4", "op 'in' looks in a list"),
        ("value = [4, 5]", "worth = [4, 5]", "rules.0.worth: Extra inputs"),
        ('op = "eq"\nvalue = 3', 'op = "ge"\nvalue = "3"', "rules.1.*compares with a number"),
        ('op = "eq"\nvalue = 3', 'op = "eq"', "rules.1.*give value"),
        ('"data.rating_code"', '"rating_code"', "begins with one of source, tenant, user, data"),
        ('"data.rating_code"', '"data..rating"', "begins with one of"),
        ('"data.answers.*.answer"', '"data.*.answers.*"', "stands once and not last"),
        ('"data.issue"', '"issue"', "topic: Value error, a path begins"),
        ('critical = "HIGH"', 'critical = "TOP"', "severity_words.critical.*'HIGH', 'MEDIUM' or 'LOW'"),
        ('id = ["id"]', "", "fields.id: Field required"),
        ('[kinds."document.received"]', '[kinds."document.lost"]', "document.lost"),
        ("[fields]", "[fields", "is not TOML"),
    ],
)
def test_a_wrong_mapping_is_refused_with_file_and_key(tmp_path, old, new, said):
    """Each mistake names the file, where it is, and what is allowed there."""
    assert old in SHIPPED
    path = tmp_path / "mine.toml"
    path.write_text(SHIPPED.replace(old, new))
    with pytest.raises(MappingError, match=rf"(?s)mine\.toml.*{said}"):
        load_mapping(path)


def test_a_kind_without_rules_is_named(tmp_path):
    """A mapping that leaves out a kind says which."""
    path = tmp_path / "mine.toml"
    path.write_text(SHIPPED[: SHIPPED.index('[kinds."document.received"]')])
    with pytest.raises(MappingError, match=r"kinds: .*missing: document\.received"):
        load_mapping(path)


def test_a_mapping_that_cannot_be_read_says_so(tmp_path):
    """A wrong path is one line that names the setting."""
    with pytest.raises(MappingError, match=r"gone\.toml cannot be read.*PENSTOCK_MAPPING"):
        load_mapping(tmp_path / "gone.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff")
    with pytest.raises(MappingError, match="is not TOML"):
        load_mapping(tmp_path / "bad.toml")


def test_severity_words_are_read_in_any_case():
    """The mapping's own spelling of a word does not matter."""
    raw = tomllib.loads(SHIPPED)
    raw["severity_words"] = {" Sehr Hoch ": "HIGH"}
    assert Mapping.model_validate(raw).severity_words == {"sehr hoch": Priority.HIGH}


@pytest.mark.parametrize(
    ("op", "value", "holds_for", "not_for"),
    [
        ("eq", "No", ["No"], ["no", "", None, 1, ["No"]]),
        ("eq", 3, [3, 3.0, "3"], [True, "three", None, [3], 4]),
        ("eq", False, [False], [0, "", None, "false"]),
        ("ne", "Complete", ["Open", 1], ["Complete", None]),
        ("in", [4, "bad"], [4, "4", "bad"], [5, None, "good", [4]]),
        ("lt", 2, [1, "1.5", -1], [2, None, True, "x"]),
        ("le", 2, [2, "2"], [2.1, None]),
        ("gt", 2, [3, "3e0", 10**400], [2, None, {}]),
        ("ge", 2, [2, 3], [1.9, "", float("nan")]),
        ("exists", None, [0, "", False, []], [None]),
        ("absent", None, [None], [0, ""]),
    ],
)
def test_rules_compare_as_they_say(op, value, holds_for, not_for):
    """Every op, with values of every type; numbers written as text compare as numbers."""
    holds = condition(Rule(field="data.x", op=op, value=value, priority=Priority.HIGH))
    wrong = [x for x in holds_for if not holds({"data": {"x": x}})] + [
        x for x in not_for if holds({"data": {"x": x}})
    ]
    # Larger than any float: neither a number nor an error.
    assert wrong == ([10**400] if op == "gt" else [])


def test_a_rule_on_every_item_holds_if_it_does_for_one():
    """`*` goes through the objects of a list; anything else in its place holds for nothing."""
    rule = Rule(field="data.answers.*.answer", op="eq", value=False, priority=Priority.MEDIUM)
    holds = condition(rule)
    assert holds({"data": {"answers": [{"answer": True}, 7, {"answer": False}]}})
    for answers in ([{"answer": True}], [], None, "no", {"answer": False}):
        assert not holds({"data": {"answers": answers}})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a", {"b": [{"c": 1}, "x"]}),
        ("a.b.0.c", 1),
        ("a.b.1", "x"),
        ("a.b.2", None),
        ("a.b.x", None),
        ("a.x", None),
        ("x.y", None),
        ("s.y", None),
        ("l.1", 5),
    ],
)
def test_paths_go_into_objects_and_list_positions(path, value):
    """A path that leads nowhere gives None."""
    assert getter(path)({"a": {"b": [{"c": 1}, "x"]}, "s": "text", "l": [4, 5]}) == value


def test_the_first_path_with_something_at_its_end_is_taken():
    """Null and empty text are passed over; zero and false are values."""
    first = first_of(("a", "b", "c.d"))
    assert first({"a": None, "b": "", "c": {"d": 0}}) == 0
    assert first({}) is None
