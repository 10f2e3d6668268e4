from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

import pydantic
import pytest

from tests.support.paths import DATA
from watcher.config import (
    AccountSettings,
    Config,
    ConfigError,
    ConfigFault,
    LogSettings,
    SecretKind,
    SecretRef,
    SlackSettings,
    SlackWebhookSettings,
    WatchSettings,
    WebhookSettings,
    load,
)
from watcher.core.delivery.state import OnUncertain
from watcher.core.routing.routes import Route

GOOD = DATA / "config" / "good"


def good(name: str) -> Config:
    return load(GOOD / f"{name}.toml")


def faults_of(text: str, path: Path = Path("config.toml")) -> tuple[ConfigFault, ...]:
    with pytest.raises(ConfigError) as caught:
        load(path, text=text)
    return caught.value.faults


@pytest.mark.parametrize("file", sorted(GOOD.glob("*.toml")), ids=lambda file: file.stem)
def test_a_valid_file_is_accepted(file: Path) -> None:
    assert load(file).path == file


def test_ten_lines_are_enough_and_the_rest_are_defaults() -> None:
    config = good("minimal")
    account = config.accounts["main"]
    [watch] = config.watches

    assert account.base_url == "https://aitems.apigw.ntruss.com/api/v1"
    assert (account.requests_per_second, account.max_concurrency) == (1.0, 8)
    assert (account.timeout, account.time_zone) == (timedelta(seconds=10), "Asia/Seoul")
    assert (account.proxy, account.ca_file, account.client_cert) == (None, None, None)
    assert (watch.account, watch.service, watch.type, watch.version) == ("main", "6wxgu1abcde", None, None)
    assert (watch.interval, watch.idle_interval) == (timedelta(seconds=30), timedelta(minutes=5))
    assert (watch.name, dict(watch.labels)) == (None, {})
    assert config.state.keep_history == timedelta(days=400)
    assert config.delivery.first_retry == timedelta(seconds=5)
    assert config.delivery.max_retry == timedelta(hours=1)
    assert config.delivery.give_up_after == timedelta(days=3)
    assert config.delivery.on_uncertain is OnUncertain.RESEND


def test_without_a_route_the_default_kinds_go_to_every_receiver() -> None:
    text = (GOOD / "minimal.toml").read_text() + '\n[receiver.console]\nkind = "log"\n'

    assert load(Path("config.toml"), text=text).routes == (Route(number=1, to=("ml-ops", "console")),)


def test_every_key_is_read() -> None:
    config = good("full")
    account = config.accounts["main"]
    watch = config.watches[0]

    assert account.base_url == "http://127.0.0.1:8080/api/v1"
    assert (account.requests_per_second, account.max_concurrency) == (2.0, 16)
    assert (account.timeout, account.time_zone) == (timedelta(seconds=1.5), "UTC")
    assert account.proxy == "http://proxy.example:3128"
    assert account.secret_key == SecretRef(SecretKind.CREDENTIAL, "ncp-secret-key")
    assert (watch.name, watch.labels) == ("shop-main", {"team": "search", "env": "prod"})
    assert (watch.interval, watch.idle_interval) == (timedelta(milliseconds=100), timedelta(minutes=1))
    assert (config.watches[1].type, config.watches[1].version) == ("pop", "maqll0abcde")
    assert config.watches[2].account == "spare"
    assert config.state.keep_history == timedelta(days=30)
    assert config.delivery.first_retry == timedelta(milliseconds=500)
    assert config.delivery.max_retry == timedelta(minutes=30)
    assert config.delivery.give_up_after == timedelta(hours=36)
    assert config.delivery.on_uncertain is OnUncertain.HOLD
    assert config.web.address == ("::", 9787)
    assert config.web.token is not None
    assert config.heartbeat.url == SecretRef(SecretKind.ENV, "HEARTBEAT_URL")
    assert config.heartbeat.every == timedelta(seconds=30)


