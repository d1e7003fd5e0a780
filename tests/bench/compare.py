#!/usr/bin/env python3
"""Times pairs of commands in turns and prints, for each pair, how many times faster and in what part of the memory.

usage: compare.py [-n ROUNDS] [-w WARMUPS] < JOBS
JOBS are lines of tab separated fields: name, Esker's command, the reference's command. Instead of a command the reference
may be `= SECONDS MB`, figures taken elsewhere; the geometric means leave those out. Both commands must print the same.
A peak of less than about 15 MB is this program's own, which a child starts out with.
"""
import argparse
import math
import statistics
import subprocess
import sys

from measure import run


def printed(command):
    """What a command prints, or None when it fails."""
    finished = subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True)
    if finished.returncode != 0:
        sys.stderr.write(f"{command}: {finished.stderr.decode(errors='replace')[-2000:]}\n")
        return None
    return finished.stdout


def comparable(name, ours, reference):
    first = printed(ours)
    second = first if reference.startswith("=") else printed(reference)
    if first is not None and second is not None and first != second:
        sys.stderr.write(f"{name}: gives {first[-200:]!r}, the reference {second[-200:]!r}\n")
    return first is not None and first == second


def medians(jobs, rounds, warmups):
    """Seconds and MB of each command by (name, side), from rounds that run every command once."""
    samples = {}
    for turn in range(-warmups, rounds):
        for name, *commands in jobs:
            for side, command in enumerate(commands):
                if command.startswith("="):
                    seconds, megabytes = map(float, command[1:].split())
                else:
                    seconds, megabytes, _, _ = run(command)
                if turn >= 0:
                    samples.setdefault((name, side), []).append((seconds, megabytes))
    return {key: tuple(map(statistics.median, zip(*values))) for key, values in samples.items()}


def geometric_mean(values):
    return math.exp(statistics.fmean(map(math.log, values)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-n", type=int, default=5)
    parser.add_argument("-w", type=int, default=1)
    options = parser.parse_args()
    jobs = [line.rstrip("\n").split("\t") for line in sys.stdin if line.strip()]
    sound = [job for job in jobs if comparable(*job)]
    results = medians(sound, options.n, options.w)
    print("| workload | Esker | reference | times faster | Esker MB | reference MB | part of the memory |")
    print("|---|---|---|---|---|---|---|")
    speeds, parts = [], []
    for name, _, reference in sound:
        (seconds, megabytes), (other_seconds, other_megabytes) = results[name, 0], results[name, 1]
        speed, part = other_seconds / seconds, megabytes / other_megabytes
        if not reference.startswith("="):
            speeds.append(speed)
            parts.append(part)
        print(
            f"| {name} | {seconds:.3f} s | {other_seconds:.3f} s | {speed:.1f} "
            f"| {megabytes:.0f} | {other_megabytes:.0f} | {part:.2f} |"
        )
    if speeds:
        print(f"| geometric mean | | | {geometric_mean(speeds):.1f} | | | {geometric_mean(parts):.2f} |")
    return 0 if len(sound) == len(jobs) else 1


sys.exit(main())
