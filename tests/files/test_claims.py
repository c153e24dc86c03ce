from __future__ import annotations

import os
import threading

import pytest

from csist_bench.errors import InputError
from csist_bench.files.claims import claimed, is_held, read_claim
from csist_bench.files.objects import Objects

NAME = "_claims/part-1-of-1.json"


def test_a_second_writer_is_refused_and_told_by_whom(bucket):
    place = Objects(bucket)
    with claimed(place, NAME, {"version": "1.2"}, take_over=False) as claim:
        assert is_held(place, NAME)
        claim.require()
        rule = rf"{NAME}: another writer is at work \(process {os.getpid()} on .*, since .*, version 1\.2\).*--resume"
        with pytest.raises(InputError, match=rule), claimed(place, NAME, {}, take_over=False):
            pass
        claim.require()  # the refused one took nothing away
    assert not is_held(place, NAME)
    with claimed(place, NAME, {}, take_over=False):  # given back, it is free
        assert is_held(place, NAME)


def test_a_claim_that_was_taken_over_is_lost_and_stays_with_the_other(bucket):
    place = Objects(bucket)
    with claimed(place, NAME, {}, take_over=False) as first, claimed(place, NAME, {}, take_over=True) as second:
        with pytest.raises(InputError, match=r"claim was taken over \(by process .*it ends here"):
            first.require()
        second.require()
    place = Objects(bucket)
    with claimed(place, NAME, {}, take_over=False) as first:
        with claimed(place, NAME, {}, take_over=True):
            pass
        with pytest.raises(InputError, match="taken over"):
            first.require()
    assert not is_held(place, NAME)  # the first does not write over what the second gave back


def test_the_first_to_end_does_not_free_the_claim_of_who_took_it_over(bucket):
    place = Objects(bucket)
    first = claimed(place, NAME, {}, take_over=False)
    first.__enter__()
    with claimed(place, NAME, {}, take_over=True) as second:
        first.__exit__(None, None, None)
        second.require()


def test_a_claim_is_given_back_when_the_work_fails(bucket):
    place = Objects(bucket)
    with pytest.raises(RuntimeError), claimed(place, NAME, {}, take_over=False):
        raise RuntimeError
    assert not is_held(place, NAME)


def test_a_claim_that_was_removed_is_lost(bucket):
    place = Objects(bucket)
    with claimed(place, NAME, {}, take_over=False) as claim:
        place.remove([NAME])
        with pytest.raises(InputError, match=r"claim was taken over \(or removed\)"):
            claim.require()


def test_a_claim_that_cannot_be_read_is_held_until_somebody_resumes(bucket):
    place = Objects(bucket)
    place.write(NAME, b"\xff{")
    assert read_claim(place, NAME)[1] == {}
    with pytest.raises(InputError, match="process unknown"), claimed(place, NAME, {}, take_over=False):
        pass
    with claimed(place, NAME, {}, take_over=True) as claim:
        claim.require()


@pytest.mark.parametrize("take_over", [False, True])
def test_of_many_at_once_one_gets_it(bucket, take_over):
    if take_over:
        Objects(bucket).write(NAME, b"{}")
    gate, done, won, lost = threading.Barrier(6), threading.Event(), [], []

    def contend(number):
        gate.wait()
        try:
            with claimed(Objects(bucket), NAME, {}, take_over) as claim:
                won.append(claim)
                done.wait(20)
        except InputError:
            lost.append(number)

    threads = [threading.Thread(target=contend, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    while len(won) + len(lost) < 6:
        pass
    assert take_over or len(won) == 1
    good = []
    for claim in won:
        try:
            claim.require()
        except InputError:
            continue
        good.append(claim)
    assert len(good) == 1
    done.set()
    for thread in threads:
        thread.join()
