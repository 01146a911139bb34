"""REST: what everybody may read, what only the owner may, order entry, errors and limits."""

from __future__ import annotations

import time
from itertools import pairwise

import httpx
import pytest
from sequencer_zone import KEYS, MARKET, OKB, USD
from service_zone import make_signers, place, send, wait_for

from tradezone.client import PrivateKey, Signer, build_cancel, build_place, build_pull, build_quote
from tradezone.client.session import SessionRequest, sign_session
from tradezone.gateway.errors import Problem
from tradezone.gateway.orders import encode_frames
from tradezone.protocol.actions import Envelope, unpack_items
from tradezone.protocol.errors import Code
from tradezone.protocol.hashing import keccak
from tradezone.verifier.receipts import Receipt, verify_receipt


@pytest.fixture
def http(served):
    with httpx.Client(base_url=served[1], timeout=30) as client:
        yield client


@pytest.fixture
def signers(served):
    return make_signers(served[0].separator)


def log_in(http, node, owner=2, account=None, key=None):
    key = key or KEYS[owner - 1]
    request = sign_session(key, node.separator, account or owner, owner, now=node.clock.now())
    answer = http.post("/v1/session", json=request.to_json())
    assert answer.status_code == 200, answer.text
    return {"authorization": "Bearer " + answer.json()["token"]}


def test_the_zone_says_what_a_client_must_know(served, http):
    node, _ = served
    body = http.get("/v1/zone").json()
    assert body["domain"]["separator"] == "0x" + node.separator.hex()
    assert body["sequencer"] == "0x" + node.sequencer.address.hex()
    assert body["is_local"] is True
    assert body["state"]["phase"] == "continuous"
    assert abs(int(http.get("/v1/time").json()["time"]) - time.time() * 1000) < 5_000
    assert {row["code"] for row in http.get("/v1/errors").json()} == {int(code) for code in Code}


def test_terms_of_assets_venues_and_markets(http):
    assert [asset["id"] for asset in http.get("/v1/assets").json()] == [USD.id, OKB.id]
    assert http.get("/v1/venues").json()[0]["markets"] == 1
    (market,) = http.get("/v1/markets").json()["data"]
    assert (market["id"], market["kind"], market["phase"]) == (1, "spot", "continuous")
    assert market["lot_size"] == str(MARKET.lot_size)
    assert http.get("/v1/markets/1").json()["id"] == 1
    error = http.get("/v1/markets/2")
    assert error.status_code == 404
    assert error.json()["error"]["name"] == "NOT_FOUND"


def test_owners_are_found_by_their_address(http):
    body = http.get("/v1/owners/0x" + KEYS[1].address.hex()).json()
    assert (body["id"], body["main_account"], body["keys"][0]["id"]) == (2, 2, "2")
    assert http.get("/v1/owners/0x" + "11" * 20).status_code == 404
    assert http.get("/v1/owners/0x11").status_code == 400


def test_an_order_by_leaf_is_answered_with_its_number_and_id(served, http, signers):
    leaf = signers[2].place(
        build_place(MARKET, "sell", "70", "1", tif="post_only"),
        build_place(MARKET, "sell", "9999", "5000", tif="post_only"),
        build_place(MARKET, "buy", "10", "10000", tif="post_only"),
    )
    answer = http.post("/v1/orders?receipts=true", json={"envelopes": ["0x" + leaf.hex()]})
    assert answer.status_code == 200
    (row,) = answer.json()["envelopes"]
    assert row["status"] == "executed"
    assert [item["status"] for item in row["items"]] == ["resting"] * 3
    verify_receipt(
        Receipt.from_json(row["receipt"]), served[0].separator, served[0].sequencer.address, leaf
    )
    wait_for(lambda: http.get(f"/v1/receipts/{row['seq']}").status_code == 200)
    again = http.get(f"/v1/receipts/{row['seq']}").json()
    assert again == row["receipt"]
    assert http.get(f"/v1/leaves/0x{keccak(leaf).hex()}").json() == again


