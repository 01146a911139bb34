"""Writing files so that a crash leaves either the old one or the new one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(directory: Path) -> None:
    """Make a directory, and the missing ones above it, durable."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    for path in missing:
        sync_directory(path.parent)


def sync_file(path: Path) -> None:
    """Make the bytes of a file durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish_file(path: Path, temporary: Path) -> None:
    """Give a written file its name: sync, rename, sync the directory."""
    sync_file(temporary)
    temporary.replace(path)
    sync_directory(path.parent)


def write_file(path: Path, data: bytes) -> None:
    """Write a file as a whole, durable on return."""
    temporary = path.with_name(path.name + ".partial")
    temporary.write_bytes(data)
    publish_file(path, temporary)
