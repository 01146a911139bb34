"""zone.yaml: what is wrong is named by file, line and key, with what was expected and what was there."""

from __future__ import annotations

import pytest
from service_zone import TEXT, write_zone

from tradezone.service import ConfigError, load_config, read_config
from tradezone.service.config import MAX_IDLE_MS

GOOD = TEXT.format(contract="0x" + "5a" * 20, more="")


def test_a_small_file_is_enough_and_the_rest_has_defaults():
    config = read_config(GOOD)
    assert config.name == "test"
    assert config.sequencer.block_ms == 1
    assert config.sequencer.idle_block_ms <= MAX_IDLE_MS
    assert len(config.domain.separator) == 32


@pytest.mark.parametrize(
    ("change", "line", "key", "words"),
    [
        (("port: 0", "port: x"), 5, "gateway.port", "'x'"),
        (("port: 0", "port: 70000"), 5, "gateway.port", "0 .. 65535, was 70000"),
        (("port: 0", "prot: 0"), 5, "gateway.prot", "no such key"),
        (("name: test", "name: Te st"), 1, "name", "a-z"),
        (("name: test", "name: test\nname: again"), 2, "name", "twice"),
        (("chain_id: 196", "chain_id: 0"), 3, "domain.chain_id", "was 0"),
        (("key_file: key", "epoch: 1"), 4, "sequencer.key_file", "missing"),
        (("0x5a", "0x5g"), 3, "domain.contract", "40 hex digits"),
        (
            ("key_file: key", "key_file: key, idle_block_ms: 30000"),
            4,
            "sequencer.idle_block_ms",
            "25000",
        ),
        (("data: data", "data: data\nbase: /"), 3, "base", "no such key"),
        (("data: data", "data: data\nlog: {level: loud}"), 3, "log.level", "'loud'"),
        (("data: data", "data: data\nl1: {rpc: ftp://x, inbox: 0x00}"), 3, "l1.inbox", "was"),
        (("name: test", "name: [a"), 2, "not YAML", ""),
    ],
)
def test_an_error_names_line_and_key(change, line, key, words):
    with pytest.raises(ConfigError) as caught:
        read_config(GOOD.replace(*change))
    assert f"zone.yaml, line {line}" in str(caught.value)
    assert key in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["", "- a", "7", "name: x"])
def test_what_is_no_zone_is_refused(text):
    with pytest.raises(ConfigError):
        read_config(text)


def test_the_key_is_nobody_elses(tmp_path):
    path = write_zone(tmp_path)
    config = load_config(path)
    assert len(config.read_key().address) == 20
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(ConfigError, match="mode 040"):
        config.read_key()
    (tmp_path / "key").chmod(0o600)
    for text in ("", "51" * 31, "zz" * 32, "00" * 32, "ff" * 32):
        (tmp_path / "key").write_text(text)
        with pytest.raises(ConfigError) as caught:
            config.read_key()
        assert text == "" or text not in str(caught.value), "a secret must not be in an error"
    (tmp_path / "key").unlink()
    with pytest.raises(ConfigError, match="No such file"):
        config.read_key()
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "absent.yaml")