def as_json(leaf):
    envelope = Envelope.from_leaf(leaf)
    names = {0: "buy", 1: "sell"}
    orders = []
    for item in unpack_items(envelope):
        row = {k: "0x" + v.hex() if isinstance(v, bytes) else str(v) for k, v in item.items()}
        row["side"] = names[item["side"]]
        orders.append(row)
    return {
        "account": envelope.account,
        "key": str(envelope.key),
        "nonce": str(envelope.nonce),
        "expires_after": str(envelope.expires_after),
        "action": {"type": "placeOrder", "orders": orders},
        "signature": "0x" + envelope.signature.hex(),
    }


def test_an_order_as_fields_is_the_same_bytes(http, signers):
    leaf = place(signers[3], "buy", "30", "2", "post_only", "as-fields")
    body = as_json(leaf)
    (row,) = http.post("/v1/orders", json={"envelopes": [body]}).json()["envelopes"]
    assert row["leaf_hash"] == "0x" + keccak(leaf).hex()
    assert row["items"][0]["status"] == "resting"
    body["action"]["orders"][0]["price"] = "3001"
    body["nonce"] = str(int(body["nonce"]) + 1)
    (row,) = http.post("/v1/orders", json={"envelopes": [body]}).json()["envelopes"]
    assert row["status"] == "refused"
    assert row["error"]["name"] == "BAD_SIGNATURE"
    assert row["error"]["expected"] == "0x" + KEYS[2].address.hex()
    assert row["error"]["recovered"] != row["error"]["expected"]
    assert len(row["error"]["digest"]) == 66


def test_binary_frames_are_answered_in_kind(http, signers):
    good, bad = place(signers[2], "buy", "20", "1", "post_only"), signers[2].noop()[:-1]
    answer = http.post(
        "/v1/orders",
        content=encode_frames([good, bad]),
        headers={"content-type": "application/octet-stream"},
    )
    assert answer.headers["content-type"] == "application/octet-stream"
    data = answer.content
    assert data[0] == 0  # executed
    seq = int.from_bytes(data[3:11], "big")
    items = data[23]
    assert (seq > 0, items) == (True, 1)
    order = int.from_bytes(data[24:32], "big")
    assert order > 0
    rest = data[34:]
    assert (rest[0], int.from_bytes(rest[1:3], "big")) == (1, Code.MALFORMED)
    assert len(rest) == 24


def test_an_asynchronous_order_is_found_by_its_hash(http, signers):
    leaf = signers[4].noop()
    answer = http.post("/v1/orders?mode=async", json={"envelopes": ["0x" + leaf.hex()]}).json()
    (row,) = answer["envelopes"]
    assert row["status"] == "accepted"
    assert "seq" not in row
    wait_for(lambda: http.get(f"/v1/leaves/{row['leaf_hash']}").status_code == 200)
    (again,) = http.post("/v1/orders?mode=async", json={"envelopes": ["0x" + leaf.hex()]}).json()[
        "envelopes"
    ]
    assert (again["status"], again["error"]["name"]) == ("refused", "NONCE_USED")


def test_rungs_of_a_mass_quote_are_told_by_their_client_ids(http, signers):
    rungs = [build_quote(MARKET, "buy", str(40 + n), "1", client_id=f"r{n}") for n in range(3)]
    (row,) = post(http, signers[5].mass_quote(*rungs))
    first = [item["order"] for item in row["items"]]
    assert len(set(first)) == 3
    leaf = signers[5].mass_quote(
        build_quote(MARKET, "buy", "40", "0.5", client_id="r0"),
        build_pull(MARKET, client_id="r1"),
        build_quote(MARKET, "buy", "43", "1", client_id="r2"),
    )
    (row,) = post(http, leaf)
    assert [item["status"] for item in row["items"]] == ["resting", "done", "resting"]
    assert row["items"][0]["order"] == first[0]


def post(http, *leaves):
    answer = http.post("/v1/orders", json={"envelopes": ["0x" + leaf.hex() for leaf in leaves]})
    assert answer.status_code == 200, answer.text
    return answer.json()["envelopes"]


