"""Whose turn it is: everybody once, in the order of asking."""

import threading

from pxs.app.turns import Turns


def test_those_who_wait_are_served_in_the_order_of_asking_and_keep_their_place():
    turns = Turns()
    for who in "abacb":
        turns.ask(who)
    assert turns.waiting == ("a", "b", "c")
    assert turns.next() == "a"
    turns.ask("a")
    assert [turns.next() for _ in range(3)] == ["b", "c", "a"]
    assert turns.waiting == ()


def test_one_who_asks_all_the_time_is_served_no_more_than_the_others():
    turns, served = Turns(), []
    for who in "abcd":
        turns.ask(who)
    for _ in range(40):
        served.append(turns.next())
        turns.ask("a")  # again and again
        turns.ask(served[-1])
    assert {who: served.count(who) for who in "abcd"} == dict.fromkeys("abcd", 10)


def test_one_who_leaves_is_not_served():
    turns = Turns()
    for who in "abc":
        turns.ask(who)
    turns.leave("b")
    turns.leave("z")
    assert [turns.next(), turns.next()] == ["a", "c"]


def test_next_waits_for_somebody_and_ends_with_close():
    turns, found = Turns(), []
    thread = threading.Thread(target=lambda: found.extend(iter(turns.next, None)))
    thread.start()
    turns.ask("a")
    while turns.waiting or not found:
        pass
    turns.close()
    thread.join(60)
    assert found == ["a"] and not thread.is_alive()
    turns.ask("b")
    assert turns.next() is None
