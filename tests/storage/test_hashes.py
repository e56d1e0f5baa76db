"""Hashes of model folders: what was loaded once stays what it was; what is not read again; blobs of the hub's cache."""

import builtins
import hashlib
import json
import os

import pytest

from pxs.editing.bundled import BUNDLED
from pxs.errors import AdapterError, ModelError
from pxs.storage import hashes
from pxs.storage.hashes import checked_hash, folder_hashes, write_hashes


def sha(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A model folder of two files, with a cache of its own."""
    monkeypatch.setenv("PXS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "model" / "vae").mkdir(parents=True)
    (tmp_path / "model" / "vae" / "config.json").write_bytes(b"{}")
    (tmp_path / "model" / "vae" / "w.safetensors").write_bytes(b"weights")
    (tmp_path / "model" / "vae" / "notes.md").write_bytes(b"not hashed")
    (tmp_path / "model" / "model_index.json").write_bytes(b"not of a part")
    return tmp_path / "model"


def weights(folder):
    return folder / "vae" / "w.safetensors"


def test_the_files_of_the_parts_are_hashed_in_order(folder):
    assert list(folder_hashes(folder).items()) == [
        ("vae/config.json", sha(b"{}")),
        ("vae/w.safetensors", sha(b"weights")),
    ]


def test_a_file_that_changes_after_the_first_load_is_refused_until_the_record_is_gone(folder, tmp_path):
    folder_hashes(folder)
    status = weights(folder).stat()
    weights(folder).write_bytes(b"weighty")
    os.utime(weights(folder), ns=(status.st_atime_ns, status.st_mtime_ns))
    for _ in range(2):
        with pytest.raises(ModelError, match=r"vae/w\.safetensors is not what it was before") as error:
            folder_hashes(folder)
    (record,) = (tmp_path / "cache" / "models").iterdir()
    assert str(record) in str(error.value)
    record.unlink()
    assert folder_hashes(folder)["vae/w.safetensors"] == sha(b"weighty")


def test_files_may_be_touched_come_and_go(folder):
    folder_hashes(folder)
    os.utime(weights(folder), (1, 1))
    (folder / "vae" / "more.json").write_text("[]")
    assert folder_hashes(folder)["vae/more.json"] == sha(b"[]")
    (folder / "vae" / "more.json").unlink()
    assert len(folder_hashes(folder)) == 2


def test_large_files_are_read_once_as_long_as_size_and_times_stay(folder, monkeypatch):
    monkeypatch.setattr(hashes, "SMALL", 0)
    before, read = folder_hashes(folder), []
    real = builtins.open
    monkeypatch.setattr(builtins, "open", lambda file, *a, **k: read.append(str(file)) or real(file, *a, **k))
    assert folder_hashes(folder) == before
    assert str(weights(folder)) not in read
    os.utime(weights(folder), (1, 1))
    assert folder_hashes(folder) == before
    assert str(weights(folder)) in read


def test_a_hash_that_is_compared_with_a_large_file_is_compared_after_it_changed(folder, monkeypatch):
    monkeypatch.setattr(hashes, "SMALL", 0)
    folder_hashes(folder)
    weights(folder).write_bytes(b"weighty")
    with pytest.raises(ModelError, match="is not what it was before"):
        folder_hashes(folder)


def test_the_folders_own_hashes_count_at_the_first_load(folder):
    write_hashes(folder)
    assert json.loads((folder / "hashes.json").read_text()) == folder_hashes(folder)
    weights(folder).write_bytes(b"weighty")
    with pytest.raises(ModelError, match=r"is not what hashes\.json says"):
        folder_hashes(folder)
    write_hashes(folder)
    assert folder_hashes(folder)["vae/w.safetensors"] == sha(b"weighty")
    weights(folder).unlink()
    with pytest.raises(ModelError, match=r"lacks vae/w\.safetensors"):
        folder_hashes(folder)


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b"[]", b'{"vae/w.safetensors": 7}', b"\xff"])
def test_a_record_that_is_damaged_is_made_anew_and_a_list_that_is_damaged_is_refused(content, folder, tmp_path):
    before = folder_hashes(folder)
    (record,) = (tmp_path / "cache" / "models").iterdir()
    record.write_bytes(content)
    assert folder_hashes(folder) == before
    (folder / "hashes.json").write_bytes(content)
    with pytest.raises(ModelError, match=r"hashes\.json .* delete it"):
        folder_hashes(folder)


def test_nothing_is_written_into_the_folder_and_a_cache_that_cannot_be_is_done_without(folder, tmp_path, monkeypatch):
    before = {f: f.stat().st_mtime_ns for f in (folder, *folder.rglob("*"))}
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PXS_CACHE", str(tmp_path / "file" / "cache"))
    assert len(folder_hashes(folder)) == len(folder_hashes(folder)) == 2
    assert {f: f.stat().st_mtime_ns for f in (folder, *folder.rglob("*"))} == before


def blob(folder, name, content):
    """A file in the form of the hub's cache: a link to a blob of this name."""
    (folder / "blobs").mkdir()
    (folder / "blobs" / name).write_bytes(content)
    (folder / "a.safetensors").symlink_to(folder / "blobs" / name)
    return folder / "a.safetensors"


def test_blobs_are_named_by_their_content(tmp_path):
    assert checked_hash(blob(tmp_path, sha(b"sound"), b"sound"), AdapterError) == sha(b"sound")


def test_small_blobs_are_named_as_git_does(tmp_path):
    name = hashlib.sha1(b"blob 5\0sound").hexdigest()
    assert checked_hash(blob(tmp_path, name, b"sound"), AdapterError) == sha(b"sound")


@pytest.mark.parametrize("name", [sha(b"sound"), hashlib.sha1(b"blob 5\0sound").hexdigest()])
def test_a_blob_with_other_content_is_refused(name, tmp_path):
    with pytest.raises(AdapterError, match=f"is not what was downloaded: delete .*{name}"):
        checked_hash(blob(tmp_path, name, b"forged"), AdapterError)


def test_a_link_to_a_file_that_is_named_like_a_hash_forges_nothing(tmp_path):
    (tmp_path / ("0" * 64)).write_bytes(b"content")
    (tmp_path / "a.safetensors").symlink_to(tmp_path / ("0" * 64))
    assert checked_hash(tmp_path / "a.safetensors", AdapterError) == sha(b"content")


def test_mini_states_its_hashes():
    """After a change of its weights: python -c 'from pxs.mini.build import *; write_hashes(WEIGHTS)'."""
    stated = json.loads((BUNDLED["mini"] / "hashes.json").read_text())
    found = {f.relative_to(BUNDLED["mini"]).as_posix(): sha(f.read_bytes()) for f in BUNDLED["mini"].glob("*/*")}
    assert stated == found