def test_items_that_fail_say_why_and_the_others_go_on(http, signers):
    leaf = signers[2].cancel(build_cancel(12345), build_cancel(client_id="nobody"))
    (row,) = post(http, leaf)
    assert [item["error"]["name"] for item in row["items"]] == ["ORDER_NOT_FOUND"] * 2
    assert row["result"] >> 16 == 2


def test_trades_candles_ticker_and_fills_agree(served, http, signers):
    node, _ = served
    send(node, place(signers[2], "sell", "55", "2", "post_only", "mk"))
    send(node, place(signers[3], "buy", "55", "0.5", "ioc", "tk"))
    wait_for(lambda: http.get("/v1/markets/1/trades").json()["data"])
    trade = http.get("/v1/markets/1/trades?limit=1").json()["data"][0]
    assert (trade["price"], trade["lots"], trade["side"]) == (5500, "50", "buy")
    assert "taker_account" not in trade
    ticker = http.get("/v1/markets/1/ticker").json()
    assert (ticker["last"], ticker["trades"]) == (5500, 1)
    assert http.get("/v1/tickers").json()[0]["market"] == 1
    candle = http.get("/v1/markets/1/candles?interval=1m").json()[-1]
    assert (candle["close"], candle["lots"]) == (5500, "50")
    taker = log_in(http, node, 3)
    (fill,) = http.get("/v1/accounts/3/fills", headers=taker).json()["data"]
    assert (fill["role"], fill["side"], fill["lots"]) == ("taker", "buy", "50")
    maker = log_in(http, node, 2)
    (fill,) = http.get("/v1/accounts/2/fills", headers=maker).json()["data"]
    assert (fill["role"], fill["side"]) == ("maker", "sell")
    order = http.get(
        f"/v1/accounts/2/client-orders/0x{b'mk'.ljust(16, bytes(1)).hex()}", headers=maker
    ).json()
    assert (order["state"], order["filled"], order["lots"]) == ("Partially filled", "50", "150")
    assert order["cost"] == str(50 * 5500)
    by_id = http.get(f"/v1/accounts/2/orders/{order['id']}", headers=maker).json()
    assert by_id == order
    assert http.get(f"/v1/accounts/3/orders/{order['id']}", headers=taker).status_code == 404


def test_pages_reach_the_end_and_repeat_nothing(served, http, signers):
    node, _ = served
    leaves = [place(signers[5], "buy", "5", "1", "post_only") for _ in range(25)]
    send(node, *leaves)
    headers = log_in(http, node, 5)
    wait_for(lambda: len(http.get("/v1/accounts/5/orders", headers=headers).json()["data"]) >= 25)
    seen, cursor = [], ""
    while cursor is not None:
        body = http.get(f"/v1/accounts/5/orders?limit=10{cursor}", headers=headers).json()
        seen += [row["id"] for row in body["data"]]
        cursor = body["next"] and f"&before={body['next']}"
    assert len(seen) == len(set(seen))
    whole = http.get("/v1/accounts/5/orders?limit=1000", headers=headers).json()
    assert [row["id"] for row in whole["data"]] == seen
    assert whole["next"] is None


def test_an_account_reads_its_state(served, http, signers):
    node, _ = served
    headers = log_in(http, node, 4)
    send(node, place(signers[4], "buy", "7", "1", "post_only", "mine"))
    balances = {
        row["asset"]: row for row in http.get("/v1/accounts/4/balances", headers=headers).json()
    }
    assert int(balances[USD.id]["free"]) + int(balances[USD.id]["locked"]) == 10_000_000 * 10**6
    assert int(balances[USD.id]["locked"]) > 0
    (order,) = http.get("/v1/accounts/4/open-orders?market=1", headers=headers).json()
    assert order["client_id"] == "0x" + b"mine".ljust(16, b"\0").hex()
    assert http.get("/v1/accounts/4/open-orders?market=9", headers=headers).json() == []
    assert http.get("/v1/accounts/4/positions", headers=headers).json() == []
    assert http.get("/v1/accounts/4/plans", headers=headers).json() == []
    assert http.get("/v1/accounts/4", headers=headers).json()["orders"] == 1
    assert http.get("/v1/accounts", headers=headers).json()["accounts"] == [4]
    assert int(http.get("/v1/quota", headers=headers).json()["actions"]) > 0
    assert (
        http.get("/v1/keys", headers=headers).json()[0]["address"] == "0x" + KEYS[3].address.hex()
    )
    ledger = http.get("/v1/accounts/4/ledger", headers=headers).json()["data"]
    assert {row["kind"] for row in ledger} == {"deposit"}


