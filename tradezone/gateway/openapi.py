"""The OpenAPI document of the gateway: ``python -m tradezone.gateway.openapi docs/reference/openapi.json``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from tradezone.service import Node, read_config

from .door import Door
from .rest import build_rest
from .sessions import Sessions

_CONFIG = """\
name: any
data: data
domain: {chain_id: 1, contract: "0x0000000000000000000000000000000000000000"}
sequencer: {key_file: key}
"""


def build_document() -> dict[str, Any]:
    """Return the document. It follows from the handlers and their types, so no zone has to run."""
    node = cast("Node", SimpleNamespace(config=read_config(_CONFIG)))
    app = build_rest(node, Door(node), Sessions(node))
    document: dict[str, Any] = app.openapi_schema.to_schema()
    return document


def to_text(document: dict[str, Any]) -> str:
    """Return the document as the file has it."""
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(to_text(build_document()))
