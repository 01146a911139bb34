"""A zone that runs: its deployment, a real sequencer on disk, the watcher and the poster, driven by hand."""

from __future__ import annotations

from tradezone.chain import ChainReader, Deployment, InboxWatcher, NodeSender, Poster, Rpc
from tradezone.client import Asset, Market, NonceSource, PrivateKey, Signer
from tradezone.sequencer import Accepted, BatchLimits, ManualClock, SequencerConfig, recover


class RunningZone:
    """Everything that an operator would run, in one object.

    Zone time is the time of the newest L1 block, so that batches can be committed at once.
    """

    def __init__(self, uri, deployment_path, directory, secret, poster_address=None, epoch=1):
        self.rpc = Rpc(uri)
        self.deployment_path, self.secret = deployment_path, secret
        self.deployment = Deployment.load(deployment_path)
        self.directory = directory
        self.key, self.epoch = PrivateKey(secret), epoch
        self.reader = ChainReader(self.rpc, self.deployment.address("chain"))
        self.separator = self.reader.separator()
        self.clock = ManualClock(0)
        self.sequencer = None
        self.poster_address = poster_address
        self.start()

    def start(self):
        """Open the directory, as after a crash or a stop; the watcher goes on where the journal ends."""
        self.clock.time_ms = self.l1_time
        limits = BatchLimits(blocks=10**6, milliseconds=10**9)
        self.sequencer = recover(
            self.directory,
            SequencerConfig(self.separator, epoch=self.epoch),
            self.key,
            clock=self.clock,
            limits=limits,
        ).sequencer
        index, prefix = self.sequencer.inbox
        self.watcher = InboxWatcher(
            self.rpc,
            self.deployment.address("inbox"),
            self.directory / "inbox.json",
            start=index,
            prefix=prefix,
            confirmations=0,
        )

    @property
    def l1_time(self):
        return self.rpc.head().time * 1000

    @property
    def machine(self):
        return self.sequencer.engine.machine

    def restart(self):
        self.sequencer.close()
        self.start()

    def poster(self, address=None, **options):
        sender = NodeSender(self.rpc, address or self.poster_address)
        return Poster(self.rpc, self.deployment.address("chain"), sender, self.directory, **options)

    # --- running -------------------------------------------------------------------------------------

    def take_messages(self):
        """Let the zone hear what L1 says."""
        messages = self.watcher.poll()
        self.sequencer.offer_messages(messages)
        return messages

    def send(self, *leaves):
        """Send envelopes; all have to be let in."""
        answers = self.sequencer.admit_and_submit(leaves)
        refused = [answer for answer in answers if not isinstance(answer, Accepted)]
        assert not refused, refused

    def run(self):
        """Close blocks until nothing waits, orders on their way to the book included."""
        self.clock.time_ms = max(self.l1_time, self.sequencer.time)
        return self.sequencer.close_until_idle(until_ms=self.clock.time_ms + 1_000)

    def publish(self):
        """Publish what was run as a batch."""
        return self.sequencer.publish_batch()

    def pass_time(self, seconds, blocks=1):
        """Move L1 on."""
        self.rpc.request("evm_increaseTime", seconds)
        self.rpc.request("anvil_mine", hex(blocks))

    # --- reading -------------------------------------------------------------------------------------

    def owner_id(self, address):
        return self.deployment.at(self.rpc, "owner_registry").call("idOf", address)

    def account_of(self, address):
        """Main account and owner key of an address."""
        owners = self.sequencer.engine.tables["owner"]
        owner = owners[self.owner_id(address)]
        return int(owner["first_account"]), int(owner["first_key"])

    def signer(self, account):
        """A client's signer for an Ape account."""
        number, key_slot = self.account_of(account.address)
        generation = int(self.sequencer.engine.tables["key"][key_slot]["generation"])
        secret = bytes.fromhex(account.private_key.removeprefix("0x"))
        return Signer(
            PrivateKey(secret),
            number,
            generation << 32 | key_slot,
            self.separator,
            # Above the key's approval, and above what was signed at an earlier time of L1.
            nonces=NonceSource(lambda: max(self.sequencer.time, self.clock.time_ms) + 1),
        )

    def balance(self, address, asset):
        """Free atoms of an address's main account."""
        number, _ = self.account_of(address)
        table = self.sequencer.engine.tables["balance"]
        end = int(self.sequencer.engine.tables["head"][7]["high_water"])
        return sum(
            int(table[i]["free"])
            for i in range(1, end)
            if int(table[i]["account"]) == number and int(table[i]["asset"]) == asset
        )

    def asset(self, number, symbol):
        terms = self.deployment.at(self.rpc, "asset_registry").call("assetOf", number)
        return Asset(number, symbol, terms["decimals"])

    def market(self, slot, base, quote):
        record = self.sequencer.engine.tables["market"][slot]
        return Market(
            slot,
            base,
            quote,
            int(record["lot_size"]),
            int(record["tick_value"]),
            int(record["max_price"]),
            int(record["max_lots"]),
        )
