"""Reads lines of `aws` commands and prints what is wrong with them, by the service
models of botocore: no such operation, or no such option."""

import re
import shlex
import sys

import botocore.session
from botocore import xform_name

GLOBAL = {"query", "output", "region", "profile"}
session = botocore.session.get_session()


def options(operation):
    """The options of an operation; a Boolean also has its opposite."""
    shape = operation.input_shape
    found = set(GLOBAL)
    for name, member in (shape.members if shape else {}).items():
        option = xform_name(name, "-")
        found.add(option)
        if member.type_name == "boolean":
            found.add("no-" + option)
    return found


for line in sys.stdin:
    # $( ) within a command is a command of its own, and a line of the input too.
    words = shlex.split(re.sub(r"\$\([^()]*\)", "VALUE", line.strip()), posix=True)
    service, operation = words[1], words[2]
    try:
        model = session.get_service_model(service)
        if operation == "wait":
            waiters = session.get_waiter_model(service)
            named = {xform_name(w, "-"): w for w in waiters.waiter_names}
            operation = xform_name(waiters.get_waiter(named[words[3]]).operation, "-")
        names = {xform_name(name, "-"): name for name in model.operation_names}
        known = options(model.operation_model(names[operation]))
    except Exception as error:  # noqa: BLE001: whatever is unknown is a mistake
        print(f"{line.strip()}: {type(error).__name__} {error}")
        continue
    for word in words:
        if word.startswith("--") and word[2:] not in known:
            print(f"{line.strip()}: there is no option {word}")
