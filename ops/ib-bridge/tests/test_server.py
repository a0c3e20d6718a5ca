"""The whole bridge over real sockets on loopback, against the scripted TWS."""

import asyncio
import itertools
import json
import random
import socket
import urllib.error
import urllib.request
from datetime import datetime

import pytest
from fake import Stage, WebSocketClient, scenario, until
from rig import IWM, QQQ, SPX, SPY, sub
from websockets.exceptions import InvalidStatus

from ibbridge.instant import NEW_YORK
from ibbridge.outbox import Limits

TOKEN = "a-token-of-the-tests"


@scenario
async def test_every_op_and_every_event():
    async with Stage(outbox=Limits()) as stage:
        await stage.up()
        client = await stage.client()
        hello = await client.wait("hello")
        assert (hello["v"], hello["epoch"], hello["ib"], hello["hb_ms"]) == (1, "epoch-1", "up", 1000)
        await client.say(op="set", id="s1", subs=[sub(SPY, depth=5, bars=True, what="TRADES", pri=9), sub(SPX, pri=8)])
        ack = await client.wait("ack", id="s1")
        assert set(ack["ok"]) == {SPY, SPX} and ack["ok"][SPY]["minTick"] == 0.01
        tws = stage.tws
        await until(lambda: tws.live("bars", "SPY") and tws.live("depth", "SPY") and tws.live("l1", "SPX"))
        tws.tick("SPY", 672.41, 672.42, 400)
        snap = await client.wait("snap", k=SPY)
        assert (snap["b"], snap["a"], snap["bs"], snap["as"], snap["mdt"], snap["age_ms"]) == (
            672.41,
            672.42,
            400,
            400,
            1,
            0,
        )
        await stage.go(1)
        tws.tick("SPY", 672.42, 672.42, 400)
        assert await client.wait("q", k=SPY, b=672.42)
        number = tws.live("l1", "SPY")
        tws.wrapper.tickGeneric(number, 49, 2.0)
        tws.wrapper.tcpDataProcessed()
        assert await client.wait("q", hlt=2)
        tws.wrapper.tickString(number, 48, "672.43;200;1764086400500;40211345;672.4;true")
        tws.wrapper.tcpDataProcessed()
        assert await client.wait("t", p=672.43, s=200, ti=1764086400)
        tws.wrapper.priceSizeTick(tws.live("l1", "SPX"), 4, 6700.25, 0)
        tws.wrapper.tcpDataProcessed()
        assert (await client.wait("snap", k=SPX))["l"] == 6700.25
        tws.wrapper.updateMktDepthL2(tws.live("depth", "SPY"), 0, "ARCA", 0, 1, 672.42, 300, True)
        assert await client.wait("d", op="i", sd="b", pos=0, p=672.42, s=300, mm="ARCA")
        tws.wrapper.updateMktDepth(tws.live("depth", "SPY"), 0, 0, 0, 672.44, 100)
        assert "mm" not in await client.wait("d", op="i", sd="a")
        tws.wrapper.realtimeBar(
            tws.live("bars", "SPY"), 1764086400, 672.41, 672.45, 672.4, 672.44, 51230, 672.4271, 412
        )
        assert await client.wait("b5", t0=1764086400, v=51230, vw=672.4271, ct=412, what="TRADES")
        await client.say(op="snap", id="q7", ks=[SPY])
        assert (await client.wait("book", b=[[672.42, 300, "ARCA"]]))["reset"] is True
        tws.error(-1, 2103, "Market data farm connection is broken:usfarm")
        status = await client.wait("st", ib="degraded", code=2103, farm="usfarm")
        assert set(status["stale_ks"]) == {SPY, SPX}
        tws.error(tws.live("l1", "SPX"), 10167, "Displaying delayed market data")
        assert await client.wait("err", code=10167, k=SPX)
        await client.say(op="sub", id="a1", subs=[sub("STK:NOPE NOPE")])
        assert (await client.wait("nack", id="a1"))["reason"] == "bad_key"
        await client.say(op="unsub", id="u1", ks=[SPX])
        assert (await client.wait("ack", id="u1"))["ok"] == {}
        await client.say(op="ping", id="p42")
        await client.wait("pong", id="p42")
        await stage.go(1)
        beat = await client.wait("hb")
        assert set(beat) == {"ev", "n", "tb", "ib", "last_tick_us", "lines_used", "q_depth", "dropped"}


