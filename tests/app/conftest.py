"""The app in a thread of the test, with the embedded model, and a client of its live connection."""

import asyncio
import contextlib
import json
import secrets
import threading

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import websocket_connect

from pxs.app.engine import Engine
from pxs.app.lines import Model
from pxs.app.server import Desk
from pxs.app.start import serving, take_place

TOKEN = "token-of-the-tests-0123"
PATIENCE = 600  # seconds that a test waits for the other thread
MOST_BYTES = 300_000


class Running:
    """An app that runs: its address, its desk, and `stop`."""

    def __init__(self, editor, folder, port=None, token=TOKEN):
        self.place = take_place(port=port, token=token)
        self.engine = Engine(editor)
        self.desk = Desk(self.engine, Model(), token, f"pxs-{self.place.port}", MOST_BYTES, folder)
        self._up, self._loop = threading.Event(), asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._main(),))
        self._thread.start()
        assert self._up.wait(PATIENCE)

    async def _main(self):
        self._stopped = asyncio.Event()
        async with serving(self.place, self.desk):
            self._up.set()
            await self._stopped.wait()

    def stop(self):
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(PATIENCE)
            self._loop.close()
            self.engine.close(PATIENCE)


@pytest.fixture(scope="module")
def make_app(editor, tmp_path_factory):
    """A function that starts an app; all are stopped at the end."""
    with contextlib.ExitStack() as stack:

        def make(**options):
            app = Running(editor, tmp_path_factory.mktemp("app"), **options)
            stack.callback(app.stop)
            return app

        yield make


class Tab:
    """What a page does: a session, its live connection, and its requests."""

    def __init__(self, app, token=TOKEN):
        self.base, self.token = f"http://127.0.0.1:{app.place.port}", token
        self.key, self.events, self.live = secrets.token_hex(16), [], None

    async def connect(self):
        address = f"ws{self.base[4:]}/live?session={self.key}&token={self.token}"
        self.live = await websocket_connect(HTTPRequest(address, request_timeout=PATIENCE))
        return self

    def wish(self, what, **facts):
        self.live.write_message(json.dumps({"do": what, **facts}))

    async def until(self, kind, **facts):
        """The next event of this kind with these facts; those before are in `events`."""
        while True:
            message = await asyncio.wait_for(self.live.read_message(), PATIENCE)
            assert message is not None, f"closed before {kind}"
            event = json.loads(message)
            self.events.append(event)
            if event["kind"] == kind and all(event.get(name) == value for name, value in facts.items()):
                return event

    async def fetch(self, path, method="GET", body=None, **headers):
        client = AsyncHTTPClient(force_instance=True, max_body_size=10**8)
        given = {"X-Session": self.key, "Cookie": "", **{k.replace("_", "-"): v for k, v in headers.items()}}
        mark = "&" if "?" in path else "?"
        request = HTTPRequest(
            f"{self.base}/{path}{mark}token={self.token}",
            method,
            given,
            body,
            request_timeout=PATIENCE,
            follow_redirects=False,
        )
        answer = await client.fetch(request, raise_error=False)
        client.close()
        return answer

    async def close(self):
        self.live.close()
        while await asyncio.wait_for(self.live.read_message(), PATIENCE) is not None:
            pass


@pytest.fixture
def tabs(make_app):
    """A function that runs a coroutine with as many tabs of one app as it has arguments after the first."""

    def run(test, count=1, app=None):
        async def main():
            running = app or make_app()
            opened = [Tab(running) for _ in range(count)]
            for tab in opened:
                await tab.connect()
            try:
                return await test(*opened)
            finally:
                for tab in opened:
                    await tab.close()

        return asyncio.run(main())

    return run
