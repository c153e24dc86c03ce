"""A real S3 server (moto's) on the loopback, in a process of its own, with its checks of credentials switched on.

`python -m tests.helpers.object_server LOG` starts it: it makes a bucket and users, then asks every request for a
signature and a policy that allows it. It prints what a client needs and ends when its standard input does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BUCKET = "sets"
POLICIES = {"writer": ["s3:*"], "reader": ["s3:Get*", "s3:List*"], "nobody": ["sqs:*"]}
SETTINGS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_REGION")


@dataclass(frozen=True)
class ObjectServer:
    """Where it listens, the keys (id, secret) of its users, and the log of its requests."""

    url: str
    users: dict[str, tuple[str, str]]
    log: Path

    def environment(self, user: str = "writer") -> dict[str, str]:
        """Return the settings by which a process works as a user."""
        name, secret = self.users[user]
        return dict(zip(SETTINGS, (name, secret, self.url, "us-east-1")))

    def requests(self) -> list[str]:
        """Return the requests so far, as 'GET /sets/...'."""
        return [line for line in self.log.read_text().splitlines() if f"/{BUCKET}" in line]


@contextmanager
def object_server(folder: Path) -> Iterator[ObjectServer]:
    """Run the server while a test does."""
    log = folder / "requests.log"
    plain = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    command = [sys.executable, "-m", __name__, str(log)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=plain | {"PYTHONWARNINGS": "ignore"}
    ) as process:
        assert process.stdout
        assert process.stdin
        told = json.loads(process.stdout.readline())
        try:
            yield ObjectServer(told["url"], {name: tuple(keys) for name, keys in told["users"].items()}, log)
        finally:
            process.stdin.close()
            process.wait(30)


def _serve(log: Path) -> None:
    import logging

    import boto3
    from moto.server import ThreadedMotoServer

    logging.basicConfig(filename=log, level=logging.INFO, format="%(message)s")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    told = {"endpoint_url": url, "region_name": "us-east-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}
    boto3.client("s3", **told).create_bucket(Bucket=BUCKET)
    iam, users = boto3.client("iam", **told), {}
    for name, actions in POLICIES.items():
        iam.create_user(UserName=name)
        allowed = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_user_policy(UserName=name, PolicyName="what", PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        users[name] = (key["AccessKeyId"], key["SecretAccessKey"])
    plain = {"Content-Type": "text/plain"}
    asked = urllib.request.Request(f"{url}/moto-api/reset-auth", b"0", plain, method="POST")
    with urllib.request.urlopen(asked) as answer:
        answer.read()
    print(json.dumps({"url": url, "users": users}), flush=True)
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
