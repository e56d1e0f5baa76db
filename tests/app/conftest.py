"""The app in a thread of the test, with the embedded model, and a client of its live connection."""

import asyncio
import contextlib
import json
import secrets
import threading

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import websocket_connect

from pxs.app.desk import Desk, Limits
from pxs.app.engine import Engine
from pxs.app.lines import Model
from pxs.app.start import serving_page
from pxs.serving import link, listen

TOKEN = "token-of-the-tests-0123"
PATIENCE = 600  # seconds that a test waits for another thread
LIMITS = Limits(300_000, 500_000)


class Running:
    """An app that runs: its address, its desk, and `stop`."""

    def __init__(self, editor, folder, port=0, token=TOKEN):
        self.sockets = listen("127.0.0.1", port)
        self.address, self.port = link("127.0.0.1", self.sockets, token), self.sockets[0].getsockname()[1]
        self.engine = Engine(editor)
        self.desk = Desk(self.engine, Model(), folder, LIMITS)
        self._token, self._up, self._loop = token, threading.Event(), asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._main(),))
        self._thread.start()
        assert self._up.wait(PATIENCE)

    async def _main(self):
        self._stopped = asyncio.Event()
        async with serving_page(self.desk, self._token, self.sockets):
            self._up.set()
            await self._stopped.wait()
        await self._loop.shutdown_default_executor()

    def stop(self):
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(PATIENCE)
            self._loop.close()
            self.engine.close(PATIENCE)

    @contextlib.contextmanager
    def held(self):
        """No session is served until the block ends."""
        gate = Gate()
        self.engine.ask(gate)
        try:
            assert gate.entered.wait(PATIENCE)
            yield
        finally:
            gate.opened.set()


class Gate:
    """A session whose turn lasts until it is opened."""

    def __init__(self):
        self.entered, self.opened = threading.Event(), threading.Event()

    def tell(self, kind, **facts):
        pass

    def work(self):
        self.entered.set()
        assert self.opened.wait(PATIENCE)
        return iter(())


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

    def __init__(self, app):
        self.address, self.key, self.events, self.live = app.address, secrets.token_hex(16), [], None
        self.desk = app.desk

    @property
    def session(self):
        return self.desk.sessions[self.key]

    async def connect(self):
        address = f"ws{self.address[4:]}live?session={self.key}"
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
        given = {"X-Session": self.key, **{name.replace("_", "-"): value for name, value in headers.items()}}
        request = HTTPRequest(self.address + path, method, given, body, request_timeout=PATIENCE)
        client = AsyncHTTPClient(force_instance=True, max_body_size=10**8)
        try:
            return await client.fetch(request, raise_error=False)
        finally:
            client.close()

    async def close(self):
        self.live.close()
        while await asyncio.wait_for(self.live.read_message(), PATIENCE) is not None:
            pass


@pytest.fixture
def tabs():
    """A function that runs a coroutine with as many tabs of an app as it asks for."""

    def run(test, app, count=1):
        async def main():
            opened = [Tab(app) for _ in range(count)]
            try:
                for tab in opened:
                    await tab.connect()
                return await test(*opened)
            finally:
                for tab in opened:
                    if tab.live:
                        await tab.close()

        return asyncio.run(main())

    return run
