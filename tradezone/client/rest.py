"""REST of a zone: requests and answers as plain values, errors as types."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from tradezone.client._wire import Address, HttpPool, Response
from tradezone.client.errors import BusyError, ZoneError, to_error
from tradezone.client.session import SessionRequest

BUSY_TRIES: Final = 8
_LONGEST_WAIT_S: Final = 5.0


class Rest:
    """A zone's REST interface. For one event loop.

    Parameters
    ----------
    url : str
        of the zone, for instance ``http://127.0.0.1:8420``
    """

    def __init__(self, url: str) -> None:
        self.address = Address.from_url(url)
        self._pool = HttpPool(self.address)
        self._token = ""

    def close(self) -> None:
        """Close connections."""
        self._pool.close()

    async def fetch(self, path: str, **query: Any) -> Any:
        """GET a path and return what was answered; a busy zone is asked again.

        Raises
        ------
        ZoneError
            As it was answered; DisconnectedError if nobody did.
        """
        given = {name: value for name, value in query.items() if value is not None}
        whole = path + ("?" + urlencode(given) if given else "")
        return await self._send("GET", whole, b"", BUSY_TRIES)

    async def fetch_pages(self, path: str, **query: Any) -> AsyncIterator[dict[str, Any]]:
        """Yield all rows of a paged path, newest first, to the very first."""
        before: str | None = None
        while True:
            page = await self.fetch(path, before=before, **query)
            for row in page["data"]:
                yield row
            before = page["next"]
            if before is None:
                return

    async def post(self, path: str, body: Any) -> Any:
        """POST plain values and return what was answered."""
        return await self._send("POST", path, msgspec.json.encode(body), 1)

    async def open_session(self, request: SessionRequest) -> dict[str, Any]:
        """Open a session; later requests are made in it."""
        found: dict[str, Any] = await self.post("/v1/session", request.to_json())
        self._token = found["token"]
        return found

    async def send(
        self, leaves: Sequence[bytes], *, mode: str = "sync", receipts: bool = False
    ) -> list[dict[str, Any]]:
        """Send signed envelopes and return what became of each.

        A busy zone, which took nothing, is asked again with the same bytes.

        Raises
        ------
        UnknownFateError, DisconnectedError
            It is not known what became of them.
        """
        query = urlencode({"mode": mode, "receipts": "true" if receipts else "false"})
        body = msgspec.json.encode({"envelopes": ["0x" + leaf.hex() for leaf in leaves]})
        answer = await self._send("POST", f"/v1/orders?{query}", body, BUSY_TRIES)
        rows: list[dict[str, Any]] = answer["envelopes"]
        return rows

    async def _send(self, method: str, path: str, body: bytes, tries: int) -> Any:
        while True:
            headers = {"authorization": f"Bearer {self._token}"} if self._token else {}
            if body:
                headers["content-type"] = "application/json"
            response = await self._pool.request(method, path, body, headers)
            tries -= 1
            try:
                return _read(response)
            except BusyError as error:
                if not tries:
                    raise
                await asyncio.sleep(min(error.retry_after_ms / 1_000, _LONGEST_WAIT_S))


def _read(response: Response) -> Any:
    """Return the value of an answer, or raise what it says."""
    if response.status == 204:
        return None
    try:
        value = msgspec.json.decode(response.body)
    except msgspec.DecodeError:
        raise ZoneError(f"answer {response.status} is no JSON: {response.body[:80]!r}") from None
    if response.status < 400:
        return value
    body = value.get("error") if isinstance(value, dict) else None
    raise to_error(body if isinstance(body, dict) else {"text": f"answer {response.status}"})
