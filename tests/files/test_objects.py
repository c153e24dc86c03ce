"""Against a real server on the loopback that checks signatures and policies."""

from __future__ import annotations

import pickle
import socket
import subprocess
import sys
import time

import boto3
import pytest

from csist_bench.errors import InputError
from csist_bench.files import objects
from csist_bench.files.objects import Objects, is_address, parse_address, single_object
from tests.helpers.object_server import BUCKET
from tests.helpers.server import serving


def test_addresses():
    assert is_address("s3://bucket/key")
    assert is_address("S3://bucket/key")
    assert not is_address("data/s3.zarr")
    assert parse_address("s3://bucket/a/b.zarr/") == ("bucket", "a/b.zarr")
    assert parse_address("s3://bucket") == ("bucket", "")
    assert str(Objects("s3://bucket/a/")) == "s3://bucket/a"
    assert Objects("s3://bucket").where("x") == "s3://bucket/x"
    assert single_object("s3://bucket/a/b.json") == (Objects("s3://bucket/a"), "b.json")


@pytest.mark.parametrize(
    "address",
    [
        "s3://user:secret@bucket/key", "s3://bucket/key?versionId=1", "s3://bucket/key#part", "s3://bucket/../other",
        "s3://bucket/a//b", "s3://bucket/./a", "s3://b/key", "s3:///key", "s3://Bucket/key", "s3://bucket/a\nb",
        "s3://bucket/a%2e%2e",
    ],
)  # fmt: skip
def test_addresses_that_could_lead_elsewhere_are_refused_without_repeating_a_password(address):
    with pytest.raises(InputError, match=r"^(address|s3://bucket: key)") as error:
        Objects(address)
    assert "secret" not in str(error.value)


def test_objects_are_put_found_listed_and_removed(bucket):
    place = Objects(bucket)
    assert place.read("a") is None
    assert place.names() == []
    place.write("a", b"one")
    place.write("deep/b", b"two")
    place.write("deep/c", b"three")
    place.write("deeper", b"")
    assert (place.read("a"), place.read("deeper"), place.read("deep")) == (b"one", b"", None)
    assert [place.exists(name) for name in ("a", "deeper", "deep", "b")] == [True, True, False, False]
    assert place.names() == ["a", "deep/b", "deep/c", "deeper"]
    assert place.names("deep/") == ["deep/b", "deep/c"]
    assert len(place.names(most=2)) == 2
    place.remove(["a", "deep/b", "not there"])
    assert place.names() == ["deep/c", "deeper"]
    assert pickle.loads(pickle.dumps(place)) == place  # it travels to workers


def test_of_two_that_put_an_object_where_none_is_one_gets_it(bucket):
    place = Objects(bucket)
    tag = place.create("claim", b"mine")
    assert tag
    assert place.create("claim", b"theirs") is None
    assert place.read_tagged("claim") == (b"mine", tag)
    newer = place.replace("claim", b"newer", tag)
    assert newer
    assert place.replace("claim", b"late", tag) is None
    assert place.read("claim") == b"newer"
    assert place.replace("none", b"", tag) is None


def test_a_put_whose_answer_was_lost_finds_its_own_object(bucket):
    place = Objects(bucket)
    assert place.create("claim", b"mine") == place.create("claim", b"mine")


def test_a_large_object_that_is_put_in_pieces_is_whole(bucket):
    place, data = Objects(bucket), bytes(range(256)) * 50_000
    place.write("large", data)
    assert place.read("large") == data


def test_an_upload_that_never_ended_leaves_no_object(bucket, object_server):
    name, secret = object_server.users["writer"]
    client = boto3.client(
        "s3", endpoint_url=object_server.url, region_name="us-east-1", aws_access_key_id=name,
        aws_secret_access_key=secret,
    )  # fmt: skip
    key = f"{bucket.rpartition('/')[2]}/half"
    upload = client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    client.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=1, Body=b"x" * (5 << 20))
    place = Objects(bucket)
    assert place.read("half") is None
    assert place.names() == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "AWS_SECRET_ACCESS_KEY is not that of AWS_ACCESS_KEY_ID"),
        ({"AWS_ACCESS_KEY_ID": "AKIAWRONG"}, "it does not know AWS_ACCESS_KEY_ID"),
    ],
)
def test_wrong_credentials_are_said_and_not_shown(bucket, monkeypatch, settings, said):
    Objects(bucket).write("a", b"")
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    for asked in (lambda: Objects(bucket).read("a"), lambda: Objects(bucket).write("a", b""), Objects(bucket).names):
        with pytest.raises(InputError, match=said) as error:
            asked()
        assert "\n" not in str(error.value)
        assert not any(value in str(error.value) for value in settings.values())


