"""The account of a daemon's functions: that of the emulator next to it, or of the access key."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import boto3
import pytest

from support import daemons
from support.servers.running import Server

RUNTIME = "python{}.{}".format(*sys.version_info[:2])
SOURCE = "def handler(event, context):\n    return context.invoked_function_arn\n"
MOTO = "123456789012"
KEY = "210987654321"


def client(service: str, url: str) -> Any:
    return boto3.client(
        service, endpoint_url=url, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )


def package() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", SOURCE)
    return buffer.getvalue()


@pytest.mark.semantics("CONFIG-40")
@pytest.mark.parametrize(("key", "account"), [("test", MOTO), (KEY, KEY)], ids=["sts", "key"])
def test_arns_have_the_account_and_work_in_every_call(moto: Server, tmp_path: Path, key: str, account: str) -> None:
    arn = f"arn:aws:lambda:us-east-1:{account}:function:orders"
    role = f"arn:aws:iam::{account}:role/r"
    url = client("sqs", moto.endpoint_url).create_queue(QueueName=f"orders-{key}")["QueueUrl"]
    queue = f"arn:aws:sqs:us-east-1:{MOTO}:{url.rpartition('/')[2]}"
    local = {"filed": {"runtime": "python", "handler": "app.handler", "code": str(tmp_path)}}
    (tmp_path / "app.py").write_text(SOURCE)
    config = daemons.write_config(tmp_path, moto.endpoint_url, "", {}, functions=local)
    env = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": "secret"}
    with daemons.running(str(config), cwd=tmp_path, env=env) as daemon:
        api = client("lambda", daemon.ready().url)
        code = {"ZipFile": package()}
        api.create_function(FunctionName=arn, Runtime=RUNTIME, Role=role, Handler="app.handler", Code=code)
        api.get_waiter("function_active_v2").wait(FunctionName=arn, WaiterConfig={"Delay": 1})
        assert api.get_function(FunctionName="orders")["Configuration"]["FunctionArn"] == arn
        assert api.publish_version(FunctionName=arn)["FunctionArn"] == f"{arn}:1"
        assert api.create_alias(FunctionName=arn, Name="live", FunctionVersion="1")["AliasArn"] == f"{arn}:live"
        api.add_permission(
            FunctionName=f"{arn}:live", StatementId="s", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com"
        )
        api.put_function_concurrency(FunctionName=arn, ReservedConcurrentExecutions=1)
        api.put_function_event_invoke_config(FunctionName=f"{arn}:live", MaximumRetryAttempts=0)
        api.tag_resource(Resource=arn, Tags={"a": "b"})
        assert api.list_tags(Resource=arn)["Tags"] == {"a": "b"}
        made = api.create_event_source_mapping(EventSourceArn=queue, FunctionName=f"{arn}:live", Enabled=False)
        assert made["FunctionArn"] == f"{arn}:live"
        assert made["EventSourceMappingArn"].split(":")[4] == account
        api.tag_resource(Resource=made["EventSourceMappingArn"], Tags={"a": "b"})
        assert [each["UUID"] for each in api.list_event_source_mappings(FunctionName=arn)["EventSourceMappings"]]
        for name in (f"{arn}:live", arn.replace("orders", "filed")):
            assert json.loads(api.invoke(FunctionName=name)["Payload"].read()) == name
        api.delete_event_source_mapping(UUID=made["UUID"])
        api.delete_function(FunctionName=arn)
        api.close()
        assert daemon.stop() == 0


ASKS = """
import json, os, boto3, urllib.request, urllib.error
def handler(event, context):
    url = os.environ["AWS_ENDPOINT_URL_LAMBDA"]
    try:
        urllib.request.urlopen(url + "/2015-03-31/functions/")
        unsigned = 200
    except urllib.error.HTTPError as refused:
        unsigned = refused.code
    answer = boto3.client("lambda").invoke(FunctionName="mirror", Payload=json.dumps(event))
    return {"url": url, "unsigned": unsigned, "answer": json.load(answer["Payload"])}
"""


@pytest.mark.semantics("API-INVOKE-20")
def test_functions_find_each_other_where_signatures_are_needed(ministack: Server, tmp_path: Path) -> None:
    functions = {}
    for name, source in (("asks", ASKS), ("mirror", "def handler(event, context):\n    return event\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.py").write_text(source)
        functions[name] = {"runtime": "python", "handler": "app.handler", "code": name, "timeout": 30}
    config = daemons.write_config(
        tmp_path,
        ministack.endpoint_url,
        "",
        {},
        functions=functions,
        listen="0.0.0.0:0",
        api={"access_keys": {"LOCAL": "a secret"}},
    )
    with daemons.running(str(config), cwd=tmp_path) as daemon:
        port = daemon.ready().url.rpartition(":")[2]
        api = boto3.client(
            "lambda",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name="us-east-1",
            aws_access_key_id="LOCAL",
            aws_secret_access_key="a secret",
        )
        answer = json.loads(api.invoke(FunctionName="asks", Payload=b'{"a": 1}')["Payload"].read())
        assert answer == {"url": f"http://127.0.0.1:{port}", "unsigned": 403, "answer": {"a": 1}}
        api.close()
        assert daemon.stop() == 0
