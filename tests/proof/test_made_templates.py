"""Templates that SAM, CDK and Serverless make, by the commands of docs/from-a-template.md, run without a deployment."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from support import wheel
from support.daemons import Queues, running
from support.emulator_lab import client_of
from support.servers.running import Server
from support.stack_project import StackProject

PAGE = (wheel.ROOT / "docs" / "from-a-template.md").read_text()
CREATED, OTHER = json.dumps({"type": "created"}), json.dumps({"type": "other"})


@pytest.fixture
def made(ministack: Server, tmp_path: Path) -> StackProject:
    return StackProject(ministack.endpoint_url, tmp_path)


def by_the_page(made: StackProject, tool: str) -> None:
    """Run the one command that the page names for this tool."""
    (command,) = set(re.findall(rf"`({tool} (?:build|synth|package))`", PAGE))
    made.run(*command.split())


def runs(made: StackProject, queues: Queues, template: str, prefix: str) -> None:
    """The function of a template with a queue gets what its filter lets through."""
    options = (template, "--create-sources", "--listen=127.0.0.1:0")
    with running(*options, cwd=made.project, env={"AWS_ENDPOINT_URL": made.emulator}) as daemon:
        daemon.ready()
        (url,) = queues.client.list_queues(QueueNamePrefix=prefix)["QueueUrls"]
        queues.send(url.rpartition("/")[2], OTHER, CREATED)
        daemon.wait_until(lambda: made.seen() == [CREATED])
        assert daemon.stop() == 0
    queues.client.delete_queue(QueueUrl=url)


@pytest.mark.semantics("TPL-17", "TPL-19")
def test_what_sam_builds(made: StackProject, queues: Queues) -> None:
    made.of_sam()
    by_the_page(made, "sam")
    (made.project / ".aws-sam" / "build" / "Orders" / "app.py").write_text(
        (made.project / "src" / "app.py").read_text() + "# built"
    )
    (made.project / "src" / "app.py").unlink()  # what is run is what was built
    runs(made, queues, "template.yaml", "project-Queue")


@pytest.mark.needs("npm")
@pytest.mark.semantics("TPL-17", "TPL-18")
def test_what_serverless_packages(made: StackProject, queues: Queues) -> None:
    made.of_serverless()
    by_the_page(made, "serverless")
    runs(made, queues, ".serverless", "sls-dev-Queue")


@pytest.mark.needs("npm")
@pytest.mark.semantics("TPL-17", "TPL-18")
def test_what_cdk_synthesizes(made: StackProject) -> None:
    made.of_cdk()
    by_the_page(made, "cdk")
    dynamodb = client_of("dynamodb", made.emulator)
    options = ("cdk.out", "--create-sources", "--listen=127.0.0.1:0")
    with running(*options, cwd=made.project, env={"AWS_ENDPOINT_URL": made.emulator}) as daemon:
        daemon.ready()
        (table,) = (each for each in dynamodb.list_tables()["TableNames"] if each.startswith("CdkShop-Table"))
        dynamodb.put_item(TableName=table, Item={"id": {"S": "1"}})
        daemon.wait_until(lambda: made.seen() == ["aws:dynamodb"])
        assert daemon.stop() == 0
    dynamodb.delete_table(TableName=table)
    dynamodb.close()