def test_a_preview_says_what_the_engine_will_lock(served, http, signers):
    node, _ = served
    body = {"market": 1, "side": "buy", "price": 1234, "lots": "77"}
    preview = http.post("/v1/preview", json=body).json()
    headers = log_in(http, node, 5)
    (row,) = post(http, place(signers[5], "buy", "12.34", "0.77", "post_only", "preview"))
    found = http.get("/v1/accounts/5/open-orders", headers=headers).json()
    order = next(one for one in found if one["id"] == row["items"][0]["order"])
    assert (order["locked"], USD.id) == (preview["locked"], preview["locked_asset"])
    for wrong in ({"side": "hold"}, {"lots": "0"}, {"price": 0}, {"lots": "1e3"}, {"price": 10**7}):
        assert http.post("/v1/preview", json={**body, **wrong}).status_code == 400
    assert http.post("/v1/preview", json={**body, "market": 5}).status_code == 404


def test_a_withdrawal_is_proven_once_its_batch_is_published(served, http, signers):
    _node, _ = served
    (row,) = post(http, signers[2].withdraw(USD, "5"))
    assert row["result"] == 0
    assert http.get("/v1/withdrawals/1").json()["amount"] == str(5 * 10**6)
    time.sleep(1.1)
    post(http, signers[2].noop())
    post(http, signers[2].noop())
    wait_for(lambda: http.get("/v1/withdrawals/1/proof").status_code == 200, 20)
    proof = http.get("/v1/withdrawals/1/proof").json()
    batch = http.get(f"/v1/batches/{proof['batch']}").json()
    assert batch["state_root"] == proof["state_root"]
    assert len(proof["siblings"]) == 40
    assert http.get("/v1/batches").json()["data"][0]["number"] >= proof["batch"]
    assert http.get(f"/v1/batches/{proof['batch']}/file").content[:4] == b"TZBF"
    assert http.get("/v1/withdrawals/2").status_code == 404


def test_blocks_form_one_chain_of_heads(http):
    rows = http.get("/v1/blocks?limit=5").json()["data"]
    for newer, older in pairwise(rows):
        assert newer["parent"] == older["head"]
    number = rows[-1]["number"]
    assert http.get(f"/v1/blocks/{number}").json() == rows[-1]
    assert http.get("/v1/blocks/999999999").status_code == 404


# --- sessions and who may read what ------------------------------------------------------------------

PRIVATE = [
    "/v1/accounts/{a}",
    "/v1/accounts/{a}/balances",
    "/v1/accounts/{a}/positions",
    "/v1/accounts/{a}/open-orders",
    "/v1/accounts/{a}/plans",
    "/v1/accounts/{a}/orders",
    "/v1/accounts/{a}/orders/1",
    "/v1/accounts/{a}/client-orders/0x" + "00" * 16,
    "/v1/accounts/{a}/fills",
    "/v1/accounts/{a}/ledger",
    "/v1/accounts/{a}/pools",
    "/v1/accounts/{a}/margin-events",
]
POSTED = {"/v1/accounts/{a}/margin-preview": {"market": 1, "side": "buy", "price": 1, "lots": "1"}}
OWN = ["/v1/accounts", "/v1/quota", "/v1/keys"]


@pytest.mark.parametrize("path", [*PRIVATE, *OWN])
def test_without_a_session_nothing_private_is_answered(http, path):
    for headers in ({}, {"authorization": "Bearer x"}, {"authorization": "Basic eA=="}):
        answer = http.get(path.format(a=2), headers=headers)
        assert answer.status_code == 401, path
        assert answer.json()["error"]["code"] == Problem.UNAUTHORIZED


