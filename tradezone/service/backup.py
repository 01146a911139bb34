"""Backup and restore: a copy of a zone's data folder that is checked before it is called one.

The journal is append-only and batches and snapshots are written whole, so they are copied while the zone runs: first the
snapshots and batches, then the journal, which then reaches at least as far as they do. The history store is left out:
it follows from the journal.
"""

from __future__ import annotations

import json
import shutil
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tradezone.sequencer import JournalReader
from tradezone.sequencer.files import make_directory, sync_directory, sync_file, write_file
from tradezone.sequencer.recovery import BATCHES, JOURNAL, ORIGIN, SNAPSHOTS, read_origin

from .errors import ServiceError

if TYPE_CHECKING:
    from pathlib import Path

    from .config import ZoneConfig

MANIFEST: Final = "backup.json"
_PARTS: Final = (SNAPSHOTS, BATCHES, JOURNAL)
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What a backup holds."""

    files: int
    bytes: int
    block: int  # last one


def make_backup(config: ZoneConfig, target: Path) -> BackupReport:
    """Copy a zone into a new folder. ServiceError if that is there already, or the copy does not read."""
    if target.exists():
        raise ServiceError(f"{target} is there already", "a backup is made into a new folder")
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    files: dict[str, list[int]] = {}
    for part in _PARTS:
        source = config.directory / part
        make_directory(partial / part)
        for path in sorted(source.glob("*")) if source.is_dir() else ():
            if path.name == "lock" or path.suffix == ".partial":
                continue
            try:
                shutil.copyfile(path, partial / part / path.name)
            except FileNotFoundError:
                if part == SNAPSHOTS:
                    continue  # an older one that was deleted meanwhile
                raise
            files[f"{part}/{path.name}"] = list(_measure(partial / part / path.name))
            sync_file(partial / part / path.name)
        sync_directory(partial / part)
    if (config.directory / ORIGIN).exists():
        shutil.copyfile(config.directory / ORIGIN, partial / ORIGIN)
        files[ORIGIN] = list(_measure(partial / ORIGIN))
        sync_file(partial / ORIGIN)
    block = _read_journal(partial, config.domain.separator)
    body = {
        "name": config.name,
        "separator": config.domain.separator.hex(),
        "block": block,
        "files": files,
    }
    write_file(partial / MANIFEST, (json.dumps(body, indent=1) + "\n").encode())
    partial.replace(target)
    sync_directory(target.parent)
    return BackupReport(len(files), sum(size for size, _ in files.values()), block)


def restore_backup(config: ZoneConfig, source: Path) -> BackupReport:
    """Put a backup where a zone's data folder belongs. ServiceError if one is there, or a file is not as it was."""
    directory = config.directory
    if directory.exists() and any(directory.iterdir()):
        raise ServiceError(f"{directory} is not empty", "move it away: nothing is overwritten")
    body = _read_manifest(source)
    if body["separator"] != config.domain.separator.hex():
        raise ServiceError(f"{source} is of another zone", "check chain_id and contract")
    for name, expected in body["files"].items():
        if not (source / name).is_file() or list(_measure(source / name)) != expected:
            raise ServiceError(f"{source / name} is missing or not as it was", "use another backup")
    _read_journal(source, config.domain.separator)
    for name in body["files"]:
        path = directory / name
        make_directory(path.parent)
        shutil.copyfile(source / name, path)
        sync_file(path)
        sync_directory(path.parent)
    total = sum(size for size, _ in body["files"].values())
    return BackupReport(len(body["files"]), total, body["block"])


def _read_manifest(source: Path) -> dict[str, Any]:
    try:
        body = json.loads((source / MANIFEST).read_text())
        is_one = isinstance(body["files"], dict) and isinstance(body["block"], int)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ServiceError(f"{source} is no backup: {error}", f"it has no {MANIFEST}") from None
    if not is_one or any(".." in name or name.startswith("/") for name in body["files"]):
        raise ServiceError(f"{source / MANIFEST} is not what a backup writes")
    return dict(body)


def _measure(path: Path) -> tuple[int, int]:
    """Size and CRC-32 of a file."""
    size = crc = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            size, crc = size + len(chunk), zlib.crc32(chunk, crc)
    return size, crc


def _read_journal(folder: Path, separator: bytes) -> int:
    """Read a journal to its end and return its last block. JournalError if it does not read."""
    origin = read_origin(folder)
    last = origin.block if origin else 0
    reader = JournalReader(folder / JOURNAL, separator, last + 1)
    for frame in reader.read_frames():
        last = frame.block
    return last
