"""`tools/shards.py` runs every test once, says what failed, and never calls a failed run good."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.shards import get_files, parse, partition, status_of

TOOL = Path(__file__).parent.parent / "tools" / "shards.py"
PYTEST = [sys.executable, "-m", "pytest", "--disable-plugin-autoload"]


@pytest.fixture
def suite(tmp_path):
    """A folder with two suites of one file each and a line of options for the tool."""

    def write(**files):
        for name, text in files.items():
            path = tmp_path / "suite" / f"test_{name}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def run(folder, *arguments, options=("--at-once", "2"), **environment):
    command = [sys.executable, TOOL, *options, "suite", "--", *PYTEST, "--", *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


# --- sharing out


TIMES = st.lists(st.integers(1, 50), min_size=1, max_size=7)


@given(TIMES, st.integers(1, 4))
def test_every_file_is_in_one_shard_in_its_order(seconds, count):
    files = [f"test_{place}.py" for place in range(len(seconds))]
    shards = partition(files, dict(zip(files, seconds, strict=True)), count)
    assert sorted(itertools.chain(*shards)) == files
    assert all(shard == sorted(shard) for shard in shards)
    assert len(shards) == min(count, len(files))
    assert all(shards)


@given(TIMES, st.integers(2, 3))
def test_the_longest_shard_is_at_most_a_third_above_the_best(seconds, count):
    files = [f"test_{place}.py" for place in range(len(seconds))]
    times = dict(zip(files, seconds, strict=True))
    longest = max(sum(times[file] for file in shard) for shard in partition(files, times, count))
    best = min(
        max(sum(s for s, at in zip(seconds, where, strict=True) if at == i) for i in range(count))
        for where in itertools.product(range(count), repeat=len(seconds))
    )
    assert 3 * longest <= 4 * best


def test_a_file_that_nobody_measured_counts_too():
    files = ["long.py", "new.py", "other.py"]
    assert partition(files, {"long.py": 60.0}, 2) == [["long.py"], ["new.py", "other.py"]]


def test_the_time_of_a_file_is_that_of_tests_named_in_it():
    files = ["a.py::test_one", "b.py", "c.py"]
    assert partition(files, {"a.py": 9.0, "b.py": 4.0, "c.py": 4.0}, 2)[0] == ["a.py::test_one"]


def test_folders_become_their_files_and_tests_stay(suite, monkeypatch):
    monkeypatch.chdir(suite(b="", a=""))
    files = get_files(["suite/test_b.py::test_x", "suite", "suite/test_a.py"])
    assert files == ["suite/test_b.py::test_x", "suite/test_a.py", "suite/test_b.py"]


# --- command line


def test_arguments_that_are_tests_select_and_others_are_passed_on(suite, monkeypatch):
    monkeypatch.chdir(suite(a=""))
    words = "suite -- pytest -p x -- -m not_slow suite/test_a.py::test_b -k gone.py"
    options = parse(words.split())
    assert options.suites == ["suite"]
    assert options.command == ["pytest", "-p", "x"]
    assert options.selected == ["suite/test_a.py::test_b"]
    assert options.arguments == ["-m", "not_slow", "-k", "gone.py"]


@pytest.mark.parametrize(
    "words",
    ["suite", "-- pytest", "suite --", "--at-once 0 s -- p", "--at-once x s -- p", "--what s -- p"],
)
def test_a_wrong_command_line_is_refused(words):
    with pytest.raises(ValueError, match=r"expected|unknown|invalid"):
        parse(words.split())


# --- exit status


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        ([0, 0], 0),
        ([0, 5], 0),
        ([5, 5], 5),
        ([0, 1], 1),
        ([5, 1], 1),
        ([1, 3], 3),
        ([0, -9], 1),
        ([1, -9], 1),
        ([5, -9], 1),
    ],
)
def test_status_is_good_only_if_every_shard_is(statuses, status):
    assert status_of(statuses) == status


# --- whole runs


def test_a_good_run_counts_its_shards(suite):
    done = run(suite(a="def test_a(): pass", b="def test_b(): pass"))
    assert done.returncode == 0, done.stderr
    assert "[1] 1 files: 1 passed" in done.stdout
    assert "[2] 1 files: 1 passed" in done.stdout
    assert "[2] suite/test_b.py ." in done.stdout


def test_a_failure_is_printed_whole_and_fails_the_run(suite):
    failing = "def test_b():\n    '''first line'''\n    assert [1, 2] == [1, 3], 'as told'"
    done = run(suite(a="def test_a(): pass", b=failing))
    assert done.returncode == 1
    assert "== shard 2, exit status 1" in done.stdout
    assert "'''first line'''" in done.stdout
    assert "as told" in done.stdout
    assert "FAILED suite/test_b.py::test_b" in done.stdout
    assert "[1] 1 files: 1 passed" in done.stdout


def test_an_error_outside_of_tests_fails_the_run(suite):
    done = run(suite(a="def test_a(): pass", b="import nothing_of_this_name"))
    assert done.returncode == 2
    assert "nothing_of_this_name" in done.stdout


def test_a_shard_that_dies_fails_the_run_and_leaves_its_words(suite):
    dying = "import os\ndef test_b():\n    os.write(1, b'last words')\n    os._exit(0)"
    killed = "import os\ndef test_b():\n    os.kill(os.getpid(), 9)"
    done = run(suite(a="def test_a(): pass", b=killed))
    assert done.returncode == 1
    assert "exit status -9" in done.stdout
    done = run(suite(b=dying), "-s")  # alone, as if by hand
    assert "last words" in done.stdout


def test_a_shard_that_ends_before_its_tests_fails_the_run(suite):
    """A process that calls itself good without a report has not run to its end."""
    done = run(suite(a="def test_a(): pass", b="import os\ndef test_b(): os._exit(0)"))
    assert done.returncode == 1
    assert "== shard 2, exit status 0, no report" in done.stdout


def test_tests_that_one_shard_lacks_are_no_failure(suite):
    folder = suite(a="def test_a(): pass", b="def test_b(): pass")
    done = run(folder, "-k", "test_a")
    assert done.returncode == 0
    assert "1 deselected" in done.stdout
    assert run(folder, "-k", "test_c").returncode == 5


def test_shards_have_folders_of_their_own(suite):
    text = (
        "import os\nfrom pathlib import Path\ndef test_it():\n"
        "    folder = Path(os.environ['OWN'])\n    assert list(folder.iterdir()) == []\n"
        "    Path(f'{__name__}.seen').write_text(str(folder))\n    (folder / 'mark').touch()\n"
    )
    folder = suite(a=text, b=text)
    done = run(folder, options=("--at-once", "2", "--own", "OWN"))
    assert done.returncode == 0, done.stdout
    seen = [path.read_text() for path in folder.glob("*.seen")]
    assert len(set(seen)) == 2
    assert not any(Path(path).exists() for path in seen)


def test_one_file_runs_as_by_hand(suite):
    done = run(suite(a="def test_a(): pass", b="def test_b(): pass"), "suite/test_b.py", "-v")
    assert done.returncode == 0
    assert "suite/test_b.py::test_b PASSED" in done.stdout
    assert "test_a" not in done.stdout
    assert "[1]" not in done.stdout


def test_what_files_took_is_written_down_and_used(suite):
    slow = "import time\ndef test_slow(): time.sleep(0.3)"
    folder = suite(a="def test_a(): pass", b=slow)
    (folder / "times.json").write_text('{"suite/test_gone.py": 3.0}')
    options = ("--at-once", "2", "--times", "times.json", "--write-times")
    assert run(folder, options=options).returncode == 0
    times = json.loads((folder / "times.json").read_text())
    assert times["suite/test_gone.py"] == 3.0
    assert times["suite/test_a.py"] < times["suite/test_b.py"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing_behind(suite, number):
    waiting = (
        "import os, time\ndef test_it():\n    open(f'{os.getpid()}.pid', 'w')\n    time.sleep(60)"
    )
    folder = suite(a=waiting, b=waiting)
    command = [sys.executable, TOOL, "--at-once", "2", "suite", "--", *PYTEST]
    tool = subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # A shell that runs these tests in the background has them ignore what a terminal sends.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads
    )
    deadline = time.monotonic() + 60
    while len(found := list(folder.glob("*.pid"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    if number == signal.SIGINT:
        os.killpg(tool.pid, number)  # as a terminal does
    else:
        tool.terminate()
    assert tool.wait(60) == 128 + number
    for path in found:
        with pytest.raises(ProcessLookupError):
            os.kill(int(path.stem), 0)
