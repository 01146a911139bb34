// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ClaimId} from "./Types.sol";

/// @title IStateChain
/// @notice The zone's history on L1, in two layers that never touch each other:
///
/// - **Headers** order the inputs. The sequencer of the current epoch commits them; a header is final
///   when committed, whatever is claimed or disputed later. So a lost dispute re-orders no trade.
/// - **Claims** say which state follows. Anyone may claim, against a bond. Because the inputs are
///   fixed, exactly one state follows from a claim's parent: two children of one claim are rivals,
///   and at most one is right.
///
/// ## Headers
/// `number`, `parent`, `firstSeq` and `firstBlock` continue the last header without a gap; the inbox
/// index never falls and its prefix hash must be the inbox's own; zone time never runs backwards and
/// never ahead of L1. A commit reverts while a message older than `inboxLag` would stay unconsumed, so
/// nothing in the queue can be left out or held back as an option. Each commit puts a heartbeat into
/// the inbox, from which the zone learns how far L1 time has come.
///
/// ## Claims
/// A claim covers exactly `claimStride` batches: its batch is that of its parent plus the stride. A
/// claim is final, in order after its parent, once `windowSeconds` *and* `windowBlocks` have passed
/// since it was made and it is the only child of its parent, or the one that the judge named.
///
/// A second child is taken as long as the first one's window runs, more of them until the rivalry is
/// resolved. From the second child on nothing below the parent becomes final until the judge rules.
/// It may decide at any time; its ruling is taken when the parent is final, so that rivalries are
/// settled in order and none in a part of the tree that is about to die. If no ruling was taken
/// within `judgeSeconds` *and* `judgeBlocks` of the moment from which there were both rivals and a
/// final parent, only `freeze` is left: it stops the chain for ever at the parent.
///
/// ## Freeze and escape
/// The chain is LIVE, FROZEN or in ESCAPE, and never goes back. Anyone freezes it who shows that the
/// oldest unconsumed message waits for longer than `silence`, or that nothing became final for longer
/// than `stall` although a batch was there to be claimed. The freeze shuts the inbox and writes one
/// more header, the *closing batch*: no leaves, no blocks, every message of the inbox. Its state is
/// claimed, disputed and made final like any other, and when it is, escape opens at it: `Escape` pays
/// what its records say.
///
/// If the judge gives no ruling in time, or the closing batch has no final claim `closing` after the
/// freeze, the rest is *abandoned*: escape opens at the last final claim. What the inbox holds beyond
/// that claim's batch goes back to the depositors.
///
/// ## Bonds
/// One bond stands behind all open claims of an asserter; therefore these lie on one path: a new claim
/// must descend from the asserter's last one. A claim that loses a ruling costs its asserter the bond:
/// half goes to the asserter of the winner, half to `sink`. Since all earlier claims of that asserter
/// are final by then and all later ones built on the lost one, no open claim is left without a bond
/// that still can become final. Claims built on a lost claim die with it and cost nothing more. Both
/// are done claim by claim, in any transaction, by `dismiss`: nothing loops over what others can add.
///
/// Assumptions for safety:
/// - The judge rules for the right child (`IJudge`).
/// - Somebody who knows the inputs claims the right state within the window of a wrong claim.
/// - `block.number` counts L1 blocks, and neither it nor the time decreases.
///
/// Assumptions for liveness:
/// - Inputs of committed batches are available to asserters.
/// - The sequencer commits up to each multiple of the stride, and somebody claims it.
interface IStateChain {
    /// @notice Batch header; field for field `tradezone/protocol/batches.py`. Times are ms.
    struct Header {
        uint64 epoch; // whose key commits
        uint64 number; // from 1
        bytes32 parent; // hash of header number - 1; zero for the first
        bytes32 inputsRoot; // positional tree over the leaves
        uint64 firstSeq; // of the first leaf; leaves are numbered from 1 over all batches
        uint64 count; // leaves, 1 .. 2^24
        uint64 inboxIndex; // one past the last inbox message that may be consumed
        bytes32 inboxHash; // inbox prefix hash at inboxIndex
        uint64 firstBlock; // zone block number, from 1 over all batches
        uint64 blocks; // zone blocks, each opened by a leaf
        uint64 startTime; // of the first block
        uint64 endTime; // of the last block
    }

