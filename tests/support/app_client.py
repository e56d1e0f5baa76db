"""The app in a thread of the test, with a client of its live connection (`Tab`), and what tests ask it for."""

import asyncio
import contextlib
import io
import json
import secrets
import threading

from PIL import Image
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import websocket_connect

from pxs.app.desk import Desk, Limits
from pxs.app.engine import Engine
from pxs.app.lines import Model
from pxs.app.start import serving_page
from pxs.serving import link, listen

STEPS = 2
HAPPY = {"mix": {"happy": 1}, "seed": 7, "steps": STEPS}
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

    async def edited(self, **request):
        """The event of a finished edit: HAPPY, but for what is given."""
        asked = {**HAPPY, **request}
        self.wish("edit", **asked)
        return await self.until("finished", seed=asked["seed"], steps=asked["steps"])


def png(image):
    """The content of a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def opened(content):
    """The RGB image in a file's content."""
    with Image.open(io.BytesIO(content)) as image:
        return image.convert("RGB")