@scenario
async def test_authorization():
    async with Stage(token=TOKEN) as stage:
        await (await stage.up()).client()
        for headers in (
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": TOKEN},
            [("Authorization", f"Bearer {TOKEN}")] * 2,
        ):
            stranger = await stage.client(hello=False, additional_headers=headers)
            assert await stranger.closed() == 4003
            assert stranger.events == []


@scenario
async def test_version_and_hello():
    async with Stage() as stage:
        await stage.up()
        old, dumb = await stage.client(hello=False), await stage.client(hello=False)
        await old.say(op="hello", v=2, client="old")
        assert await old.closed() == 4000
        await until(lambda: len(stage.bridge.core.clients) == 1)
        await stage.go(3.1)
        assert await dumb.closed() == 4002


@scenario
async def test_what_is_not_the_engine_stays_out():
    async with Stage() as stage:
        await stage.up()
        for options, status in (
            ({"origin": "http://evil.example"}, 403),
            ({"path": "/"}, 404),
            ({"path": "/ib/v2"}, 404),
        ):
            with pytest.raises(InvalidStatus) as refused:
                await WebSocketClient().open(stage.port, **options)
            assert refused.value.response.status_code == status


@scenario
async def test_health_over_http():
    def get(path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{stage.port}{path}", timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    async with Stage(token=TOKEN) as stage:
        await stage.up()
        status, health = await asyncio.to_thread(get, "/readyz")
        assert (status, health["ib"], health["clients"]) == (200, "up", 0)
        assert TOKEN not in json.dumps(health)
        stage.tws.listening = False
        stage.tws.close()
        assert (await asyncio.to_thread(get, "/readyz"))[0] == 503
        assert (await asyncio.to_thread(get, "/healthz"))[0] == 200


@scenario
async def test_two_clients_union_and_references():
    async with Stage() as stage:
        await stage.up()
        one, two = await stage.client(), await stage.client()
        await one.say(op="set", id="a", subs=[sub(SPY), sub(QQQ)])
        await two.say(op="set", id="b", subs=[sub(SPY), sub(IWM)])
        await one.wait("ack")
        await two.wait("ack")
        await stage.go(0.1)
        assert sorted(stage.tws.kinds("l1")) == [("l1", "IWM"), ("l1", "QQQ"), ("l1", "SPY")]
        stage.tws.tick("SPY", 1, 2)
        assert (await one.wait("snap", k=SPY))["b"] == (await two.wait("snap", k=SPY))["b"] == 1
        await one.leave()
        await until(lambda: len(stage.bridge.core.clients) == 1)
        await stage.go(11)
        assert len(stage.tws.kinds("cancel_l1")) == 1
        assert stage.tws.live("l1", "SPY") and not stage.tws.live("l1", "QQQ")
        back = await stage.client()
        await back.say(op="set", id="c", subs=[sub(SPY)])
        await back.wait("snap", k=SPY)
        assert len(stage.tws.kinds("l1")) == 3


@scenario
async def test_a_slow_client_on_a_socket():
    limits = Limits(conflate=64 << 10, step=16 << 10)
    async with Stage(outbox=limits) as stage:
        await stage.up()
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 10)
        narrow.connect(("127.0.0.1", stage.port))
        narrow.setblocking(False)
        slow, quick = await stage.client(sock=narrow, max_queue=1), await stage.client()
        for client in (slow, quick):
            await client.say(op="set", id="s", subs=[sub(SPY, depth=5), sub(QQQ)])
            await client.wait("ack")
        await stage.go(0.2)
        await until(lambda: stage.tws.live("depth", "SPY") and stage.tws.live("l1", "QQQ"))
        tws = stage.tws
        depth, lines = tws.live("depth", "SPY"), {key: tws.live("l1", key) for key in ("SPY", "QQQ")}
        tws.wrapper.updateMktDepthL2(depth, 0, "ARCA", 0, 1, 99.0, 1, True)
        tws.tick("SPY", 1, 2)
        tws.tick("QQQ", 1, 2)
        await stage.go(1)
        slow.reading.clear()
        for index in range(20_000):
            tws.wrapper.updateMktDepthL2(depth, 0, "ARCA", 1, 1, 99.0, index, True)
            name = ("SPY", "QQQ")[index % 2]
            tws.wrapper.priceSizeTick(lines[name], 4, index + 1.0, 100)
            tws.wrapper.priceSizeTick(lines[name], 1, index + 1.0, 100)
            tws.wrapper.tcpDataProcessed()
            if index % 50 == 0:
                await until(lambda: not len(stage.bridge.outbox(2)), "the quick one has all")
        dropped = stage.bridge.outbox(1).dropped
        assert dropped > 0 and stage.bridge.outbox(1).bytes <= (64 + 16 + 8) << 10
        slow.reading.set()
        await stage.go(1)
        beat = await quick.wait("hb", count=2)
        await until(lambda: slow.of("hb") and slow.of("hb")[-1]["tb"] >= beat["tb"], "all is read")
        assert slow.numbers.missing == slow.of("hb")[-1]["dropped"] >= dropped
        assert quick.numbers.gaps == 0 and slow.numbers.gaps > 0
        gap = slow.of("gap")[0]
        assert gap["why"] == "backpressure" and set(gap["ks"]) <= {SPY, QQQ}
        after = slow.events[slow.events.index(gap) :]
        assert {event["k"] for event in after if event["ev"] == "snap"} == {SPY, QQQ}
        assert any(event["ev"] == "book" and event["reset"] for event in after)
        last = [event for event in slow.events if event["ev"] in ("book", "d")][-1]
        assert (last["b"][0][1] if last["ev"] == "book" else last["s"]) == 19_999
        assert [e for e in slow.of("q", "snap") if e["k"] == QQQ and "b" in e][-1]["b"] == 20_000


