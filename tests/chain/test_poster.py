# ruff: noqa: ARG002, N802, N815 - methods have the names and arguments of what they stand for

import json
from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chain.fake_chain import NodeError, unreachable
from tradezone.chain import (
    BatchFolder,
    ChainError,
    DivergedError,
    Poster,
    Receipt,
    RevertedError,
    Rpc,
    RpcError,
    _codec,
)
from tradezone.chain.abi import STATE_CHAIN
from tradezone.protocol.batches import GENESIS_PARENT, Header, claim_id
from tradezone.protocol.hashing import keccak

CHAIN = "0x" + "c1" * 20
POSTER = _codec.to_checksum(b"\x90" * 20)
GENESIS = keccak(b"genesis claim")
BOND = 10**18
NO_CLAIM = {
    "parent": bytes(32),
    "stateRoot": bytes(32),
    "asserter": "0x" + "00" * 20,
    "batch": 0,
    "status": 0,
    "time": 0,
    "blockNumber": 0,
}


class Killed(BaseException):
    """The process died here."""


class FakeStateChain:
    """The StateChain's rules as far as a poster meets them, behind the JSON-RPC transport."""

    def __init__(self, stride=2):
        self.stride = stride
        self.headers = []
        self.latest = float("inf")  # L1 time, ms
        self.claims = {GENESIS: NO_CLAIM | {"status": 2, "stateRoot": keccak(b"genesis")}}
        self.children = {}
        self.final = GENESIS
        self.winners = {}
        self.bonded = False
        self.window_over = False
        self.calls = []

    def __call__(self, body):
        request = json.loads(body)
        try:
            answer = {"result": getattr(self, request["method"])(*request["params"])}
        except NodeError as error:
            answer = {"error": error.body}
        return json.dumps({"jsonrpc": "2.0", "id": 1} | answer).encode()

    def eth_call(self, call, _tag):
        data = _codec.to_bytes(call["data"])
        function = next(f for f in STATE_CHAIN.functions.values() if f.selector == data[:4])
        arguments = function.decode_input(data)
        value = getattr(self, "do_" + function.name)(arguments, is_dry=True)
        return "0x" + (_codec.encode(function.outputs, [value]) if function.outputs else b"").hex()

    def execute(self, data):
        function = next(f for f in STATE_CHAIN.functions.values() if f.selector == data[:4])
        self.calls.append(function.name)
        return getattr(self, "do_" + function.name)(function.decode_input(data), is_dry=False)

    # --- headers

    def do_tip(self, _, is_dry):
        last = self.headers[-1] if self.headers else None
        return {
            "hash": last.hash() if last else bytes(32),
            "number": len(self.headers),
            "nextSeq": 1,
            "inboxIndex": 0,
            "nextBlock": 1,
            "endTime": 0,
        }

    def do_headerHashOf(self, arguments, is_dry):
        (number,) = arguments
        return self.headers[number - 1].hash() if 1 <= number <= len(self.headers) else bytes(32)

    def do_commit(self, arguments, is_dry):
        self.commit_all([arguments[0]], is_dry)

    do_commitWithData = do_commit

    def do_commitMany(self, arguments, is_dry):
        self.commit_all(arguments[0], is_dry)

    def commit_all(self, headers, is_dry):
        before = list(self.headers)
        try:
            for values in headers:
                header = Header(*values.values())
                if header.number != len(self.headers) + 1:
                    raise reverted("WrongNumber", header.number, len(self.headers) + 1)
                if header.end_time > self.latest:
                    raise reverted("EndsInFuture", header.end_time, self.latest)
                self.headers.append(header)
        except NodeError:
            self.headers = before
            raise
        if is_dry:
            self.headers = before

    # --- claims

    def do_claimStride(self, _, is_dry):
        return self.stride

    def do_latestFinal(self, _, is_dry):
        return self.final

    def do_claimOf(self, arguments, is_dry):
        return self.claims.get(arguments[0], NO_CLAIM)

    def do_forkOf(self, arguments, is_dry):
        children = self.children.get(arguments[0], [])
        return {
            "firstChild": children[0] if children else bytes(32),
            "winner": self.winners.get(arguments[0], bytes(32)),
            "children": len(children),
            "rivalTime": 0,
            "rivalBlock": 0,
        }

    def do_claim(self, arguments, is_dry):
        parent, batch, header_hash, root = arguments
        if not self.bonded:
            raise reverted("NotBonded", POSTER)
        claim = claim_id(parent, batch, header_hash, root)
        if claim in self.claims:
            raise reverted("ClaimExists", claim)
        if not is_dry:
            self.add_claim(parent, batch, root, claim)
        return claim

    def add_claim(self, parent, batch, root, claim):
        self.claims[claim] = NO_CLAIM | {
            "parent": parent,
            "stateRoot": root,
            "batch": batch,
            "status": 1,
        }
        self.children.setdefault(parent, []).append(claim)

    def do_finalize(self, arguments, is_dry):
        (claim,) = arguments
        if not self.window_over:
            raise reverted("WindowRunning", 5, 5)
        if not is_dry:
            self.claims[claim] = self.claims[claim] | {"status": 2}
            self.final = claim

    def do_asserterOf(self, _, is_dry):
        return {"lastClaim": bytes(32), "openClaims": 0, "isBonded": self.bonded}

    def do_bond(self, _, is_dry):
        return BOND

    def do_postBond(self, _, is_dry):
        if not is_dry:
            self.bonded = True

    def do_isFrozen(self, _, is_dry):
        return False


