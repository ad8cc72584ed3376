"""The door to the network: the only module that imports httpx, and only when it is needed.

What holds for every call: connecting takes at most 5 s; silence is bounded, total time is not (a
long answer is fine, a person can cancel); this machine is never reached through a proxy; a
redirect is followed only on the very same host, because the key goes along; a key leaves this
machine only encrypted unless the config says otherwise; the response is closed however it ends.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from engine._version import __version__
from engine.errors import ModelError
from engine.models.closing import closing
from engine.models.endpoint import Endpoint
from engine.models.failures import classify, redact, remedy_for
from engine.models.jsontext import dumps, loads

if TYPE_CHECKING:
    import ssl

    import httpx

__all__ = ["Reply", "get_json", "open_reply", "post_json"]

CONNECT, WRITE, POOL = 5.0, 60.0, 5.0
PROBE_IDLE = 10.0
ERROR_LIMIT = 64 * 1024
JSON_LIMIT = 16 * 1024 * 1024
REDIRECTS = 3

_ERRNO = re.compile(r"^\[Errno -?\d+\] ")
"""What Python puts before the words of the system."""

_REDIRECT = frozenset({301, 302, 303, 307, 308})


class Reply:
    """A good answer, being received."""

    def __init__(self, response: httpx.Response):
        self._response = response
        self.headers: Mapping[str, str] = {
            name.lower(): value for name, value in response.headers.items()
        }

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body as it arrives, unpacked, in slices of any size."""
        async with closing(self._response.aiter_bytes()) as chunks:
            async for chunk in chunks:
                yield chunk

    async def read(self, limit: int) -> bytes:
        """All of the body, or its first `limit` bytes."""
        data = bytearray()
        async with aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                data += chunk
                if len(data) >= limit:
                    break
        return bytes(data[:limit])


@asynccontextmanager
async def open_reply(
    endpoint: Endpoint,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None = None,
    idle: float | None = None,
) -> AsyncIterator[Reply]:
    """Send a request and hand out the answer for as long as the block lasts.

    Args:
        path: what follows the endpoint's base URL.
        headers: the API's own; those of the config are added and win.
        idle: longest silence in seconds; None: the endpoint's.

    Raises:
        ModelError: nothing was sent (no key, unsafe), nobody answered, the answer is an error, or
            it broke off inside the block.
    """
    sent = _headers(endpoint, headers)
    httpx = await _library()
    try:
        async with _client(endpoint, idle or endpoint.idle) as client:
            request = client.build_request(method, _url(endpoint, path), headers=sent, content=body)
            response = await _send(client, request, endpoint)
            try:
                yield Reply(response)
            finally:
                await response.aclose()
    except httpx.TimeoutException as error:
        raise _silence(error, endpoint, idle or endpoint.idle) from None
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise _broken(error, endpoint) from None
    except httpx.InvalidURL as error:
        raise ModelError(redact(str(error), endpoint), kind="invalid") from None


async def get_json(endpoint: Endpoint, path: str, *, headers: Mapping[str, str]) -> Any:
    """A small JSON document, or None when the answer is none.

    Raises:
        ModelError: as `open_reply`.
    """
    async with open_reply(endpoint, "GET", path, headers=headers, idle=PROBE_IDLE) as reply:
        return loads((await reply.read(JSON_LIMIT)).decode("utf-8", "replace"))


async def post_json(
    endpoint: Endpoint, path: str, body: Mapping[str, Any], *, headers: Mapping[str, str]
) -> Any:
    """As `get_json`, for a question that is sent along."""
    async with open_reply(
        endpoint, "POST", path, headers=headers, body=dumps(body), idle=PROBE_IDLE
    ) as reply:
        return loads((await reply.read(JSON_LIMIT)).decode("utf-8", "replace"))


async def _library() -> Any:
    """httpx; loading it and the certificates takes a tenth of a second, so not on the loop."""
    if not _tls.cache_info().currsize:
        import anyio.to_thread

        await anyio.to_thread.run_sync(_import)
    return _import()


def _import() -> Any:
    import httpx

    _tls()
    return httpx


@cache
def _tls() -> ssl.SSLContext:
    import httpx

    return httpx.create_ssl_context()


