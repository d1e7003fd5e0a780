#!/usr/bin/env python3
"""Times commands in turns and prints one row for each: median and range of the wall time, peak memory.

usage: measure.py [-n ROUNDS] [-w WARMUPS] < JOBS
JOBS are lines of tab separated fields: name, aim (may be empty), command, preparation (may be absent). A round runs each
job once, so that a change of the machine's speed touches all alike; a preparation runs before its command and is not
timed. A command that fails shows its status instead of times.
"""
import argparse
import os
import statistics
import subprocess
import sys
import time


def run(command):
    """Wall seconds, peak memory in MB and the status of a shell command with everything that it waits for."""
    start = time.monotonic()
    child = subprocess.Popen(["sh", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    return wall, usage.ru_maxrss / 1024, child.returncode, errors


def prepare(command):
    finished = subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return finished.returncode, finished.stderr


def duration(seconds):
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-n", type=int, default=5)
    parser.add_argument("-w", type=int, default=1)
    options = parser.parse_args()
    jobs = [(line.rstrip("\n").split("\t") + ["", ""])[:4] for line in sys.stdin if line.strip()]
    times = {name: [] for name, *_ in jobs}
    peaks = dict.fromkeys(times, 0.0)
    failures = {}
    for turn in range(-options.w, options.n):
        for name, _, command, preparation in jobs:
            if name in failures:
                continue
            status, errors = prepare(preparation) if preparation else (0, b"")
            if status == 0:
                wall, peak, status, errors = run(command)
            if status != 0:
                failures[name] = f"failed with {status}"
                sys.stderr.write(f"{name}: {errors.decode(errors='replace')[-2000:]}\n")
            elif turn >= 0:
                times[name].append(wall)
                peaks[name] = max(peaks[name], peak)
    for name, aim, *_ in jobs:
        walls = times[name]
        if name in failures or not walls:
            print(f"| {name} | {failures.get(name, 'not run')} | | | {aim} |")
        else:
            spread = f"{duration(min(walls))} - {duration(max(walls))}"
            print(f"| {name} | {duration(statistics.median(walls))} | {spread} | {peaks[name]:.0f} MB | {aim} |")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
