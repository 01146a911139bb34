// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAssetRegistry} from "../interfaces/IAssetRegistry.sol";
import {ICustodyVault} from "../interfaces/ICustodyVault.sol";
import {IGuardianBrake} from "../interfaces/IGuardianBrake.sol";
import {IInbox} from "../interfaces/IInbox.sol";
import {IOwnerRegistry} from "../interfaces/IOwnerRegistry.sol";
import {IPerpRegistry} from "../interfaces/IPerpRegistry.sol";
import {AssetId, OwnerId, VenueId} from "../interfaces/Types.sol";
import {InboxMessages} from "../libraries/InboxMessages.sol";
import {PerpMessages} from "../libraries/PerpMessages.sol";
import {ProtocolBounds} from "../libraries/ProtocolBounds.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

/// @title CustodyVault
/// @notice Implements {ICustodyVault}, which says what it does, what it assumes and how it fails.
contract CustodyVault is ICustodyVault, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /* CONSTANTS */

    /// @notice The native coin's asset id.
    AssetId public constant NATIVE = AssetId.wrap(1);

    /* IMMUTABLES */

    /// @notice Queue that tells the zone of each deposit.
    IInbox public immutable inbox;
    /// @notice Gives new owners their ids.
    IOwnerRegistry public immutable owners;
    /// @notice Terms of the assets.
    IAssetRegistry public immutable assets;
    /// @inheritdoc ICustodyVault
    address public immutable withdrawals;
    /// @inheritdoc ICustodyVault
    address public immutable escape;
    /// @inheritdoc ICustodyVault
    address public immutable brake;
    /// @inheritdoc ICustodyVault
    address public immutable perps;

    /* STORAGE */

    /// @inheritdoc ICustodyVault
    mapping(AssetId asset => uint64 atoms) public outstanding;

    /* CONSTRUCTOR */

    /// @param inbox_ queue of the zone.
    /// @param owners_ owner registry of the zone.
    /// @param assets_ asset registry of the zone.
    /// @param withdrawals_ pays what the zone wrote down as withdrawn.
    /// @param escape_ pays what the last state of a zone that ended says; no third contract can move
    /// money out.
    /// @param brake_ may close the door to deposits for a while; zero = nothing can.
    /// @param perps_ knows which ledgers the zone has; zero = it has none.
    constructor(
        IInbox inbox_,
        IOwnerRegistry owners_,
        IAssetRegistry assets_,
        address withdrawals_,
        address escape_,
        IGuardianBrake brake_,
        IPerpRegistry perps_
    ) {
        inbox = inbox_;
        owners = owners_;
        assets = assets_;
        withdrawals = withdrawals_;
        escape = escape_;
        brake = address(brake_);
        perps = address(perps_);
    }

    /* WRITES */

    /// @inheritdoc ICustodyVault
    function deposit(AssetId asset, uint256 amount, address to)
        external
        payable
        nonReentrant
        returns (uint64 inboxIndex)
    {
        IAssetRegistry.Asset memory terms = assets.assetOf(asset);
        if (terms.kind != InboxMessages.ASSET_ERC20) revert WrongAssetKind(asset, terms.kind);
        uint256 fee = owners.feeFor(to);
        if (msg.value != fee) revert WrongFee(msg.value, fee);

        // Owed before it is there: whatever the token does meanwhile, the ledger never says less than
        // what came in, and the asset cannot be closed.
        (uint64 before, uint64 owed) = _owe(asset, terms, amount);
        _pull(terms.token, amount);
        return _announce(asset, to, fee, before, owed);
    }

    /// @inheritdoc ICustodyVault
    function depositNative(address to) external payable nonReentrant returns (uint64 inboxIndex) {
        uint256 fee = owners.feeFor(to);
        if (msg.value < fee) revert WrongFee(msg.value, fee);
        (uint64 before, uint64 owed) = _owe(NATIVE, assets.assetOf(NATIVE), msg.value - fee);
        return _announce(NATIVE, to, fee, before, owed);
    }

    /// @inheritdoc ICustodyVault
    function compensate(VenueId venue, AssetId asset, uint256 amount)
        external
        payable
        nonReentrant
        returns (uint64 inboxIndex)
    {
        if (perps == address(0) || !IPerpRegistry(perps).hasLedger(venue, asset)) {
            revert NoLedger(venue, asset);
        }
        IAssetRegistry.Asset memory terms = assets.assetOf(asset);
        bool isNative = terms.kind == InboxMessages.ASSET_NATIVE;
        if (!isNative && terms.kind != InboxMessages.ASSET_ERC20) {
            revert WrongAssetKind(asset, terms.kind);
        }
        uint256 value = isNative ? amount : 0;
        if (msg.value != value) revert WrongFee(msg.value, value);
        (uint64 before, uint64 owed) = _owe(asset, terms, amount);
        if (!isNative) _pull(terms.token, amount);
        uint64 atoms = owed - before;
        inboxIndex = inbox.enqueue(ProtocolBounds.SLASH, PerpMessages.ledger(venue, asset, atoms));
        emit Compensated(venue, asset, msg.sender, atoms, before, owed, inboxIndex);
    }

    /// @inheritdoc ICustodyVault
    function pay(AssetId asset, address to, uint64 atoms) external nonReentrant {
        if (msg.sender != withdrawals && msg.sender != escape) revert NotPayer(msg.sender);
        uint64 before = outstanding[asset];
        if (atoms > before) revert InsufficientOutstanding(asset, atoms, before);
        IAssetRegistry.Asset memory terms = assets.assetOf(asset);

        outstanding[asset] = before - atoms;
        emit Paid(asset, to, atoms, before, before - atoms);

        uint256 amount = uint256(atoms) * terms.quantum;
        if (terms.kind == InboxMessages.ASSET_NATIVE) {
            // No return data is copied: a recipient cannot make the caller pay for it.
            if (!LowLevelCall.callNoReturn(to, amount, "")) {
                revert NativeTransferFailed(to, amount);
            }
        } else {
            IERC20 token = IERC20(terms.token);
            uint256 balanceBefore = token.balanceOf(address(this));
            token.safeTransfer(to, amount);
            uint256 balanceAfter = token.balanceOf(address(this));
            if (balanceAfter < balanceBefore && balanceBefore - balanceAfter > amount) {
                revert Overcharged(balanceBefore - balanceAfter, amount);
            }
        }
    }

    /* INTERNAL */

    /// @dev Add `amount` token units to what the vault owes; returns the atoms owed before and after.
    function _owe(AssetId asset, IAssetRegistry.Asset memory terms, uint256 amount)
        private
        returns (uint64 before, uint64 owed)
    {
        _requireDoorOpen();
        if (terms.isClosed) revert AssetIsClosed(asset);
        if (amount == 0 || amount % terms.quantum != 0) {
            revert NotMultipleOfQuantum(amount, terms.quantum);
        }
        before = outstanding[asset];
        uint256 atoms = amount / terms.quantum;
        if (atoms > terms.cap - before) revert CapExceeded(asset, before, atoms, terms.cap);
        owed = before + uint64(atoms);
        outstanding[asset] = owed;
    }

    /// @dev Take exactly so much of a token from the caller.
    function _pull(address token_, uint256 amount) private {
        IERC20 token = IERC20(token_);
        uint256 balanceBefore = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 balanceAfter = token.balanceOf(address(this));
        uint256 received = balanceAfter > balanceBefore ? balanceAfter - balanceBefore : 0;
        if (received != amount) revert ReceivedMismatch(received, amount);
    }

    /// @dev Money comes in through this door only; none goes out through it.
    function _requireDoorOpen() private view {
        if (brake == address(0) || !IGuardianBrake(brake).isClosed()) return;
        revert DepositsClosed(IGuardianBrake(brake).closedUntil());
    }

    /// @dev Tell the zone. `fee` registers `to` if it is new, and is 0 if it is not.
    function _announce(AssetId asset, address to, uint256 fee, uint64 before, uint64 owed)
        private
        returns (uint64 inboxIndex)
    {
        OwnerId owner = owners.registerIfNew{value: fee}(to);
        uint64 atoms = owed - before;
        inboxIndex =
            inbox.enqueue(InboxMessages.DEPOSIT, InboxMessages.deposit(owner, to, asset, atoms));
        emit Deposited(asset, msg.sender, to, atoms, before, owed, inboxIndex);
    }
}