    /// @notice What the next header must continue.
    struct Tip {
        bytes32 hash; // hash of the last header; zero before the first
        uint64 number; // batches committed
        uint64 nextSeq;
        uint64 inboxIndex;
        uint64 nextBlock;
        uint64 endTime; // ms
    }

    /// @notice What the chain still does.
    enum Mode {
        LIVE, // takes inputs and claims
        FROZEN, // takes claims on what it has, until the closing batch is final
        ESCAPE // takes nothing; everybody leaves against the last final root
    }

    /// @notice Why a chain froze.
    enum FreezeReason {
        SILENT, // a message waited too long
        STALLED, // nothing became final
        UNRULED // the judge did not rule
    }

    /// @notice Where a claim stands.
    enum ClaimStatus {
        NONE, // there is no such claim
        OPEN, // waiting for its window, its parent or the judge
        FINAL, // for ever
        DEAD // lost a ruling, or built on a claim that did
    }

    /// @notice A claim. Its header hash is that of its batch.
    struct Claim {
        ClaimId parent;
        bytes32 stateRoot;
        address asserter; // zero for the genesis claim
        uint64 batch;
        ClaimStatus status;
        uint64 time; // when it was made, L1 seconds
        uint64 blockNumber; // when it was made, L1 block
    }

    /// @notice The children of a claim and the rivalry between them.
    struct Fork {
        ClaimId firstChild; // zero = no child
        ClaimId winner; // zero = not resolved
        uint32 children;
        uint64 rivalTime; // when the second child was claimed, L1 seconds; 0 = no rivals
        uint64 rivalBlock;
    }

    /// @notice An asserter's bond.
    struct Asserter {
        ClaimId lastClaim;
        uint64 openClaims;
        bool isBonded;
    }

    /// @notice Parameters, fixed by the constructor.
    struct Config {
        address inbox;
        address sequencers;
        address judge;
        address sink; // takes the half of a lost bond that the winner does not get
        bytes32 genesisRoot; // state root before the first batch
        uint64 inboxLag; // seconds
        uint64 claimStride; // batches
        uint64 windowSeconds;
        uint64 windowBlocks;
        uint64 judgeSeconds;
        uint64 judgeBlocks;
        uint64 silenceSeconds; // above `inboxLag`
        uint64 silenceBlocks;
        uint64 stallSeconds; // at least window and judge's time
        uint64 stallBlocks;
        uint64 closingSeconds; // at least two windows and judge's time
        uint64 closingBlocks;
        uint256 bond; // wei
    }

    /* EVENTS */

    /// @notice A batch was committed; its header is final.
    event BatchCommitted(uint64 indexed number, bytes32 indexed headerHash, Header header);

    /// @notice A claim was made.
    /// @param children how many children the parent has now; from 2 on they are rivals.
    event Claimed(
        ClaimId indexed claim,
        ClaimId indexed parent,
        address indexed asserter,
        uint64 batch,
        bytes32 stateRoot,
        uint32 children
    );

    /// @notice A claim became final.
    event Finalized(ClaimId indexed claim, uint64 batch, bytes32 stateRoot);

    /// @notice The judge ruled between the children of `parent`.
    event Resolved(ClaimId indexed parent, ClaimId indexed winner);

    /// @notice A claim died: it lost a ruling, or its parent was dead.
    event Dismissed(ClaimId indexed claim, address indexed asserter);

    /// @notice An asserter posted its bond.
    event BondPosted(address indexed asserter, uint256 amount);

    /// @notice An asserter took its bond back.
    event BondWithdrawn(address indexed asserter, uint256 amount);

    /// @notice An asserter lost its bond to the asserter of the winner and the sink.
    event BondForfeited(
        address indexed asserter, address indexed winner, uint256 reward, uint256 toSink
    );

    /// @notice Money that was won, or forfeited to the sink, was paid out.
    event Collected(address indexed account, uint256 amount);

