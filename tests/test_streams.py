"""Standard output that is closed, full, in ASCII, or broken, and names that are no text: the files are written."""

import os
import subprocess
import sys

import pytest


def faces(out, redirect="", **environment):
    """`pxs faces` in a shell; returns status, standard output in bytes, and standard error."""
    command = b"'%s' -m pxs.cli faces --count 1 --size 16 --out \"$OUT\" %s" % (
        os.fsencode(sys.executable),
        redirect.encode(),
    )
    given = {**os.environ, "PYTHONUNBUFFERED": "", "OUT": os.fsdecode(out), **environment}
    run = subprocess.run(["sh", "-c", command], env=given, capture_output=True)
    return run.returncode, run.stdout, run.stderr.decode()


@pytest.mark.parametrize("redirect", [">&-", "2>&-", ">&- 2>&-", "<&-"])
def test_closed_streams_cost_no_files(redirect, tmp_path):
    status, _, said = faces(tmp_path / "out", redirect)
    assert (status, said) == (0, "")
    assert len(list((tmp_path / "out").iterdir())) == 2


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_device_behind_the_output_is_one_line_and_the_files_stay(unbuffered, tmp_path):
    status, _, said = faces(tmp_path / "out", "> /dev/full", PYTHONUNBUFFERED=unbuffered)
    assert status == 2 and said.count("\n") == 1 and "No space left on device" in said
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_an_error_without_a_place_for_it_sets_the_status(tmp_path):
    (tmp_path / "out").touch()
    assert faces(tmp_path / "out", "2>&-")[0] == 2


def test_a_name_in_no_encoding_is_printed_as_it_is(tmp_path):
    status, printed, said = faces(os.fsencode(tmp_path) + b"/\xff\xfe")
    assert (status, said) == (0, "")
    assert printed.splitlines()[0] == os.fsencode(tmp_path) + b"/\xff\xfe/human_000_neutral.png"
    assert os.path.isfile(printed.splitlines()[0])


def test_ascii_output_escapes_what_it_cannot_say(tmp_path):
    status, printed, said = faces(tmp_path / "gé", PYTHONIOENCODING="ascii")
    assert (status, said) == (0, "")
    assert printed.splitlines()[0].endswith(rb"/g\xe9/human_000_neutral.png")
