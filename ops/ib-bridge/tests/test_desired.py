import random

from rig import ES, IWM, QQQ, SPX, SPY

from ibbridge.desired import Desired, Item, Quota
from ibbridge.keys import parse
from ibbridge.wire import Sub


def want(key=SPY, l1=True, depth=0, bars="", priority=5):
    return Sub(parse(key), l1, depth, bars, priority)


def served(desired, quota=None, live=(), barred=()):
    return list(desired.plan(quota or Quota(), set(live), set(barred)).served)


def test_the_union_of_clients():
    desired = Desired()
    desired.replace(1, [want(SPY, depth=2, priority=1)], 0)
    desired.replace(2, [want(SPY, depth=5, priority=7), want(QQQ)], 0)
    plan = desired.plan(Quota(), set(), set())
    need = plan.served[Item("depth", SPY)]
    assert (need.rows, need.priority) == (5, 7)
    assert list(plan.served) == [Item("l1", SPY), Item("depth", SPY), Item("l1", QQQ)]
    assert desired.subscribers[Item("l1", SPY)] == [1, 2]


def test_references_are_counted():
    desired = Desired()
    desired.replace(1, [want(SPY)], 0)
    desired.replace(2, [want(SPY)], 0)
    desired.leave(1, 0)
    assert not desired.expire(100)
    assert served(desired) == [Item("l1", SPY)]
    desired.remove(2, [SPY], 200)
    assert served(desired, live=[Item("l1", SPY)]) == [Item("l1", SPY)], "lingers"
    assert not desired.expire(209.9)
    assert desired.expire(210)
    assert served(desired, live=[Item("l1", SPY)]) == []


def test_coming_back_in_time_costs_nothing():
    desired = Desired()
    desired.replace(1, [want(SPY)], 0)
    desired.leave(1, 0)
    desired.replace(2, [want(SPY)], 9)
    assert not desired.expire(100)


def test_rank_is_priority_then_age():
    desired = Desired()
    desired.replace(1, [want(SPY, priority=1), want(QQQ, priority=9), want(IWM, priority=1)], 0)
    plan = desired.plan(Quota(lines=2), set(), set())
    assert list(plan.served) == [Item("l1", QQQ), Item("l1", SPY)]
    assert plan.refused == {Item("l1", IWM): "limit_lines"}


def test_bars_are_lines_and_books_have_their_own_quota():
    desired = Desired()
    desired.replace(1, [want(SPY, bars="TRADES", depth=5, priority=9)], 0)
    desired.add(1, [want(QQQ, depth=5, priority=8), want(IWM, l1=False, depth=5), want(ES, l1=False, depth=5)], 0)
    plan = desired.plan(Quota(lines=2, books=3), set(), set())
    assert plan.refused == {Item("l1", QQQ): "limit_lines", Item("depth", ES): "limit_depth"}


def test_what_lingers_gives_way():
    desired = Desired()
    desired.replace(1, [want(SPY)], 0)
    desired.replace(1, [want(QQQ)], 0)
    live = {Item("l1", SPY)}
    assert served(desired, Quota(lines=2), live) == [Item("l1", QQQ), Item("l1", SPY)]
    assert served(desired, Quota(lines=1), live) == [Item("l1", QQQ)]
    assert served(desired, Quota(lines=2), live) == [Item("l1", QQQ)], "gone for good"


def test_what_tws_refused_takes_no_room():
    desired = Desired()
    desired.replace(1, [want(SPX, priority=9), want(SPY)], 0)
    assert served(desired, Quota(lines=1), barred=[Item("l1", SPX)]) == [Item("l1", SPY)]


def test_any_history_keeps_the_quotas_and_the_union():
    seed = random.SystemRandom().randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    keys = [f"STK:S{index}:SMART:USD" for index in range(30)]
    desired, quota, now, live = Desired(), Quota(lines=10, books=3), 0.0, set()
    model: dict[int, dict[str, Sub]] = {}
    for _ in range(3000):
        now += chance.random() * 3
        client = chance.randrange(4)
        subs = [
            want(key, chance.random() < 0.8, chance.choice((0, 5)), chance.choice(("", "TRADES")), chance.randrange(10))
            for key in chance.sample(keys, chance.randrange(8))
        ]
        match chance.randrange(4):
            case 0:
                desired.replace(client, subs, now)
                model[client] = {sub.key.text: sub for sub in subs}
            case 1:
                desired.add(client, subs, now)
                model.setdefault(client, {}).update({sub.key.text: sub for sub in subs})
            case 2:
                gone = chance.sample(keys, 5)
                desired.remove(client, gone, now)
                for key in gone:
                    model.get(client, {}).pop(key, None)
            case 3:
                desired.leave(client, now)
                model.pop(client, None)
        desired.expire(now)
        plan = desired.plan(quota, live, set())
        live = set(plan.served)
        wanted = {
            item
            for mine in model.values()
            for sub in mine.values()
            for item, flag in (
                (Item("l1", sub.key.text), sub.l1),
                (Item("bars", sub.key.text, sub.bars), bool(sub.bars)),
                (Item("depth", sub.key.text), sub.depth > 0),
            )
            if flag
        }
        assert wanted == set(desired.subscribers)
        assert wanted <= set(plan.served) | set(plan.refused)
        assert not set(plan.refused) & set(plan.served)
        assert sum(item.kind != "depth" for item in plan.served) <= quota.lines
        assert sum(item.kind == "depth" for item in plan.served) <= quota.books
    for client in list(model):
        desired.leave(client, now)
    desired.expire(now + 11)
    assert served(desired, quota, live) == [] and not desired._order
