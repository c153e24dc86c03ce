"""Objects under a prefix of a bucket, `s3://bucket/key`: the only module that talks to an object store.

An object is there whole or not at all, so that is what files are here too; but nothing can be renamed or locked.
Whatever needs one writer puts an object only if none is there (`create`) or only if it is still the one that was read
(`replace`). Endpoint, region and credentials come from the environment alone, as AWS_ENDPOINT_URL, AWS_REGION,
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, and are never shown.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import urlsplit

from csist_bench.errors import InputError, must, show

T = TypeVar("T")

SCHEME = "s3://"
EXTRA = "object stores need obstore; install it with: pip install 'csist-bench[remote]'"
# Until a store has answered once it is soon given up; one that has is waited for.
GREETING: dict[str, Any] = {"connect": "2s", "read": "5s", "retries": 1, "within": 3.0}
WORKING: dict[str, Any] = {"connect": "5s", "read": "60s", "retries": 8, "within": 30.0}
REMOVED_AT_ONCE = 1000  # names, the most that a store takes
MOST_LOOKED_AT = 1000  # names, to tell a place of somebody else's
REQUEST_TIMEOUT = "300s"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_SEGMENT = re.compile(r"[\w.=+ -]+")
_answered: set[str] = set()  # endpoints, in this process
_opened_by: list[int] = []  # the process whose threads serve the connections


def is_address(path: object) -> bool:
    """Tell an address of objects from a path of files."""
    return isinstance(path, str) and path.lower().startswith(SCHEME)


def parse_address(address: str) -> tuple[str, str]:
    """Return bucket and key of `s3://bucket/key`; the key has no slash at either end and may be empty.

    Raises
    ------
    InputError
        If it has a user name, a query or a part that could lead elsewhere; none of those is repeated in the message.
    """
    bucket, _, key = address[len(SCHEME) :].partition("/")
    rule = "be s3://BUCKET/KEY, of letters, digits and ._=+-, without user name, query or fragment"
    if any(mark in address for mark in "@?#"):
        raise must("address", rule, "one with '@', '?' or '#'", "credentials come from the environment")
    if not _BUCKET.fullmatch(bucket):
        raise must("address: bucket", "be 3 to 63 small letters, digits, dots and hyphens", bucket or "none")
    key = key.rstrip("/")
    parts = key.split("/") if key else []
    if bad := [part for part in parts if part in ("", ".", "..") or not _SEGMENT.fullmatch(part)]:
        raise must(f"{SCHEME}{bucket}: key", rule, f"the part {bad[0]!r}")
    return bucket, key


@dataclass(frozen=True)
class Objects:
    """Objects under `s3://bucket/key`, named relative to it; small enough to travel to a worker."""

    address: str

    def __post_init__(self) -> None:
        bucket, key = parse_address(self.address)
        object.__setattr__(self, "address", f"{SCHEME}{bucket}/{key}" if key else f"{SCHEME}{bucket}")

    def __reduce__(self) -> tuple[type[Objects], tuple[str]]:
        return Objects, (self.address,)  # connections stay here

    def __str__(self) -> str:
        return self.address

    def where(self, name: str) -> str:
        """Return the address of one object."""
        return f"{self.address}/{name}" if name else self.address

    def read(self, name: str) -> bytes | None:
        """Return the content of an object; None where there is none."""
        found = self.read_tagged(name)
        return None if found is None else found[0]

    def read_tagged(self, name: str) -> tuple[bytes, str] | None:
        """Return the content of an object and the tag by which `replace` knows it; None where there is none."""

        def get(store: Any, path: str) -> tuple[bytes, str]:
            import obstore

            result = obstore.get(store, path)
            return bytes(result.bytes()), str(result.meta["e_tag"] or "")

        return self._ask("read", name, get)

    def exists(self, name: str) -> bool:
        """Return whether there is such an object, without its content."""

        def begin(store: Any, path: str) -> bool:
            import obstore

            obstore.get(store, path)  # a HEAD would do, but its refusals give no reason
            return True

        return self._ask("read", name, begin) is not None

    def write(self, name: str, data: bytes) -> None:
        """Put an object, in the place of one that is there."""

        def put(store: Any, path: str) -> bool:
            import obstore

            obstore.put(store, path, data)
            return True

        if self._ask("write", name, put) is None:
            raise self._no_store()

    def create(self, name: str, data: bytes) -> str | None:
        """Put an object if none is there, and return its tag; None where one is."""
        return self._conditional(name, data, "create")

    def replace(self, name: str, data: bytes, tag: str) -> str | None:
        """Put an object in the place of the one of this tag, and return its own; None where that is there no more."""
        return self._conditional(name, data, {"e_tag": tag})

    def _conditional(self, name: str, data: bytes, mode: Any) -> str | None:
        def put(store: Any, path: str) -> str:
            import obstore
            from obstore.exceptions import AlreadyExistsError, PreconditionError

            try:
                return str(obstore.put(store, path, data, mode=mode, use_multipart=False)["e_tag"] or "")
            except (AlreadyExistsError, PreconditionError):
                return ""

        if tag := self._ask("write", name, put):
            return tag
        # A put whose answer was lost is sent again, and then finds what it put itself.
        there = self.read_tagged(name)
        return there[1] if there is not None and there[0] == data else None

    def names(self, under: str = "", most: int | None = None) -> list[str]:
        """Return the names that begin so, at most so many, in order."""
        folder = under.rpartition("/")[0]  # stores list whole parts of names

        def listed(store: Any, path: str) -> list[str]:
            import obstore

            entries = (str(entry["path"]) for batch in obstore.list(store, path or None) for entry in batch)
            return list(islice((name for name in entries if name.startswith(under)), most))

        return sorted(self._ask("list", folder, listed) or ())

    def remove(self, names: Iterable[str]) -> None:
        """Remove objects in this order, a thousand at a time; one that is not there is none to remove."""
        todo = list(names)
        for start in range(0, len(todo), REMOVED_AT_ONCE):
            self._remove(todo[start : start + REMOVED_AT_ONCE])

    def _remove(self, names: list[str]) -> None:
        def delete(store: Any, _path: str) -> bool:
            import obstore

            obstore.delete(store, names)
            return True

        self._ask("remove", names[0], delete)

    def _ask(self, doing: str, name: str, request: Callable[[Any, str], T]) -> T | None:
        """Return what a request gives, None where it is not found; every other failure is said in one line."""
        _require_not_forked()
        store = self._working if _endpoint() in _answered else self._greeting
        try:
            result: T | None = request(store, name)
        except InputError:
            raise
        except FileNotFoundError as error:
            self._require_key_missing(str(error))
            result = None
        except Exception as error:  # obstore raises its own errors, and OSError, TimeoutError and others of Python
            if type(error).__module__.partition(".")[0] not in ("obstore", "builtins"):
                raise
            raise self._failure(doing, name, error) from None
        _answered.add(_endpoint())
        return result

    @cached_property
    def _greeting(self) -> Any:
        return _open(self.address, GREETING)

    @cached_property
    def _working(self) -> Any:
        return _open(self.address, WORKING)

    def _require_key_missing(self, said: str) -> None:
        """Raise unless it is the object alone that is not there."""
        code = _code(said)
        if code == "NoSuchBucket":
            raise self._no_bucket()
        if not code:
            raise self._no_store()

    def _no_bucket(self) -> InputError:
        bucket, _ = parse_address(self.address)
        rule = f"exist at {_endpoint()}"
        return must(f"{self.address}: bucket", rule, f"none of the name {bucket!r}", "make it first, or mend the name")

    def _no_store(self) -> InputError:
        return InputError(f"{self.address}: what answers at {_endpoint()} is no object store; check AWS_ENDPOINT_URL")

    def _failure(self, doing: str, name: str, error: Exception) -> InputError:
        said, where = str(error), self.where(name)
        code = _code(said)
        if code == "NoSuchBucket":
            return self._no_bucket()
        if "169.254.169.254" in said:
            return InputError(
                f"{where}: no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_SKIP_SIGNATURE=true"
                " reads what is public)"
            )
        if type(error).__name__ in ("PermissionDeniedError", "UnauthenticatedError") or code in REFUSED:
            return InputError(
                f"{where}: the store refuses to {doing} it ({code or 'no reason given'});"
                f" {_REFUSALS.get(code, 'the credentials of the environment must allow it')}"
            )
        if code:
            return InputError(f"{where}: the store could not {doing} it ({code}); try again, with --resume if there is")
        reason = said.partition("Debug source")[0].rpartition(" - ")[2] or type(error).__name__
        return InputError(
            f"{where}: no object store answers at {_endpoint()} ({show(reason)}); check AWS_ENDPOINT_URL and the"
            " network, then try again (what is written is kept: --resume goes on)"
        )


def single_object(address: str) -> tuple[Objects, str]:
    """Return the prefix and the name of one object by its address."""
    bucket, key = parse_address(address)
    folder, _, name = key.rpartition("/")
    if not name:
        raise must(f"{SCHEME}{bucket}", "name an object", "a bucket")
    return Objects(f"{SCHEME}{bucket}/{folder}"), name


_REFUSALS = {
    "InvalidAccessKeyId": "it does not know AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY is not that of AWS_ACCESS_KEY_ID",
    "ExpiredToken": "AWS_SESSION_TOKEN has expired",
    "InvalidToken": "AWS_SESSION_TOKEN is not valid",
}


REFUSED = (*_REFUSALS, "AccessDenied")


def _code(said: str) -> str:
    """Return the store's name of an error; nothing else of its answer is shown, which may hold the key's name."""
    match = re.search(r"<Code>(\w+)</Code>|\(code: (\w+)\)", said)
    return (match[1] or match[2]) if match else ""


def _endpoint() -> str:
    """Return where the store is, without user name and password."""
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"):
        if value := os.environ.get(name):
            return value
    return "AWS"


def _require_not_forked() -> None:
    """Raise in a fork of a process that used a store: its threads are not here, and any request would wait for ever."""
    if not _opened_by:
        _opened_by.append(os.getpid())
    if _opened_by[0] != os.getpid():
        raise InputError(
            "object stores cannot be used in a forked process; start workers by spawn, as"
            " DataLoader(..., multiprocessing_context='spawn')"
        )


def _open(address: str, patience: dict[str, Any]) -> Any:
    try:
        from obstore.store import S3Store
    except ImportError:
        raise InputError(EXTRA) from None
    bucket, key = parse_address(address)
    options: dict[str, Any] = {
        "connect_timeout": patience["connect"],
        "read_timeout": patience["read"],  # between any two bytes
        "timeout": REQUEST_TIMEOUT,
    }
    place: dict[str, Any] = {
        "region": os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION", "us-east-1")
    }
    if (endpoint := _endpoint()) != "AWS":
        place["endpoint"] = endpoint
        options["allow_http"] = _may_be_plain(endpoint)
    retry = {
        "max_retries": patience["retries"],
        "retry_timeout": timedelta(seconds=patience["within"]),
        "backoff": {
            "init_backoff": timedelta(milliseconds=100),
            "max_backoff": timedelta(seconds=5),
            "base": 2,
        },
    }
    try:
        return S3Store(bucket, prefix=key or None, client_options=options, retry_config=retry, **place)  # type: ignore[arg-type]
    except Exception as error:
        reason = show(str(error).partition("Debug source")[0])
        raise InputError(f"{address}: the settings of the environment (AWS_...) give no store: {reason}") from None


def _may_be_plain(endpoint: str) -> bool:
    """Tell whether an endpoint may be asked over plain http: on this machine, or where the user said so.

    Raises
    ------
    InputError
        If it is a plain one of another machine, or no http address, or holds a user name.
    """
    split = urlsplit(endpoint)
    if split.scheme not in ("http", "https") or not split.hostname or "@" in split.netloc:
        raise must("AWS_ENDPOINT_URL", "be https://HOST[:PORT] without user name", "something else")
    if split.scheme == "https":
        return False
    if not _is_loopback(split.hostname) and os.environ.get("AWS_ALLOW_HTTP", "").lower() not in ("1", "true"):
        remedy = "set AWS_ALLOW_HTTP=true to send data and requests unencrypted"
        raise must("AWS_ENDPOINT_URL", "begin with https:// on another machine", endpoint, remedy)
    return True


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
