import pytest

from tests.live.lab.kill_probes import run


@pytest.mark.live
def test_nothing_is_left_of_probes_that_are_killed() -> None:
    report = run(40)
    assert (report.left, report.resets) == ([], 0)
    assert report.killed > 4
    assert report.ended > 4
