"""The Solidity and the Vyper verifier: golden vectors, attacks, and every decoder against Python."""

import json
import random
from types import SimpleNamespace

import ape
import eth_abi
import numpy as np
import pytest

from tests.vectors import make_tree as slow
from tradezone.protocol.generate import HARNESSES
from tradezone.protocol.records import MAX_WORDS, TABLES
from tradezone.state.inputs_tree import InputsTree
from tradezone.state.tree import ZERO_HASHES, fold_proof, leaf_hash_of_words

VECTORS = json.loads(slow.PATH.read_text("utf-8"))
UNKNOWN_TYPE = len(TABLES)

# What each language says to the same mistake.
ERRORS = {
    "zero root": ("ZeroRoot", "tree: zero root"),
    "wrong root": ("WrongRoot", "tree: wrong root"),
    "unknown type": ("UnknownType", "tree: unknown type"),
    "slot": ("SlotOutOfRange", "tree: slot out of range"),
    "seq": ("SeqOutOfRange", "tree: seq out of range"),
    "size": ("SizeOutOfRange", "tree: size out of range"),
    "words": ("WrongWordCount", "tree: word count"),
    "proof length": ("WrongProofLength", "tree: proof length"),
}


def bytes_of(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def all_bytes(texts: list[str]) -> list[bytes]:
    return [bytes_of(text) for text in texts]


@pytest.fixture(scope="module", params=["solidity", "vyper"])
def language(request):
    return request.param


@pytest.fixture(scope="module")
def tree(language, deployer, project):
    """The verifier under one set of names, and `refuses`, which knows its errors."""
    is_solidity = language == "solidity"
    contract = deployer.deploy(
        project.RecordTreeHarness if is_solidity else project.record_tree_harness
    )

    def refuses(mistake: str):
        error, message = ERRORS[mistake]
        if not is_solidity:
            return ape.reverts(message)
        return ape.reverts(getattr(contract, error))

    def function(name: str):
        first, *rest = name.split("_")
        solidity = first + "".join(part.capitalize() for part in rest)
        return getattr(contract, solidity if is_solidity else name)

    names = ("verify_record", "leaf_hash", "compute_root", "verify_input", "verify_input_hash")
    functions = {name: function(name) for name in names}
    return SimpleNamespace(refuses=refuses, is_solidity=is_solidity, **functions)


@pytest.fixture(scope="module")
def proved():
    """The record that the attacks work on: a balance with used neighbours."""
    vector = VECTORS["trees"][-1]
    record = vector["proofs"][0]
    return SimpleNamespace(
        root=bytes_of(vector["root"]),
        number=record["type"],
        slot=record["slot"],
        words=all_bytes(record["words"]),
        proof=all_bytes(record["proof"]),
    )


# --- vectors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", VECTORS["records"], ids=lambda vector: vector["table"])
def test_leaves_are_the_vectors(tree, vector):
    leaf = tree.leaf_hash(vector["type"], vector["slot"], all_bytes(vector["words"]))
    assert leaf == bytes_of(vector["leaf"])


@pytest.mark.parametrize("vector", VECTORS["trees"], ids=lambda vector: vector["name"])
def test_records_are_proved_against_the_vectors(tree, vector):
    root = bytes_of(vector["root"])
    for proved in vector["proofs"]:
        words, proof = all_bytes(proved["words"]), all_bytes(proved["proof"])
        place = (proved["type"], proved["slot"])
        tree.verify_record(root, *place, words, proof)
        leaf = tree.leaf_hash(*place, words)
        assert tree.compute_root(*place, leaf, proof) == root


@pytest.mark.parametrize("vector", VECTORS["inputs"], ids=lambda vector: vector["first_seq"])
def test_inputs_are_proved_against_the_vectors(tree, vector):
    first_seq = int(vector["first_seq"])
    for proved in vector["proofs"]:
        seq = int(proved["seq"])
        leaf = bytes_of(vector["inputs"][seq - first_seq])
        proof = all_bytes(proved["proof"])
        tree.verify_input(bytes_of(vector["root"]), first_seq, seq, leaf, proof)
        place = (bytes_of(vector["root"]), first_seq, seq)
        tree.verify_input_hash(*place, len(leaf), slow.keccak(leaf), proof)


def test_empty_subtrees_fold_to_the_zero_hashes(tree):
    proof = list(ZERO_HASHES[:40])
    for place in ((0, 0), (7, 1), (UNKNOWN_TYPE - 1, 2**32 - 1)):
        assert tree.compute_root(*place, bytes(32), proof) == ZERO_HASHES[40]


def test_the_root_after_a_change_follows_from_the_proof_before_it(tree, proved):
    words = [b"\x11" * 32, b"\x22" * 32]
    leaf = tree.leaf_hash(proved.number, proved.slot, words)
    root = tree.compute_root(proved.number, proved.slot, leaf, proved.proof)
    tree.verify_record(root, proved.number, proved.slot, words, proved.proof)


# --- attacks on the record tree -----------------------------------------------------------------------


@pytest.mark.parametrize("bit", [0, 1, 2, 31])
def test_right_leaf_with_wrong_slot_is_refused(tree, proved, bit):
    with tree.refuses("wrong root"):
        tree.verify_record(
            proved.root, proved.number, proved.slot ^ 1 << bit, proved.words, proved.proof
        )


def test_right_leaf_with_wrong_type_is_refused(tree, proved):
    others = [t for t in TABLES if t.words == len(proved.words) and t.number != proved.number]
    for table in others[:3]:  # a refusal takes a tenth of a second to be explained
        with tree.refuses("wrong root"):
            tree.verify_record(proved.root, table.number, proved.slot, proved.words, proved.proof)


@pytest.mark.parametrize("bit", [32, 40, 41, 255])
def test_a_slot_of_more_than_32_bits_is_refused(tree, proved, bit):
    # Bit 32 would be the lowest bit of the type, bit 40 would fall off the path.
    slot = proved.slot + 2**bit
    with tree.refuses("slot"):
        tree.verify_record(proved.root, proved.number, slot, proved.words, proved.proof)
    with tree.refuses("slot"):
        tree.compute_root(proved.number - 1, slot, bytes(32), proved.proof)
    with tree.refuses("slot"):
        tree.leaf_hash(proved.number, slot, proved.words)


@pytest.mark.parametrize("shift", [8, 32, 224, 248])
def test_a_type_that_would_wrap_to_the_right_one_is_refused(tree, proved, shift):
    number = proved.number + 2**shift
    with tree.refuses("unknown type"):
        tree.verify_record(proved.root, number, proved.slot, proved.words, proved.proof)
    with tree.refuses("unknown type"):
        tree.compute_root(number, proved.slot, bytes(32), proved.proof)


@pytest.mark.parametrize("number", [UNKNOWN_TYPE, 63, 64, 255, 256, 2**256 - 1])
def test_a_type_without_a_table_is_refused(tree, proved, number):
    for words in ([], [bytes(32)], proved.words):
        with tree.refuses("unknown type"):
            tree.leaf_hash(number, 1, words)


def test_an_inner_node_is_no_leaf(tree, proved):
    leaf = leaf_hash_of_words(proved.number, proved.slot, b"".join(proved.words))
    index = proved.number << 32 | proved.slot
    parent = fold_proof(leaf, index, proved.proof[:1])
    assert fold_proof(parent, index >> 1, proved.proof[1:]) == proved.root
    # The 64 bytes below the node as a record of two words: one level short, and filled up.
    left, right = (leaf, proved.proof[0]) if index & 1 == 0 else (proved.proof[0], leaf)
    for slot in (proved.slot, proved.slot >> 1):
        with tree.refuses("proof length"):
            tree.verify_record(proved.root, proved.number, slot, [left, right], proved.proof[1:])
        for filling in (bytes(32), leaf):
            for proof in ([*proved.proof[1:], filling], [filling, *proved.proof[1:]]):
                with tree.refuses("wrong root"):
                    tree.verify_record(proved.root, proved.number, slot, [left, right], proof)


@pytest.mark.parametrize("length", [0, 1, 39])
def test_a_short_proof_is_refused(tree, proved, length):
    with tree.refuses("proof length"):
        tree.verify_record(
            proved.root, proved.number, proved.slot, proved.words, proved.proof[:length]
        )
    with tree.refuses("proof length"):
        tree.compute_root(proved.number, proved.slot, bytes(32), proved.proof[:length])


@pytest.mark.parametrize("extra", [1, 40])
def test_a_long_proof_is_refused(tree, proved, extra):
    proof = proved.proof + [bytes(32)] * extra
    # Vyper's decoder refuses an array longer than its bound before any code runs.
    refusal = tree.refuses("proof length") if tree.is_solidity else ape.reverts()
    with refusal:
        tree.verify_record(proved.root, proved.number, proved.slot, proved.words, proof)


@pytest.mark.parametrize("level", [0, 1, 20, 31, 32, 39])
def test_every_sibling_counts(tree, proved, level):
    proof = list(proved.proof)
    proof[level] = slow.keccak(proof[level])
    with tree.refuses("wrong root"):
        tree.verify_record(proved.root, proved.number, proved.slot, proved.words, proof)


def test_a_zero_root_proves_nothing(tree, proved):
    for words in (proved.words, [bytes(32)] * 2):
        with tree.refuses("zero root"):
            tree.verify_record(bytes(32), proved.number, proved.slot, words, proved.proof)


def test_other_words_are_refused(tree, proved):
    for words in (proved.words[::-1], [proved.words[0], bytes(32)], [bytes(32)] * 2):
        with tree.refuses("wrong root"):
            tree.verify_record(proved.root, proved.number, proved.slot, words, proved.proof)


def test_another_number_of_words_is_refused(tree, proved):
    absent = VECTORS["trees"][-1]["proofs"][1]
    for count in (0, 1, 3, 6):
        with tree.refuses("words"):
            words = (proved.words * 3)[:count]
            tree.verify_record(proved.root, proved.number, proved.slot, words, proved.proof)
        # Zero words have the zero leaf whatever their number; only the table's is taken.
        with tree.refuses("words"):
            tree.verify_record(
                proved.root,
                *(absent["type"], absent["slot"]),
                *([bytes(32)] * count, all_bytes(absent["proof"])),
            )
    too_many = [bytes(32)] * (MAX_WORDS + 1)
    with tree.refuses("words") if tree.is_solidity else ape.reverts():
        tree.leaf_hash(proved.number, proved.slot, too_many)


def test_a_slot_in_use_cannot_be_shown_as_empty(tree, proved):
    with tree.refuses("wrong root"):
        tree.verify_record(proved.root, proved.number, proved.slot, [bytes(32)] * 2, proved.proof)


# --- attacks on the inputs tree -----------------------------------------------------------------------

INPUTS = [b"block", b"envelope", b"", b"price" * 100, b"\xff" * 4096]


@pytest.fixture(scope="module")
def inputs():
    return InputsTree.from_leaves(1000, INPUTS)


def test_every_input_is_proved(tree, inputs):
    for position, leaf in enumerate(INPUTS):
        seq = 1000 + position
        tree.verify_input(inputs.root, 1000, seq, leaf, inputs.prove(seq))


def test_an_input_at_another_number_is_refused(tree, inputs):
    proof = inputs.prove(1002)
    for first_seq, seq in ((1000, 1003), (1001, 1002), (1001, 1003), (0, 2), (0, 1002)):
        with tree.refuses("wrong root"):
            tree.verify_input(inputs.root, first_seq, seq, INPUTS[2], proof)


@pytest.mark.parametrize(
    ("first_seq", "seq"),
    [
        (1000, 999),
        (1000, 1002 + 2**24),
        (1000, 1002 + 2**32),
        (1000, 1002 + 2**64),
        (1000 + 2**64, 1002 + 2**64),
        (2**256 - 1, 1),
        (0, 2**256 - 1),
    ],
)
def test_a_number_outside_of_the_batch_is_refused(tree, inputs, first_seq, seq):
    with tree.refuses("seq"):
        tree.verify_input(inputs.root, first_seq, seq, INPUTS[2], inputs.prove(1002))


def test_input_proofs_of_another_length_and_zero_roots_are_refused(tree, inputs):
    proof = inputs.prove(1002)
    for length in (0, 1, 23):
        with tree.refuses("proof length"):
            tree.verify_input(inputs.root, 1000, 1002, INPUTS[2], proof[:length])
    with tree.refuses("proof length") if tree.is_solidity else ape.reverts():
        tree.verify_input(inputs.root, 1000, 1002, INPUTS[2], [*proof, bytes(32)])
    with tree.refuses("zero root"):
        tree.verify_input(bytes(32), 1000, 1002, INPUTS[2], proof)
    with tree.refuses("wrong root"):
        tree.verify_input(inputs.root, 1000, 1002, INPUTS[2] + b"\x00", proof)


def test_an_input_of_another_size_is_refused(tree, inputs):
    leaf, proof = INPUTS[3], inputs.prove(1003)
    for size in (0, len(leaf) - 1, len(leaf) + 1, 4097, 2**32 - 1):
        with tree.refuses("wrong root"):
            tree.verify_input_hash(inputs.root, 1000, 1003, size, slow.keccak(leaf), proof)


@pytest.mark.parametrize("shift", [32, 64, 255])
def test_a_size_that_would_wrap_to_the_right_one_is_refused(tree, inputs, shift):
    size, digest = len(INPUTS[3]) + 2**shift, slow.keccak(INPUTS[3])
    with tree.refuses("size"):
        tree.verify_input_hash(inputs.root, 1000, 1003, size, digest, inputs.prove(1003))


@pytest.mark.parametrize("size", [4097, 2**24 + 3, 2**32 - 1])
def test_a_leaf_that_is_too_long_is_shown_by_its_size(tree, size):
    digests = np.frombuffer(slow.keccak(b"first") + slow.keccak(b"unknown"), np.uint8)
    huge = InputsTree(7, digests.reshape(2, 32), np.array([5, size]))
    tree.verify_input_hash(huge.root, 7, 8, size, slow.keccak(b"unknown"), huge.prove(8))


def test_an_inner_node_is_no_input(tree, inputs):
    leaf = slow.input_leaf_of(1002, INPUTS[2])
    proof = inputs.prove(1002)
    parent = fold_proof(leaf, 2, proof[:1])
    assert fold_proof(parent, 1, proof[1:]) == inputs.root
    for data in (leaf + proof[0], parent):
        with tree.refuses("proof length"):
            tree.verify_input(inputs.root, 1000, 1001, data, proof[1:])
        with tree.refuses("wrong root"):
            tree.verify_input(inputs.root, 1000, 1001, data, [*proof[1:], bytes(32)])


# --- decoders -----------------------------------------------------------------------------------------


def expected_fields(table, words):
    """Values of a record's fields, in order: numbers, addresses in lower case, bytes."""
    values = []
    for field in table.fields:
        bits = 8 * field.width
        number = int.from_bytes(words[field.word], "big") >> 8 * field.offset & (1 << bits) - 1
        if field.kind[0] == "i" and number >> bits - 1:
            number -= 1 << bits
        if field.kind == "address":
            values.append("0x" + number.to_bytes(20, "big").hex())
        elif field.kind.startswith("bytes"):
            values.append(number.to_bytes(field.width, "big"))
        else:
            values.append(number)
    return values


def evm_type(field):
    kinds = {"u": "uint", "i": "int"}
    return f"{kinds[field.kind[0]]}{8 * field.width}" if field.kind[0] in kinds else field.kind


def found_fields(table, decode, words):
    # Not by Ape's struct classes: a field called `items`, which the machine has, breaks them.
    types = ",".join(evm_type(field) for field in table.fields)
    (values,) = eth_abi.decode([f"({types})"], bytes(decode(words, decode=False)))
    return list(values)


@pytest.fixture(scope="module")
def decoders(language, deployer, project):
    """Decoder of a table, and the error of its contract, by the table's name."""
    is_solidity = language == "solidity"
    prefix = "RecordsHarness" if is_solidity else "records_harness"
    parts = [
        deployer.deploy(getattr(project, f"{prefix}{part}")) for part in range(1, HARNESSES + 1)
    ]
    functions = {}
    for table in TABLES:
        contract = parts[table.number % HARNESSES]
        pascal = "".join(part.capitalize() for part in table.name.split("_"))
        name = f"decode{pascal}" if is_solidity else f"decode_{table.name}"
        error = contract.WrongWordCount if is_solidity else "records: word count"
        functions[table.name] = (getattr(contract, name), error)
    words_of = parts[0].wordsOf if is_solidity else parts[0].words_of
    return SimpleNamespace(of=functions.__getitem__, words_of=words_of)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_field_is_decoded_as_python_reads_it(decoders, table):
    dice = random.Random(table.name)
    decode, _ = decoders.of(table.name)
    samples = [[dice.randbytes(32) for _ in range(table.words)] for _ in range(4)]
    samples += [[bytes([value]) * 32] * table.words for value in (0x00, 0x7F, 0x80, 0xFF)]
    for words in samples:
        assert found_fields(table, decode, words) == expected_fields(table, words)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_decoder_refuses_another_number_of_words(decoders, table):
    decode, error = decoders.of(table.name)
    for count in {0, table.words - 1, table.words + 1} - {MAX_WORDS + 1}:
        with ape.reverts(error):
            decode([bytes(32)] * count)


def test_word_counts_are_those_of_python(decoders):
    for table in TABLES:
        assert decoders.words_of(table.number) == table.words
    for number in (UNKNOWN_TYPE, 63, 64, 65, 255, 2**255, 2**256 - 1):
        assert decoders.words_of(number) == 0
