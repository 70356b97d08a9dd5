"""The daemon's settings: sources and their order, files of secrets, shared variables, masking."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import pytest

from headrace.config.errors import ConfigError
from headrace.config.masking import MASK
from headrace.config.settings import Address, Settings
from support.configs import loaded, problems, write


def settings(
    directory: Path, text: str, environ: Mapping[str, str] | None = None, flags: Mapping[str, object] | None = None
) -> Settings:
    return loaded(write(directory, text), environ=environ, flags=flags).settings


def test_defaults() -> None:
    made = Settings()
    assert made.listen == Address("127.0.0.1", 9470)
    assert (made.stop_timeout, made.until_idle, made.dry_run, made.state) == (8.0, None, False, Path(".headrace"))
    assert (made.aws.real, made.aws.rewrite_queue_urls, made.aws.endpoint_url) == (False, True, None)
    assert (made.log.level, made.log.format) == ("info", "auto")
    kept = made.destinations
    assert (kept.attempts, kept.seconds, kept.block) == (5, 60.0, False)
    assert (made.api.enabled, made.api.upstream, made.api.hosts, made.api.adopt) == (True, None, [], False)
    assert made.api.secrets() == {}


@pytest.mark.semantics("CONFIG-09")
def test_flags_over_variables_over_the_file_over_shared_variables(tmp_path: Path) -> None:
    text = "log: {level: warning}\nlisten: '127.0.0.1:1'\naws: {region: file, profile: file}"
    environ = {"HEADRACE_AWS__REGION": "variable", "HEADRACE_LISTEN": "127.0.0.1:2", "LOG_LEVEL": "error"}
    environ["LOG_FORMAT"] = "json"
    made = settings(tmp_path, text, environ, {"listen": "127.0.0.1:3", "aws.real": True, "dry_run": None})
    assert str(made.listen) == "127.0.0.1:3"
    assert (made.aws.region, made.aws.profile, made.aws.real) == ("variable", "file", True)
    assert (made.log.level, made.log.format, made.dry_run) == ("warning", "json", False)


@pytest.mark.parametrize(
    ("environ", "level"),
    [({"LOG_LEVEL": "WARN"}, "warning"), ({"DEBUG": "1"}, "debug"), ({"LOG_LEVEL": "shout"}, "info"), ({}, "info")],
)
def test_shared_variables_are_understood_where_they_can_be(
    tmp_path: Path, environ: Mapping[str, str], level: str
) -> None:
    assert settings(tmp_path, "x-a: 1", environ).log.level == level


def test_variables_of_every_shape(tmp_path: Path) -> None:
    environ = {
        "HEADRACE_AWS": '{"account": "000000000001"}',
        "HEADRACE_AWS__ENDPOINT_URLS__SQS": "http://localhost:9324",
        "HEADRACE_STOP_TIMEOUT": "2.5",
        "HEADRACE_UNTIL_IDLE": "30",
        "HEADRACE_DRY_RUN": "true",
        "HEADRACE_LOG__LEVEL": "",
        "HEADRACE_DESTINATIONS__BLOCK": "true",
        "HEADRACE_RETRY_BACKOFF__BASE": "0.05",
        "HEADRACE_VERSION": "1.2.3",
    }
    made = settings(tmp_path, "x-a: 1", environ)
    assert (made.aws.account, made.aws.endpoint_urls) == ("000000000001", {"sqs": "http://localhost:9324"})
    assert (made.stop_timeout, made.until_idle, made.dry_run, made.log.level) == (2.5, 30.0, True, "info")
    assert made.destinations.block
    assert (made.retry_backoff.base, made.retry_backoff.cap) == (0.05, 30.0)


@pytest.mark.parametrize(("given", "meant"), [(True, math.inf), (False, None), ("true", math.inf), (5, 5.0), (0, 0.0)])
def test_until_idle(given: object, meant: float | None) -> None:
    assert Settings.model_validate({"until_idle": given}).until_idle == meant


@pytest.mark.parametrize(
    ("given", "meant"),
    [("0.0.0.0:80", ("0.0.0.0", 80)), ("[::1]:0", ("::1", 0)), (9471, ("127.0.0.1", 9471)), (":1", ("127.0.0.1", 1))],
)
def test_addresses(given: object, meant: tuple[str, int]) -> None:
    made = Settings.model_validate({"listen": given}).listen
    assert made == meant
    assert Settings.model_validate({"listen": str(made)}).listen == made


def test_accounts_are_text_with_or_without_quotes(tmp_path: Path) -> None:
    for text in ("aws: {account: 000000000000}", 'aws: {account: "000000000000"}'):
        assert settings(tmp_path, text).aws.account == "000000000000"
    assert settings(tmp_path, "aws: {account: 123456789012}").aws.account == "123456789012"


@pytest.mark.semantics("LAYER-14")
def test_the_layers_of_a_file_are_relative_to_the_file(tmp_path: Path) -> None:
    arn = "arn:aws:lambda:us-east-1:580247275435:layer:Vendor:3"
    (tmp_path / "vendor.zip").write_text("")
    text = f"layers: {{'{arn}': ./vendor.zip, '{arn[:-2]}': /tmp}}"
    assert settings(tmp_path, text).layers == {arn: tmp_path / "vendor.zip", arn[:-2]: Path("/tmp")}
    given = {"HEADRACE_LAYERS": f'{{"{arn}": "/tmp"}}'}
    assert settings(tmp_path, "x-a: 1", given).layers == {arn: Path("/tmp")}
    with pytest.raises(ConfigError, match=r"layers.*: there is no '.*/other.zip' \(name a directory or a zip\)"):
        settings(tmp_path, f"layers: {{'{arn}': ./other.zip}}")
    with pytest.raises(ConfigError, match=r"^HEADRACE_LAYERS: there is no 'given'"):
        settings(tmp_path, "x-a: 1", {"HEADRACE_LAYERS": f'{{"{arn}": "given"}}'})
    with pytest.raises(ConfigError, match=r"layers.*is not the ARN of a layer"):
        settings(tmp_path, "layers: {'layer:Vendor': ./vendor.zip}")


def test_the_state_directory_of_a_file_is_relative_to_the_file(tmp_path: Path) -> None:
    assert settings(tmp_path, "state: kept").state == tmp_path / "kept"
    assert settings(tmp_path, "state: kept", {"HEADRACE_STATE": "other"}).state == Path("other")
    assert settings(tmp_path, "x-a: 1", flags={"state": "flag"}).state == Path("flag")


@pytest.mark.semantics("CONFIG-05")
def test_a_secret_comes_out_of_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    made = settings(tmp_path, "x-a: 1", {"HEADRACE_AWS__SECRET_ACCESS_KEY_FILE": str(secret)})
    assert made.aws.secret_access_key is not None
    assert made.aws.secret_access_key.get_secret_value() == "s3cret"
    assert made.aws.arguments()["secret_access_key"] == "s3cret"
    both = {"HEADRACE_AWS__REGION": "here", "HEADRACE_AWS__REGION_FILE": str(secret)}
    found = problems(write(tmp_path, "x-a: 1"), environ=both)
    assert found == ["HEADRACE_AWS__REGION and HEADRACE_AWS__REGION_FILE are both set: unset one"]


@pytest.mark.semantics("API-12", "CONFIG-05")
def test_the_keys_of_the_api_come_out_of_the_file_a_variable_or_a_file(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text('{"Local": "s3cret", "OTHER": "s4cret"}\n')
    want = {"LOCAL": "s3cret", "OTHER": "s4cret"}
    text = "api: {access_keys: {local: s3cret, OTHER: s4cret}, hosts: [headrace]}"
    assert settings(tmp_path, text).api.secrets() == want
    assert settings(tmp_path, text).api.hosts == ["headrace"]
    assert settings(tmp_path, "x-a: 1", {"HEADRACE_API__ACCESS_KEYS_FILE": str(keys)}).api.secrets() == want
    assert settings(tmp_path, "x-a: 1", {"HEADRACE_API__ACCESS_KEYS": keys.read_text()}).api.secrets() == want
    variable = {"HEADRACE_API__ACCESS_KEYS__LOCAL": "s3cret"}
    assert settings(tmp_path, "x-a: 1", variable).api.secrets() == {"LOCAL": "s3cret"}
    assert settings(tmp_path, "x-a: 1", {"HEADRACE_API__HOSTS": '["a", "b"]'}).api.hosts == ["a", "b"]
    assert "s3cret" not in str(loaded(write(tmp_path, text)).effective())


WRONG: list[tuple[str, dict[str, str], dict[str, object], str]] = [
    ("aws: {endpoint_ur: x}", {}, {}, "headrace.yaml:1: aws.endpoint_ur: unknown key (did you mean 'endpoint_url'?)"),
    ("aws: {endpoint_url: localhost}", {}, {}, "headrace.yaml:1: aws.endpoint_url: is not a URL: 'localhost'"),
    ("aws: {account: 12}", {}, {}, "headrace.yaml:1: aws.account: is not an account"),
    ("aws: {account: '٠٠٠٠٠٠٠٠٠٠٠٠'}", {}, {}, "headrace.yaml:1: aws.account: is not an account"),
    ("x-a: 1\nlisten: nowhere", {}, {}, "headrace.yaml:2: listen: must be HOST:PORT"),
    ("listen: 'a:70000'", {}, {}, "headrace.yaml:1: listen: must be HOST:PORT"),
    ("stop_timeout: -1", {}, {}, "headrace.yaml:1: stop_timeout: must be at least 0"),
    ("destinations: {attempts: 0}", {}, {}, "headrace.yaml:1: destinations.attempts: must be at least 1, not 0"),
    ("retry_backoff: {base: 0}", {}, {}, "headrace.yaml:1: retry_backoff.base: must be at least 0.01, not 0"),
    ("retry_backoff: {base: 40}", {}, {}, "headrace.yaml:1: retry_backoff: has the cap 30, which is below the base 40"),
    ("x-a: 1", {"HEADRACE_RETRY_BACKOFF__CAP": "inf"}, {}, "HEADRACE_RETRY_BACKOFF__CAP: must be"),
    ("api: {upstream: localhost}", {}, {}, "headrace.yaml:1: api.upstream: is not a URL: 'localhost'"),
    ("api: {access_keys: {a b: hidden}}", {}, {}, "headrace.yaml:1: api.access_keys"),
    ("api: {access_keys: {clé: hidden}}", {}, {}, "headrace.yaml:1: api.access_keys"),
    ("api: {access_keys: {LOCAL: ''}}", {}, {}, "headrace.yaml:1: api.access_keys.LOCAL"),
    ("api: {access_keys: {LOCAL: [hidden]}}", {}, {}, "headrace.yaml:1: api.access_keys.LOCAL: must be text"),
    ("until_idle: soon", {}, {}, "headrace.yaml:1: until_idle: must be a number, not 'soon'"),
    ("aws: {secret_access_key: [hidden]}", {}, {}, "headrace.yaml:1: aws.secret_access_key: must be text"),
    ("x-a: 1", {"HEADRACE_LOG__LEVEL": "loud"}, {}, "HEADRACE_LOG__LEVEL: must be 'debug'"),
    ("log: {level: info}", {"HEADRACE_LOG__LEVL": "x"}, {}, "HEADRACE_LOG__LEVL: unknown key (did you mean 'level'?)"),
    ("x-a: 1", {"HEADRACE_LISTN": "x"}, {}, "HEADRACE_LISTN: unknown variable (did you mean HEADRACE_LISTEN?)"),
    ("x-a: 1", {"HEADRACE_AWS": "{"}, {}, "HEADRACE_AWS: is not JSON"),
    ("x-a: 1", {"HEADRACE_STATE_FILE": "/nowhere/at/all"}, {}, "HEADRACE_STATE_FILE names the file /nowhere/at/all"),
    ("log: {level: info}", {}, {"log.level": "loud"}, "log.level (command line): must be 'debug'"),
]


@pytest.mark.parametrize(("text", "environ", "flags", "expected"), WRONG)
@pytest.mark.semantics("CONFIG-09", "CONFIG-31")
def test_a_wrong_setting_is_placed_where_it_was_given(
    tmp_path: Path, text: str, environ: dict[str, str], flags: dict[str, object], expected: str
) -> None:
    found = problems(write(tmp_path, text), environ=environ, flags=flags)
    assert len(found) == 1
    assert found[0].startswith(expected)
    assert "hidden" not in found[0]


@pytest.mark.semantics("CONFIG-26")
def test_secrets_are_masked_in_what_is_printed(tmp_path: Path) -> None:
    text = """
    aws: {secret_access_key: abc123, endpoint_url: "http://me:abc123@localhost:1"}
    functions:
      f: {command: [x], environment: {DB_PASSWORD: abc123, API_TOKEN: abc123, URL: "http://me:abc123@db", STAGE: dev}}
    """
    shown = loaded(write(tmp_path, text)).effective()
    assert "abc123" not in str(shown)
    functions = shown["functions"]
    assert isinstance(functions, dict)
    assert functions["f"]["environment"] == {
        "DB_PASSWORD": MASK,
        "API_TOKEN": MASK,
        "URL": f"http://{MASK}@db",
        "STAGE": "dev",
    }
    assert shown["listen"] == "127.0.0.1:9470"
