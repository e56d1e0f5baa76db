"""Apps that are served to the tests of a file, and tabs of them."""

import asyncio
import contextlib

import pytest
from app_client import STEPS, Running, Tab

from pxs.app.session import START


@pytest.fixture(scope="module")
def make_app(editor, tmp_path_factory):
    """A function that starts an app; all are stopped at the end."""
    with contextlib.ExitStack() as stack:

        def make(**options):
            app = Running(editor, tmp_path_factory.mktemp("app"), **options)
            stack.callback(app.stop)
            return app

        yield make


@pytest.fixture(scope="module")
def app(make_app):
    """An app whose sessions begin with a short edit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pxs.app.session.START", START._replace(steps=STEPS))
        yield make_app()


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
