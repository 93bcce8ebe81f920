"""What often becomes of one purchase, credit, adjustment or pair of customers, step by step."""

from typing import TypeAlias

Steps: TypeAlias = list[tuple[str, str]]  # a verb and a part of what is left

# Chance alone seldom settles, cancels and lets expire one and the same purchase.
PURCHASES: list[Steps] = [
    [("settle", "half"), ("cancel", "all"), ("cancel", "one")],
    [("settle", "half"), ("settle", "whole"), ("cancel", "half"), ("cancel", "whole")],
    [("cancel", "half"), ("settle", "all"), ("cancel", "whole")],
    [("wait", ""), ("settle", "half"), ("expire", ""), ("cancel", "all")],
    [("settle", "all"), ("wait", ""), ("wait", ""), ("cancel", "half"), ("cancel", "all")],
    [("close", ""), ("settle", "all"), ("close", ""), ("cancel", "half"), ("close", "")],
]
CREDITS: list[Steps] = [
    [("authorize", "whole"), ("cancel", "all")],
    [("authorize", "all"), ("cancel", "half")],
    [("cancel", "half"), ("expire", ""), ("cancel", "too much")],
]

ADJUSTMENTS: list[Steps] = [
    [("reverse", ""), ("reverse", "")],
    [("authorize", "half"), ("reverse", "")],
    [("authorize", "all"), ("reverse", "")],
    [("wait", ""), ("expire", ""), ("extend", "ended"), ("reverse", "")],
    [("wait", ""), ("wait", ""), ("reverse", "")],
    [("close", ""), ("reverse", "")],
]

TWO_WHO_ARE_ONE: list[Steps] = [
    [("merge", ""), ("merge", "again"), ("unmerge", "own"), ("unmerge", "own"), ("unmerge", "")],
    [("merge", ""), ("cancel", "half"), ("unmerge", "")],
    [("merge", ""), ("cancel", "all"), ("expire", "")],
    [("merge", ""), ("wait", ""), ("unmerge", "")],
    [("merge", ""), ("spend", "half"), ("unmerge", ""), ("give back", ""), ("unmerge", "")],
    [("spend", "half"), ("merge", ""), ("give back", ""), ("unmerge", "")],
    [("give", ""), ("block", ""), ("merge", ""), ("unblock", ""), ("merge", ""), ("merge", "")],
    [("merge", ""), ("worth less", ""), ("unmerge", "")],
    [("worth more", ""), ("merge", ""), ("worth more", "")],
    [("merge", ""), ("merge on", ""), ("unmerge", ""), ("part", ""), ("unmerge", "")],
    [("pay", ""), ("wait", ""), ("give back", ""), ("merge", ""), ("unmerge", "")],
    [("end", ""), ("credit", ""), ("merge", ""), ("unmerge", "")],
    [("end", ""), ("credit", ""), ("merge", ""), ("spend", "half")],
]
