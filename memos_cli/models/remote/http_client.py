"""Requests to a model server: bounded, without proxies or redirects, with clear errors.

A server is not trusted: sizes are limited, texts are cut and cleaned before they are shown, and a key never
appears in an error.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from memos_cli.errors import ModelUnfit
from memos_cli.models.remote.address import Address
from memos_cli.models.remote.api_keys import find_key, variable_of
from memos_cli.models.remote.streams import LONGEST_LINE, ProtocolError, parse_object, split_lines

if TYPE_CHECKING:
    import httpx2

CONNECT = 5.0
"""Seconds to wait for a connection."""
QUICK = 30.0
"""Seconds that a server may be silent in requests that need no model."""
_LONGEST_BODY = 16 << 20
"""Maximum bytes of an answer that is read at once."""
_LONGEST_STREAM = 256 << 20
"""Maximum bytes of a streamed answer."""
_SHOWN = 300
"""Maximum characters of a server's error message that are shown."""
_INSTALL = "pip install 'memos-cli[remote]'"
_START = {"ollama": "start it: ollama serve", "lmstudio": "start it: lms server start"}


class Client:
    """A connection to one server. Close it. Its errors are ModelUnfit."""

    def __init__(self, address: Address, timeout: float) -> None:
        """Connect to a server, which may be silent for ``timeout`` seconds."""
        try:
            import httpx2
        except ImportError as error:
            raise ModelUnfit("model servers need the package httpx2", _INSTALL) from error
        self.address, self.timeout = address, timeout
        self._httpx, self._key = httpx2, find_key(address)
        headers = {"accept-encoding": "identity", "user-agent": "memos"}
        if self._key:
            headers["authorization"] = f"Bearer {self._key}"
        self._client = httpx2.Client(headers=headers, trust_env=False, follow_redirects=False)

    def close(self) -> None:
        self._client.close()

    def find(self, path: str) -> dict[str, Any] | None:
        """Return the JSON object at ``path``; None if the server has none there."""
        with self._send("GET", path, None) as response:
            if response.status_code in (404, 405, 501):
                return None
            return self._read(response, path)

    def post(self, path: str, body: Mapping[str, Any], *, runs_model: bool = False) -> dict[str, Any]:
        """Send a JSON object, and return the one that comes back."""
        with self._send("POST", path, body, runs_model) as response:
            return self._read(response, path)

    def try_post(self, path: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Send a JSON object; return the HTTP status and, if that is 200, the object that comes back."""
        with self._send("POST", path, body, True) as response:
            is_done = response.status_code == 200
            return response.status_code, self._read(response, path) if is_done else {}

    def stream(self, path: str, body: Mapping[str, Any]) -> Iterator[str]:
        """Send a JSON object, and yield the lines of the answer as they come.

        Raises ModelUnfit when no line comes for ``timeout`` seconds, even if single bytes do.
        """
        with self._send("POST", path, body, True) as response:
            if response.status_code != 200:
                self._read(response, path)
            yield from self._in_time(split_lines(self._chunks(response, _LONGEST_STREAM)))

    def _in_time(self, lines: Iterator[str]) -> Iterator[str]:
        last = time.monotonic()
        for line in lines:
            if time.monotonic() - last > self.timeout:
                raise self.silent(self.timeout)
            if line.strip() and not line.startswith(":"):  # comments only keep the connection open
                last = time.monotonic()
            yield line

    @contextmanager
    def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None, runs_model: bool = False
    ) -> Iterator[httpx2.Response]:
        httpx, url = self._httpx, self.address.url + path
        patience = self.timeout if runs_model else min(QUICK, self.timeout)
        timeout = httpx.Timeout(patience, connect=CONNECT)
        try:
            with self._client.stream(method, url, json=body, timeout=timeout) as response:
                if response.is_redirect:
                    raise self._unfit("answers with a redirect, which is not followed", "name its final URL")
                if response.headers.get("content-encoding", "identity") != "identity":
                    raise self._unfit("sends a compressed answer that was not asked for")
                yield response
        except httpx.ConnectTimeout as error:
            raise self._unfit(f"does not answer within {CONNECT:g} s", self._start_it()) from error
        except httpx.TimeoutException as error:
            raise self.silent(patience) from error
        except httpx.ConnectError as error:
            if "certificate" in str(error).lower() or "ssl" in str(error).lower():
                problem = f"has a certificate that is not trusted: {self.clean(str(error))}"
                raise self._unfit(problem) from error
            raise ModelUnfit(f"no server answers at {self.address.url}", self._start_it()) from error
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError, httpx.CloseError) as error:
            raise self.ended_early() from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unfit(f"cannot be reached: {self.clean(str(error))}", self._start_it()) from error
        except ProtocolError as error:
            raise self.invalid_response(str(error)) from error

    def _chunks(self, response: httpx2.Response, most: int) -> Iterator[bytes]:
        size = 0
        for chunk in response.iter_raw():  # as it is: nothing is decompressed
            size += len(chunk)
            if size > most:
                raise ProtocolError(f"more than {most >> 20} MB")
            yield chunk

    def _read(self, response: httpx2.Response, path: str) -> dict[str, Any]:
        """Return the object of an answer. Raises ModelUnfit for a status that is not 200."""
        if response.status_code == 200:
            return parse_object(b"".join(self._chunks(response, _LONGEST_BODY)))
        said: object = ""
        with suppress(ProtocolError):
            said = parse_object(b"".join(self._chunks(response, LONGEST_LINE)))
        raise self.refused(response.status_code, said, path)

    # --- errors ----------------------------------------------------------------------------------

    def refused(self, status: int, said: object, path: str = "") -> ModelUnfit:
        """Return the error for an HTTP status, or (0) for an error object in the middle of an answer."""
        reason = self.clean(_message_in(said))
        more = f": {reason}" if reason else ""
        if "context" in reason and ("exceed" in reason or "length" in reason):
            hint = "lower query.memory or --max-tokens, or start the server with a larger context"
            return self._unfit(f"says that the prompt does not fit{more}", hint)
        match status:
            case 401 | 403:
                name = variable_of(self.address)
                what = "refuses the key" if self._key else "requires a key"
                hint = f"export {name}=…, or: keyring set memos {self.address.host}"
                return self._unfit(f"{what} ({status}){more}", hint)
            case 404:
                get = f"get it: ollama pull {self.address.model}"
                hint = get if self.address.kind == "ollama" else "name one of its models: --model 'URL#NAME'"
                return self._unfit(f"has no {self.address.model or path} ({status}){more}", hint)
            case 429:
                return self._unfit(f"has too many requests (429){more}", "wait, and run it again")
            case 503:
                return self._unfit(f"is not ready (503){more}", "wait until it has loaded its model")
            case 0:
                return self._unfit(f"failed while it answered{more}", "check its log, and run it again")
        if status >= 500:
            return self._unfit(f"failed ({status}){more}", "check its log, and run it again")
        return self._unfit(f"refuses the request ({status}){more}", self._start_it())

    def silent(self, seconds: float) -> ModelUnfit:
        """Return the error for a server that sends nothing."""
        return self._unfit(f"sent nothing for {seconds:g} s", "raise network.timeout, or use a smaller model")

    def ended_early(self) -> ModelUnfit:
        """Return the error for an answer without its end."""
        return self._unfit(
            "closed the connection before the end of its answer", "check that it still runs, and run it again"
        )

    def invalid_response(self, what: str) -> ModelUnfit:
        """Return the error for an answer that does not follow the protocol."""
        return self._unfit(f"sent an invalid response ({self.clean(what)})", self._start_it())

    def clean(self, text: str) -> str:
        """Return a text of the server for an error: printable, short, and without the key."""
        if self._key:
            text = text.replace(self._key, "…")
        text = " ".join("".join(each if each.isprintable() else " " for each in text[:4096]).split())
        return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"

    def _unfit(self, what: str, hint: str = "") -> ModelUnfit:
        return ModelUnfit(f"the server at {self.address.url} {what}", hint or "choose another with --model")

    def _start_it(self) -> str:
        other = "start it, or name another model with --model; see `memos help engines`"
        return _START.get(self.address.kind, other)


def _message_in(said: object) -> str:
    """Return the message of an error object; servers write ``{"error": TEXT}`` or ``{"error": {…}}``."""
    for name in ("error", "message", "detail"):
        if isinstance(said, dict):
            said = said.get(name, said)
    return said if isinstance(said, str) else ""
