"""The guard against real AWS, and the daemon that would call itself."""

from __future__ import annotations

import json
from importlib import resources

import pytest

from headrace.config import addresses
from headrace.config.clients import endpoints
from headrace.config.clients.endpoints import LocalEndpoint, RealEndpoint, RefusedEndpoint


@pytest.mark.parametrize(
    ("url", "real", "expected"),
    [
        ("http://localhost:4566", False, LocalEndpoint("http://localhost:4566")),
        ("http://localhost:4566", True, LocalEndpoint("http://localhost:4566")),
        ("https://localhost.localstack.cloud:4566", False, LocalEndpoint("https://localhost.localstack.cloud:4566")),
        ("http://[::1]:4566/prefix", False, LocalEndpoint("http://[::1]:4566/prefix")),
        ("http://amazonaws.com.example:4566", False, LocalEndpoint("http://amazonaws.com.example:4566")),
        ("http://sqs.amazonaws.com@localhost:4566", False, LocalEndpoint("http://sqs.amazonaws.com@localhost:4566")),
        ("http://notamazonaws.com", False, LocalEndpoint("http://notamazonaws.com")),
        (None, True, RealEndpoint()),
        ("", True, RealEndpoint()),
        (
            "https://vpce-1.sqs.us-east-1.vpce.amazonaws.com",
            True,
            RealEndpoint("https://vpce-1.sqs.us-east-1.vpce.amazonaws.com"),
        ),
    ],
)
def test_allowed(url: str | None, real: bool, expected: endpoints.Target) -> None:
    assert endpoints.decide("sqs", url, real) == expected


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "https://sqs.us-east-1.amazonaws.com",
        "https://SQS.US-EAST-1.AMAZONAWS.COM.:443/",
        "https://sqs.us-east-1.api.aws",
        "https://sqs.cn-north-1.amazonaws.com.cn",
        "https://localhost:4566@sqs.us-east-1.amazonaws.com",
    ],
)
def test_real_aws_is_refused_unless_it_is_meant(url: str | None) -> None:
    target = endpoints.decide("sqs", url, real=False)
    assert isinstance(target, RefusedEndpoint)
    assert "real AWS" in target.problem.what
    assert "sqs" in target.problem.what
    assert "aws.real: true" in target.problem.hint


@pytest.mark.semantics("CONFIG-39")
def test_servers_at_aws_are_named_unless_real_aws_is_meant() -> None:
    ours = ["localhost:9092", "[::1]:9092", "[x:9092", "kafka.amazonaws.com.test:9092", "notamazonaws.com:9092"]
    ours += ["redis://localhost:6379", "redis://amazonaws.com@cache.test"]
    theirs = [
        "redis://u:p@my.cache.amazonaws.com:6379/0",
        "my.cache.amazonaws.com",
        "b-1.c.x.c2.kafka.us-east-1.amazonaws.com:9092",
        "B-1.C.KAFKA.CN-NORTH-1.AMAZONAWS.COM.CN.:9098",
    ]
    assert endpoints.unwanted_servers(ours, real=False) == ""
    assert endpoints.unwanted_servers([*ours, *theirs], real=False) == ",".join(theirs)
    assert endpoints.unwanted_servers(theirs, real=True) == ""


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("localhost:4566", "http://"),
        ("//localhost:4566", "http://"),
        ("http://", "no host"),
        ("http://localhost:99999", "out of range"),
        ("http://localhost:0", "port 0"),
        ("ftp://localhost", "http://"),
        ("http://localhost:4566?x=1", "query"),
        ("http://[::1:4566", "IPv6"),
    ],
)
@pytest.mark.parametrize("real", [True, False])
def test_what_is_no_url_is_refused(url: str, word: str, real: bool) -> None:
    target = endpoints.decide("sqs", url, real)
    assert isinstance(target, RefusedEndpoint)
    assert repr(url) in target.problem.what
    assert word in target.problem.what


def test_every_domain_that_botocore_knows_is_aws() -> None:
    data = resources.files("botocore") / "data"
    partitions = json.loads((data / "partitions.json").read_text())["partitions"]
    domains = {partition["outputs"][name] for partition in partitions for name in ("dnsSuffix", "dualStackDnsSuffix")}
    for partition in json.loads((data / "endpoints.json").read_text())["partitions"]:
        domains |= {partition["dnsSuffix"]} | {each["dnsSuffix"] for each in partition["defaults"].get("variants", [])}
    assert len(domains) > 10
    for domain in domains:
        assert endpoints.is_aws(f"https://sqs.region-1.{domain}/"), domain


@pytest.mark.parametrize(
    ("function", "listen", "itself"),
    [
        ("http://127.0.0.1:9470", "127.0.0.1:9470", True),
        ("http://localhost:9470/2015-03-31/functions/f/invocations", "127.0.0.1:9470", True),
        ("http://[::1]:9470", "localhost:9470", True),
        ("http://127.0.0.5:9470", "0.0.0.0:9470", True),
        ("http://localhost.:9470", "[::]:9470", True),
        ("http://0.0.0.0:9470", "127.0.0.1:9470", True),
        ("http://localhost", "127.0.0.1:80", True),
        ("https://localhost", "127.0.0.1:443", True),
        ("http://headrace:9470", "headrace:9470", True),
        ("http://headrace:9470", "0.0.0.0:9470", True),
        ("http://HEADRACE:9470", "0.0.0.0:9470", True),
        ("http://localhost:9470", ":9470", True),
        ("http://localhost:3001", "127.0.0.1:9470", False),
        ("http://emulator:9470", "127.0.0.1:9470", False),
        ("http://emulator:9470", "0.0.0.0:9470", False),
        ("http://localhost:9470", "10.0.0.7:9470", False),
        ("http://localhost:nonsense", "127.0.0.1:9470", False),
    ],
)
def test_a_function_at_our_own_address(function: str, listen: str, itself: bool) -> None:
    assert addresses.would_call_itself(function, listen, own_hosts=("headrace",)) is itself


@pytest.mark.parametrize(
    ("host", "loopback", "here"),
    [
        ("localhost", True, True),
        ("LOCALHOST.", True, True),
        ("a.localhost", True, True),
        ("127.0.0.1", True, True),
        ("127.9.9.9", True, True),
        ("::1", True, True),
        ("::ffff:127.0.0.1", True, True),
        ("0.0.0.0", False, True),
        ("::", False, True),
        ("", False, True),
        ("host.docker.internal", False, True),
        ("localhost.localstack.cloud", False, True),
        ("127.0.0.1.evil.example", False, False),
        ("127.evil.example", False, False),
        ("localhost.evil.example", False, False),
        ("10.0.0.7", False, False),
        ("::ffff:10.0.0.7", False, False),
    ],
)
def test_what_is_this_machine_alone_and_what_leads_to_it(host: str, loopback: bool, here: bool) -> None:
    assert (addresses.is_loopback(host), addresses.leads_here(host)) == (loopback, here)