@scenario
async def test_a_client_that_does_not_read_is_cut_off():
    async with Stage(outbox=Limits(conflate=8 << 10, step=1 << 10, close=32 << 10)) as stage:
        await stage.up()
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 10)
        narrow.connect(("127.0.0.1", stage.port))
        narrow.setblocking(False)
        deaf = await stage.client(sock=narrow, max_queue=1)
        deaf.reading.clear()
        for index in range(12_000):
            await deaf.say(op="ping", id=f"{index:060}")
            # A send that needs no waiting doesn't let the server run.
            await asyncio.sleep(0)
            if 1 in stage.bridge.core.clients and stage.bridge.outbox(1).bytes > 40 << 10:
                break
        else:
            raise AssertionError("the queue never grew")
        other = await stage.client()
        await stage.go(5.2)
        await until(lambda: stage.bridge.core.counters.get("close_1013") == 1)
        await until(lambda: 1 not in stage.bridge.core.clients, "it is gone although it reads nothing")
        await other.say(op="ping", id="alive")
        await other.wait("pong", id="alive")


@scenario
async def test_a_stopping_bridge_says_1012():
    async with Stage() as stage:
        client = await (await stage.up()).client()
        await stage.bridge.server.stop(1012, "bridge stops")
        assert await client.closed() == 1012


@scenario
async def test_the_restart_at_2345():
    """Three minutes without TWS in virtual time, with two clients on real sockets."""
    async with Stage(at=datetime(2025, 11, 19, 23, 44, 30, tzinfo=NEW_YORK)) as stage:
        await stage.up()
        one, two = await stage.client(), await stage.client()
        await one.say(op="set", id="a", subs=[sub(SPY, depth=5, bars=True, pri=9)])
        await two.say(op="set", id="b", subs=[sub(SPY), sub(QQQ, pri=1)])
        await one.wait("ack")
        await two.wait("ack")
        await stage.go(30)
        stage.tws.tick("SPY", 1, 2)
        stage.tws.listening = False
        stage.tws.close()
        assert (await one.wait("st", ib="down"))["stale_ks"] == [SPY]
        assert set((await two.wait("st", ib="down"))["stale_ks"]) == {SPY, QQQ}
        attempts = len(stage.tws.connects)
        stage.tws.requests.clear()
        await stage.go(180)
        assert len(stage.tws.connects) - attempts in (35, 36)
        assert stage.tws.requests == []
        stage.tws.listening = True
        stage.tws.farms = False
        await stage.go(5.5)
        await one.wait("hello", epoch="epoch-2")
        assert stage.tws.requests == [], "not before the farms are OK"
        stage.tws.error(-1, 2104, "Market data farm connection is OK:usfarm")
        await stage.go(0.1)
        await one.wait("st", ib="up")
        assert stage.tws.kinds() == [("l1", "SPY"), ("bars", "SPY"), ("depth", "SPY"), ("l1", "QQQ")]
        stage.tws.tick("SPY", 3, 4)
        assert (await one.wait("snap", b=3)) and (await two.wait("snap", b=3))
        assert one.code is None and two.code is None
        beats = [event["tb"] for event in one.of("hb")]
        assert max(after - before for before, after in itertools.pairwise(beats)) <= 1_200_000


