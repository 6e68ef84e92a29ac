"""What check.py has to find: python3 stress-test/test_check.py"""

import sqlite3
import unittest

from check import check

WHOLE = [(vu, n) for vu in (1, 2) for n in range(5)]


class Store:
    """Holds the given logs, each (user, number)."""

    def __init__(self, logs):
        self.db = sqlite3.connect(":memory:")
        self.db.execute("CREATE TABLE logs(vu, n)")
        self.db.executemany("INSERT INTO logs VALUES (?, ?)", logs)

    def query(self, text, **values):
        return self.db.execute(text.format(vu="vu", n="n", **values)).fetchall()


def faults(stored, accepted, refused=0, warnings=""):
    return check(Store(stored), accepted, refused, warnings)["faults"]


class Check(unittest.TestCase):
    def test_each_201_stored_once_is_no_fault(self):
        self.assertEqual(faults(WHOLE, 10), [])

    def test_a_lost_log_is_found_wherever_it_stood(self):
        for lost in WHOLE:
            self.assertTrue(faults([log for log in WHOLE if log != lost], 10), lost)

    def test_a_last_log_that_is_lost_is_found_by_the_counts(self):
        self.assertEqual(
            faults(WHOLE[:-1], 10),
            [
                "10 logs were sent, but the numbers reach 9",
                "10 logs were answered 201, but 9 of them are stored",
            ],
        )

    def test_a_user_all_of_whose_logs_are_lost_is_found(self):
        self.assertTrue(faults([log for log in WHOLE if log[0] != 2], 10))

    def test_a_doubled_log_is_found_even_if_another_is_lost(self):
        self.assertTrue(faults(WHOLE + [(2, 4)], 10))
        swapped = [log for log in WHOLE if log != (1, 2)] + [(1, 3)]
        self.assertEqual(
            faults(swapped, 10),
            ["user 1: 1 logs are stored more than once", "user 1: 1 logs are missing"],
        )

    def test_a_refused_log_may_be_there_or_not(self):
        warning = "refused vu=1 first=2 logs=1 status=503"
        for stored in (WHOLE, [log for log in WHOLE if log != (1, 2)]):
            self.assertEqual(faults(stored, 9, 1, warning), [])
        self.assertEqual(faults(WHOLE, 10, 2, "refused vu=7 first=0 logs=2 status=0"), [])

    def test_a_refused_log_does_not_hide_a_lost_one(self):
        for last in (2, 4):
            warning = f"refused vu=1 first={last} logs=1 status=503"
            stored = [log for log in WHOLE if log not in ((1, last), (1, 3))]
            self.assertTrue(faults(stored, 9, 1, warning))

    def test_a_refusal_that_was_not_told_of_is_found(self):
        stored = [log for log in WHOLE if log != (1, 2)]
        self.assertIn("1 logs were refused, but 0 told of", faults(stored, 9, 1))


if __name__ == "__main__":
    unittest.main()