    /// @notice The chain froze, for ever.
    /// @param latestFinal newest final claim at that time.
    event Frozen(FreezeReason indexed reason, ClaimId indexed latestFinal);

    /// @notice Nothing becomes final any more; everybody leaves against this root.
    /// @param isAbandoned whether the closing batch is not part of it.
    event EscapeOpened(ClaimId indexed claim, bytes32 stateRoot, bool isAbandoned);

    /* ERRORS: CONFIGURATION */

    /// @notice A parameter of the constructor is zero or out of range.
    error BadConfig(string parameter);

    /* ERRORS: HEADERS */

    /// @notice The chain is frozen: no inputs any more, and in ESCAPE no claims either.
    error ChainFrozen();
    /// @notice The caller is not the sequencer of the current epoch.
    error NotSequencer(address caller, address expected);
    /// @notice No header was given.
    error NoHeaders();
    error WrongEpoch(uint64 given, uint64 expected);
    error WrongNumber(uint64 given, uint64 expected);
    error WrongParent(bytes32 given, bytes32 expected);
    error ZeroInputsRoot();
    error WrongFirstSeq(uint64 given, uint64 expected);
    error CountOutOfRange(uint64 count, uint64 limit);
    /// @notice The inbox index falls behind the last header's or is beyond the queue.
    error InboxIndexOutOfRange(uint64 given, uint64 lowest, uint64 highest);
    error WrongInboxHash(bytes32 given, bytes32 expected);
    /// @notice The message at `index` is older than the lag allows and would stay unconsumed.
    error InboxLagging(uint64 index, uint64 age, uint64 limit);
    error WrongFirstBlock(uint64 given, uint64 expected);
    /// @notice A batch has at least one block, and each block at least the leaf that opens it.
    error BlocksOutOfRange(uint64 blocks, uint64 limit);
    error StartsTooEarly(uint64 startTime, uint64 earliest);
    error EndsBeforeStart(uint64 endTime, uint64 startTime);
    error EndsInFuture(uint64 endTime, uint64 latest);
    /// @notice No batch has this number yet.
    error UnknownBatch(uint64 number, uint64 last);

    /* ERRORS: CLAIMS */

    error UnknownClaim(ClaimId claim);
    error ClaimExists(ClaimId claim);
    /// @notice A state root is never zero.
    error ZeroStateRoot();
    /// @notice The claim's batch is not one stride after its parent's.
    error WrongBatch(uint64 given, uint64 expected);
    /// @notice The batch that was committed is another one than the asserter meant.
    error WrongHeader(bytes32 given, bytes32 committed);
    /// @notice The parent is dead or has lost a ruling.
    error ParentLost(ClaimId parent);
    /// @notice Children of this parent are no longer taken.
    error ChildrenClosed(ClaimId parent);
    error NotBonded(address asserter);
    /// @notice The asserter has open claims and the new one does not descend from the last of them.
    error NotOnOnePath(ClaimId lastClaim, ClaimId parent);
    error ClaimNotOpen(ClaimId claim, ClaimStatus status);
    error ParentNotFinal(ClaimId parent);
    /// @notice The window of the claim runs until both of these are reached.
    error WindowRunning(uint64 untilTime, uint64 untilBlock);
    /// @notice The parent has several children and the judge has not named this one.
    error Contested(ClaimId parent, uint32 children);
    error ClaimNotFinal(ClaimId claim);

    /* ERRORS: DISPUTES */

    error NotContested(ClaimId parent);
    error AlreadyResolved(ClaimId parent, ClaimId winner);
    error NoRuling(ClaimId parent);
    /// @notice The judge named a claim that is no child of the parent.
    error NotAChild(ClaimId claim, ClaimId parent);
    /// @notice The time for a ruling is over.
    error RulingTooLate(ClaimId parent);
    /// @notice The judge's time runs until both of these are reached.
    error JudgeHasTime(uint64 untilTime, uint64 untilBlock);
    /// @notice The claim lost nothing: its parent lives and no ruling was made against it.
    error NotLost(ClaimId claim);

    /* ERRORS: FREEZE */