@pytest.mark.parametrize("path", PRIVATE)
def test_nobody_reads_an_account_of_another_or_learns_whether_it_exists(served, http, path):
    headers = log_in(http, served[0], 2)
    allowed = http.get(path.format(a=2), headers=headers).status_code
    assert allowed in (200, 404)
    for account in (1, 3, 6, 7, 8, 9, 500_000):
        answer = http.get(path.format(a=account), headers=headers)
        assert answer.status_code == 403, (path, account)
        assert answer.json()["error"]["code"] == Problem.FORBIDDEN


@pytest.mark.parametrize(("path", "body"), POSTED.items())
def test_nobody_asks_about_an_account_of_another(served, http, path, body):
    assert http.post(path.format(a=2), json=body).status_code == 401
    headers = log_in(http, served[0], 2)
    assert http.post(path.format(a=2), json=body, headers=headers).status_code in (200, 404)
    for account in (1, 3, 6, 7, 8, 9, 500_000):
        answer = http.post(path.format(a=account), json=body, headers=headers)
        assert answer.status_code == 403, (path, account)
        assert answer.json()["error"]["code"] == Problem.FORBIDDEN


def test_every_private_route_is_in_the_matrix(served):
    from tradezone.gateway.app import Gateway

    routes = {
        route.path_format
        for route in Gateway(served[0])._rest.routes
        if any("session" in str(h.security) for h in getattr(route, "route_handlers", []))
    }
    covered = {path.replace("{a}", "{account}") for path in (*PRIVATE, *POSTED)} | set(OWN)
    covered = {path.replace("/orders/1", "/orders/{order}") for path in covered}
    covered = {path.replace("0x" + "00" * 16, "{client_id}") for path in covered} | {"/v1/session"}
    assert routes == covered


def test_an_agent_bound_to_an_account_reads_that_one_only_and_nothing_once_revoked(
    served, http, signers
):
    node, _ = served
    agent = PrivateKey(b"\x61" * 32)
    (_row,) = post(http, signers[4].create_account())
    owner = log_in(http, node, 4)
    sub = max(http.get("/v1/accounts", headers=owner).json()["accounts"])
    leaf = signers[4].approve_key(agent.address, node.clock.now() + 10**7, only_account=sub)
    post(http, leaf)
    keys = http.get("/v1/keys", headers=owner).json()
    key_id = next(int(k["id"]) for k in keys if k["address"] == "0x" + agent.address.hex())

    request = sign_session(agent, node.separator, sub, key_id, now=node.clock.now())
    token = http.post("/v1/session", json=request.to_json()).json()["token"]
    headers = {"authorization": f"Bearer {token}"}
    assert http.get(f"/v1/accounts/{sub}", headers=headers).status_code == 200
    assert http.get("/v1/accounts/4", headers=headers).status_code == 403
    main = sign_session(agent, node.separator, 4, key_id, now=node.clock.now())
    assert http.post("/v1/session", json=main.to_json()).status_code == 401

    post(http, signers[4].revoke_key(key_id))
    assert http.get(f"/v1/accounts/{sub}", headers=headers).status_code == 401
    late = sign_session(agent, node.separator, sub, key_id, now=node.clock.now())
    assert http.post("/v1/session", json=late.to_json()).status_code == 401


def test_a_session_is_opened_by_its_key_once_and_in_time(served, http):
    node, _ = served
    now = node.clock.now()
    good = sign_session(KEYS[1], node.separator, 2, 2, now=now)
    assert http.post("/v1/session", json=good.to_json()).status_code == 200
    assert http.post("/v1/session", json=good.to_json()).status_code == 401  # again
    cases = [
        sign_session(KEYS[2], node.separator, 2, 2, now=now),  # another's key
        sign_session(KEYS[1], bytes(32), 2, 2, now=now),  # another zone
        sign_session(KEYS[1], node.separator, 3, 2, now=now),  # another's account
        sign_session(KEYS[1], node.separator, 2, 3, now=now),  # another's key id
        sign_session(KEYS[1], node.separator, 2, 1 << 32 | 2, now=now),  # another generation
        sign_session(KEYS[1], node.separator, 2, 2, now=now - 120_000),
        sign_session(KEYS[1], node.separator, 2, 2, now=now + 120_000),
        SessionRequest(2, 2, now, now + 10**9, good.signature),
        SessionRequest(2, 2, now, now, good.signature),
        SessionRequest(2, 2, now, now + 1000, bytes(65)),
        SessionRequest(2, 0, now, now + 1000, good.signature),
        SessionRequest(2, 1 << 63, now, now + 1000, good.signature),
    ]
    for request in cases:
        answer = http.post("/v1/session", json=request.to_json())
        assert answer.status_code == 401, request
    body = good.to_json()
    for wrong in ({"key": "x"}, {"signature": "0xzz"}, {"issued": "-1"}, {"account": -1}):
        assert http.post("/v1/session", json={**body, **wrong}).status_code == 400


