"""A cloud for tests: objects, queues, tables, functions and their errors, each service an application; all of them over its server."""

from __future__ import annotations

import json
import os
import re
import typing as t
from pathlib import Path

import boto3
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer, create_backend_app

if t.TYPE_CHECKING:
    from flask import Flask

    from visitor import Visitor

DISTRIBUTIONS = ["moto", "boto3"]
APPLICATION = True

# Ids of requests, messages, receipts and users, times in the two forms that services have, and checksums of all that.
VARIES = (
    (r"\b[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}\b", "<uuid>"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
    (r"(?<=\D)1\d{9}(\d{3})?(\.\d+)?(?=\D)", "<time>"),
    (r"\b[A-Za-z\d]{52}\b", "<id>"),
    (r"\b[a-z]{185}\b", "<receipt>"),
    (r'(<UserId>|"id": ")[a-z\d]{20}\b', r"\1<id>"),
    (r"^\d{5,10}$", "<checksum>"),
)

SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=key/20200101/us-east-1/s3/aws4_request"}


def make_app(folder: Path) -> Flask:
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "only for this scenario",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(folder / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none"),
    }
    return create_backend_app("s3")


def of(visitor: Visitor, service: str) -> Visitor:
    """Return a visitor of another service."""
    app = create_backend_app(service)
    return type(visitor)(app, visitor.protocol, visitor.folder, visitor.transcript, VARIES)


def play(visitor: Visitor) -> None:
    store(visitor)
    queue(of(visitor, "sqs"))
    look_up(of(visitor, "dynamodb"))
    ask_others(visitor)
    talk_to_the_server(visitor)


def store(visitor: Visitor) -> None:
    assert "<ListAllMyBucketsResult" in visitor.get("/").text
    assert visitor.put("/shelf").status_code == 200
    colour = {"x-amz-meta-colour": "green"}
    assert visitor.put("/shelf/tea/sencha.txt", data=b"two minutes", headers=colour).status_code == 200
    assert visitor.get("/shelf/tea/sencha.txt").status_code == 403
    got = visitor.get("/shelf/tea/sencha.txt", headers=SIGNED)
    assert (got.data, got.headers["x-amz-meta-colour"]) == (b"two minutes", "green")
    part = visitor.get("/shelf/tea/sencha.txt", headers=SIGNED | {"Range": "bytes=0-2"})
    assert (part.status_code, part.data, part.headers["Content-Range"]) == (206, b"two", "bytes 0-2/11")
    assert visitor.ask("HEAD", "/shelf/tea/sencha.txt", headers=SIGNED).content_length == 11
    assert "<Key>tea/sencha.txt</Key>" in visitor.get("/shelf?list-type=2&prefix=tea/").text
    # The bucket as a part of the host's name.
    assert "<Key>tea/sencha.txt</Key>" in visitor.get("/", base_url="http://shelf.s3.amazonaws.com/").text
    missing = visitor.get("/shelf/coffee.txt", headers=SIGNED)
    assert missing.status_code == 404
    assert "<Code>NoSuchKey</Code>" in missing.text
    assert visitor.delete("/shelf/tea/sencha.txt", headers=SIGNED).status_code == 204


def call(visitor: Visitor, action: str, **content: t.Any) -> tuple[int, t.Any]:
    """Send what the libraries of newer services send; return the status and what came back."""
    answer = visitor.post(
        "/", json=content, headers={"X-Amz-Target": action}, content_type="application/x-amz-json-1.0"
    )
    return answer.status_code, json.loads(answer.text)


def queue(visitor: Visitor) -> None:
    _, made = call(visitor, "AmazonSQS.CreateQueue", QueueName="orders")
    url = made["QueueUrl"]
    assert url.endswith("/123456789012/orders")
    call(visitor, "AmazonSQS.SendMessage", QueueUrl=url, MessageBody="sencha, please")
    _, received = call(visitor, "AmazonSQS.ReceiveMessage", QueueUrl=url)
    assert [one["Body"] for one in received["Messages"]] == ["sencha, please"]
    status, refused = call(visitor, "AmazonSQS.GetQueueUrl", QueueName="none")
    assert status == 400
    assert refused["__type"].endswith("QueueDoesNotExist")


def look_up(visitor: Visitor) -> None:
    table = {
        "TableName": "teas",
        "KeySchema": [{"AttributeName": "name", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "name", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    _, made = call(visitor, "DynamoDB_20120810.CreateTable", **table)
    assert made["TableDescription"]["TableStatus"] == "ACTIVE"
    sencha, put = {"name": {"S": "sencha"}, "minutes": {"N": "2"}}, "DynamoDB_20120810.PutItem"
    assert call(visitor, put, TableName="teas", Item=sencha) == (200, {})
    got = call(visitor, "DynamoDB_20120810.GetItem", TableName="teas", Key={"name": {"S": "sencha"}})
    assert got == (200, {"Item": sencha})
    assert call(visitor, put, TableName="none", Item=sencha)[0] == 400


def ask_others(visitor: Visitor) -> None:
    users = of(visitor, "iam")
    assert (
        "<UserName>ada</UserName>" in users.post("/", data={"Action": "CreateUser", "UserName": "ada"}).text
    )
    again = users.post("/", data={"Action": "CreateUser", "UserName": "ada"})
    assert again.status_code == 409
    assert "EntityAlreadyExists" in again.text
    functions = of(visitor, "lambda")
    assert json.loads(functions.get("/2015-03-31/functions/").text) == {"Functions": []}
    assert functions.get("/2015-03-31/functions/none").status_code == 404
    own = of(visitor, "moto_api")
    assert "<title>Moto</title>" in own.get("/moto-api/").text
    assert json.loads(own.get("/moto-api/data.json").text)["iam"]["User"][0]["name"] == "ada"
    assert own.post("/moto-api/reset").text == '{"status": "ok"}'
    assert "<UserName>" not in users.post("/", data={"Action": "ListUsers"}).text


def talk_to_the_server(visitor: Visitor) -> None:
    """Use the library of the real cloud with moto's server, which finds the service of each request."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()

    def client(service: str) -> t.Any:
        return boto3.client(service, endpoint_url=f"http://{host}:{port}")

    try:
        objects = client("s3")
        objects.create_bucket(Bucket="shelf")
        objects.put_object(Bucket="shelf", Key="large", Body=b"x" * 100_000, Metadata={"in_two": "words"})
        large = objects.get_object(Bucket="shelf", Key="large")
        visitor.note("an object", [len(large["Body"].read()), large["Metadata"], large["ETag"]])
        # In parts, the last of which may be small.
        upload = {"Bucket": "shelf", "Key": "parts"}
        upload["UploadId"] = objects.create_multipart_upload(**upload)["UploadId"]
        bodies = [b"y" * 5 * 2**20, b"z"]
        parts = [
            {
                "PartNumber": number,
                "ETag": objects.upload_part(PartNumber=number, Body=body, **upload)["ETag"],
            }
            for number, body in enumerate(bodies, 1)
        ]
        objects.complete_multipart_upload(MultipartUpload={"Parts": parts}, **upload)
        whole = objects.head_object(Bucket="shelf", Key="parts")
        visitor.note("an object of parts", [whole["ContentLength"], whole["ETag"]])
        queues = client("sqs")
        url = queues.create_queue(QueueName="orders")["QueueUrl"]
        queues.send_message(QueueUrl=url, MessageBody="zwei Tassen für Zoë")
        received = queues.receive_message(QueueUrl=url)["Messages"][0]["Body"]
        visitor.note("a message", [re.sub(r":\d+/", ":<port>/", url), received])
        visitor.note("who", client("sts").get_caller_identity()["Arn"])
        try:
            client("dynamodb").describe_table(TableName="none")
        except ClientError as error:
            visitor.note("an error", error.response["Error"])
        else:
            raise AssertionError("There is no such table")
    finally:
        server.stop()
    assert whole["ContentLength"] == 5 * 2**20 + 1
    assert received == "zwei Tassen für Zoë"