@scenario
async def test_the_old_socket_is_deaf():
    async with Stage() as stage:
        await stage.up()
        old = stage.tws.wrapper
        stage.tws.close()
        await stage.go(6)
        await stage.up()
        old.error(-1, 1100, "of the old session", "")
        assert stage.bridge.core.session.ib == "up" and "code_1100" not in stage.bridge.core.counters


@scenario
async def test_a_client_id_in_use():
    async with Stage() as stage:
        stage.tws.taken_ids = {71}
        for _ in range(30):
            await stage.go(1, step=0.25)
            if stage.bridge.core.session.ib == "up":
                break
        assert [client_id for _, client_id in stage.tws.connects] == [71, 71, 71, 72]
        assert stage.bridge.core.counters["code_326"] == 3


@scenario
async def test_a_competing_session():
    async with Stage() as stage:
        await stage.up()
        client = await stage.client()
        await client.say(op="set", id="a", subs=[sub(SPY)])
        await client.wait("ack")
        await stage.go(0.1)
        stage.tws.tick("SPY", 1, 2)
        stage.tws.error(stage.tws.live("l1", "SPY"), 10197, "No market data during competing live session")
        await client.wait("st", ib="degraded", code=10197, stale_ks=[SPY])
        await client.wait("err", code=10197, k=SPY)
        await stage.go(46)
        assert len(stage.tws.kinds("l1")) == 2
        stage.tws.tick("SPY", 5, 6)
        await client.wait("st", ib="up", code=10197)
        await client.wait("snap", b=5)


@scenario
async def test_rubbish_on_the_socket_never_ends_the_server():
    async with Stage() as stage:
        await stage.up()
        good = await stage.client()
        seed = random.SystemRandom().randrange(1 << 30)
        print("seed", seed)
        chance = random.Random(seed)
        for _ in range(15):
            bad = await stage.client()
            for _ in range(20):
                size = chance.randrange(200)
                await bad.raw(
                    bytes(chance.randrange(256) for _ in range(size))
                    if chance.random() < 0.5
                    else "".join(chr(chance.randrange(32, 0x2FF)) for _ in range(size))
                )
            await bad.leave()
        # Raw bytes: no handshake, half a handshake, broken frames after one.
        upgrade = (
            f"GET /ib/v1 HTTP/1.1\r\nHost: 127.0.0.1:{stage.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode()
        for start in (b"", b"GET /ib/v1 HTTP/1.1\r\nHost: x\r\n", upgrade):
            for _ in range(10):
                _, writer = await asyncio.open_connection("127.0.0.1", stage.port)
                writer.write(start + bytes(chance.randrange(256) for _ in range(chance.randrange(1, 100))))
                await writer.drain()
                writer.close()
        await until(lambda: len(stage.bridge.core.clients) == 1, "only the good one is left")
        large = await stage.client()
        await large.raw("x" * (300 << 10))
        assert await large.closed() == 1009
        await good.say(op="ping", id="alive")
        await good.wait("pong", id="alive")
        assert stage.bridge.core.counters.get("tick_faults") is None


@scenario
async def test_a_fault_in_a_callback_is_kept_to_itself():
    async with Stage() as stage:
        await stage.up()
        client = await stage.client()
        await client.say(op="set", id="a", subs=[sub(SPY)])
        await client.wait("ack")
        await stage.go(0.1)
        stage.tws.wrapper.priceSizeTick(stage.tws.live("l1", "SPY"), 1, "not a number", 1)
        stage.tws.wrapper.someNewCallback(1, 2, 3)
        stage.tws.tick("SPY", 1, 2)
        await client.wait("snap", b=1)
        assert stage.bridge.core.counters["callback_faults"] == 1
        assert stage.bridge.core.counters["other_callbacks"] == 1
