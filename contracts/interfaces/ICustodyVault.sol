// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AssetId, VenueId} from "./Types.sol";

/// @title ICustodyVault
/// @notice Holds everything that is deposited in the zone. Money comes in by a deposit, or as a gift to a
/// venue's ledger, and goes out by a withdrawal that was proven against a final state root, or against the
/// last one when the zone has ended, and in no other way: there is no owner, no role, no pause, no
/// upgrade, no sweep.
///
/// The ledger `outstanding` says what the vault owes per asset, in atoms. It moves only with
/// deposits and payments: tokens or coin that arrive otherwise (donations, forced coin) change
/// nothing and stay.
///
/// Assumptions for safety:
/// - `withdrawals` pays only what a final root of the zone says, and each message once; `escape` only
///   what its last final root says is owed beside that, and each record once.
/// - A token's `balanceOf(vault)` falls only when the vault transfers. A token that takes balances
///   away (rebasing down, seizure, an issuer's freeze) harms the holders of that asset; the ledger
///   of every other asset stays covered, because the vault never mixes tokens.
/// - No token is another face of the chain's native coin (a contract whose balances *are* native
///   balances); the vault would count such coin twice.
///
/// Assumptions for liveness:
/// - The token lets the vault transfer to the recipient. A payment that a token or recipient refuses
///   stays owed and can be tried again at any time.
interface ICustodyVault {
    /* EVENTS */

    /// @notice A deposit was taken.
    /// @param asset what.
    /// @param from who paid.
    /// @param to owner address that the zone credits.
    /// @param atoms how much.
    /// @param outstanding atoms owed of the asset before and after.
    /// @param inboxIndex message that tells the zone.
    event Deposited(
        AssetId indexed asset,
        address indexed from,
        address indexed to,
        uint64 atoms,
        uint64 outstandingBefore,
        uint64 outstanding,
        uint64 inboxIndex
    );

    /// @notice Money was given to a venue's ledger.
    event Compensated(
        VenueId indexed venue,
        AssetId indexed asset,
        address indexed from,
        uint64 atoms,
        uint64 outstandingBefore,
        uint64 outstanding,
        uint64 inboxIndex
    );

    /// @notice A proven withdrawal was paid.
    event Paid(
        AssetId indexed asset,
        address indexed to,
        uint64 atoms,
        uint64 outstandingBefore,
        uint64 outstanding
    );

    /* ERRORS */

    /// @notice Native coin is deposited with `depositNative`, tokens with `deposit`.
    error WrongAssetKind(AssetId asset, uint8 kind);
    /// @notice The zone has no ledger of the venue in the asset.
    error NoLedger(VenueId venue, AssetId asset);
    /// @notice The guardians closed the door to deposits.
    error DepositsClosed(uint64 until);
    /// @notice The asset takes no deposits.
    error AssetIsClosed(AssetId asset);
    /// @notice The amount is zero or no multiple of the asset's quantum.
    error NotMultipleOfQuantum(uint256 amount, uint64 quantum);
    /// @notice The vault did not receive what was sent: the token charges a fee or rebases.
    error ReceivedMismatch(uint256 received, uint256 expected);
    /// @notice The deposit would lift the asset above its cap.
    error CapExceeded(AssetId asset, uint64 outstanding, uint256 atoms, uint64 cap);
    /// @notice The value sent is not the registration fee that is due (0 if `to` has an id).
    error WrongFee(uint256 sent, uint256 expected);
    /// @notice Only `withdrawals` and `escape` pay.
    error NotPayer(address caller);
    /// @notice More is to be paid than the vault owes of the asset.
    error InsufficientOutstanding(AssetId asset, uint64 atoms, uint64 outstanding);
    /// @notice The recipient did not take the native coin.
    error NativeTransferFailed(address to, uint256 amount);
    /// @notice The token took more from the vault than was paid out.
    error Overcharged(uint256 taken, uint256 expected);

    /* WRITES */

    /// @notice Deposit an ERC-20. The vault must be approved for `amount`.
    /// @dev If `to` has no owner id yet it gets one; then send exactly
    /// `OwnerRegistry.registrationFee`, else no value.
    /// @param asset asset id.
    /// @param amount token units, a multiple of the quantum.
    /// @param to owner address to credit.
    /// @return inboxIndex message that tells the zone.
    function deposit(AssetId asset, uint256 amount, address to)
        external
        payable
        returns (uint64 inboxIndex);

    /// @notice Deposit native coin: the value sent less the registration fee, if `to` is new.
    /// @param to owner address to credit.
    /// @return inboxIndex message that tells the zone.
    function depositNative(address to) external payable returns (uint64 inboxIndex);

    /// @notice Give money to the ledger of a venue in an asset: in the zone it repays losses that nobody has
    /// covered, and what is left of it is the insurance fund's. Anyone may. It never comes back to who gave it.
    /// @dev For native coin send exactly `amount`, for a token approve it and send no value.
    /// @param amount token units or wei, a multiple of the quantum.
    /// @return inboxIndex message that tells the zone.
    function compensate(VenueId venue, AssetId asset, uint256 amount)
        external
        payable
        returns (uint64 inboxIndex);

    /// @notice Pay what was proven. Only `withdrawals` and `escape` call it.
    /// @param asset asset id.
    /// @param to recipient.
    /// @param atoms how much.
    function pay(AssetId asset, address to, uint64 atoms) external;

    /* VIEWS */

    /// @notice Contract that proves withdrawals.
    function withdrawals() external view returns (address);

    /// @notice Contract that proves what is owed when the zone has ended. It and `withdrawals` are the
    /// only ones that can move money out.
    function escape() external view returns (address);

    /// @notice Contract that may refuse deposits for a while; zero = there is none. Nothing but deposits
    /// asks it.
    function brake() external view returns (address);

    /// @notice Registry that knows which ledgers the zone has; zero = it has none.
    function perps() external view returns (address);

    /// @notice What the vault owes of an asset, atoms.
    function outstanding(AssetId asset) external view returns (uint64);
}
