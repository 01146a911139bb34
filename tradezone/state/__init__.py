"""The consensus state as hashes: keccak, the record tree, the inputs tree, proofs.

Import from the modules (`tradezone.state.keccak`, `.tree`, `.inputs_tree`): jitted code must not be
loaded by a program that only wants to verify a proof.
"""
