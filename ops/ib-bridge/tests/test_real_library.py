"""The pinned library itself: what the bridge uses of it exists, and a session over TWS' own wire works.

The other side is a socket that speaks as much of TWS' protocol as the bridge hears: the handshake, definitions, ticks,
depth, bars and messages, written field by field.
"""

import inspect

import pytest
from fake import Stage, scenario, until
from ib_async.client import Client
from ib_async.contract import Contract
from ib_async.wrapper import GENERIC_TICK_MAP, PRICE_TICK_MAP, SIZE_TICK_MAP, Wrapper
from rig import PUT, SPY, sub
from wire_tws import WireTWS

from ibbridge import keys, quotes
from ibbridge.tws import Receiver, make_client


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("connectAsync", ["host", "port", "clientId", "timeout"]),
        ("disconnect", []),
        ("isReady", []),
        ("reqMktData", ["reqId", "contract", "genericTickList", "snapshot", "regulatorySnapshot", "mktDataOptions"]),
        ("cancelMktData", ["reqId"]),
        ("reqMktDepth", ["reqId", "contract", "numRows", "isSmartDepth", "mktDepthOptions"]),
        ("cancelMktDepth", ["reqId", "isSmartDepth"]),
        ("reqRealTimeBars", ["reqId", "contract", "barSize", "whatToShow", "useRTH", "realTimeBarsOptions"]),
        ("cancelRealTimeBars", ["reqId"]),
        ("reqMarketDataType", ["marketDataType"]),
        ("reqContractDetails", ["reqId", "contract"]),
    ],
)
def test_the_requests_exist(name, parameters):
    assert list(inspect.signature(getattr(Client, name)).parameters)[1:] == parameters


@pytest.mark.parametrize(
    "name",
    [
        "priceSizeTick", "tickSize", "tickString", "tickGeneric", "marketDataType", "updateMktDepth",
        "updateMktDepthL2", "realtimeBar", "contractDetails", "contractDetailsEnd", "error", "connectAck",
        "setEventsDone", "connectionClosed", "tcpDataArrived", "tcpDataProcessed",
    ],
)  # fmt: skip
def test_the_callbacks_take_what_the_librarys_own_take(name):
    ours = inspect.signature(getattr(Receiver, name)).parameters
    theirs = inspect.signature(getattr(Wrapper, name)).parameters
    assert len(ours) == len(theirs)


def test_every_tick_type_of_the_librarys_maps_is_known():
    assert set(PRICE_TICK_MAP) | set(SIZE_TICK_MAP) | set(GENERIC_TICK_MAP) <= quotes.KNOWN


def test_contracts_take_our_fields():
    for text in (SPY, PUT, "FUT:ES:202512:CME:USD", "IND:SPX:CBOE:USD"):
        fields = keys.parse(text).contract_fields()
        contract = Contract(**fields)
        assert all(getattr(contract, name) == value for name, value in fields.items())


def test_the_client_has_the_events_and_is_paced_above_us():
    client = make_client(Receiver.__new__(Receiver))
    assert all(hasattr(client, name) for name in ("apiError", "apiEnd"))
    assert Client.MaxRequests == 45 and Client.RequestsInterval == 1


