"""The scripts' client on boto3."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from .clients import CREDENTIALS, REGION, Data, Refused


class Boto:
    def __init__(self, headrace: str, emulator: str) -> None:
        self._urls = {"lambda": headrace}
        self._emulator = emulator
        self._session = boto3.Session(
            CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"], region_name=REGION
        )
        self._clients: dict[str, Any] = {}

    def call(self, service: str, operation: str, **parameters: Any) -> Data:
        client = self._client(service)
        by_name = {theirs: ours for ours, theirs in client.meta.method_to_api_mapping.items()}
        try:
            output: Data = getattr(client, by_name[operation])(**parameters)
        except ClientError as refusal:
            error = refusal.response["Error"]
            raise Refused(error["Code"], error["Message"]) from refusal
        if "Payload" in output:
            output["Payload"] = output["Payload"].read().decode()
        output.pop("ResponseMetadata")
        return output

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            url = self._urls.get(service, self._emulator)
            config = Config(retries={"max_attempts": 1})
            self._clients[service] = self._session.client(service, endpoint_url=url, config=config)
        return self._clients[service]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
