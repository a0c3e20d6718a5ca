from ibbridge.pacing import BarPacer, EventRate, MessagePacer


def test_never_more_than_the_rate_in_any_second():
    pacer = MessagePacer(40)
    sent, now = [], 0.0
    while now < 5:
        while pacer.take(now):
            sent.append(now)
        now += 0.013
    for start in sent:
        assert sum(1 for at in sent if start <= at < start + 1.0) <= 40
    assert len(sent) >= 40 * 5 * 0.95


def test_a_breach_silences_then_halves():
    pacer = MessagePacer(40)
    pacer.breach(10.0)
    assert not pacer.take(10.99)
    assert sum(pacer.take(11.01) for _ in range(100)) == 20
    assert sum(pacer.take(71.0) for _ in range(100)) == 40


def test_sixty_bar_requests_in_ten_minutes():
    pacer = BarPacer(60)
    for index in range(60):
        assert pacer.wait(index, f"K{index}", "TRADES") == 0
        pacer.sent(index, f"K{index}", "TRADES")
    assert pacer.wait(100, "NEW", "TRADES") == 500
    assert pacer.wait(600.5, "NEW", "TRADES") == 0
    assert pacer.used(600.5) == 59


def test_the_same_request_not_within_15_seconds():
    pacer = BarPacer()
    pacer.sent(0, "K", "TRADES")
    assert pacer.wait(5, "K", "TRADES") == 10
    assert pacer.wait(5, "K", "BID") == 0
    assert pacer.wait(15, "K", "TRADES") == 0


def test_fewer_than_six_of_a_contract_in_two_seconds():
    pacer = BarPacer()
    for index in range(5):
        pacer.sent(index * 0.1, "K", f"W{index}")
    assert pacer.wait(0.5, "K", "OTHER") == 1.5
    assert pacer.wait(0.5, "J", "OTHER") == 0
    assert pacer.wait(2.1, "K", "OTHER") == 0


def test_twenty_a_second_and_the_rest_counted():
    rate = EventRate(20)
    assert sum(rate.take(0.0) for _ in range(50)) == 20
    assert rate.suppressed == 30
    assert rate.take(1.0)