    /// @notice The inbox holds no message that the zone has not consumed.
    error NothingWaits(uint64 index);
    /// @notice Message `index` is not the heartbeat of that batch.
    error WrongHeartbeat(uint64 index, uint64 batch);
    /// @notice The deadline runs until both of these are reached.
    error TooEarly(uint64 untilTime, uint64 untilBlock);
    error NotFrozen(Mode mode);
    error NotEscaping(Mode mode);

    /* ERRORS: BONDS */

    error WrongBond(uint256 sent, uint256 expected);
    error AlreadyBonded(address asserter);
    error BondInUse(address asserter, uint64 openClaims);
    error NothingToCollect(address account);
    error TransferFailed(address to, uint256 amount);

    /* WRITES: HEADERS */

    /// @notice Commit the next batch.
    function commit(Header calldata header) external;

    /// @notice Commit the next batch and put its leaves on chain as calldata, where whoever reads the
    /// transaction finds them. The contract does not read them: that they are the leaves of
    /// `inputsRoot` is checked by every verifier, and by the judge if it matters.
    /// @param leaves the batch's leaves, framed as `docs/spec` says.
    function commitWithData(Header calldata header, bytes calldata leaves) external;

    /// @notice Commit several batches at once. The lag rule is applied to the last one: after an
    /// outage of L1 or of the sequencer, batches that were executed before it can still be committed
    /// unchanged, together with one that catches up with the inbox.
    function commitMany(Header[] calldata headers) external;

    /* WRITES: CLAIMS */

    /// @notice Claim the state after a batch. The caller must be bonded.
    /// @param parent claim it builds on: open or final.
    /// @param batch the parent's batch plus `claimStride`, at most the closing batch; committed.
    /// @param headerHash hash of that batch's header, so that a re-organisation of L1 cannot turn the
    /// claim into one about another history.
    /// @param stateRoot root of the record tree after the batch.
    /// @return claim_ its id: `keccak256(abi.encode(parent, batch, headerHash, stateRoot))`.
    function claim(ClaimId parent, uint64 batch, bytes32 headerHash, bytes32 stateRoot)
        external
        returns (ClaimId claim_);

    /// @notice Make a claim final: its parent is final, its window has passed, and it has no rival or
    /// won the ruling. Anyone may call.
    function finalize(ClaimId claim_) external;

    /// @notice Take the judge's ruling between the children of `parent`, the last final claim. Anyone
    /// may call, until the judge's time is over.
    function resolve(ClaimId parent) external;

    /// @notice Bury a claim that lost a ruling, or whose parent is dead; in the first case its
    /// asserter loses the bond. Anyone may call; descendants are buried after their parents.
    function dismiss(ClaimId claim_) external;

    /* WRITES: FREEZE */

    /// @notice Freeze: the oldest message that the zone has not consumed is older than `silence`.
    /// Anyone may call. Each commit enqueues a message, so this is also what a sequencer that commits
    /// nothing leads to.
    function freezeSilent() external;

    /// @notice Freeze: the batch after the last final claim was committed longer than `stall` ago, and
    /// nothing became final since. Anyone may call.
    /// @param heartbeat index of the inbox message with which that batch was committed.
    function freezeStalled(uint64 heartbeat) external;

    /// @notice Stop the chain for ever at `parent` and open escape there: it is the last final claim,
    /// its children are rivals, and no ruling was taken in time. Anyone may call.
    function freeze(ClaimId parent) external;

    /// @notice Open escape at the last final claim: `closing` has passed since the freeze and no claim
    /// on the closing batch is final. Anyone may call.
    function abandon() external;

    /* WRITES: BONDS */

    /// @notice Post the bond that lets the caller claim. Send exactly `bond`.
    function postBond() external payable;

    /// @notice Take the bond back: no claim of the caller is open, or the rest was abandoned, which
    /// proved nobody wrong.
    function withdrawBond() external;

    /// @notice Pay `account` what it has won (or, for the sink, what was forfeited to it). Anyone
    /// may call.
    function collect(address account) external;

    /* VIEWS: PARAMETERS */

    /// @notice Queue whose messages the zone consumes.
    function inbox() external view returns (address);

