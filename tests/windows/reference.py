#!/usr/bin/env python3
"""Maintenance windows computed by Python's zoneinfo: a second opinion on Tidegate's own.

Prints a JSON list of cases {label, start, end, days, timezone, from, count, intervals: [{opens_at, closes_at}]}: the first
`count` windows that close after `from`. Written from the rule (semantics, rule 26), not from the Rust code, and on
another time zone implementation. The zone data is the package `tzdata`, never the machine's:

    python3 -m venv venv && venv/bin/pip install tzdata
    venv/bin/python tests/windows/reference.py > shared/domain/tests/windows_reference.json

With `--check PROGRAM` it asks `PROGRAM policies windows` about each case instead, prints those that differ and ends
with 1 if any does. With `--seed N` the random cases are other ones.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import zoneinfo
from datetime import UTC, date, datetime, time, timedelta

zoneinfo.reset_tzpath(to=())

DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)

# Places where clocks do something of note in the given years.
CHANGING = {
    "Europe/Berlin": range(2024, 2031),
    "America/New_York": range(2024, 2031),
    "Europe/London": (2024, 2026),
    "Europe/Dublin": (2024, 2026),
    "Australia/Lord_Howe": (2024, 2026),  # half an hour
    "Antarctica/Troll": (2024, 2026),  # two hours
    "Africa/Casablanca": (2024, 2026),  # around Ramadan
    "Africa/Cairo": (2024, 2026),  # at midnight
    "Asia/Beirut": (2024, 2026),  # at midnight
    "America/Havana": (2024, 2026),  # at midnight and at one
    "America/Santiago": (2024, 2026),  # at midnight on Saturday
    "America/Asuncion": (2023, 2024),  # at midnight, and stays in 2024
    "America/Sao_Paulo": (2017, 2018),  # at midnight
    "America/Nuuk": (2023, 2024, 2026),  # an hour before midnight
    "America/Scoresbysund": (2023, 2024, 2026),  # another zone and DST at once
    "Atlantic/Azores": (2025, 2026),  # at midnight
    "Pacific/Chatham": (2025, 2026),  # 45 minutes off the hour
    "Asia/Gaza": (2024, 2025),
    "Asia/Tehran": (2021, 2022),
    "Asia/Almaty": (2024,),  # an overlap before midnight, without DST
    "America/Caracas": (2007, 2016),  # half an hour, without DST
    "Asia/Pyongyang": (2015, 2018),  # half an hour, without DST
    "America/St_Johns": (2006, 2010),  # one minute after midnight
    "Asia/Kathmandu": (1986,),  # a quarter of an hour
    "Africa/Monrovia": (1972,),  # 44 minutes and 30 seconds
    "Pacific/Apia": (2011, 2012),  # no 2011-12-30
    "Pacific/Fakaofo": (2011,),  # no 2011-12-30
    "Pacific/Kiritimati": (1994, 1995),  # no 1994-12-31
    "Pacific/Kwajalein": (1993,),  # no 1993-08-21
}

# Stated times, in minutes around the local time at which a change happens.
AROUND = [
    ("starts in it", 15, 150),
    ("ends in it", -90, 15),
    ("lies in it", 5, 25),
    ("starts with it", 0, 60),
    ("lies around it", -120, 240),
    ("ends with it", -60, 0),
    ("crosses midnight to it", -600, 20),
    ("lasts nearly all day", 30, 1380),
]


def instant(local, zone):
    """The instant of a stated local time: the end of the gap it is in, else its first occurrence."""
    first = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == local:
        return first
    # Not shown by any clock. Before the gap the clock ran at the offset that fold=0 assumes, after it at that of fold=1.
    at = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    after = local.replace(tzinfo=zone, fold=1).utcoffset()
    for step in (timedelta(hours=1), timedelta(minutes=1), SECOND):
        while (at + step).astimezone(zone).utcoffset() != after:
            at += step
    return at + SECOND


def day_exists(day, zone):
    begins = instant(datetime.combine(day, time()), zone)
    return begins.astimezone(zone).date() == day


def intervals(case):
    zone = zoneinfo.ZoneInfo(case["timezone"])
    start, end = time.fromisoformat(case["start"]), time.fromisoformat(case["end"])
    since = datetime.fromisoformat(case["from"])
    day, found = since.date() - 3 * DAY, []
    while len(found) < case["count"]:
        end_day = day if start < end else day + DAY
        stated = datetime.combine(day, start), datetime.combine(end_day, end)
        opens, closes = (instant(local, zone) for local in stated)
        if closes <= opens:
            closes = opens + (stated[1] - stated[0])
        matches = not case["days"] or DAYS[day.weekday()] in case["days"]
        if matches and closes > since and day_exists(day, zone):
            found.append({"opens_at": utc(opens), "closes_at": utc(closes)})
        day += DAY
    return found


def utc(at):
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def changes(zone, year):
    """Instants of a year at which the offset of a zone changes, with the local time before."""
    at, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    while at < end:
        here, step = at.astimezone(zone).utcoffset(), timedelta(hours=6)
        if (at + step).astimezone(zone).utcoffset() != here:
            low, high = at, at + step
            while high - low > SECOND:
                middle = low + (high - low) // 2 // SECOND * SECOND
                low, high = (middle, high) if middle.astimezone(zone).utcoffset() == here else (low, middle)
            yield high, (high - SECOND).astimezone(zone).replace(tzinfo=None) + SECOND, high.astimezone(zone)
        at += step


def case(label, start, end, days, timezone, since, count):
    stated = {"label": label, "start": start.isoformat(), "end": end.isoformat(), "days": days, "timezone": timezone}
    stated |= {"from": utc(since), "count": count}
    return stated | {"intervals": intervals(stated)}


def cases_around_changes(choose):
    for timezone, years in CHANGING.items():
        zone = zoneinfo.ZoneInfo(timezone)
        for year in years:
            for at, before, after in changes(zone, year):
                jumped = after.replace(tzinfo=None)
                # A gap begins at the reading before the change, an overlap at the one after it.
                begins = min(before, jumped)
                # Later rules may still change, but hardly in these zones.
                further = choose.sample(AROUND[3:], 2) if year < 2027 else []
                for label, first, last in AROUND[:3] + further:
                    start, end = begins + timedelta(minutes=first), begins + timedelta(minutes=last)
                    days = choose.choice([[], [DAYS[start.weekday()]]])
                    since = at + timedelta(minutes=choose.randint(-1500, 200))
                    size = f"{before:%Y-%m-%d %H:%M} to {jumped:%Y-%m-%d %H:%M}"
                    yield case(f"{size}: {label}", start.time(), end.time(), days, timezone, since, 2)


def random_cases(choose, number):
    names = sorted(zoneinfo.available_timezones() - {"Factory", "localtime", "posixrules"})
    names = [name for name in names if not name.startswith("Etc/GMT")]
    for _ in range(number):
        start, length = choose.randrange(0, 1440, 5), choose.randrange(5, 1440, 5)
        times = [time(minute // 60 % 24, minute % 60) for minute in (start, start + length)]
        days = choose.sample(DAYS, choose.choice([0, 0, 1, 2, 6]))
        since = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=choose.randrange(3 * 365 * 86400))
        yield case("random", *times, days, choose.choice(names), since, choose.randint(1, 4))


def differences(cases, program):
    for stated in cases:
        policy = {
            "name": "asked",
            "image_pattern": "docker.io/library/app:*",
            "maintenance_window_start": stated["start"],
            "maintenance_window_end": stated["end"],
            "timezone": stated["timezone"],
            "cutoff_minutes": 0,
        }
        if stated["days"]:
            policy["days"] = stated["days"]
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            json.dump({"version": 1, "policies": [policy]}, file)  # JSON is YAML
            file.flush()
            command = [program, "policies", "windows", "--json", "--file", file.name, "--policy", "asked"]
            command += ["--from", stated["from"], "--count", str(stated["count"])]
            answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode != 0 or json.loads(answer.stdout) != stated["intervals"]:
            yield {**stated, "answered": answer.stdout or answer.stderr}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--random", type=int, default=150, metavar="N", help="how many random cases")
    arguments.add_argument("--only-random", action="store_true", help="leave out those around clock changes")
    arguments.add_argument("--check", metavar="PROGRAM", help="compare with what this tidegate answers")
    chosen = arguments.parse_args()
    choose = random.Random(chosen.seed)
    cases = [] if chosen.only_random else list(cases_around_changes(choose))
    cases += random_cases(choose, chosen.random)
    if chosen.check:
        wrong = list(differences(cases, chosen.check))
        print(json.dumps(wrong, indent=1) if wrong else f"{len(cases)} windows agree")
        sys.exit(1 if wrong else 0)
    print("[\n" + ",\n".join(json.dumps(stated) for stated in cases) + "\n]")


if __name__ == "__main__":
    main()
