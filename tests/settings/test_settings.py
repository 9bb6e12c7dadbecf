import os
import re
from datetime import timedelta
from pathlib import Path

import pytest

import tasks
from tasks.setting_fields import SettingsError, default_home
from tasks.settings import OFFLINE_MODEL, Settings, load_settings


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """A home that the environment names; nothing else in it."""
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path))
    return tmp_path


def in_toml(home: Path, text: str) -> None:
    """Write the home's `penstock.toml`."""
    (home / "penstock.toml").write_text(text)


def test_defaults_are_those_of_the_design(home):
    """Without a word from the operator: 100 solutions a day, retries after 1, 5 and 25 s, all under the home."""
    found = load_settings()
    assert (found.solutions_per_window, found.solution_window) == (100, timedelta(days=1))
    assert found.retry_delays_s == (1.0, 5.0, 25.0)
    assert found.lease == timedelta(seconds=120)
    assert (found.home, found.lake, found.deliverables) == (home, home / "lake", home / "deliverables")
    assert found.ledger_url == f"sqlite:///{home / 'ledger.db'}"


def test_the_environment_sets_what_it_names(monkeypatch):
    """A plain name, a list as JSON, and a secret that does not show itself."""
    monkeypatch.setenv("PENSTOCK_BATCHES_IN_FLIGHT", "3")
    monkeypatch.setenv("PENSTOCK_RETRY_DELAYS_S", "[0.5, 2]")
    monkeypatch.setenv("PENSTOCK_DATABASE_URL", "postgresql://me:hush-hush@db/ledger")
    found = load_settings()
    assert (found.batches_in_flight, found.retry_delays_s) == (3, (0.5, 2.0))
    assert found.ledger_url == "postgresql://me:hush-hush@db/ledger"
    assert "hush-hush" not in repr(found)


def test_a_file_in_the_home_sets_what_it_names(home):
    """`penstock.toml` knows the same names, nested ones as tables."""
    in_toml(home, 'lease_s = 30\naudiences = ["admin"]\n[batching.user.low]\nthreshold = 4\n')
    found = load_settings()
    assert (found.lease_s, found.audiences) == (30, ("admin",))
    assert found.batching.user.low.threshold == 4


def test_the_environment_stands_before_the_file(home, monkeypatch):
    """What both name is the environment's; what only the file names is the file's."""
    in_toml(home, "lease_s = 30\nhold_s = 40\n")
    monkeypatch.setenv("PENSTOCK_LEASE_S", "50")
    found = load_settings()
    assert (found.lease_s, found.hold_s) == (50, 40)


def test_arguments_stand_before_everything_and_name_the_home_of_the_file(home, tmp_path):
    """Settings for another home read that home's file, not the environment's."""
    in_toml(home, "lease_s = 30\n")
    other = tmp_path / "other"
    other.mkdir()
    in_toml(other, "hold_s = 40\n")
    found = Settings(home=other, batches_in_flight=2)
    assert (found.home, found.batches_in_flight, found.lease_s, found.hold_s) == (other, 2, 120, 40)


def test_one_nested_value_is_set_without_its_neighbours(monkeypatch):
    """A threshold alone changes that threshold: its age and all other levels keep their defaults."""
    monkeypatch.setenv("PENSTOCK_BATCHING__TENANT__HIGH__THRESHOLD", "5")
    monkeypatch.setenv("PENSTOCK_BATCHING__USER__LOW__MAX_AGE", "90")
    found, plain = load_settings().batching, Settings.model_fields["batching"].default
    assert found.tenant.high == plain.tenant.high.model_copy(update={"threshold": 5})
    assert found.user.low == plain.user.low.model_copy(update={"max_age": timedelta(seconds=90)})
    assert (found.tenant.medium, found.tenant.low, found.user.high) == (
        plain.tenant.medium,
        plain.tenant.low,
        plain.user.high,
    )


