"""A small data set of drawn people, built once, and copied for each test that may change it."""

import shutil

import pytest
from ffe_sets import make_set


@pytest.fixture(scope="session")
def whole_set(tmp_path_factory):
    """A data set with labels that are its truth; only read it."""
    return make_set(tmp_path_factory.mktemp("ffe"), stages=4)


@pytest.fixture
def data_set(whole_set, tmp_path):
    """The same for a test that changes it."""
    return shutil.copytree(whole_set, tmp_path / "set")


@pytest.fixture
def pictures_set(data_set):
    """A data set without labels."""
    (data_set / "labels.jsonl").unlink()
    return data_set


@pytest.fixture
def prompts_set(pictures_set):
    """A data set with identities and prompts alone."""
    (pictures_set / "pictures.jsonl").unlink()
    shutil.rmtree(pictures_set / "pictures")
    return pictures_set
