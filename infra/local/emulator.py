"""Starts MiniStack and notes which rights its policies were found to give.

    python emulator.py FILE

Each line of FILE is one right, the first time that it was used: principal,
action, resource, apart by tabs.
"""

import runpy
import sys

from ministack.core import iam_evaluator

evaluate = iam_evaluator.evaluate
noted = set()
notes = open(sys.argv.pop(), "a", buffering=1)  # a line is there when it is written


def evaluate_and_note(context, *policies):
    result = evaluate(context, *policies)
    note = (context.principal_arn, context.action, context.resource_arn)
    if result.decision == "Allow" and note not in noted:
        noted.add(note)
        print(*note, sep="\t", file=notes)
    return result


iam_evaluator.evaluate = evaluate_and_note
runpy.run_module("ministack", run_name="__main__")
