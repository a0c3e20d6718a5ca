import random

import pytest

from ibbridge.book import ASK, BID, DELETE, INSERT, MAX_ROWS, UPDATE, Book, IndexFault


def test_insert_shifts_down_and_delete_shifts_up():
    book = Book()
    book.apply(INSERT, BID, 0, 10.0, 100, "A")
    book.apply(INSERT, BID, 1, 9.0, 200, "B")
    book.apply(INSERT, BID, 0, 11.0, 300, "C")
    assert book.bids == [(11.0, 300, "C"), (10.0, 100, "A"), (9.0, 200, "B")]
    book.apply(DELETE, BID, 1, 0, 0, "")
    assert book.bids == [(11.0, 300, "C"), (9.0, 200, "B")]
    book.apply(UPDATE, BID, 1, 9.5, 50, "D")
    assert book.bids == [(11.0, 300, "C"), (9.5, 50, "D")]
    assert book.asks == []
    assert book.rows() == {"b": [[11.0, 300, "C"], [9.5, 50, "D"]], "a": []}


@pytest.mark.parametrize(
    ("operation", "side", "position"),
    [(UPDATE, BID, 0), (DELETE, ASK, 0), (INSERT, BID, 1), (INSERT, BID, -1), (3, BID, 0), (INSERT, 2, 0)],
)
def test_a_row_that_cannot_be_is_a_fault_and_changes_nothing(operation, side, position):
    book = Book()
    with pytest.raises(IndexFault):
        book.apply(operation, side, position, 1.0, 1, "")
    assert book.rows() == {"b": [], "a": []}


def test_lost_deletes_end_in_a_fault_not_in_memory():
    book = Book()
    for position in range(MAX_ROWS):
        book.apply(INSERT, ASK, position, float(position), 1, "")
    with pytest.raises(IndexFault):
        book.apply(INSERT, ASK, 0, 1.0, 1, "")


def test_it_is_a_list_whatever_comes():
    seed = random.SystemRandom().randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    book, model = Book(), {BID: [], ASK: []}
    for _ in range(5000):
        operation, side, position = chance.randrange(3), chance.randrange(2), chance.randrange(6)
        row = (float(chance.randrange(100)), chance.randrange(1000), "M")
        rows = model[side]
        fits = len(rows) < MAX_ROWS and position <= len(rows) if operation == INSERT else position < len(rows)
        if not fits:
            with pytest.raises(IndexFault):
                book.apply(operation, side, position, *row)
            continue
        book.apply(operation, side, position, *row)
        if operation == INSERT:
            rows.insert(position, row)
        elif operation == UPDATE:
            rows[position] = row
        else:
            rows.pop(position)
        assert book.bids == model[BID]
        assert book.asks == model[ASK]