def test_every_kind_of_receiver_is_read() -> None:
    receivers = good("full").receivers
    pipeline, hidden, chat = receivers["pipeline"], receivers["hidden"], receivers["chat"]

    assert isinstance(pipeline, WebhookSettings)
    assert pipeline.url == "http://10.0.0.5:9000/hooks?source=aitems"
    assert pipeline.headers == {"Authorization": SecretRef(SecretKind.ENV, "CI_TOKEN"), "X-Team": "search"}
    assert isinstance(hidden, WebhookSettings)
    assert hidden.url == SecretRef(SecretKind.ENV, "HOOK_URL")
    assert hidden.secret is None
    assert isinstance(chat, SlackWebhookSettings)
    assert chat.url == SecretRef(SecretKind.ENV, "SLACK_WEBHOOK_URL")
    assert chat.proxy == "http://proxy.example:3128"
    assert isinstance(receivers["console"], LogSettings)
    bot = receivers["bot"]
    assert isinstance(bot, SlackSettings)
    assert bot.token.kind is SecretKind.FILE
    assert (bot.channel, bot.api_url) == ("C0123456789", "https://slack.proxy.example/api/")


def test_routes_keep_their_order() -> None:
    assert [(route.number, route.match.kinds, route.to) for route in good("full").routes] == [
        (1, {"failed", "restarted"}, ("chat", "pipeline")),
        (2, {"progress"}, ()),
        (3, None, ("chat", "console")),
        (4, None, ("chat",)),
        (5, {"*"}, ("console",)),
    ]


def test_every_key_of_a_route_is_read() -> None:
    first, _, third, fourth, _ = good("full").routes

    assert third.match.patterns == {
        "account": ("spare",),
        "service": ("6wx*", "7yab?"),
        "type": ("pop",),
        "version": ("v*",),
        "status": ("completed", "learning*"),
        "labels.env": ("prod",),
        "labels.team of": ("a", "b*"),
    }
    assert (third.continues, third.group_for) == (True, timedelta(seconds=90))
    assert third.mentions == ("<!subteam^S0123456789>", "<!here>")
    assert fourth.mentions == ("<@U0123456789>",)
    assert (first.continues, first.mentions, first.group_for, first.match.patterns) == (False, (), None, {})


def test_relative_paths_are_beside_the_file() -> None:
    config = good("full")
    pipeline = config.receivers["pipeline"]

    assert config.accounts["main"].ca_file == GOOD / "ca.pem"
    assert config.accounts["main"].client_cert == Path("/etc/ssl/client.pem")
    assert config.accounts["spare"].access_key == SecretRef(SecretKind.FILE, str(GOOD / "keys" / "access"))
    assert config.accounts["spare"].secret_key == SecretRef(SecretKind.FILE, "/run/keys/secret")
    assert isinstance(pipeline, WebhookSettings)
    assert pipeline.secret == SecretRef(SecretKind.FILE, str(GOOD / "hook-secret"))


def test_a_relative_path_of_the_file_gives_absolute_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GOOD)

    assert load(Path("full.toml")).accounts["main"].ca_file == GOOD / "ca.pem"


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    text = (GOOD / "full.toml").read_text().replace('"ca.pem"', '"~/ca.pem"').replace("/run/keys", "~")

    account = load(Path("config.toml"), text=text).accounts
    assert account["main"].ca_file == Path("/home/somebody/ca.pem")
    assert account["spare"].secret_key == SecretRef(SecretKind.FILE, "/home/somebody/secret")


def test_the_same_settings_in_another_notation_are_equal() -> None:
    minimal, otherwise = good("minimal"), good("written-otherwise")

    assert otherwise.accounts == minimal.accounts
    assert otherwise.watches == minimal.watches
    assert otherwise.receivers == minimal.receivers
    assert otherwise.routes == minimal.routes


def test_windows_line_ends_and_a_byte_order_mark_are_accepted(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b"\xef\xbb\xbf" + (GOOD / "minimal.toml").read_bytes().replace(b"\n", b"\r\n"))

    assert load(file).accounts == good("minimal").accounts


def test_windows_line_ends_do_not_change_the_line_numbers() -> None:
    text = (GOOD / "minimal.toml").read_text().replace('"6wxgu1abcde"', '"."').replace("\n", "\r\n")

    assert [fault.line for fault in faults_of(text)] == [6]