def test_a_user_who_may_only_read_is_told_at_the_first_write(bucket, object_server, monkeypatch):
    Objects(bucket).write("a", b"one")
    for name, value in object_server.environment("reader").items():
        monkeypatch.setenv(name, value)
    place = Objects(bucket)
    assert place.read("a") == b"one"
    for asked in (lambda: place.write("a", b""), lambda: place.create("b", b""), lambda: place.remove(["a"])):
        with pytest.raises(InputError, match=rf"^{bucket}.*the store refuses to (write|remove) it \(AccessDenied\)"):
            asked()
    for name, value in object_server.environment("nobody").items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=r"refuses to read it \(AccessDenied\); the credentials"):
        Objects(bucket).read("a")


def test_no_credentials_at_all(bucket, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    began = time.monotonic()
    with pytest.raises(InputError, match=r"no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        Objects(bucket).read("a")
    assert time.monotonic() - began < 10


def test_a_bucket_that_is_not_there(bucket):
    place = Objects("s3://no-such-bucket/a")
    for asked in (lambda: place.read("a"), lambda: place.write("a", b""), place.names, lambda: place.create("a", b"")):
        with pytest.raises(InputError, match=r"bucket must exist at http://127.*got none of the name 'no-such-bucket'"):
            asked()


def test_a_server_that_is_not_there_is_given_up_within_seconds(bucket, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free.getsockname()[1]}")
    began = time.monotonic()
    with pytest.raises(InputError, match=r"no object store answers at http://127\.0\.0\.1:\d+ .*AWS_ENDPOINT_URL"):
        Objects(bucket).read("a")
    assert time.monotonic() - began < 6


def test_a_server_that_says_nothing_is_given_up_within_seconds(bucket, monkeypatch):
    monkeypatch.setitem(objects.GREETING, "read", "1s")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(InputError, match=r"no object store answers at"):
            Objects(bucket).read("a")


def test_a_server_that_is_no_object_store(bucket, monkeypatch):
    with serving({}) as (url, _):
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(InputError, match=r"what answers at http://127.* is no object store; check AWS_"):
            Objects(bucket).read("a")


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_plain_http_to_another_machine_only_where_the_user_says_so(bucket, monkeypatch, name):
    monkeypatch.setenv(name, "http://store.example:9000")
    with pytest.raises(InputError, match=r"begin with https:// on another machine.*AWS_ALLOW_HTTP=true"):
        Objects(bucket).read("a")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    with pytest.raises(InputError, match=r"object store"):  # asked, and not there
        Objects(bucket).read("a")


@pytest.mark.parametrize("endpoint", ["http://user:secret@127.0.0.1:1", "ftp://127.0.0.1", "127.0.0.1:9000"])
def test_endpoints_that_are_none(bucket, monkeypatch, endpoint):
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(InputError, match=r"AWS_ENDPOINT_URL must be https://HOST") as error:
        Objects(bucket).read("a")
    assert "secret" not in str(error.value)


def test_a_forked_process_is_refused_at_once_where_it_would_wait_for_ever(bucket):
    """A DataLoader forks its workers unless told otherwise."""
    code = (
        "import multiprocessing, sys\n"
        "from csist_bench.files.objects import Objects\n"
        "def child():\n"
        "    try:\n"
        "        Objects(sys.argv[1]).read('a')\n"
        "    except ValueError as error:\n"
        "        print(error)\n"
        "Objects(sys.argv[1]).read('a')\n"
        "process = multiprocessing.get_context('fork').Process(target=child)\n"
        "process.start()\n"
        "process.join(20)\n"
        "process.kill()\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, bucket]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "cannot be used in a forked process; start workers by spawn" in done.stdout, done.stderr
