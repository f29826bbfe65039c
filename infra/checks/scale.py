"""What 10,000 and 100,000 open connections ask of the cloud: the figures of docs/scale.md, which has the assumptions and the quotas."""

import heapq
import random
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MONTH_SECONDS = 176 * 3600  # people come in so many hours a month, docs/cost.md

# Of a connection, a second.
PING = 1 / 30
UPDATE = 0.1 * 0.2  # a tenth of them type, each an update in 5 s
VISIT = 1 / 3600
# Of an owner, who has 2.5 connections.
CONNECTIONS_PER_OWNER = 2.5
PICTURE_SHOWN, UPLOAD, SUGGESTION, GENERATION, VIDEO_SHOWN = 15 / 3600, 0.5 / 3600, 0.5 / 3600, 0.5 / 3600, 1.5 / 3600
POLLS, TRANSITIONS = 18, 3 * 18 + 2  # of a generation that takes 90 s, copy included

# Billed milliseconds, dollars and bytes of logs of each: docs/cost.md.
MILLISECONDS = dict(ping=20, update=20, connect=40, disconnect=20, list=30, picture=80, upload=250, generate=2500, poll=300, copy=5000, video=80, suggest=4000)
OTHERS_TOLD = CONNECTIONS_PER_OWNER - 1
UPDATE_DOLLARS = 0.000019 / 6 + (OTHERS_TOLD - 0.25) * 0.000001
LINE, REPORT, ACCESS = 550, 800, 300

# A process in use, for each that is busy: others are kept for the next peak, which is twice the mean.
PROCESSES_PER_BUSY = 3
CONNECTIONS_PER_PROCESS = 5
SECRETS_PER_PROCESS = 2.3 / 150
UPDATE_CORE_SECONDS, PING_CORE_SECONDS = 0.00112, 0.0004


def demand(connections):
    owners = connections / CONNECTIONS_PER_OWNER
    each = dict(
        ping=connections * PING, update=connections * UPDATE, connect=connections * VISIT, disconnect=connections * VISIT,
        list=connections * VISIT, picture=owners * PICTURE_SHOWN, upload=owners * UPLOAD, generate=owners * GENERATION,
        poll=owners * GENERATION * POLLS, copy=owners * GENERATION, video=owners * VIDEO_SHOWN, suggest=owners * SUGGESTION,
    )
    rest = sum(each[name] for name in ("list", "picture", "upload", "generate", "video", "suggest"))
    frames = each["ping"] + each["update"] + each["connect"] + each["disconnect"]
    pushes = each["update"] * OTHERS_TOLD + each["generate"] * 3 * CONNECTIONS_PER_OWNER
    busy = sum(rate * MILLISECONDS[name] / 1000 for name, rate in each.items())
    logs = each["update"] * LINE + (each["poll"] + each["copy"]) * (LINE + REPORT) + rest * (REPORT + ACCESS)
    hours = MONTH_SECONDS / 3600
    dollars = 15 + connections * hours * (0.000330 + 0.000005) + each["update"] * MONTH_SECONDS * UPDATE_DOLLARS + owners * hours * (
        15 * 0.000094 + 0.5 * (0.000010 + 0.000037 + 0.001563 + 0.000073) + 1.5 * 0.000454 + 0.5 * 12 * (0.000023 + 0.000115)
    )
    return [
        ("new connections and closed ones a second", each["connect"] + each["disconnect"]),
        ("frames a second, both of these included", frames),
        ("pings among them", each["ping"]),
        ("updates among them", each["update"]),
        ("pushes a second", pushes),
        ("REST requests a second", rest),
        ("requests at API Gateway a second", frames + pushes + rest),
        ("Lambda invocations a second", sum(each.values())),
        ("Lambda processes busy, mean", busy),
        ("Lambda processes alive", busy * PROCESSES_PER_BUSY),
        ("executions started a second", each["generate"]),
        ("state transitions a second", each["generate"] * TRANSITIONS),
        ("S3 reads a second", each["picture"] + each["video"] * 4),
        ("S3 writes a second", each["upload"] + each["copy"]),
        ("MongoDB connections, at most", busy * PROCESSES_PER_BUSY * CONNECTIONS_PER_PROCESS),
        ("MongoDB writes a second", frames + each["poll"] + each["copy"] + each["generate"] + each["suggest"]),
        ("MongoDB processors busy", each["update"] * UPDATE_CORE_SECONDS + each["ping"] * PING_CORE_SECONDS),
        ("secrets read a second", busy * PROCESSES_PER_BUSY * SECRETS_PER_PROCESS),
        ("logs, KB a second", logs / 1000),
        ("logs, GB a month", logs * MONTH_SECONDS / 1e9),
        ("videos a month", each["generate"] * MONTH_SECONDS),
        ("AWS, dollars a month", dollars),
    ]


def storm(connections, quota):
    """All connections are cut at once, and come back as the client library does, at so many new ones a second."""
    source = (ROOT / "web/motionboard/wire.js").read_text()
    first, longest, attempts = (
        int(re.search(rf"const {name} = ([\d_]+);", source)[1].replace("_", "")) for name in ("FIRST_DELAY", "LONGEST_DELAY", "ATTEMPTS")
    )
    chance = random.Random(1)
    wait = lambda failures: chance.random() * min(first * 2**failures, longest) / 1000
    waiting = [(wait(0), 0) for _ in range(connections)]
    heapq.heapify(waiting)
    tokens, before, opened, offline = quota, 0.0, [], 0
    while waiting:
        now, failures = heapq.heappop(waiting)
        tokens, before = min(quota, tokens + (now - before) * quota), now
        if tokens >= 1:
            tokens -= 1
            opened.append(now)
        elif failures + 1 < attempts:
            heapq.heappush(waiting, (now + wait(failures + 1), failures + 1))
        else:
            offline += 1
    half, most = opened[connections // 2], opened[min(len(opened), connections * 9 // 10) - 1]
    return f"half in {half:.0f} s, nine tenths in {most:.0f} s, the last after {opened[-1]:.0f} s, {offline} gave up"


def shown(number):
    return f"{number:,.0f}" if number >= 20 else f"{number:.1f}"


if __name__ == "__main__":
    small, large = demand(10_000), demand(100_000)
    print("| what | 10,000 | 100,000 |\n|---|---|---|")
    for (name, few), (_, many) in zip(small, large):
        print(f"| {name} | {shown(few)} | {shown(many)} |")
    print("\n| cut at once | new connections a second | back again |\n|---|---|---|")
    for connections in (10_000, 100_000):
        for quota in (500, 1_000, 2_000):
            print(f"| {connections:,} | {quota:,} | {storm(connections, quota)} |")
