"""The thread that writes: one job behind at most, in order, and no failure is lost."""

from __future__ import annotations

import threading

import pytest

from zoo.features import writing
from zoo.features.writing import Writer


def test_jobs_run_in_order_in_one_other_thread_and_their_rows_are_counted():
    told = []

    def job(number):
        told.append((number, threading.get_ident()))
        return number

    with Writer() as writer:
        for number in range(5):
            writer.put(lambda number=number: job(number))
    assert [number for number, _ in told] == list(range(5))
    assert len({thread for _, thread in told} - {threading.get_ident()}) == 1
    assert writer.rows == 10


def test_a_slow_job_is_left_behind_and_waited_for_in_the_end(monkeypatch):
    monkeypatch.setattr(writing, "_PATIENCE", 0.001)
    gate = threading.Event()
    with Writer() as writer:
        writer.put(lambda: gate.wait(60) and 7)
        assert writer.rows == 0
        gate.set()
    assert writer.rows == 7


def put(*jobs, then=lambda: None):
    with Writer() as writer:
        for job in jobs:
            writer.put(job)
        then()


def test_a_failure_is_raised_and_later_jobs_do_not_run():
    ran = []
    with pytest.raises(ZeroDivisionError):
        put(lambda: 1 // 0, lambda: ran.append(1) or 1)
    assert ran == []


def test_the_failure_of_the_last_job_is_raised_too(monkeypatch):
    monkeypatch.setattr(writing, "_PATIENCE", 0.001)
    gate = threading.Event()
    with pytest.raises(ZeroDivisionError):
        put(lambda: gate.wait(60) // 0, then=gate.set)


@pytest.mark.parametrize("divisor", [1, 0])
def test_an_interruption_waits_for_the_last_job_and_wins_over_its_failure(monkeypatch, divisor):
    monkeypatch.setattr(writing, "_PATIENCE", 0.001)
    gate, done = threading.Event(), []

    def job():
        gate.wait(60)
        done.append(divisor)
        return 1 // divisor

    def interrupt():
        gate.set()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        put(job, then=interrupt)
    assert done == [divisor]
