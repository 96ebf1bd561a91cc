#!/usr/bin/python3
"""docs/OPERATIONS.md, typed as it stands there: installing, backing up under load, restoring after a kill."""

import os
import re
import shutil
import subprocess
import threading

import harness
from harness import BIN
from shop import TRADE, Shop, Sim, tender

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


def page(title):
    """The commands below this heading, a text for each block."""
    with open(os.path.join(ROOT, "docs", "OPERATIONS.md"), encoding="utf-8") as file:
        section = re.search(rf"^## {title}$(.*?)(?=^## |\Z)", file.read(), re.M | re.S).group(1)
    blocks = re.findall(r"(?:^ {4}.*\n)+", section, re.M)
    return [re.sub("^ {4}", "", block, flags=re.M) for block in blocks]


def typed(commands, folder, **environment):
    """What a shell does with them; the first one that fails ends it."""
    return subprocess.run(["bash", "-euc", commands], cwd=folder, capture_output=True, text=True, check=False,
                          env={**os.environ, "HOME": folder, **environment})


class Page(harness.Case):
    def follow(self, commands, world):
        done = typed(commands, world.folder)
        self.assertEqual((0, ""), (done.returncode, done.stderr), commands)

    def backs_up_under_load(self, commands, world, times):
        """Trades are ordered all the while; returns the number of one that was paid before the last copy was begun."""
        enough, failures = threading.Event(), []

        def buy(user):
            try:
                shop = Shop(world.client(), user=user)
                while not enough.is_set():
                    shop.order()
            except Exception as error:  # pylint: disable=broad-exception-caught
                failures.append(error)

        threads = [threading.Thread(target=buy, args=(f"U000{n}",)) for n in (2, 5)]
        for thread in threads:
            thread.start()
        try:
            shop = Shop(world.client())
            for _ in range(times):
                before = shop.order()
                shop.pay(before, [tender("WECHAT", before.payable.minor_units)], waitFor="WAIT_FOR_OUTCOME")
                shop.until(before.trade_no, "COMPLETED")
                self.follow(commands, world)
        finally:
            enough.set()
            for thread in threads:
                thread.join()
        self.assertEqual([], failures)
        return before.trade_no

    def restores(self, commands, world, kept):
        """From the copy, after a kill: what was bought behind it is gone, what was before is there."""
        lost = Shop(world.client(), user="U0007").order()
        world.kill_center()
        self.follow(commands, world)
        world.center.start()
        shop = Shop(world.client(), user="U0006")
        shop.until(kept, "COMPLETED")
        self.refused("TRADE_NOT_FOUND", shop.client, TRADE + "GetTrade", {"tradeNo": lost.trade_no})
        again = shop.order()
        shop.pay(again, [tender("WECHAT", again.payable.minor_units)], waitFor="WAIT_FOR_OUTCOME")
        shop.until(again.trade_no, "COMPLETED")
        for stats in Sim(world.sim_client()).stats().values():
            self.assertEqual(0, stats.took_effect_twice)


class Sqlite(Page):
    def setUp(self):
        self.center = self.world(sim=["--auto-pay", "1"]).start()

    def test_a_copy_made_under_load_is_whole_and_restores_what_was_there(self):
        kept = self.backs_up_under_load(page("Back up")[0], self.center, times=3)
        self.assertEqual("ok\n", typed('sqlite3 copy.db "PRAGMA integrity_check"', self.center.folder).stdout)
        self.restores(page("Restore")[0], self.center, kept)
        self.assertIn("txcenter.db-wal", os.listdir(self.center.folder + "/before-restore"), "the case that matters")

    def test_a_center_that_still_runs_stops_the_restore(self):
        self.follow(page("Back up")[0], self.center)
        self.assertEqual(1, typed(page("Restore")[0], self.center.folder).returncode)
        self.assertFalse(os.path.exists(self.center.folder + "/before-restore"))


class Mariadb(Page):
    def test_a_dump_made_under_load_restores_what_was_there(self):
        database = harness.Database()
        self.addCleanup(database.close)
        world = self.world({"store": database.config()}, sim=["--auto-pay", "1"]).start()
        with open(world.folder + "/.my.cnf", "w", encoding="utf-8") as file:
            file.write(f"[client]\nuser=root\nsocket={database.place}\n")
        kept = self.backs_up_under_load(page("Back up")[1], world, times=2)
        self.restores(page("Restore")[1], world, kept)


class Install(harness.Case):
    def test_the_programs_are_installed_and_make_a_configuration_that_is_valid(self):
        folder = harness.scratch()
        self.addCleanup(shutil.rmtree, folder)
        build, install, make, configure = page("Install")[0].splitlines()
        self.assertTrue(build.startswith("./dev build "), build)
        install = install.replace("build/release", os.path.dirname(BIN)).replace("/usr/local", folder)
        for command in (install, make, configure):
            command = command.replace("/etc", folder + "/etc")
            done = typed(command, folder, PATH=f"{folder}/bin:{os.environ['PATH']}")
            self.assertEqual((0, ""), (done.returncode, done.stderr), command)
        self.assertEqual({"txcenterd", "txctl", "txsim"}, set(os.listdir(folder + "/bin")))
        check, start = page("Start and stop")[0].splitlines()
        done = typed(check.replace("/etc", folder + "/etc"), folder, PATH=f"{folder}/bin:{os.environ['PATH']}")
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn(start, check)


if __name__ == "__main__":
    harness.run()
