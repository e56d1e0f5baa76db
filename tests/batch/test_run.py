"""Many pictures from first to last, by a stand-in for a model: what is written, kept, redone, named and refused."""

import os
from pathlib import Path

import pytest
from batch_stand_in import BAD, FATAL, FLAKY, MISSING
from PIL import Image, ImageOps

from pxs.errors import ModelError, OutputError
from pxs.expressions import Mix
from pxs.images import open_image
from pxs.storage.locks import writing


def test_a_tree_an_index_and_a_page(photos, edit, records, tmp_path):
    summary = edit(photos)
    assert (summary.edited, summary.known, summary.failed) == (6, 0, {})
    files = sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*") if p.is_file())
    pictures = [f"below/face{i}_happy_1.png" for i in (4, 5)] + [f"face{i}_happy_1.png" for i in range(4)]
    assert files == [*pictures, "gallery.html", "index.jsonl"]
    found = records()
    assert [r["source"] for r in found] == ["below/face4.png", "below/face5.png", *(f"face{i}.png" for i in range(4))]
    assert found[0]["files"][0]["mix"] == {"happy": 1.0} and found[0]["seed"] == 1
    inverted = ImageOps.invert(open_image(photos / "face2.png"))
    assert open_image(tmp_path / "out" / "face2_happy_1.png").tobytes() == inverted.tobytes()


def test_what_is_done_is_known_by_content(photos, edit, edits, records, tmp_path):
    edit(photos)
    assert edits() == 6
    os.rename(photos / "face0.png", photos / "renamed.png")
    os.utime(photos / "face1.png", (0, 0))
    Image.new("RGB", (32, 32), (9, 99, 9)).save(photos / "face2.png")
    Image.new("RGB", (32, 32), (8, 88, 8)).save(photos / "new.png")
    (tmp_path / "out" / "face2_happy_1.png").unlink()
    summary = edit(photos)
    assert (edits(), summary.edited, summary.known) == (2, 3, 4)  # the renamed one was copied
    assert (tmp_path / "out" / "renamed_happy_1.png").exists()
    assert {r["source"] for r in records()} >= {"renamed.png", "new.png"}
    assert edit(photos).known == 7 and edits() == 0


@pytest.mark.parametrize("change", [{"seed": 2}, {"model": "other"}, {"mix": Mix(happy=1, sad=0.5)}])
def test_other_settings_or_another_model_are_another_edit(photos, edit, edits, tmp_path, change):
    edit(photos)
    edits()
    if "mix" not in change:
        with pytest.raises(OutputError, match="other settings"):
            edit(photos, **change)
    assert edit(photos, overwrite=True, **change).edited == 6
    assert edits() == 6


def test_a_damaged_or_missing_result_is_made_anew(photos, edit, edits, tmp_path):
    edit(photos)
    edits()
    whole = (tmp_path / "out" / "face1_happy_1.png").read_bytes()
    (tmp_path / "out" / "face1_happy_1.png").write_bytes(whole[:-20])
    (tmp_path / "out" / "face2_happy_1.png").unlink()
    assert edit(photos).edited == 2
    assert (tmp_path / "out" / "face1_happy_1.png").read_bytes() == whole
    assert edits() == 2


def test_a_run_that_was_killed_goes_on(photos, edit, edits, records, tmp_path):
    """Its index ends within a line, and one result was written that the index does not know."""
    edit(photos)
    edits()
    index = tmp_path / "out" / "index.jsonl"
    lines = index.read_text().splitlines(keepends=True)
    index.write_text("".join(lines[:3]) + lines[3][:40])
    (tmp_path / "out" / "face3_happy_1.png").unlink()
    summary = edit(photos)
    assert (summary.known, summary.edited, edits()) == (3, 3, 3)
    assert sorted(r["source"] for r in records()) == [r["source"] for r in records()] and len(records()) == 6


def test_one_broken_among_many_is_named_and_the_others_are_done(photos, edit, edits, records):
    (photos / "broken.png").write_bytes((photos / "face0.png").read_bytes()[:60])
    (photos / "gone.jpg").symlink_to(photos / "nowhere.jpg")
    Image.new("RGB", (32, 32), BAD).save(photos / "bad.png")
    summary = edit(photos)
    assert summary.edited == 6
    assert {k: v.rpartition(":")[0] for k, v in summary.failed.items()}.keys() == {"broken.png", "gone.jpg", "bad.png"}
    assert "damaged" in summary.failed["broken.png"] and summary.failed["bad.png"] == "it cannot be edited"
    assert {r["source"] for r in records() if r["error"]} == summary.failed.keys()
    edits()
    assert len(edit(photos).failed) == 3 and edits() == 1  # they are tried again


def test_copies_are_edited_once(photos, edit, edits, tmp_path):
    for name in ("copy.png", "below/copy.png"):
        (photos / name).write_bytes((photos / "face0.png").read_bytes())
    assert edit(photos).edited == 8
    assert edits() == 6
    first, second = (tmp_path / "out" / f"{n}_happy_1.png" for n in ("copy", "below/copy"))
    assert first.read_bytes() == second.read_bytes() == (tmp_path / "out" / "face0_happy_1.png").read_bytes()


def test_names_that_differ_by_suffix_stay_apart(photos, edit, tmp_path):
    Image.new("RGB", (32, 32), "red").save(photos / "face0.bmp")
    edit(photos)
    assert {"face0.png_happy_1.png", "face0.bmp_happy_1.png"} <= set(os.listdir(tmp_path / "out"))


@pytest.mark.parametrize("name", ["index.jsonl", "gallery.html", "face1_happy_1.png"])
def test_files_of_somebody_else_are_kept(photos, edit, edits, tmp_path, name):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("mine")
    with pytest.raises(OutputError):
        edit(photos)
    assert os.listdir(tmp_path / "out") == [name]
    assert (tmp_path / "out" / name).read_text() == "mine"
    assert edits() == 0


def test_processes_give_the_same(photos, edit, edits, records, tmp_path):
    Image.new("RGB", (32, 32), FATAL).save(photos / "fatal.png")
    Image.new("RGB", (32, 32), FLAKY).save(photos / "flaky.png")
    summary = edit(photos, workers=2)
    assert summary.edited == 7
    assert list(summary.failed) == ["fatal.png"] and "killed, twice" in summary.failed["fatal.png"]
    assert len(records()) == 8 == len({r["source"] for r in records()})
    inverted = ImageOps.invert(open_image(photos / "flaky.png"))
    assert open_image(tmp_path / "out" / "flaky_happy_1.png").tobytes() == inverted.tobytes()


def test_a_model_that_cannot_be_loaded_ends_the_run(photos, edit, tmp_path):
    for workers in (1, 2):
        with pytest.raises(ModelError, match="no model here"):
            edit(photos, model=MISSING, workers=workers)
    assert not (tmp_path / "out").exists()


def test_a_result_folder_that_is_a_file_is_refused(photos, edit, tmp_path):
    Path(tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="is a file"):
        edit(photos)


def test_a_second_process_in_the_same_folder_is_told_so(photos, edit, edits, tmp_path):
    with writing(tmp_path / "out"), pytest.raises(OutputError, match="another process is writing in"):
        edit(photos)
    assert edits() == 0
    assert edit(photos).edited == 6
