// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAssetRegistry} from "../interfaces/IAssetRegistry.sol";
import {ICustodyVault} from "../interfaces/ICustodyVault.sol";
import {IPerpRegistry} from "../interfaces/IPerpRegistry.sol";
import {IRestitution} from "../interfaces/IRestitution.sol";
import {IStakeRisk} from "../interfaces/IStakeRisk.sol";
import {AssetId, VenueId} from "../interfaces/Types.sol";
import {InboxMessages} from "../libraries/InboxMessages.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Restitution
/// @notice Implements {IRestitution}, which says what it does, what it assumes and how it fails.
contract Restitution is IRestitution, ReentrancyGuardTransient {
    using SafeCast for uint256;
    using SafeERC20 for IERC20;

    /* CONSTANTS */

    /// @inheritdoc IRestitution
    uint64 public constant FALL = 3 days;
    uint256 private constant _COIN = 1e18;
    /// @dev Parts of the governed price, in quarters: from the double down to one quarter.
    uint256 private constant _FIRST = 8;
    uint256 private constant _LAST = 1;
    uint256 private constant _QUARTERS = 4;

    /* IMMUTABLES */

    /// @notice Takes the money in and tells the zone.
    ICustodyVault public immutable vault;
    /// @notice Terms of the assets.
    IAssetRegistry public immutable assets;
    /// @notice Knows which ledgers there are.
    IPerpRegistry public immutable perps;
    /// @notice Knows what stake counts for.
    IStakeRisk public immutable risk;

    /* STORAGE */

    /// @inheritdoc IRestitution
    uint32 public lotCount;
    /// @inheritdoc IRestitution
    uint256 public totalLeft;
    mapping(uint32 lot => Lot entry) private _lots;

    /* CONSTRUCTOR */

    constructor(
        ICustodyVault vault_,
        IAssetRegistry assets_,
        IPerpRegistry perps_,
        IStakeRisk risk_
    ) {
        vault = vault_;
        assets = assets_;
        perps = perps_;
        risk = risk_;
    }

    /* WRITES */

    /// @inheritdoc IRestitution
    function give(VenueId venue, AssetId asset) external payable nonReentrant returns (uint32 lot) {
        if (msg.value == 0) revert NothingGiven();
        IAssetRegistry.Asset memory terms = assets.assetOf(asset);
        bool isSimulated = terms.kind == InboxMessages.ASSET_SIMULATED;
        if (isSimulated || !perps.hasLedger(venue, asset)) revert NoLedger(venue, asset);
        if (terms.kind == InboxMessages.ASSET_NATIVE) {
            // What is less than an atom stays here and belongs to nobody.
            uint256 whole = msg.value - msg.value % terms.quantum;
            if (whole == 0) revert NothingGiven();
            emit Given(venue, asset, 0, msg.sender, whole);
            vault.compensate{value: whole}(venue, asset, whole);
            return 0;
        }
        if (risk.priceOf(asset) == 0) revert NoPrice(asset);
        lot = ++lotCount;
        _lots[lot] = Lot(venue, asset, uint64(block.timestamp), msg.value.toUint128());
        totalLeft += msg.value;
        emit Given(venue, asset, lot, msg.sender, msg.value);
    }

    /// @inheritdoc IRestitution
    function buy(uint32 lot, uint256 amount, uint64 mostAtoms)
        external
        nonReentrant
        returns (uint64 atoms)
    {
        Lot storage entry = _lotAt(lot);
        uint128 left = entry.left;
        if (amount == 0 || amount > left) revert NotSoMuch(lot, amount, left);
        atoms = _costOf(entry, amount);
        if (atoms > mostAtoms) revert TooDear(atoms, mostAtoms);
        entry.left = left - uint128(amount);
        totalLeft -= amount;
        emit Bought(lot, msg.sender, amount, atoms);

        IAssetRegistry.Asset memory terms = assets.assetOf(entry.asset);
        IERC20 token = IERC20(terms.token);
        uint256 units = uint256(atoms) * terms.quantum;
        token.safeTransferFrom(msg.sender, address(this), units);
        token.forceApprove(address(vault), units);
        vault.compensate(entry.venue, entry.asset, units);
        if (!LowLevelCall.callNoReturn(msg.sender, amount, "")) {
            revert TransferFailed(msg.sender, amount);
        }
    }

    /* VIEWS */

    /// @inheritdoc IRestitution
    function lotOf(uint32 lot) external view returns (Lot memory) {
        return _lotAt(lot);
    }

    /// @inheritdoc IRestitution
    function costOf(uint32 lot, uint256 amount) external view returns (uint64) {
        return _costOf(_lotAt(lot), amount);
    }

    /// @inheritdoc IRestitution
    function worthOf(AssetId asset, uint64 atoms) external view returns (uint256) {
        IAssetRegistry.Asset memory terms = assets.assetOf(asset);
        if (terms.kind == InboxMessages.ASSET_NATIVE) return uint256(atoms) * terms.quantum;
        uint64 price = risk.priceOf(asset);
        if (price == 0) revert NoPrice(asset);
        return Math.ceilDiv(uint256(atoms) * _COIN, price);
    }

    /* INTERNAL */

    function _lotAt(uint32 lot) private view returns (Lot storage entry) {
        entry = _lots[lot];
        if (entry.since == 0) revert UnknownLot(lot);
    }

    /// @dev At least one atom, rounded up: nothing is had for nothing.
    function _costOf(Lot storage entry, uint256 amount) private view returns (uint64) {
        uint256 passed = Math.min(block.timestamp - entry.since, FALL);
        uint256 quarters = _FIRST * FALL - (_FIRST - _LAST) * passed;
        uint256 product = amount * risk.priceOf(entry.asset) * quarters;
        return Math.max(Math.ceilDiv(product, _COIN * _QUARTERS * FALL), 1).toUint64();
    }
}
