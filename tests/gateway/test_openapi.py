"""The committed document is that of the code, and the server keeps to it whatever it is asked."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tradezone.gateway.openapi import build_document, to_text

ROOT = Path(__file__).parents[2]
DOCUMENT = build_document()
OPERATIONS = [
    (method, path, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=12,
)


def test_the_committed_document_is_that_of_the_code():
    committed = (ROOT / "docs" / "reference" / "openapi.json").read_text()
    message = "python -m tradezone.gateway.openapi docs/reference/openapi.json"
    assert committed == to_text(DOCUMENT), message


def test_every_operation_has_a_summary_and_a_tag():
    assert len(OPERATIONS) > 35
    for method, path, operation in OPERATIONS:
        assert operation["tags"], (method, path)
        assert operation.get("description") or operation["summary"], (method, path)


def resolve(schema):
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].split("/")[-1]]
    return schema


def make_value(schema):
    """Mostly what a schema allows, and now and then something else."""
    schema = resolve(schema)
    for key in ("oneOf", "anyOf"):
        if key in schema:
            return st.one_of([make_value(one) for one in schema[key]])
    kind = schema.get("type")
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if kind == "integer":
        low, high = schema.get("minimum", -(2**70)), schema.get("maximum", 2**70)
        return st.integers(low, high) | st.integers(0, 10).filter(lambda n: low <= n <= high)
    if kind == "boolean":
        return st.booleans()
    if kind == "null":
        return st.none()
    if kind == "array":
        return st.lists(make_value(schema.get("items", {})), max_size=3)
    if kind == "object" and "properties" in schema:
        return st.fixed_dictionaries({n: make_value(s) for n, s in schema["properties"].items()})
    if kind == "string":
        if "pattern" in schema:
            return st.from_regex(schema["pattern"], fullmatch=True)
        return st.sampled_from(
            ["0x02", "0x" + "00" * 130, "1m", "placeOrder", "buy", "7"]
        ) | st.text(max_size=12)
    return JSON


@st.composite
def requests(draw, path, operation):
    url, query = path, {}
    for parameter in operation.get("parameters", []):
        is_wild = draw(st.integers(0, 5)) == 0
        schema = parameter.get("schema", {})
        value = draw(st.text(max_size=12) if is_wild else make_value(schema))
        if parameter["in"] == "path":
            text = "".join(c for c in str(value) if c.isalnum() or c in "-._~") or "0"
            url = url.replace("{" + parameter["name"] + "}", text)
        elif value is not None and (parameter.get("required") or draw(st.booleans())):
            query[parameter["name"]] = value
    body = None
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        body = draw(make_value(schema) | JSON)
    return url, query, body


@pytest.mark.parametrize(
    ("method", "path", "operation"), OPERATIONS, ids=[f"{m} {p}" for m, p, _ in OPERATIONS]
)
def test_whatever_is_asked_the_answer_is_one_of_those_announced(served, method, path, operation):
    with httpx.Client(base_url=served[1], timeout=30) as http:

        @settings(max_examples=15, suppress_health_check=list(HealthCheck), deadline=None)
        @given(requests(path, operation))
        def ask(request):
            url, query, body = request
            options = {"params": query}
            if body is not None:
                options |= {
                    "content": json.dumps(body),
                    "headers": {"content-type": "application/json"},
                }
            answer = http.request(method.upper(), url, **options)
            assert answer.status_code < 500, (request, answer.text)
            if answer.status_code >= 400:
                assert set(answer.json()["error"]) >= {"code", "name", "text"}
            else:
                assert str(answer.status_code) in operation["responses"]

        ask()
        assert http.get("/readyz").status_code == 200
