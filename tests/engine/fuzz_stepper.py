import sys, random, numpy as np
from collections import Counter
from tradezone.engine import Engine
from tradezone.verifier.stepper import Stepper, to_event_rows
from tradezone.protocol import actions as A, messages as M, events as EV
from tradezone.protocol.steps import NAMES
from tradezone.protocol.errors import Code

mode = sys.argv[1]
seeds = [int(x) for x in sys.argv[2].split(",")]
blocks = int(sys.argv[3])
evname = {v: k for k, v in vars(EV).items() if isinstance(v, int)}
T0 = 1_700_000_000_000
N = 6


def addr(o):
    return (0x1000 + o).to_bytes(20, "big")


def check(t, phase):
    bal = t["balance"]
    act = bal["state"] == 1
    nb = int(t["head"][7]["high_water"])
    bal = bal[:nb]
    no = int(t["head"][20]["high_water"])
    o = t["order"][:no]
    live = o[o["state"] != 0]
    for a in range(1, int(t["head"][2]["high_water"])):
        tot = int(bal[bal["asset"] == a]["free"].sum() + bal[bal["asset"] == a]["locked"].sum())
        assert tot == int(t["asset"][a]["total"]), ("total", a, tot, int(t["asset"][a]["total"]))
    lk = np.zeros(nb, dtype=np.int64)
    us = np.zeros(nb, dtype=np.int64)
    np.add.at(lk, live["pay_balance"], live["locked"])
    np.add.at(us, live["pay_balance"], 1)
    np.add.at(us, live["receive_balance"], 1)
    assert (lk == bal["locked"]).all(), "locked"
    assert (us == bal["uses"]).all(), "uses"
    assert (bal["free"] >= 0).all()
    cnt = Counter(live["account"].tolist())
    for acc in range(1, int(t["head"][4]["high_water"])):
        assert cnt.get(acc, 0) == int(t["account"][acc]["order_count"]), "order_count"
    assert len(live) == int(t["head"][20]["in_use"])
    assert len(live) == sum(int(x) for x in t["venue"]["market_orders"][:10])
    for mk in range(1, int(t["head"][15]["high_water"])):
        k = t["book"][mk]
        pr = {}
        for side, f in ((0, "best_bid"), (1, "best_ask")):
            lv = int(k[f])
            prices = []
            while lv:
                v = t["level"][lv]
                prices.append(int(v["price"]))
                q = int(v["first"])
                s = c = 0
                while q:
                    s += int(t["order"][q]["lots"])
                    c += 1
                    assert int(t["order"][q]["state"]) == 3
                    q = int(t["order"][q]["next"])
                assert s == int(v["lots"]) and c == int(v["count"])
                lv = int(v["next"])
            assert prices == sorted(prices, reverse=side == 0) and len(set(prices)) == len(prices)
            pr[side] = prices[0] if prices else None
        if pr[0] and pr[1]:
            assert pr[0] < pr[1]
    for name, num, key in (("timer", 25, "time"), ("queue", 32, "release")):
        n = int(t["head"][num]["in_use"])
        h = t[name]
        for i in range(2, n + 1):
            assert (h[i // 2][key], h[i // 2]["seq"]) < (h[i][key], h[i]["seq"])
        assert not h[n + 1 : n + 50].view(np.uint8).any()
        for i in range(1, n + 1):
            if name == "queue":
                assert int(t["book"][int(h[i]["book"])]["queue"]) == i
            else:
                tb = {1: "order", 2: "plan", 3: "account", 4: "market"}[int(h[i]["kind"])]
                assert int(t[tb][int(h[i]["subject"])]["timer"]) == i
    tim = t["timer"][1 : int(t["head"][25]["in_use"]) + 1]
    assert sum(1 for x in live if x["expires"] != 0 and x["timer"] != 0) == int(
        (tim["kind"] == 1).sum()
    )


allev = Counter()
allpc = Counter()
errs = Counter()
for seed in seeds:
    rnd = random.Random(seed)
    e = Engine()
    e.commit_root()
    st = Stepper(e.tables) if mode != "engine" else None
    tabs = st._tables if st is not None else e.tables
    idx = 0
    msgs = []

    def tell(_k, **v):
        global idx
        msgs.append(
            M.Message(idx, _k, bytes(20), T0 // 1000, 1, A.pack(M.BODIES[_k], v)).to_bytes()
        )
        idx += 1

    for o in range(1, N + 1):
        tell(M.REGISTER_OWNER, owner=o, address=addr(o), referrer=max(0, o - 2), kind=1)
    for a in (1, 2):
        tell(
            M.REGISTER_ASSET,
            asset=a,
            token=bytes(19) + bytes([a]),
            kind=2,
            decimals=6,
            quantum=1,
            cap=10**17,
            venue=0,
        )
    tell(M.SET_ASSET, asset=2, quotaRate=5, quotaDeposit=1, faucetAmount=0, faucetInterval=0)
    tell(M.CREATE_VENUE, venue=1, owner=2, access=0, stake=0)
    for mk in (1, 2, 3):
        tell(
            M.LIST_MARKET,
            market=mk,
            id=(1 << 16) | mk,
            venue=1,
            kind=1,
            base=1,
            quote=2,
            lotSize=10,
            tickValue=7,
            minNotional=50,
            maxNotional=10**9,
            maxLots=10**5,
            maxPrice=1000,
            takerFee=3000,
            makerFee=(1000, -500, -2000)[mk - 1],
            protocolShare=200000,
            insuranceShare=100000,
            takerDelay=(0, 3, 5)[mk - 1],
            effectiveAt=0,
        )
    for mk in (1, 2, 3):
        tell(
            M.UPDATE_MARKET,
            market=mk,
            phase=1,
            access=0,
            takerDelay=(0, 3, 5)[mk - 1],
            calendar=0,
            takerFee=3000,
            makerFee=(1000, -500, -2000)[mk - 1],
            protocolShare=200000,
            insuranceShare=100000,
            referrerShare=(100000 if mk != 2 else 0),
            guestFee=0,
            band=(0, 50000, 0)[mk - 1],
            minNotional=50,
            maxNotional=10**9,
            maxLots=10**5,
            openInterestCap=0,
            accountCap=0,
            closes=0,
            effectiveAt=0,
        )
    for o in range(1, N + 1):
        for a in (1, 2):
            tell(
                M.DEPOSIT,
                owner=o,
                address=addr(o),
                asset=a,
                amount=rnd.choice((10**5, 10**7, 10**9)),
            )
    tell(
        M.LIST_GUEST, market=4, id=(1 << 16) | 9, venue=1, home=1, guestFee=0, effectiveAt=0
    ) if 0 else None
    number, time = 0, T0
    nonce = T0

    def env(o, action, items, layout=None):
        global nonce
        nonce += 1
        body = b"".join(
            A.pack(A.ITEM_LAYOUTS[action] if layout is None else layout, i) for i in items
        )
        acct = int(tabs["owner"][o]["first_account"])
        if layout is None and rnd.random() < 0.2 and int(tabs["account"][acct]["next"]):
            acct = int(tabs["account"][acct]["next"])
        k = int(tabs["owner"][o]["first_key"])
        x = A.Envelope(acct, k, nonce, time + 1000, action, body, bytes(65))
        return x.to_leaf(), addr(o)

    def run(pairs, ms=()):
        global number, time
        number += 1
        leaves = [A.block_mark(number, time)] + [p[0] for p in pairs]
        signers = [None] + [p[1] for p in pairs]
        if st is not None:
            r2, ev2 = st.run(leaves, signers, list(ms))
            evs = [(x["kind"], x["error"]) for x in ev2]
        if mode != "pure":
            r, ev = e.execute(leaves, signers, list(ms))
            if st is not None:
                assert r == r2
                rows = to_event_rows(ev2)
                if not np.array_equal(rows, ev):
                    for x, y in zip(rows, ev):
                        if x != y:
                            print(x, y)
                            break
                    raise SystemExit("events")
                assert st.root == e.commit_root()
            evs = [(int(x["kind"]), int(x["error"])) for x in ev]
        for k, er in evs:
            allev[evname.get(k, k)] += 1
            if er:
                errs[Code(er).name] += 1
        check(tabs, number)

    marks = []
    for i in range(100, len(msgs) + 100, 100):
        marks.append((A.inbox_mark(min(i, len(msgs))), None))
    run(marks, msgs)
    run([env(o, A.CREATE_ACCOUNT, [{}], A.EMPTY_BODY) for o in range(1, N + 1)])
    run(
        [
            env(
                o,
                A.TRANSFER,
                [
                    dict(
                        toAccount=int(
                            tabs["account"][int(tabs["owner"][o]["first_account"])]["next"]
                        ),
                        asset=a,
                        amount=10**4,
                    )
                ],
                A.TRANSFER_BODY,
            )
            for o in range(3, N + 1)
            for a in (1, 2)
        ]
    )
    ifc = int(tabs["owner"][6]["first_account"])
    run(
        [
            env(
                o,
                A.APPROVE_INTERFACE,
                [dict(interface=ifc, maxFee=1000, expires=0)],
                A.APPROVE_INTERFACE_BODY,
            )
            for o in range(1, 6)
        ]
    )
    cid = lambda: rnd.choice((0, 0, rnd.randrange(1, 12))).to_bytes(16, "big")
    price = lambda: rnd.randrange(90, 111) if rnd.random() < 0.9 else rnd.randrange(0, 400)
    heart = idx
    for b in range(blocks):
        time += (
            rnd.choice((0, 1, 2, 3, 50, 400, 1500, 1500, 6000)) if rnd.random() < 0.97 else 40000
        )
        pairs = []
        for _ in range(rnd.randrange(0, 7)):
            o = rnd.randrange(1, N + 1)
            x = rnd.random()
            if x < 0.5:
                items = []
                for _ in range(rnd.randrange(1, 4)):
                    f = rnd.random() < 0.2
                    items.append(
                        dict(
                            market=rnd.choice(
                                (1, 2, 3, 3, 9) if rnd.random() < 0.05 else (1, 2, 3)
                            ),
                            price=price(),
                            lots=rnd.choice((1, 2, 5, 20, 20, 100, 1000)),
                            side=rnd.randrange(2),
                            tif=rnd.choice((0, 0, 0, 1, 1, 2, 3, 4, 5)),
                            stp=rnd.randrange(4) | rnd.choice((0, 16)),
                            flags=0,
                            expires=rnd.choice((0, 0, time + rnd.randrange(1, 5000))),
                            client_id=cid(),
                            interface=ifc if f else 0,
                            interface_fee=rnd.choice((0, 500, 1000, 1001)) if f else 0,
                        )
                    )
                pairs.append(env(o, A.PLACE, items))
            elif x < 0.65:
                ords = [
                    i
                    for i in range(1, int(tabs["head"][20]["high_water"]))
                    if tabs["order"][i]["state"] != 0
                ]
                if not ords:
                    continue
                i = rnd.choice(ords)
                oo = tabs["order"][i]
                name = (int(oo["generation"]) << 32) | i
                own = int(tabs["account"][int(oo["account"])]["owner"])
                if rnd.random() < 0.5:
                    pairs.append(env(own, A.CANCEL, [dict(order=name, client_id=bytes(16))]))
                else:
                    pairs.append(
                        env(
                            own,
                            A.AMEND,
                            [
                                dict(
                                    order=name,
                                    client_id=bytes(16),
                                    price=rnd.choice((0, price())),
                                    lots=rnd.choice(
                                        (0, 1, 5, 20, 50, int(oo["lots"]) + int(oo["filled"]))
                                    ),
                                    mode=rnd.randrange(0, 5),
                                )
                            ],
                        )
                    )
            elif x < 0.85:
                mk = rnd.randrange(1, 4)
                side = rnd.randrange(2)
                pairs.append(
                    env(
                        o,
                        A.MASS_QUOTE,
                        [
                            dict(
                                market=mk,
                                price=price(),
                                lots=rnd.choice((0, 3, 10, 10, 30)),
                                side=side if rnd.random() < 0.9 else 1 - side,
                                tif=rnd.choice((1, 4, 4, 1, 0)),
                                stp=0,
                                expires=rnd.choice((0, 0, 0, time + 3000)),
                                client_id=(rnd.randrange(0, 12)).to_bytes(16, "big"),
                            )
                            for _ in range(rnd.randrange(1, 8))
                        ],
                    )
                )
            elif x < 0.92:
                pairs.append(
                    env(
                        o,
                        A.CANCEL_ALL,
                        [
                            dict(market=rnd.choice((0, 0, 1, 2, 3, 9)), side=rnd.randrange(0, 4))
                            for _ in range(rnd.choice((1, 1, 2)))
                        ],
                    )
                )
            else:
                pairs.append(
                    env(o, A.DEAD_MAN, [dict(timeout=rnd.choice((0, 5000, 5000, 6000, 100)))])
                )
        ms = []
        if rnd.random() < 0.1:
            msgs = []
            mk = rnd.choice((1, 2))
            tell(
                M.UPDATE_MARKET,
                market=mk,
                phase=rnd.choice((1, 1, 1, 2, 3)),
                access=0,
                takerDelay=(0, 3, 5)[mk - 1],
                calendar=0,
                takerFee=3000,
                makerFee=(1000, -500, -2000)[mk - 1],
                protocolShare=200000,
                insuranceShare=100000,
                referrerShare=(100000 if mk != 2 else 0),
                guestFee=0,
                band=rnd.choice((0, 50000, 5000)),
                minNotional=50,
                maxNotional=10**9,
                maxLots=10**5,
                openInterestCap=0,
                accountCap=0,
                closes=0,
                effectiveAt=rnd.choice((0, time + 2000)),
            )
            if b == blocks * 3 // 4:
                pass
            ms = msgs
            pairs.append((A.inbox_mark(idx), None))
        run(pairs, ms)
    msgs = []
    tell(
        M.UPDATE_MARKET,
        market=3,
        phase=6,
        access=0,
        takerDelay=5,
        calendar=0,
        takerFee=3000,
        makerFee=0,
        protocolShare=200000,
        insuranceShare=100000,
        referrerShare=0,
        guestFee=0,
        band=0,
        minNotional=50,
        maxNotional=10**9,
        maxLots=10**5,
        openInterestCap=0,
        accountCap=0,
        closes=0,
        effectiveAt=0,
    )
    run([(A.inbox_mark(idx), None)], msgs)
    for _ in range(6):
        time += 2000
        run([])
    assert not any(
        int(x["market"]) == 3
        for x in tabs["order"][: int(tabs["head"][20]["high_water"])]
        if x["state"] != 0
    )
    if st is not None:
        for pc, c in st.most_records.items():
            allpc[NAMES[pc]] = max(allpc[NAMES[pc]], c)
    print("seed", seed, "ok", number)
print(dict(allev))
print(dict(errs))
print(dict(allpc))
