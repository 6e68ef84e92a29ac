"""Looks at a set-up once a second while it is under load."""

import os
import threading
import time

from common import cpu_seconds, family

PERIOD_SECONDS = 1.0


def memory_mib(pid):
    """Of a process and its children; what they share is counted once. (Pss; if the system does
    not let us read it, Rss.)"""
    kib = 0
    for member in family(pid):
        try:
            with open(f"/proc/{member}/smaps_rollup", encoding="ascii") as rollup:
                kib += sum(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
        except PermissionError:
            with open(f"/proc/{member}/status", encoding="ascii") as status:
                kib += sum(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
        except OSError:
            pass  # it has ended meanwhile
    return kib / 1024


def machine_seconds():
    """CPU time so far of this machine: in processes, ours or not, and in interrupts (which hold much
    of what the network costs); and what its host took away from it."""
    with open("/proc/stat", encoding="ascii") as stat:
        fields = [int(field) / os.sysconf("SC_CLK_TCK") for field in stat.readline().split()[1:9]]
    user, nice, system, _idle, _iowait, irq, softirq, steal = fields
    return {"processes": user + nice + system, "interrupts": irq + softirq, "stolen": steal}


class Sampler:
    """Samples are dictionaries: at (seconds since the load began), accepted, stored, messages (in
    the queue), cpu (seconds so far) and memory (MiB) by process, machine (machine_seconds)."""

    def __init__(self, setup):
        self.setup = setup
        self.pids = dict(setup.pids)
        self.samples = []
        self.failure = None
        self.began = time.monotonic()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while not self.ended.is_set():
                at = time.monotonic()
                self.samples.append(self.sample())
                self.ended.wait(max(0.0, PERIOD_SECONDS - (time.monotonic() - at)))
        except Exception as error:  # told by last()
            self.failure = error

    def sample(self):
        cpu, memory = {}, {}
        for name, pid in list(self.pids.items()):
            try:
                cpu[name], memory[name] = cpu_seconds(pid), memory_mib(pid)
            except (FileNotFoundError, ProcessLookupError):
                pass  # it has ended: the load, or a child just now
        at = time.monotonic() - self.began
        accepted, stored, messages = self.setup.counts()
        return {
            "at": at, "accepted": accepted, "stored": stored, "messages": messages,
            "cpu": cpu, "memory": memory, "machine": machine_seconds(),
        }  # fmt: skip

    def last(self):
        if self.failure:
            raise self.failure
        return self.samples[-1]

    def stop(self):
        self.ended.set()
        self.thread.join()


def over(samples, began, ended):
    """Figures of the time from `began` to `ended`: rates a second, CPU in cores."""
    inside = [s for s in samples if began <= s["at"] <= ended]
    first, last = inside[0], inside[-1]
    seconds = last["at"] - first["at"]
    rate = lambda of: (of(last) - of(first)) / seconds
    cores = {n: rate(lambda s, n=n: s["cpu"][n]) for n in first["cpu"] if n in last["cpu"]}
    machine = {n: rate(lambda s, n=n: s["machine"][n]) for n in first["machine"]}
    machine["other processes"] = machine.pop("processes") - sum(cores.values())
    return {
        "seconds": seconds,
        "accepted_per_second": rate(lambda s: s["accepted"]),
        "stored_per_second": rate(lambda s: s["stored"]),
        "cores": cores,
        "machine": machine,
    }


def peaks(samples):
    names = {name for s in samples for name in s["memory"]}
    return {
        "memory_mib": {n: max(s["memory"].get(n, 0) for s in samples) for n in sorted(names)},
        "memory_mib_at_start": samples[0]["memory"],
        "logs_waiting": max(s["accepted"] - s["stored"] for s in samples),
        "messages": max(s["messages"] for s in samples),
    }


def means(metrics):
    """What a send to the queue, and a transaction of the store, held and took on average."""
    mean = lambda name: metrics[name + "_sum"] / max(1, metrics[name + "_count"])
    return {
        "logs_a_send": mean("logmill_batch_logs"),
        "send_ms": mean("logmill_queue_send_microseconds") / 1000,
        "logs_a_transaction": mean("logmill_store_batch_logs"),
        "transaction_ms": mean("logmill_store_append_microseconds") / 1000,
    }