def test_an_empty_variable_counts_as_none(monkeypatch):
    """`ANTHROPIC_API_KEY=` in a shell does not make an empty key."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "")
    assert load_settings().is_offline


WRONG = [
    ("PENSTOCK_REDACT", "maybe", "1 or 0"),
    ("PENSTOCK_BATCHING", "zzz", '{"tenant": {"HIGH": {"threshold": 5}}}'),
    ("PENSTOCK_RETRY_DELAYS_S", "zzz", "[1.0, 5.0, 25.0]"),
    ("PENSTOCK_NOTIFY_URL", "nonsense", "https://host:port/path"),
    ("PENSTOCK_NOTIFY_URL", "http://host:notaport/", "https://host:port/path"),
    ("PENSTOCK_NOTIFY_URL", "http://[::1", "https://host:port/path"),
    ("PENSTOCK_CANARIES", "zzz", '["one", "two"]'),
    ("PENSTOCK_BATCHING__TENNT", "{}", "there is no such setting"),
    ("PENSTOCK_BATCHES_IN_FLIGHT", "0", "greater than or equal to 1"),
    ("PENSTOCK_MODEL_REQUESTS_IN_FLIGHT", "many", "valid integer"),
    ("PENSTOCK_MAX_OUTPUT_TOKENS", "12", "greater than or equal to 256"),
    ("PENSTOCK_REQUEST_TIMEOUT_S", "0", "greater than 0"),
    ("PENSTOCK_LEASE_S", "inf", "less than or equal to 86400"),
    ("PENSTOCK_HOLD_S", "nan", "should be"),
    ("PENSTOCK_SOLUTION_WINDOW_S", "-1", "greater than 0"),
    ("PENSTOCK_RETRY_DELAYS_S", "1,5,25", "should be JSON"),
    ("PENSTOCK_RETRY_DELAYS_S", "[1, -5]", "greater than or equal to 0"),
    ("PENSTOCK_SOLUTION_FORMS", '["poem"]', "'document', 'action_plan' or 'structured_report'"),
    ("PENSTOCK_SOLUTION_FORMS", '["document", "document"]', "at least one, each once"),
    ("PENSTOCK_AUDIENCES", "[]", "at least one, each once"),
    ("PENSTOCK_TOP_RECOMMENDATIONS", "9", "less than or equal to 5"),
    ("PENSTOCK_BATCHING", "{", "should be JSON"),
    ("PENSTOCK_BATCHING__MAX_EVENTS", "0", "greater than or equal to 1"),
    ("PENSTOCK_BATCHING__TENANT__HIGH__MAX_AGE", "soon", "timedelta"),
    ("PENSTOCK_BATCHING__TENANT__HIHG", "{}", "there is no such setting"),
    ("PENSTOCK_OFFLINE_URL", "localhost:80", "an address such as https://"),
    ("ANTHROPIC_BASE_URL", "http://[::1", "https://host:port/path"),
    ("PREFECT_API_URL", "ftp://prefect/api", "an address such as https://"),
]


@pytest.mark.parametrize(("name", "value", "allowed"), WRONG, ids=[f"{one[0]}={one[1]}" for one in WRONG])
def test_every_wrong_value_names_its_setting_and_what_is_allowed(monkeypatch, name, value, allowed):
    """One line that an operator can act on, whichever setting it is."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as wrong:
        load_settings()
    assert str(wrong.value).startswith(name)
    assert allowed in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_what_others_call_so_is_let_be(monkeypatch):
    """What Kubernetes sets for services of such names is none of ours, nor what is empty, nor what is far off."""
    monkeypatch.setenv("PENSTOCK_PORT", "tcp://10.0.0.1:80")
    monkeypatch.setenv("PENSTOCK_SERVICE_HOST", "10.0.0.1")
    for ours in ("DATABASE", "PREFECT_API", "JUDGE_MODEL"):
        monkeypatch.setenv(f"PENSTOCK_{ours}_PORT", "tcp://10.0.0.1:80")
        monkeypatch.setenv(f"PENSTOCK_{ours}_PORT_80_TCP_ADDR", "10.0.0.1")
    monkeypatch.setenv("PENSTOCK_TEST_DATABASE_URL", "postgresql://elsewhere")
    monkeypatch.setenv("PENSTOCK_REDCAT", "")
    load_settings()


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("PENSTOCK_REDCAT", "did you mean PENSTOCK_REDACT?"),
        ("PENSTOCK_HOLDS_S", "did you mean PENSTOCK_HOLD_S?"),
        ("penstock_databse_url", "did you mean PENSTOCK_DATABASE_URL?"),
        ("PENSTOCK_REDACT__MODEL", "did you mean PENSTOCK_REDACT_MODEL?"),
        ("PENSTOCK_ANTHROPIC_API_KEY", "it is read from ANTHROPIC_API_KEY"),
        ("PENSTOCK_PREFECT_API_URL", "it is read from PREFECT_API_URL"),
    ],
)
def test_a_name_that_is_nearly_a_settings_is_refused(monkeypatch, variable, meant):
    """With the name that was meant: a setting that is not read would be missed when it is too late."""
    monkeypatch.setenv(variable, "1")
    with pytest.raises(SettingsError, match=f"^{variable} is no setting: {re.escape(meant)}$"):
        load_settings()