@cache
def _no_tls() -> ssl.SSLContext:
    """For plain http on this machine: quick to make, and trusts no certificate at all."""
    import ssl

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _client(endpoint: Endpoint, idle: float) -> httpx.AsyncClient:
    import httpx

    plain = endpoint.loopback and endpoint.url.startswith("http:")
    return httpx.AsyncClient(
        timeout=httpx.Timeout(connect=CONNECT, read=idle, write=WRITE, pool=POOL),
        verify=_no_tls() if plain else _tls(),
        trust_env=not endpoint.loopback,
        follow_redirects=False,
    )


def _url(endpoint: Endpoint, path: str) -> str:
    base, question, query = endpoint.url.partition("?")
    if not question:
        return base + path
    return f"{base}{path}{'&' if '?' in path else '?'}{query}"


def _headers(endpoint: Endpoint, own: Mapping[str, str]) -> dict[str, str]:
    """All headers of a request, checked before anything is sent.

    Raises:
        ModelError: the key is missing, unusable, or would travel unprotected.
    """
    headers = {"user-agent": f"branchline/{__version__}"}
    headers |= {name.lower(): value for name, value in own.items()}
    headers |= {name.lower(): value for name, value in endpoint.headers.items()}
    secret = endpoint.key is not None or any("auth" in name or "key" in name for name in headers)
    if endpoint.key_problem is not None or (endpoint.needs_key and not secret):
        problem = endpoint.key_problem
        raise ModelError(
            problem.message if problem else f"there is no key for {endpoint.provider}",
            kind="auth",
            place=problem.path if problem else None,
            remedy=problem.hint if problem else remedy_for("auth", endpoint),
        )
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            raise ModelError(
                f"the {name} header for {endpoint.provider} holds characters that cannot be sent",
                kind="auth",
                remedy=remedy_for("auth", endpoint),
            )
    if secret and endpoint.url.startswith("http:") and not _may_be_plain(endpoint):
        raise ModelError(
            f"the key for {endpoint.provider} would travel unencrypted to {endpoint.host}",
            kind="invalid",
            remedy=f"Use https, or set models.providers.{endpoint.provider}.allowInsecure: true",
        )
    return headers


def _may_be_plain(endpoint: Endpoint) -> bool:
    return endpoint.loopback or endpoint.allow_insecure


async def _send(
    client: httpx.AsyncClient, request: httpx.Request, endpoint: Endpoint
) -> httpx.Response:
    """The answer to a request, redirects on the same host followed; errors raised and closed."""
    for _ in range(REDIRECTS + 1):
        response = await client.send(request, stream=True)
        if response.is_success:
            return response
        try:
            if response.status_code not in _REDIRECT:
                body = await Reply(response).read(ERROR_LIMIT)
                raise classify(response.status_code, body, Reply(response).headers, endpoint)
            target = urljoin(str(request.url), response.headers.get("location", ""))
        finally:
            await response.aclose()
        request = _redirected(client, request, target, response.status_code, endpoint)
    raise ModelError(f"{endpoint.provider} redirects in a circle", kind="invalid")


def _redirected(
    client: httpx.AsyncClient,
    request: httpx.Request,
    target: str,
    status: int,
    endpoint: Endpoint,
) -> httpx.Request:
    """The same request to another path of the same host; anything else is refused."""
    old, new = urlsplit(str(request.url)), urlsplit(target)
    same = (old.scheme, old.netloc) == (new.scheme, new.netloc)
    if not same or (request.method != "GET" and status not in {307, 308}):
        raise ModelError(
            f"{endpoint.provider} redirects to {redact(f'{new.scheme}://{new.netloc}{new.path}')}",
            kind="invalid",
            status=status,
            remedy="If that is right, set it as the provider's baseUrl",
        )
    return client.build_request(
        request.method, target, headers=request.headers, content=request.content
    )


def _silence(error: Exception, endpoint: Endpoint, idle: float) -> ModelError:
    what = "did not take the connection" if "Connect" in type(error).__name__ else "was silent"
    seconds = CONNECT if "Connect" in type(error).__name__ else idle
    return ModelError(
        f"{endpoint.provider} ({endpoint.host}) {what} for {seconds:g} s",
        kind="timeout",
        remedy=remedy_for("timeout", endpoint),
    )


def _broken(error: Exception, endpoint: Endpoint) -> ModelError:
    reason = _ERRNO.sub("", redact(str(error), endpoint)) or type(error).__name__
    return ModelError(
        f"the connection to {endpoint.provider} ({endpoint.host}) failed: {reason}",
        kind="connection",
        remedy=remedy_for("connection", endpoint),
    )