@scenario
async def test_a_session_on_the_wire():
    tws = WireTWS()
    port = await tws.start()
    async with Stage(factory=make_client, tws_port=port) as stage:
        await stage.up()
        client = await stage.client()
        await client.say(op="set", id="s", subs=[sub(SPY, depth=5, bars=True), sub("STK:NONE:SMART:USD"), sub(PUT)])
        ack = await client.wait("ack", id="s")
        assert ack["ok"] == {key: {"conid": 756733, "minTick": 0.01} for key in (SPY, PUT)}
        assert (await client.wait("nack"))["code"] == 200
        await until(lambda: len([f for f in tws.received if f[0] in ("1", "10", "50")]) == 4)
        first = next(fields for fields in tws.received if fields[0] == "1")
        assert first[:5] == ["1", "11", first[2], "756733", "SPY"] and first[-4:] == ["233", "0", "0", ""]
        option = [fields for fields in tws.received if fields[0] == "9"][-1]
        assert option[4:9] == ["SPX", "OPT", "20251219", "6500.0", "P"] and option[14] == "SPXW"

        line = first[2]
        depth = tws.number("10")
        bars = tws.number("50")
        tws.send(58, 1, line, 1)
        tws.send(1, 6, line, 1, 672.41, 300, 1)
        tws.send(1, 6, line, 2, 672.42, 400, 1)
        snap = await client.wait("snap", k=SPY, b=672.41)
        assert (snap["a"] or 672.42) == 672.42
        await stage.go(1)
        tws.send(1, 6, line, 1, -1.0, 0, 1)
        await client.wait("q", k=SPY, b=None)
        tws.send(1, 6, line, 999, 5.0, 0, 1)
        tws.send(2, 6, line, 998, 5)
        tws.send(45, 6, line, 997, 5.0)
        tws.send(45, 6, line, 49, 1.0)
        await client.wait("q", k=SPY, hlt=1)
        tws.send(46, 6, line, 48, "672.43;200;1764086400500;40211345;672.4;true")
        await client.wait("t", p=672.43, s=200, ti=1764086400)
        tws.send(13, 1, depth, 0, "ARCA", 0, 1, 672.41, 300, 1)
        tws.send(12, 1, depth, 0, 0, 0, 672.44, 100)
        await client.wait("d", sd="b", mm="ARCA")
        await client.wait("d", sd="a", p=672.44)
        tws.send(50, 3, bars, 1764086400, 672.41, 672.45, 672.4, 672.44, 51230, 672.4271, 412)
        await client.wait("b5", v=51230, t0=1764086400)
        assert stage.bridge.core.unknown_ticks == {997: 1, 998: 1, 999: 1}
        tws.error(depth, 317, "Market depth data has been RESET.")
        await until(lambda: tws.number("10") != depth, "the book is asked for anew")
        assert [fields for fields in tws.received if fields[0] == "11"] == [["11", "1", depth, "1"]]
        tws.error(bars, 10225, "bust event")
        await until(lambda: tws.number("50") != bars, "so are the bars")
        # 1102 makes the library's high-level class ask for the account; the bridge asks for nothing of the kind.
        tws.error(-1, 1102, "restored")
        await client.wait("st", code=1102)
        asked = {fields[0] for fields in tws.received}
        assert asked <= {"71", "9", "1", "10", "11", "50", "51"}, "no account, no position, no order"

        # Garbage of TWS: logged by the library, not the end.
        tws.send(1, 6, line, "x", "y", "z", 1)
        tws.send(4242, 1)
        tws.send(1, 6, line, 1, 673.0, 100, 1)
        await client.wait("q", b=673)

        tws.writer.close()
        await client.wait("st", ib="down")
        await stage.go(6)
        await until(lambda: tws.hellos == 2)
        await stage.up()
        assert (await client.wait("hello", count=2))["epoch"] == "epoch-2"
    await tws.stop()


@scenario
async def test_a_client_id_in_use_on_the_wire():
    tws = WireTWS()
    tws.taken_ids = {"71"}
    port = await tws.start()
    async with Stage(factory=make_client, tws_port=port) as stage:
        for _ in range(8):
            hellos = tws.hellos
            await stage.go(5.5)
            await until(lambda hellos=hellos: tws.hellos > hellos or stage.bridge.core.session.ib == "up")
            await until(lambda: stage.bridge.core.session.phase.value != "connecting")
            if stage.bridge.core.session.ib == "up":
                break
        assert stage.bridge.core.session.client_id == 72
        assert stage.bridge.core.counters["code_326"] == 3
    await tws.stop()


@scenario
async def test_nobody_listens():
    tws = WireTWS()
    port = await tws.start()
    await tws.stop()
    async with Stage(factory=make_client, tws_port=port) as stage:
        await until(lambda: stage.bridge.core.session.phase.value == "waiting")
        await stage.go(5.1)
        await until(lambda: stage.bridge.core.session.attempts == 2)
        assert stage.bridge.core.session.ib == "down"
