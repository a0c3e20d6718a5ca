import pytest

from ibbridge.keys import BadKey, parse


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("STK:SPY:SMART:USD", {"secType": "STK", "symbol": "SPY", "exchange": "SMART", "currency": "USD"}),
        ("STK:BRK B:SMART:USD", {"secType": "STK", "symbol": "BRK B", "exchange": "SMART", "currency": "USD"}),
        ("IND:SPX:CBOE:USD", {"secType": "IND", "symbol": "SPX", "exchange": "CBOE", "currency": "USD"}),
        (
            "OPT:SPXW:20251219:6500:C:SMART:USD",
            {
                "secType": "OPT",
                "symbol": "SPX",
                "exchange": "SMART",
                "currency": "USD",
                "lastTradeDateOrContractMonth": "20251219",
                "strike": 6500.0,
                "right": "C",
                "tradingClass": "SPXW",
            },
        ),
        (
            "FUT:ES:202512:CME:USD",
            {
                "secType": "FUT",
                "symbol": "ES",
                "exchange": "CME",
                "currency": "USD",
                "lastTradeDateOrContractMonth": "202512",
            },
        ),
    ],
)
def test_the_forms_of_the_protocol(text, fields):
    key = parse(text)
    assert key.text == text
    assert key.contract_fields() == fields


@pytest.mark.parametrize("strike", ["6500", "0.5", "12.125", "0", "1234567"])
def test_strikes_in_their_only_spelling(strike):
    assert parse(f"OPT:SPY:20251219:{strike}:P:SMART:USD").contract_fields()["strike"] == float(strike)


@pytest.mark.parametrize(
    "text",
    [
        None, 7, "", "SPY", "STK:SPY:SMART", "STK:spy:SMART:USD", "STK:SPY:SMART:USD ", "STK:SPY:SMART:USD\n",
        "STK::SMART:USD", "CASH:EUR:IDEALPRO:USD", "IND:SPX:CBOE:USDX", "STK:" + "A" * 60 + ":SMART:USD",
        "OPT:SPXW:20251219:6500.0:C:SMART:USD", "OPT:SPXW:20251219:06500:C:SMART:USD",
        "OPT:SPXW:20251219:6.5e3:C:SMART:USD", "OPT:SPXW:20251219:-5:C:SMART:USD",
        "OPT:SPXW:20251319:6500:C:SMART:USD", "OPT:SPXW:20251232:6500:C:SMART:USD",
        "OPT:SPXW:20251219:6500:CALL:SMART:USD", "FUT:ES:2025:CME:USD", "FUT:ES:202513:CME:USD",
        "STK:SPY:SMART:USD:", "STK:ＳＰＹ:SMART:USD", "OPT:SPXW:２０２５１２１９:6500:C:SMART:USD",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text):
    with pytest.raises(BadKey):
        parse(text)