def test_a_breaker_cools_down_no_longer_than_its_longest(monkeypatch):
    """Or the longest would win without a word."""
    monkeypatch.setenv("PENSTOCK_BREAKER_COOL_DOWN_S", "1000")
    with pytest.raises(
        SettingsError, match=r"^PENSTOCK_BREAKER_COOL_DOWN_S is 1000, more than PENSTOCK_BREAKER_LONGEST_S"
    ):
        load_settings()


def test_an_entry_of_a_list_is_named_as_one(monkeypatch):
    """By the name of its setting, which is what there is to correct."""
    monkeypatch.setenv("PENSTOCK_RETRY_DELAYS_S", "[1, -1]")
    with pytest.raises(SettingsError, match=r"^PENSTOCK_RETRY_DELAYS_S, entry 2: "):
        load_settings()


def test_a_throttle_smaller_than_one_batch_is_refused(monkeypatch):
    """No batch could ever pass it: the message names the three settings that make it so."""
    monkeypatch.setenv("PENSTOCK_SOLUTIONS_PER_WINDOW", "5")
    monkeypatch.setenv("PENSTOCK_TOP_RECOMMENDATIONS", "2")
    with pytest.raises(SettingsError, match=r"^PENSTOCK_SOLUTIONS_PER_WINDOW is 5, but every batch makes 6 "):
        load_settings()


@pytest.mark.parametrize("text", ["lease_s = 'x\n", "\x00"])
def test_a_file_that_is_no_toml_is_named(home, text):
    """The message says which file cannot be read, and where in it."""
    in_toml(home, text)
    with pytest.raises(SettingsError, match=r"penstock\.toml cannot be read as TOML: .*(line 1|document)"):
        load_settings()


def test_a_name_that_is_no_setting_is_refused_in_the_file(home):
    """A slip of the pen in the file is an error, not a setting without effect."""
    in_toml(home, "leese_s = 3\n")
    with pytest.raises(SettingsError, match=r"^PENSTOCK_LEESE_S: there is no such setting"):
        load_settings()


def test_the_home_is_in_the_checkout_when_run_from_one(monkeypatch):
    """Without PENSTOCK_HOME, state lies beside the code and not in the user's home folder."""
    monkeypatch.delenv("PENSTOCK_HOME")
    assert load_settings().home == default_home() == Path(__file__).resolve().parents[2] / ".penstock"


def test_the_home_is_the_users_when_installed(tmp_path):
    """Where no `prefect.yaml` stands beside the packages, state lies in the user's home folder."""
    source = (Path(tasks.__file__).parent / "setting_fields.py").read_text()
    installed = tmp_path / "site-packages" / "tasks" / "setting_fields.py"
    installed.parent.mkdir(parents=True)
    installed.write_text(source)
    found: dict[str, object] = {"__file__": str(installed), "__name__": "installed_settings"}
    exec(compile(source, installed, "exec"), found)  # noqa: S102 - our own module from another place
    assert found["default_home"]() == Path.home() / ".penstock"


@pytest.mark.parametrize(
    ("environment", "is_offline"),
    [
        ({}, True),
        ({"PENSTOCK_OFFLINE_URL": "http://127.0.0.1:9"}, True),
        ({"ANTHROPIC_API_KEY": "sk-test"}, False),
        ({"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}, False),
    ],
)
def test_a_key_or_an_address_of_a_provider_ends_offline_work(monkeypatch, environment, is_offline):
    """Offline there is one model for everything; online writing, judging and explaining have their own."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = load_settings()
    chosen = (found.generation_model(), found.judging_model(), found.diagnosing_model())
    assert found.is_offline is is_offline
    if is_offline:
        assert set(chosen) == {OFFLINE_MODEL}
    else:
        assert chosen == (found.model, found.judge_model, found.diagnosis_model)
        assert len(set(chosen)) == 3


def test_nothing_of_the_machine_reaches_the_tests():
    """The tests' own environment names no provider and no Prefect."""
    names = [name for name in os.environ if name.startswith(("ANTHROPIC_", "PREFECT_"))]
    assert names == []
