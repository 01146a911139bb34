import pytest

from tradezone.protocol import generate
from tradezone.protocol.records import TABLES


def test_generated_files_are_up_to_date():
    drift = generate.find_drift()
    assert not drift, "run `make generate`:\n" + "\n".join(drift.values())[:4000]


def test_output_is_the_same_on_every_run():
    for output in generate.OUTPUTS:
        assert output.build() == output.build()


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A folder that holds the generated files, in place of the checkout."""
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(generate.find_drift, "__defaults__", (tmp_path,))
    assert generate.main([]) == 0
    return tmp_path


def test_check_fails_on_a_changed_or_missing_file_and_writes_nothing(copy, capsys):
    assert generate.main(["--check"]) == 0
    path = copy / "docs/spec/records.md"
    path.write_text(path.read_text().replace("# Records", "# Something else"))
    (copy / "contracts/libraries/records.vy").unlink()
    assert generate.main(["--check"]) == 1
    report = capsys.readouterr().err
    assert "docs/spec/records.md: 2 lines differ" in report
    assert "contracts/libraries/records.vy" in report
    assert "# Something else" in path.read_text()
    assert not (copy / "contracts/libraries/records.vy").exists()


def test_writing_twice_touches_nothing(copy):
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*") if path.is_file()}
    assert generate.main([]) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_every_table_is_documented_with_every_field():
    text = generate.records_markdown()
    for table in TABLES:
        section = text.split(f"\n## {table.number} {table.name}\n")[1].split("\n## ")[0]
        for field in table.fields:
            assert (
                f"| {field.word} | {8 * field.offset} | {8 * field.width} | `{field.name}` "
                in section
            )
