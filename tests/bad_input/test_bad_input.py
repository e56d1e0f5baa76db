"""Every bad input of the command line ends in one line on standard error and exit status 2, and nothing is written.

The cases are the CASES of cases_*.py beside this file. One alone: pytest tests/bad_input -k 'its name'.
"""

import pytest
from bad_input import Case
from bad_input_runner import MEMORY, SOUND, collect, run_all

CASES = collect()


@pytest.fixture(scope="module")
def outcomes(request, tmp_path_factory):
    """What the cases that were chosen did, by name."""
    here = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    return run_all([item.callspec.params["case"].name for item in here], tmp_path_factory.mktemp("bad_input"))


def test_each_case_has_a_name_of_its_own():
    names = [case.name for case in CASES]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_bad_input_ends_in_one_line_status_2_and_nothing_written(case: Case, outcomes):
    found = outcomes[case.name]
    assert "Traceback" not in found.err
    assert found.status == 2, found
    assert len(found.err.splitlines()) == 1 and found.err.endswith("\n"), found.err
    assert case.says in found.err
    assert found.written == []
    assert found.grown < MEMORY


@pytest.mark.parametrize("case", [SOUND], ids=[SOUND.name])
def test_the_runner_notices_what_a_command_writes(case, outcomes):
    found = outcomes[case.name]
    assert (found.status, found.err, found.written) == (0, "", ["work/out", "work/out/face_happy_1.png"])
    assert found.out == "out/face_happy_1.png\n" and 0 < found.grown < MEMORY
