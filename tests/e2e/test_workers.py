#!/usr/bin/python3
"""txcenterd --workers: several processes on one port, that are watched over by their parent."""

import os
import signal
import socket

import harness
from patience import until
from shop import Shop


class Refused(harness.Case):
    def test_a_store_for_one_process_is_refused(self):
        world = self.world({"listen": ["127.0.0.1:0"]})
        world.center.arguments += ["--workers", "2"]
        self.assertEqual(1, world.center.launch().wait())
        self.assertIn("--workers needs store.kind mariadb: an SQLite file serves one process", world.center.log())


class Workers(harness.Case):
    def setUp(self):
        self.database = harness.Database()
        self.addCleanup(self.database.close)

    def open(self, **changes):
        world = self.world({"listen": ["127.0.0.1:0"], "store": self.database.config(), **changes},
                           sim=["--auto-pay", "20", "--users", "20"])
        world.center.arguments += ["--workers", "3"]
        return world

    def start(self):
        world = self.open()
        world.start()
        world.center_target = f"127.0.0.1:{world.center.ports[0]}"
        return world

    def children(self, world):
        with open(f"/proc/{world.center.pid}/task/{world.center.pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]

    def owners(self):
        rows = self.database.sql("SELECT owner, COUNT(*) FROM txcenter.slot GROUP BY owner")
        return {owner: int(n) for owner, n in rows}

    def until_shared(self):
        shares = {f"txcenter-0-{i}" for i in range(3)}
        until(lambda: set(self.owners()) == shares and min(self.owners().values()) >= 85, "not shared")

    def buy(self, world, user):
        shop = Shop(world.client(), user=f"U{user:04}")
        trade = shop.order()
        shop.pay(trade)
        shop.until(trade.trade_no, "COMPLETED")

    def test_they_share_the_port_and_the_work_and_end_together(self):
        world = self.start()
        self.until_shared()
        self.assertEqual(3, len(self.children(world)))
        for user in range(6, 12):
            self.buy(world, user)  # a connection of its own each, to whichever takes it
        named = {line.get("instance") for line in world.center.lines() if line["msg"] == "call answered"}
        self.assertLess(1, len(named), "several workers answered")
        children = self.children(world)
        world.center.stop()
        for pid in children:
            self.assertFalse(os.path.exists(f"/proc/{pid}"))

    def test_one_that_is_killed_is_started_again(self):
        world = self.start()
        self.until_shared()
        killed = self.children(world)[0]
        os.kill(killed, signal.SIGKILL)
        until(lambda: len(self.children(world)) == 3 and killed not in self.children(world), "not started again")
        next(line for line in world.center.follow() if line["msg"] == "a worker has ended by itself, and is started again")
        self.buy(world, 6)
        self.until_shared()

    def test_one_that_ends_again_and_again_is_given_longer_pauses_and_does_not_keep_its_parent(self):
        world = self.start()
        others = self.children(world)[1:]
        ends = (line for line in world.center.follow() if line["msg"] == "a worker has ended by itself, and is started again")
        for pause_ms in (200, 400, 800, 1600):
            until(lambda: len(self.children(world)) == 3, "not started again")
            killed = next(pid for pid in self.children(world) if pid not in others)
            os.kill(killed, signal.SIGKILL)
            said = next(ends)
            self.assertEqual((0, signal.SIGKILL, pause_ms), (said["worker"], said["signal"], said["in_ms"]))
        self.assertEqual(others, self.children(world), "the others went on")
        world.center.stop()  # there are two of them

    def test_a_sale_goes_on_where_it_was_after_all_were_stopped(self):
        world = self.start()
        shop = Shop(world.client(), user="U0006")
        trade = shop.order()
        world.center.stop()
        world.center.start()
        world.center_target = f"127.0.0.1:{world.center.ports[0]}"
        shop.client = world.client()
        shop.pay(trade)
        shop.until(trade.trade_no, "COMPLETED")

    def test_a_signal_for_the_whole_group_is_one_request_to_stop(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            world = self.open()
            world.center.own_session = True
            world.start()
            self.until_shared()
            os.killpg(world.center.pid, number)  # as a terminal does, and a service manager: to all, of whom one passes it on
            self.assertEqual(0, world.center.wait(), world.center.log())
            said = [line["msg"] for line in world.center.lines()]
            self.assertEqual((3, 0), (said.count("stopped"), said.count("ending at once")))

    def test_ports_of_their_own_must_be_there(self):
        for address, good in (("10.0.0.5:65530", True), ("10.0.0.5:65534", False), ("unix:/run/txcenter.sock", False)):
            world = self.open(address=address)
            world.center.arguments += ["--check-config"]
            self.assertEqual(0 if good else 1, world.center.launch().wait(), address)

    def test_an_address_that_is_given_is_theirs_also_when_it_is_the_first_of_listen(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        world = self.open(address=address, listen=[address])
        world.start()
        port = int(address.rpartition(":")[2])
        addresses = {row[0] for row in self.database.sql("SELECT address FROM txcenter.instance")}
        self.assertEqual({f"127.0.0.1:{port + 1 + i}" for i in range(3)}, addresses)

    def test_none_outlives_its_parent(self):
        world = self.start()
        children = self.children(world)
        world.center.kill()
        until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in children), "one is left")

    def test_what_keeps_one_from_starting_ends_them_all(self):
        world = self.open(store={**self.database.config(), "database": "nowhere"})
        self.assertEqual(1, world.center.launch().wait())
        said = [line["msg"] for line in world.center.lines()]
        self.assertIn("can't start", said)
        self.assertIn("a worker has ended before all were ready; the others end, too", said)


if __name__ == "__main__":
    harness.run()