def reverted(name, *values):
    error = STATE_CHAIN.errors[name]
    values = [int(v) if isinstance(v, float) else v for v in values]
    data = error.selector + _codec.encode(error.inputs, values)
    return NodeError(3, "execution reverted", "0x" + data.hex())


class FakeSender:
    """Mines at once. ``plan`` has, for each of the next transactions, what goes wrong."""

    address = POSTER

    def __init__(self, chain):
        self.chain = chain
        self.plan = []

    def send(self, to, data, value=0):
        wrong = self.plan.pop(0) if self.plan else None
        if wrong == "killed before":
            raise Killed
        if wrong == "unreachable":
            raise unreachable()
        result = self.chain.execute(data)
        if wrong == "killed after":
            raise Killed
        logs = []
        if isinstance(result, bytes):
            claim = self.chain.claims[result]
            event = STATE_CHAIN.events["Claimed"]
            rest = [t for t in event.inputs if not t.is_indexed]
            children = len(self.chain.children[claim["parent"]])
            data = _codec.encode(rest, [claim["batch"], claim["stateRoot"], children])
            topics = [event.topic, result, claim["parent"], bytes(32)]
            logs = [{"topics": ["0x" + t.hex() for t in topics], "data": "0x" + data.hex()}]
        return Receipt("0x" + "ab" * 32, 1, 21_000, 1, logs)


def write_batches(folder, count, first=None):
    """Write ``count`` batches that chain; return their (header, root)."""
    folder.mkdir(parents=True, exist_ok=True)
    parent = GENESIS_PARENT
    batches = []
    for number in range(1, count + 1):
        seed = f"{first}-{number}" if first else str(number)
        header = Header(
            epoch=1,
            number=number,
            parent=parent,
            inputs_root=keccak(seed.encode()),
            first_seq=number,
            count=1,
            inbox_index=0,
            inbox_hash=bytes(32),
            first_block=number,
            blocks=1,
            start_time=number * 1000,
            end_time=number * 1000,
        )
        root = keccak(b"root" + seed.encode())
        words = b"".join(
            v.to_bytes(32, "big") if isinstance(v, int) else v for v in astuple(header)
        )
        body = {"header": "0x" + words.hex(), "state_root": "0x" + root.hex()}
        (folder / f"{number}.json").write_text(json.dumps(body))
        (folder / f"{number}.batch").write_bytes(b"leaves " + seed.encode())
        parent = header.hash()
        batches.append((header, root))
    return batches


@pytest.fixture
def chain():
    return FakeStateChain()


@pytest.fixture
def sender(chain):
    return FakeSender(chain)


@pytest.fixture
def poster(chain, sender, tmp_path):
    def make(count=0, **options):
        write_batches(tmp_path / "batches", count)
        clock = iter(range(10**6))
        options = {"clock": lambda: float(next(clock)), "sleep": lambda _: None} | options
        return Poster(Rpc("http://fake", transport=chain), CHAIN, sender, tmp_path, **options)

    return make


