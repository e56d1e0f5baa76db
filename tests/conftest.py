"""Settings that hold for every test: nothing is fetched, nothing is shown, and no example fails for being slow."""

import os

import pytest
from hypothesis import settings

# Set before any library reads them.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["MPLBACKEND"] = "agg"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

settings.register_profile("pxs", deadline=None, print_blob=True)
settings.load_profile("pxs")


@pytest.fixture(scope="session")
def editor():
    """The embedded model without an adapter, loaded once."""
    import pxs

    return pxs.load("mini", adapter=None)