def test_loading_resolves_no_secret_and_opens_no_other_file(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    read_bytes = Path.read_bytes

    def recorded(path: Path) -> bytes:
        opened.append(path)
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", recorded)
    # None of the files that it names exists.
    good("full")

    assert opened == [GOOD / "full.toml"]


def test_a_given_text_is_read_instead_of_the_file() -> None:
    path = Path("/nowhere/config.toml")
    config = load(path, text=(GOOD / "full.toml").read_text())

    assert config.path == path
    assert config.accounts["main"].ca_file == Path("/nowhere/ca.pem")


def test_loading_has_no_side_effect_and_gives_the_same_result_again() -> None:
    environment = dict(os.environ)
    content = (GOOD / "full.toml").read_bytes()

    assert good("full") == good("full")
    assert dict(os.environ) == environment
    assert (GOOD / "full.toml").read_bytes() == content


def test_a_faulty_file_does_not_change_an_earlier_configuration() -> None:
    before = good("full")
    faults_of('[account.main]\nsecret_key = "x"\n')

    assert before == good("full")


def test_settings_cannot_be_changed() -> None:
    config = good("full")

    with pytest.raises(AttributeError):
        config.watches = ()  # type: ignore[misc]  # the test of immutability
    with pytest.raises(pydantic.ValidationError):
        config.watches[0].service = "other"
    for mapping in (config.accounts, config.receivers, config.watches[0].labels, config.watches[1].labels):
        assert isinstance(mapping, MappingProxyType)


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none.toml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigError, match=reason) as caught:
            load(path)
        assert [(fault.file, fault.line) for fault in caught.value.faults] == [(path, None)]


def test_a_file_that_is_not_text_is_a_fault_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b"# a\n# b\n# \xff\n")

    with pytest.raises(ConfigError) as caught:
        load(file)
    assert str(caught.value) == f"{file}:3: is not UTF-8; save it as UTF-8"
    assert caught.value.__context__ is None


@pytest.mark.parametrize("nested", ["x = " + "[" * 5000 + "]" * 5000, "x = " + "{a=" * 5000 + "1" + "}" * 5000])
def test_brackets_without_end_are_a_fault(nested: str) -> None:
    [fault] = faults_of(nested)

    assert "nested too deeply" in fault.problem


def test_a_number_without_end_is_a_fault() -> None:
    [fault] = faults_of("x = " + "9" * 5000)

    assert fault.problem


def test_a_fault_reads_as_file_line_key_problem_and_remedy() -> None:
    [fault] = faults_of((GOOD / "minimal.toml").read_text().replace("service =", "servise ="))

    assert (fault.file, fault.line, fault.key) == (Path("config.toml"), 6, "watch[0].servise")
    assert str(fault) == 'config.toml:6: watch[0].servise: is no known key; did you mean "service"?'


def test_faults_of_a_value_do_not_hide_those_of_several_values_together() -> None:
    text = """
[account.main]
access_key = 1
secret_key = { env = "A" }

[[watch]]
service = 5
[[watch]]
service = "a"
version = "."
[[watch]]
service = "a"
version = "."

[receiver.a]
kind = "log"

[[route]]
match = { kind = "failed", kinds = 1 }
to = ["b"]
"""
    assert [(fault.line, fault.key) for fault in faults_of(text)] == [
        (3, "account.main.access_key"),
        (7, "watch[0].service"),
        (10, "watch[1].version"),
        (11, "watch[2]"),
        (13, "watch[2].version"),
        (19, "route[0].match.kinds"),
        (19, "route[0].match"),
        (20, "route[0].to[0]"),
    ]


def test_the_only_account_may_be_named_or_left_out() -> None:
    text = (GOOD / "minimal.toml").read_text()

    assert (
        good("minimal").watches
        == load(Path("c"), text=text.replace("[[watch]]", '[[watch]]\naccount = "main"')).watches
    )


def test_the_same_service_in_two_accounts_is_not_a_repeated_watch() -> None:
    watches = good("full").watches

    assert {(watch.account, watch.service) for watch in watches} == {
        ("main", "6wxgu1abcde"),
        ("spare", "6wxgu1abcde"),
    }