# --- batches -----------------------------------------------------------------------------------------


def test_batches_are_committed_in_order_once(chain, poster):
    assert [(p.first, p.last) for p in poster(5).post()] == [(1, 5)]
    assert [h.number for h in chain.headers] == [1, 2, 3, 4, 5]
    assert poster(5).post() == []
    assert [(p.first, p.last) for p in poster(6).post()] == [(6, 6)]
    assert chain.calls == ["commitMany", "commit"]


def test_many_batches_go_into_several_transactions(chain, poster):
    assert [(p.first, p.last) for p in poster(35).post()] == [(1, 16), (17, 32), (33, 35)]


def test_a_limit_bounds_how_many_are_posted(chain, poster):
    poster(5).post(limit=2)
    assert len(chain.headers) == 2


def test_data_goes_along_where_it_is_asked_for(chain, poster, sender, monkeypatch):
    sent = []
    send = sender.send
    monkeypatch.setattr(
        sender, "send", lambda to, data, value=0: sent.append(data) or send(to, data, value)
    )
    poster(2, with_data=True).post()
    assert chain.calls == ["commitWithData", "commitWithData"]
    function = STATE_CHAIN.functions["commitWithData"]
    assert [function.decode_input(data)[1] for data in sent] == [b"leaves 1", b"leaves 2"]


def test_data_that_no_transaction_takes_is_refused_with_a_way_out(poster, tmp_path):
    made = poster(1, with_data=True)
    (tmp_path / "batches" / "1.batch").write_bytes(bytes(200_000))
    with pytest.raises(ChainError, match="post without data"):
        made.post()


@given(plan=st.lists(st.sampled_from([None, "killed before", "killed after", "unreachable"])))
def test_whatever_kills_the_poster_each_batch_is_committed_once(plan, tmp_path_factory):
    folder = tmp_path_factory.mktemp("batches")
    batches = write_batches(folder, 3)
    chain = FakeStateChain(stride=1)
    sender = FakeSender(chain)
    sender.plan = list(plan)
    for _ in range(len(plan) + 1):
        poster = Poster(Rpc("http://fake", transport=chain), CHAIN, sender, folder)
        try:
            poster.post_bond()
            for _ in range(3):
                poster.post(limit=1)
                poster.claim()
        except (Killed, RpcError):
            continue
    assert chain.headers == [header for header, _ in batches]
    assert len(chain.claims) == 4
    assert chain.calls.count("commit") == 3
    assert chain.calls.count("claim") == 3
    assert chain.calls.count("postBond") == 1


def test_another_history_on_l1_stops_everything_and_names_the_first_batch(chain, poster, tmp_path):
    other = write_batches(tmp_path / "other", 6, first="other")
    ours = write_batches(tmp_path / "batches", 6)
    chain.headers = [h for h, _ in ours[:3]] + [h for h, _ in other[3:]]
    with pytest.raises(DivergedError, match="batch 4 is 0x"):
        poster(6).post()
    assert chain.calls == []


def test_a_folder_that_begins_behind_the_chain_has_to_follow_it(chain, poster, tmp_path):
    batches = write_batches(tmp_path / "batches", 4)
    chain.headers = [h for h, _ in batches[:2]]
    made = poster(4)
    for number in (1, 2):
        (tmp_path / "batches" / f"{number}.json").unlink()
    assert [p.first for p in made.post()] == [3]
    write_batches(tmp_path / "batches", 6, first="other")
    for number in range(1, 5):
        (tmp_path / "batches" / f"{number}.json").unlink()
    with pytest.raises(DivergedError, match="batch 5 here follows"):
        poster(0).post()


def test_l1_may_be_ahead_of_the_folder(chain, poster, tmp_path):
    batches = write_batches(tmp_path / "elsewhere", 4)
    chain.headers = [h for h, _ in batches]
    assert poster(2).check() == 4
    assert poster(2).post() == []


def test_two_histories_in_one_folder_are_refused(chain, poster, tmp_path):
    made = poster(2)
    write_batches(tmp_path / "other", 3, first="other")
    for suffix in ("json", "batch"):
        (tmp_path / "other" / f"3.{suffix}").rename(tmp_path / "batches" / f"3.{suffix}")
    with pytest.raises(DivergedError, match="batch 3 here does not follow batch 2"):
        made.post()


