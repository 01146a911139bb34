// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IStateChain} from "./IStateChain.sol";

/// @title IBondedRegister
/// @notice Who stands behind a duty of the zone with a bond, in the order of joining: those who can order
/// inputs, and those who vouch for states. A zone has one register for each. The rules are in
/// docs/spec/registers.md.
///
/// A member has an account, which holds the bond, and a key, which signs. A key belongs to one account for
/// ever, so what it signed is answered for as long as a bond is there, after a rotation too.
///
/// Two ways to lose a bond:
/// - **Proof**: a listed evidence contract convicts a key. The bond is locked at once, the member is taken
///   off the list, and the ruling comes after a fixed time. Nobody can stop it.
/// - **Court**: an address fixed at deployment takes any part at once, for what needs judgement.
///
/// Assumptions for safety:
/// - Evidence contracts convict the guilty only, and one act has one nullifier.
/// - The court judges within the unbonding period, which it cannot prolong.
///
/// Assumptions for liveness: somebody calls `rule` when a case is ripe; a member's bond waits for it.
interface IBondedRegister {
    /// @notice A member.
    struct Member {
        address key; // that signs now
        uint64 since; // registered, L1 seconds; 0 = no member
        uint128 bond; // wei
        uint64 leftTime; // asked for the bond; 0 = stays
        uint64 leftBlock;
        uint32 openCases;
        bool isActive; // on the list
    }

    /// @notice A conviction by proof.
    struct Case {
        address account;
        address accuser;
        uint128 amount; // to be taken, wei
        uint64 time; // of the proof
        uint64 blockNumber;
        bool isClosed;
    }

    /// @notice Parameters, fixed by the constructor.
    // In memory only.
    // solhint-disable-next-line gas-struct-packing
    struct Config {
        address chain;
        address court;
        address treasury;
        address[] evidence; // contracts of the proof track
        uint256 bond; // of a member, wei
        uint32 maxMembers; // on the list
        uint64 unbondingSeconds;
        uint64 unbondingBlocks;
        uint64 proofSeconds; // from a proof to its ruling
        uint64 proofBlocks;
    }

    /* EVENTS */

    event Registered(address indexed account, address indexed key, uint256 bond);
    event KeyChanged(address indexed account, address indexed before, address indexed key);
    event BondAdded(address indexed account, address indexed payer, uint256 amount, uint256 bond);
    /// @notice A member came to the end of the list.
    event Listed(address indexed account, uint256 members);
    /// @notice A member was taken off the list.
    event Unlisted(address indexed account, uint256 members);
    event Leaving(address indexed account);
    event Withdrawn(address indexed account, uint256 amount);
    event Proved(
        bytes32 indexed caseId,
        address indexed account,
        address indexed accuser,
        address evidence,
        bytes32 nullifier,
        uint256 amount
    );
    event Ruled(bytes32 indexed caseId, address indexed account, uint256 taken, uint256 reward);
    event Slashed(address indexed account, uint256 amount, uint256 bond);
    event Collected(address indexed account, uint256 amount);

    /* ERRORS */

    /// @notice A parameter of the constructor is zero or out of range.
    error BadConfig(string parameter);
    error ZeroAddress();
    error WrongBond(uint256 sent, uint256 expected);
    error AlreadyRegistered(address account);
    error RegisterFull(uint256 members);
    error NotRegistered(address account);
    /// @notice The key is, or was, another account's.
    error KeyTaken(address key, address account);
    error SameKey(address key);
    /// @notice The key did not agree to sign for the account.
    error WrongSigner(address recovered, address key);
    error IsLeaving(address account);
    error NotLeaving(address account);
    /// @notice Until both of these are reached.
    error StillRunning(uint64 untilTime, uint64 untilBlock);
    error CasesOpen(address account, uint32 cases);
    error NotEvidence(address evidence);
    error BadFinding(address evidence);
    error EvidenceUsed(address evidence, bytes32 nullifier);
    error NothingAtStake(address account);
    error UnknownCase(bytes32 caseId);
    error CaseClosed(bytes32 caseId);
    error NotCourt(address caller, address court);
    error AmountOutOfRange(uint256 amount, uint256 bond);
    error NothingToCollect(address account);
    error TransferFailed(address to, uint256 amount);

    /* WRITES: MEMBERS */

    /// @notice Become a member for the bond, at the end of the list.
    /// @param signature of `key` over `keyDigest` of the caller: nobody registers a key that is not its own.
    function register(address key, bytes calldata signature) external payable;

    /// @notice Sign with another key from now on. What the old one signed stays the caller's.
    function rotate(address key, bytes calldata signature) external;

    /// @notice Complete the bond of a member that was slashed; it comes back at the end of the list. Anyone
    /// may pay.
    function topUp(address account) external payable;

    /// @notice Leave the list and begin to unbond.
    function leave() external;

    /// @notice Take the bond back when the unbonding is over and no case is open.
    function withdraw() external;

    /* WRITES: SLASHES */

    /// @notice Convict a key by proof. Anyone may.
    function prove(address evidence, bytes calldata data) external returns (bytes32 caseId);

    /// @notice Carry out a conviction whose time has come. Anyone may.
    function rule(bytes32 caseId) external returns (uint256 taken);

    /// @notice Take from a bond, by the court: to the treasury, at once.
    function slash(address account, uint256 amount) external;

    /// @notice Pay `account` what it is owed. Anyone may.
    function collect(address account) external;

    /* VIEWS */

    /// @notice Parameters.
    function config() external view returns (Config memory);

    /// @notice State chain of the zone.
    function chain() external view returns (IStateChain);

    /// @notice A member; all zero if it is none.
    function memberOf(address account) external view returns (Member memory);

    /// @notice Account that answers for a key, now or once.
    function accountOf(address key) external view returns (address);

    /// @notice Members whose bond is whole and who are neither leaving nor convicted, first come first.
    function members() external view returns (address[] memory);

    /// @notice EIP-712 digest that a key signs to agree to an account.
    function keyDigest(address account) external view returns (bytes32);

    /// @notice Cases so far.
    function caseCount() external view returns (uint64);

    /// @notice A case.
    function caseOf(bytes32 caseId) external view returns (Case memory);

    /// @notice Whether evidence was used.
    function isUsed(address evidence, bytes32 nullifier) external view returns (bool);

    /// @notice Sum of all bonds, wei.
    function totalBonds() external view returns (uint256);

    /// @notice Owed and not collected, wei.
    function totalOwed() external view returns (uint256);

    /// @notice What `collect` would pay, wei.
    function owedTo(address account) external view returns (uint256);
}
