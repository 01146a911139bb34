// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title ISequencers
/// @notice Says whose turn it is to order inputs. The state chain asks at every commit and nowhere
/// else: a sequencer orders and can claim like anyone, it decides nothing about states or money.
///
/// ## Epochs
/// Time in office is counted in epochs, from 1 without gaps. An epoch has one key, which commits the
/// batches and signs the block heads, and never another. Epoch 1 is the key of the constructor's. The
/// next one begins when a standby takes over, or when the operator itself rotates its key.
///
/// ## Standbys
/// Operators are the listed members of a bonded register, in its order, which nobody can change. The
/// standbys of an operator are those behind it on the list, and then those before it; of one that is not on
/// the list, all of them from the first on. The n-th standby may take over once nothing was committed for n
/// times `takeover`, and every standby once nothing was committed for `open`. An operator that is not on
/// the list (it never bonded, it leaves, it was convicted) may be taken over from by every standby at any
/// time.
///
/// Whoever takes over has `takeover` to commit before anybody may take over from it. Who took over and
/// committed nothing has had its turn: it may not take over again before somebody commits, or `open` has
/// passed since. So operators that take over and do nothing cost one period each, not one another for ever.
///
/// Rotation does not begin a period anew: an operator cannot hold its office by changing keys.
///
/// ## What a lost epoch leaves
/// A batch that was published and not committed when its epoch ended carries a number that no commit
/// takes any more: it is void unless a later operator commits the same leaves. docs/spec/sequencers.md.
///
/// Assumptions for safety:
/// - The register's list holds members with a whole bond only, and a key has one account for ever.
/// - `currentEpoch` never decreases and a past epoch's key never changes: this is what the state chain and
///   evidence against sequencers rely on.
///
/// Assumptions for liveness:
/// - The current key commits, or some member of the register takes over and does.
interface ISequencers {
    /// @notice Parameters, fixed by the constructor.
    struct Config {
        address chain; // state chain of the zone
        address register; // bonded register of operators; zero = nobody ever takes over
        address operator; // key of epoch 1
        uint64 takeoverSeconds; // without a commit, after which the next standby may take over
        uint64 takeoverBlocks;
        uint64 openSeconds; // after which every standby may; at least the above
        uint64 openBlocks;
    }

    /// @notice An epoch.
    struct Epoch {
        address key; // commits and signs
        address account; // that took over; zero in epoch 1 and in those that rotation began from it
        uint64 time; // since when its operator is in office, L1 seconds
        uint64 blockNumber;
        uint64 firstBatch; // number of the first batch that can be of this epoch
    }

    /// @notice Why an epoch began.
    enum Reason {
        GENESIS, // the zone was deployed
        TAKEN_OVER, // a standby took over
        ROTATED // its operator changed its key
    }

    /* EVENTS */

    /// @notice An epoch began.
    /// @param account that answers for the key: the register's account of it, or the key itself.
    /// @param before key of the epoch before; zero for the first.
    event EpochBegan(
        uint64 indexed epoch,
        address indexed account,
        address indexed key,
        address before,
        uint64 firstBatch,
        Reason reason
    );

    /* ERRORS */

    /// @notice A parameter of the constructor is zero or out of range.
    error BadConfig(string parameter);
    /// @notice The chain takes no inputs any more, so there is nothing to order.
    error ChainFrozen();
    /// @notice The zone was deployed without a register of operators.
    error NoStandbys();
    /// @notice Neither an account on the register's list nor the key of one.
    error NotAStandby(address caller);
    error InOffice(address account, uint64 epoch);
    /// @notice The account took over, nobody committed since, and `open` has not passed.
    error TurnTaken(address account, uint64 epoch);
    /// @notice Until both of these are reached, if nothing is committed meanwhile.
    error TooEarly(uint64 untilTime, uint64 untilBlock);
    /// @notice The inbox message at `index` is not the heartbeat of that batch, the last one.
    error WrongHeartbeat(uint64 index, uint64 batch);
    error NotOperator(address caller, address operator);
    error SameKey(address key);
    error ZeroKey();
    /// @notice The register knows another key of the account, or knows the key as another account's.
    error WrongKey(address key, address expected);
    /// @notice A batch was committed meanwhile, or not yet.
    error TipMoved(bytes32 given, bytes32 tip);

    /* WRITES */

    /// @notice Begin the next epoch with the key that the register has for the caller, or for the account
    /// whose key the caller is.
    /// @param heartbeat index of the inbox message with which the last batch was committed; any number if
    /// there is none.
    function takeOver(uint64 heartbeat) external returns (uint64 epoch);

    /// @notice Begin the next epoch with another key of the same operator, by the account that answers for
    /// the current key.
    /// @param key the one that the register has for the account; a free one if it knows the account not.
    /// @param tip hash of the last header: batches that are not committed by then lose their epoch.
    function rotate(address key, bytes32 tip) external returns (uint64 epoch);

    /* VIEWS */

    /// @notice Parameters.
    function config() external view returns (Config memory);

    /// @notice Epoch whose key may commit now; from 1.
    function currentEpoch() external view returns (uint64);

    /// @notice Key that may commit in `epoch`; zero if the epoch has none.
    function sequencerOf(uint64 epoch) external view returns (address);

    /// @notice An epoch; all zero if it has not begun.
    function epochOf(uint64 epoch) external view returns (Epoch memory);

    /// @notice Account that answers for the current key: the register's, or the key itself.
    function operator() external view returns (address);

    /// @notice Whether the operator is on the register's list.
    function isBonded() external view returns (bool);

    /// @notice Who may take over from the operator, in their order.
    function standbys() external view returns (address[] memory);

    /// @notice Time and block that must both be reached for an account to take over, if nothing is committed
    /// meanwhile. Reverts as `takeOver` would for any other reason.
    function opensAt(address account, uint64 heartbeat)
        external
        view
        returns (uint64 untilTime, uint64 untilBlock);
}