def test_a_batch_that_ends_after_l1_time_is_waited_for(chain, poster):
    chain.latest = 1000
    pauses = []

    def sleep(seconds):
        pauses.append(seconds)
        chain.latest += 500

    made = poster(2, sleep=sleep)
    made.post()
    assert len(chain.headers) == 2
    assert pauses == [0.25, 0.5]


def test_waiting_for_l1_time_ends(chain, poster):
    chain.latest = 0
    with pytest.raises(RevertedError, match="zone time is ahead of L1"):
        poster(1).post()


@pytest.mark.parametrize("content", ["", "{}", '{"header": "0x00", "state_root": "0x"}'])
def test_a_damaged_description_is_named(poster, tmp_path, content):
    made = poster(1)
    (tmp_path / "batches" / "1.json").write_text(content)
    with pytest.raises(ChainError, match=r"1\.json does not describe a batch"):
        made.post()


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ChainError, match="give the sequencer's directory"):
        BatchFolder(tmp_path / "nowhere")


# --- claims ------------------------------------------------------------------------------------------


def test_roots_are_claimed_at_each_stride_once(chain, poster):
    made = poster(5)
    made.post()
    made.post_bond()
    assert [c.batch for c in made.claim()] == [2, 4]
    assert poster(5).claim() == []
    assert made.status().claimed == 4


def test_claiming_without_bond_says_what_to_do(chain, poster):
    made = poster(2)
    made.post()
    with pytest.raises(RevertedError, match="post the bond first"):
        made.claim()


def test_an_equal_claim_of_somebody_else_counts(chain, poster, tmp_path):
    made = poster(2)
    made.post()
    meta = BatchFolder(tmp_path).meta(2)
    claim = claim_id(GENESIS, 2, meta.header.hash(), meta.state_root)
    chain.add_claim(GENESIS, 2, meta.state_root, claim)
    assert made.claim() == []


def test_a_wrong_claim_gets_a_rival(chain, poster, tmp_path):
    made = poster(2)
    made.post()
    made.post_bond()
    chain.add_claim(GENESIS, 2, bytes(31) + b"\1", b"w" * 32)
    (done,) = made.claim()
    assert done.children == 2


def test_a_dead_claim_of_ours_stops_the_poster(chain, poster):
    made = poster(2)
    made.post()
    made.post_bond()
    (done,) = made.claim()
    chain.claims[done.claim] = chain.claims[done.claim] | {"status": 3}
    with pytest.raises(DivergedError, match="is dead"):
        made.claim()


def test_a_final_root_that_is_not_ours_stops_the_poster(chain, poster):
    made = poster(2)
    made.post()
    chain.claims[b"w" * 32] = NO_CLAIM | {"status": 2, "batch": 2, "stateRoot": b"x" * 32}
    chain.final = b"w" * 32
    for action in (made.claim, made.finalize, made.status):
        with pytest.raises(DivergedError, match="batch 2 is final with root"):
            action()


# --- finality ----------------------------------------------------------------------------------------


def test_claims_become_final_in_order_once_their_window_is_over(chain, poster):
    made = poster(4)
    made.post()
    made.post_bond()
    made.claim()
    assert made.finalize() == []
    chain.window_over = True
    assert [f.batch for f in made.finalize()] == [2, 4]
    assert made.finalize() == []
    status = made.status()
    assert (status.published, status.committed, status.claimed, status.final) == (4, 4, 4, 4)


def test_a_wrong_claim_is_never_helped_along(chain, poster):
    made = poster(2)
    made.post()
    chain.add_claim(GENESIS, 2, b"x" * 32, b"w" * 32)
    chain.window_over = True
    with pytest.raises(DivergedError, match="claim ours beside it"):
        made.finalize()


def test_rivals_wait_for_the_judge(chain, poster):
    made = poster(2)
    made.post()
    made.post_bond()
    chain.add_claim(GENESIS, 2, b"x" * 32, b"w" * 32)
    (ours,) = made.claim()
    chain.window_over = True
    assert made.finalize() == []
    chain.winners[GENESIS] = ours.claim
    assert [f.claim for f in made.finalize()] == [ours.claim]
