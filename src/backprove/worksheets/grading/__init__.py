"""Grading: the claims of submissions judged against the questions of a key.

``key`` reads the key, ``marking`` judges one submission, ``workers`` keeps each submission within
its time and memory in a process of its own, ``grades`` holds what came out.
"""

from backprove.worksheets.grading.grades import Grades, Mark, Marked
from backprove.worksheets.grading.key import Key, read_key
from backprove.worksheets.grading.marking import mark_submission
from backprove.worksheets.grading.workers import grade

__all__ = ["Grades", "Key", "Mark", "Marked", "grade", "mark_submission", "read_key"]