def test_a_session_ends_when_it_is_closed(served, http):
    headers = log_in(http, served[0], 3)
    assert http.get("/v1/quota", headers=headers).status_code == 200
    assert http.delete("/v1/session", headers=headers).status_code == 204
    assert http.get("/v1/quota", headers=headers).status_code == 401


# --- errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"envelopes": []}',
        b'{"envelopes": [1]}',
        b'{"envelopes": ["02"]}',
        b'{"envelopes": ["0xzz"]}',
        b'{"envelopes": ["0x"]}',
        b'{"envelopes": ["0x02"], "more": 1}',
        b'{"envelopes": [{"account": 1}]}',
        b'{"envelopes": ["0x' + b"01" * 20 + b'"]}',
        b'{"envelopes": ["0x' + b"02" * 5000 + b'"]}',
        b'{"envelopes": [' + b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_a_body_that_does_not_fit_is_refused_and_the_zone_goes_on(http, body):
    answer = http.post("/v1/orders", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["code"] == Problem.BAD_REQUEST
    assert http.get("/readyz").status_code == 200


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0", b"\0\x05abc", b"\xff\xff" + b"\2" * 10])
def test_frames_that_do_not_add_up_are_refused(http, data):
    answer = http.post(
        "/v1/orders", content=data, headers={"content-type": "application/octet-stream"}
    )
    assert answer.status_code == 400


def test_errors_have_one_shape_everywhere(http):
    cases = [
        (http.get("/v1/nothing"), 404),
        (http.delete("/v1/markets"), 405),
        (http.get("/v1/markets/0"), 400),
        (http.get("/v1/markets/x"), 404),
        (http.get("/v1/markets/1/candles?interval=2m"), 400),
        (http.get("/v1/markets/1/trades?limit=0"), 400),
        (http.get("/v1/markets/1/trades?before=abc"), 400),
        (http.post("/v1/orders?mode=later", json={"envelopes": ["0x02"]}), 400),
        (http.post("/v1/orders", content=b"x" * (1 << 20 | 1)), 413),
    ]
    for answer, status in cases:
        assert answer.status_code == status, answer.text
        assert set(answer.json()["error"]) >= {"code", "name", "text"}


def test_limits_are_in_the_headers_of_every_answer(http):
    for answer in (
        http.get("/v1/time"),
        http.get("/v1/nothing"),
        http.post("/v1/orders", content=b"x"),
    ):
        assert answer.headers["ratelimit-limit"] == "1000000"
        assert int(answer.headers["ratelimit-remaining"]) > 0


def test_probes_and_metrics(served, http):
    assert http.get("/healthz").json()["ok"] is True
    assert http.get("/readyz").json()["ok"] is True
    text = http.get("/metrics").text
    for name in (
        "tradezone_blocks_total",
        "tradezone_acknowledgement_seconds_bucket",
        "tradezone_ready 1.0",
    ):
        assert name in text


def test_the_wrong_signer_hears_whose_signature_it_was(served, http):
    wrong = PrivateKey(b"\x99" * 32)
    leaf = Signer(wrong, 2, 2, served[0].separator).noop()
    (row,) = post(http, leaf)
    assert row["error"]["recovered"] == "0x" + wrong.address.hex()
    assert row["error"]["expected"] == "0x" + KEYS[1].address.hex()
