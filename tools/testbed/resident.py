"""Runs a Python program by forks of this process, which has loaded its modules: the same code, without a new start for each call.

    python3 resident.py PROGRAM MODULE...

A call is a line of JSON on standard input, {"id", "args", "env", "cwd", "timeout"}, and its answer one on standard output, {"id", "code",
"signal", "stdout", "stderr"}. It gets its own arguments, environment, folder and output, and an empty input.
"""

import gc
import importlib
import json
import os
import runpy
import select
import signal
import sys
import time

program, *modules = sys.argv[1:]
calls, answers = os.dup(0), os.dup(1)
nothing = os.open(os.devnull, os.O_RDWR)
os.dup2(nothing, 0)
os.dup2(nothing, 1)

sys.path[0] = os.path.dirname(os.path.realpath(program))
before = dict(os.environ)
for name in modules:
    try:
        importlib.import_module(name)
    except ImportError:
        # Another version has it elsewhere, and loads it by itself.
        pass
made = {name: value for name, value in os.environ.items() if before.get(name) != value}


def tell(answer):
    rest = json.dumps(answer).encode() + b"\n"
    while rest:
        rest = rest[os.write(answers, rest) :]


def taken(file):
    with os.fdopen(file, "rb") as opened:
        opened.seek(0)
        return opened.read().decode(errors="replace")


def serve():
    """Answers calls until there are no more. Returns in forks alone, with the call."""
    running = {}
    poll = select.poll()
    poll.register(calls, select.POLLIN)
    unread = b""
    while True:
        ends = [call["ends"] for call, *_ in running.values()]
        for ready, _ in poll.poll(1000 * max(0, min(ends) - time.monotonic()) if ends else None):
            if ready == calls:
                data = os.read(calls, 1 << 20)
                if not data:
                    for process, (_, child, *_) in running.items():
                        signal.pidfd_send_signal(process, signal.SIGKILL)
                        os.waitpid(child, 0)
                    os._exit(0)
                *lines, unread = (unread + data).split(b"\n")
                for line in lines:
                    call = json.loads(line)
                    out, err = os.memfd_create("stdout"), os.memfd_create("stderr")
                    child = os.fork()
                    if child == 0:
                        os.dup2(out, 1)
                        os.dup2(err, 2)
                        return call
                    process = os.pidfd_open(child)
                    call["ends"] = time.monotonic() + call["timeout"]
                    running[process] = (call, child, out, err)
                    poll.register(process, select.POLLIN)
            else:
                poll.unregister(ready)
                call, child, out, err = running.pop(ready)
                os.close(ready)
                code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                how = {"code": code} if code >= 0 else {"signal": signal.Signals(-code).name}
                tell({"id": call["id"], **how, "stdout": taken(out), "stderr": taken(err)})
        for process, (call, *_) in running.items():
            if call["ends"] <= time.monotonic():
                signal.pidfd_send_signal(process, signal.SIGKILL)


# What is loaded stays: collections of a fork would touch all of it, and so copy it.
gc.freeze()
call = serve()
os.chdir(call["cwd"])
os.environ.clear()
os.environ.update({**made, **call["env"]})
time.tzset()
sys.argv = [program, *call["args"]]
runpy.run_path(program, run_name="__main__")