def test_a_route_with_a_kind_that_no_earlier_route_matches_is_reached() -> None:
    text = (
        (GOOD / "minimal.toml").read_text()
        + """
[[route]]
to = ["ml-ops"]
[[route]]
match = { kind = ["failed", "progress"] }
to = []
[[route]]
match = { kind = ["progress", "*"] }
to = []
"""
    )
    assert len(load(Path("c"), text=text).routes) == 3


def test_a_repeated_watch_names_the_line_of_the_first_of_the_same_account() -> None:
    text = (
        (GOOD / "full.toml").read_text()
        + """
[[watch]]
account = "spare"
service = "6wxgu1abcde"
"""
    )
    [fault] = faults_of(text)

    assert fault.problem == "watches the same as line 49"


def test_each_repetition_names_the_line_of_the_first() -> None:
    text = (GOOD / "minimal.toml").read_text() + 2 * '\n[[watch]]\nservice = "6wxgu1abcde"\n'

    assert [fault.problem for fault in faults_of(text)] == 2 * ["watches the same as line 5"]


def test_an_unreachable_route_names_the_lines_of_the_first_routes_that_match_its_kinds() -> None:
    text = """\
[[route]]
match = { kind = "failed" }
to = []
[[route]]
match = { kind = ["failed", "progress"] }
to = []
[[route]]
match = { kind = ["progress", "failed"] }
to = []
[[route]]
match = { kind = "*" }
to = []
[[route]]
match = { kind = "*" }
to = []
"""
    faults = faults_of(text + (GOOD / "minimal.toml").read_text())

    assert [(fault.line, fault.problem) for fault in faults] == [
        (7, "is never reached: the first match wins, and line 1, 4 already matches all its events"),
        (13, "is never reached: the first match wins, and line 1, 4, 10 already matches all its events"),
    ]


def test_the_limits_themselves_are_accepted() -> None:
    longest = WatchSettings(
        service="s" * 200, name="n" * 200, interval=timedelta(days=1), idle_interval=timedelta(days=7)
    )
    account = AccountSettings(
        access_key=SecretRef(SecretKind.ENV, "A"),
        secret_key=SecretRef(SecretKind.ENV, "B"),
        requests_per_second=10_000.0,
        max_concurrency=1000,
        timeout=timedelta(milliseconds=100),
    )

    assert (longest.interval, account.max_concurrency) == (timedelta(days=1), 1000)
    text = (GOOD / "minimal.toml").read_text()
    assert set(load(Path("c"), text=text.replace("main", "n" * 64)).accounts) == {"n" * 64}
    assert faults_of(text.replace("main", "n" * 65))[0].remedy == "write a shorter one"


def test_two_equal_intervals_are_accepted() -> None:
    same = timedelta(seconds=1)

    assert WatchSettings(service="a", interval=same, idle_interval=same).idle_interval == same


def test_settings_can_be_made_without_a_file() -> None:
    ref = SecretRef(SecretKind.ENV, "TOKEN")
    settings = WebhookSettings(kind="webhook", url=ref, secret=ref, headers={"X-Token": ref}, ca_file=Path("ca.pem"))

    assert (settings.url, settings.secret, settings.headers) == (ref, ref, {"X-Token": ref})
    assert WatchSettings(service="a", interval=timedelta(seconds=1)).account == ""


def test_an_error_of_settings_made_without_a_file_shows_no_value() -> None:
    with pytest.raises(pydantic.ValidationError) as caught:
        WebhookSettings(kind="webhook", url="https://me:HIDDEN@hooks.example/a")
    assert "HIDDEN" not in str(caught.value)


def test_importing_it_imports_nothing_slow() -> None:
    program = "import sys; before = set(sys.modules); import watcher.config; print(*(set(sys.modules) - before))"
    command = [sys.executable, "-c", program]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()  # noqa: S603  # constant

    # Modules that begin with an underscore belong to Python, e.g. its build information.
    foreign = {name.partition(".")[0] for name in names if not name.startswith("_")} - sys.stdlib_module_names
    pydantic_and_its_own = {"pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection"}
    assert foreign == {"watcher", *pydantic_and_its_own}
    assert {name.split(".")[1] for name in names if name.startswith("watcher.")} == {"addresses", "config", "core"}