    /// @notice Says whose turn it is to commit.
    function sequencers() external view returns (address);

    /// @notice Decides between rival claims.
    function judge() external view returns (address);

    /// @notice Takes half of each lost bond.
    function sink() external view returns (address);

    /// @notice Age at which an unconsumed message stops commits, seconds.
    function inboxLag() external view returns (uint64);

    /// @notice Batches that a claim covers.
    function claimStride() external view returns (uint64);

    /// @notice Time that must pass between a claim and its finality, seconds.
    function windowSeconds() external view returns (uint64);

    /// @notice Blocks that must pass between a claim and its finality.
    function windowBlocks() external view returns (uint64);

    /// @notice Time that the judge has for a ruling, seconds.
    function judgeSeconds() external view returns (uint64);

    /// @notice Blocks that the judge has for a ruling.
    function judgeBlocks() external view returns (uint64);

    /// @notice How long a message may wait before anyone can freeze: seconds and blocks.
    function silence() external view returns (uint64 time, uint64 blocks);

    /// @notice How long nothing may become final before anyone can freeze: seconds and blocks.
    function stall() external view returns (uint64 time, uint64 blocks);

    /// @notice How long after the freeze the closing batch is waited for: seconds and blocks.
    function closing() external view returns (uint64 time, uint64 blocks);

    /// @notice Bond of an asserter, wei.
    function bond() external view returns (uint256);

    /// @notice Claim that the constructor made final: the state before the first batch.
    function genesisClaim() external view returns (ClaimId);

    /// @notice EIP-712 domain that envelopes and block heads of this zone are signed for.
    function domainSeparator() external view returns (bytes32);

    /* VIEWS: STATE */

    /// @notice What the chain still does.
    function mode() external view returns (Mode);

    /// @notice Whether the chain takes no inputs any more, that is, is not LIVE. For ever, if so.
    function isFrozen() external view returns (bool);

    /// @notice Whether escape was opened without the closing batch.
    function isAbandoned() external view returns (bool);

    /// @notice Number of the closing batch; 0 = there is none (yet).
    function closingBatch() external view returns (uint64);

    /// @notice When the chain became FROZEN, L1 seconds and block; zero if it did not.
    function frozenAt() external view returns (uint64 time, uint64 blockNumber);

    /// @notice When `latestFinal` became final, L1 seconds and block.
    function finalAt() external view returns (uint64 time, uint64 blockNumber);

    /// @notice State root that everybody leaves against: that of `latestFinal`, which does not change
    /// any more. Reverts with `NotEscaping` before.
    function escapeRoot() external view returns (bytes32);

    /// @notice What the next header must continue.
    function tip() external view returns (Tip memory);

    /// @notice Hash of a committed header.
    function headerHashOf(uint64 number) external view returns (bytes32);

    /// @notice Hash of a header: `keccak256(abi.encode(header))`.
    function hashHeader(Header calldata header) external pure returns (bytes32);

    /// @notice Newest final claim.
    function latestFinal() external view returns (ClaimId);

    /// @notice A claim; `status` is NONE if there is none.
    function claimOf(ClaimId claim_) external view returns (Claim memory);

    /// @notice The children of a claim.
    function forkOf(ClaimId parent) external view returns (Fork memory);

    /// @notice Whether `parent` has rival children, no ruling was taken, and one still can be: now, or
    /// once the parent is final.
    function isAwaitingRuling(ClaimId parent) external view returns (bool);

    /// @notice Whether a claim is final.
    function isFinal(ClaimId claim_) external view returns (bool);

    /// @notice State root of a claim, final or not. Reverts with `UnknownClaim` if there is none.
    /// @dev Warning: money moves on `finalRootOf` only.
    function rootOf(ClaimId claim_) external view returns (bytes32);

    /// @notice State root of a final claim. Reverts with `ClaimNotFinal` for any other.
    function finalRootOf(ClaimId claim_) external view returns (bytes32);

    /// @notice Bond and open claims of an asserter.
    function asserterOf(address account) external view returns (Asserter memory);

    /// @notice What `collect` would pay `account`, wei.
    function collectable(address account) external view returns (uint256);
}
