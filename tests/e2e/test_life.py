#!/usr/bin/python3
"""txcenterd as a program: its command line, its start, its end, and what any client finds at its address."""

import json
import os
import shutil
import signal
import subprocess

import harness
from harness import BIN, PROTOS, Refused

TRADE = "txcenter.trade.v1.TradeService"
SAGA = "txcenter.saga.v1.SagaService"


def command(*arguments, cwd="/"):
    return subprocess.run([os.path.join(BIN, "txcenterd"), *arguments], cwd=cwd, capture_output=True, text=True,
                          timeout=harness.READY_S, check=False)


class CommandLine(harness.Case):
    def test_help_has_examples_and_ends_with_0(self):
        done = command("--help")
        self.assertEqual(0, done.returncode)
        self.assertIn("txcenterd --config", done.stdout)
        self.assertIn("examples:", done.stdout)

    def test_version(self):
        done = command("--version")
        self.assertEqual(0, done.returncode)
        self.assertRegex(done.stdout, r"^txcenterd \d+\.\d+\.\d+\n$")

    def test_an_unknown_argument_ends_with_2(self):
        done = command("--nonsense")
        self.assertEqual(2, done.returncode)
        self.assertIn("--nonsense", done.stderr)

    def test_check_config_says_everything_that_is_wrong_with_its_line_and_ends_with_1(self):
        world = self.world()
        with open(world.config_path, "w", encoding="utf-8") as file:
            file.write("listen: [127.0.0.1:7600]\ndrain_ms: soon\nstore:\n  kind: oracle\nnonsense: 1\n")
        done = command("--config", world.config_path, "--check-config")
        self.assertEqual(1, done.returncode)
        for line, key in ((2, "drain_ms"), (4, "store.kind"), (5, "nonsense")):
            self.assertRegex(done.stderr, rf"txcenter\.yaml:{line}:.*{key}")

    def test_a_store_that_can_not_be_opened_ends_it_with_1_and_says_why(self):
        world = self.world({"store": {"path": "/nonexistent/folder/txcenter.db"}})
        done = command("--config", world.config_path)
        self.assertEqual(1, done.returncode)
        self.assertIn("/nonexistent/folder/txcenter.db", done.stderr)
        self.assertEqual("", done.stdout)

    def test_a_second_process_on_the_same_store_is_kept_out(self):
        world = self.world().start(sim=False)
        done = command("--config", world.config_path)
        self.assertEqual(1, done.returncode)
        self.assertIn("in use by another process", done.stderr)

    def test_a_second_process_on_the_same_address_is_kept_out(self):
        world = self.world().start(sim=False)
        for address in (f"127.0.0.1:{world.center.ports[1]}", world.center_target):
            other = self.world({"listen": [address]})
            done = command("--config", other.config_path)
            self.assertEqual(1, done.returncode)
            self.assertIn(f"address in use: {address}", done.stderr)
            self.assertEqual("", done.stdout)

    def test_what_grpc_itself_says_stands_in_the_log_as_lines_of_ours(self):
        world = self.world({"listen": ["192.0.2.1:5"]})  # of nobody
        done = command("--config", world.config_path)
        self.assertEqual(1, done.returncode)
        lines = [json.loads(line) for line in done.stderr.splitlines()]
        self.assertTrue(any(line["msg"] == "gRPC says" and "192.0.2.1" in line["text"] for line in lines))
        sim = subprocess.run([os.path.join(BIN, "txsim"), "serve", "--listen", "192.0.2.1:5", "--data", world.folder + "/sim"],
                             capture_output=True, text=True, timeout=harness.READY_S, check=False)
        lines = [json.loads(line) for line in sim.stderr.splitlines()]
        self.assertTrue(any(line["msg"] == "gRPC says" for line in lines))

    def test_everything_has_a_default(self):
        done = command("--print-config")
        self.assertEqual(0, done.returncode)
        self.assertIn("127.0.0.1:7600", done.stdout)
        folder = harness.scratch()
        self.addCleanup(shutil.rmtree, folder)
        with open(folder + "/port.yaml", "w", encoding="utf-8") as file:
            file.write("listen: ['127.0.0.1:0']  # whoever tests may use the usual one\n")
        program = harness.Program(folder, "txcenterd", ["--config", "port.yaml"])
        self.addCleanup(program.kill)
        program.start()
        self.assertTrue(os.path.exists(os.path.join(folder, "data", "txcenter.db")))
        self.assertTrue(any("development" in line["msg"] for line in program.lines() if line["level"] == "warn"))
        program.stop()


class Start(harness.Case):
    def test_it_says_the_port_that_it_was_given_and_serves_there(self):
        world = self.world().start(sim=False)
        self.assertEqual(0, world.center.ports[0], "a unix socket has no port")
        client = harness.Client(PROTOS, f"127.0.0.1:{world.center.ports[1]}", "e2e")
        self.addCleanup(client.close)
        self.assertEqual("SERVING", self.health(client, ""))
        self.assertEqual("SERVING", self.health(client, SAGA))

    def health(self, client, service):
        answer = client.call("grpc.health.v1.Health/Check", {"service": service})
        return answer.DESCRIPTOR.fields_by_name["status"].enum_type.values_by_number[answer.status].name

    def test_reflection_lists_and_describes_every_service(self):
        world = self.world().start(sim=False)
        for version in ("v1", "v1alpha"):
            path = f"grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
            listed, described = world.client().converse(
                path, [{"listServices": "*"}, {"fileContainingSymbol": SAGA + ".GetSaga"}])
            names = {service.name for service in listed.list_services_response.service}
            self.assertLessEqual({SAGA, "txcenter.saga.v1.OperatorService", "grpc.health.v1.Health"}, names)
            self.assertTrue(described.file_descriptor_response.file_descriptor_proto)

    def test_a_method_that_does_not_exist_is_refused_by_name(self):
        client = self.world().start(sim=False).client()
        error = self.refused("METHOD_UNKNOWN", client, "participant.user.v1.UserService/GetUser")
        self.assertEqual("UNIMPLEMENTED", error.code)

    def test_a_start_after_kill_9_serves_again(self):
        world = self.world().start(sim=False)
        world.kill_center()
        world.center.start()
        answer = world.client().call(SAGA + "/ListSagas")
        self.assertEqual(0, len(answer.sagas))


class End(harness.Case):
    def test_sigterm_ends_it_with_0(self):
        world = self.world().start(sim=False)
        world.center.signal(signal.SIGTERM)
        self.assertEqual(0, world.center.wait())
        messages = [line["msg"] for line in world.center.lines()]
        self.assertEqual(["stopping", "stopped"], messages[-2:])

    def test_health_says_not_serving_to_who_watches_when_it_stops(self):
        world = self.world({"drain_ms": 2000}).start(sim=False)
        watch = world.client().stream("grpc.health.v1.Health/Watch", {"service": ""})
        self.assertEqual(1, next(watch).status)
        world.center.signal(signal.SIGTERM)
        try:
            self.assertEqual(2, next(watch).status)
        except Refused as error:  # the connection ended first
            self.assertEqual("UNAVAILABLE", error.code)
        self.assertEqual(0, world.center.wait())


class Callers(harness.Case):
    CALLERS = [
        {"name": "shop", "scopes": ["trade", "trade.read"], "tenants": ["T001"]},
        {"name": "operator", "scopes": ["saga", "operate"], "tenants": ["*"]},
        {"name": "local", "scopes": ["saga"], "tenants": ["T001"]},
    ]

    def setUp(self):
        self.center = self.world({"callers": self.CALLERS}).start(sim=False)

    def test_who_is_not_configured_is_unauthenticated(self):
        for caller in ("stranger", ""):
            error = self.refused("UNAUTHENTICATED", self.center.client(caller), SAGA + "/ListFlows")
            self.assertEqual("UNAUTHENTICATED", error.code)

    def test_a_scope_that_is_missing_is_named(self):
        error = self.refused("SCOPE_MISSING", self.center.client("shop"), SAGA + "/ListFlows")
        self.assertEqual("PERMISSION_DENIED", error.code)
        self.assertIn("scope saga", error.text)

    def test_sagas_are_for_callers_of_every_tenant(self):
        self.refused("TENANT_FORBIDDEN", self.center.client("local"), SAGA + "/ListFlows")
        self.center.client("operator").call(SAGA + "/ListFlows")

    def test_health_needs_no_caller(self):
        self.center.client(None).call("grpc.health.v1.Health/Check", {"service": ""})

    def test_refusals_are_logged_with_their_caller_and_reason_and_not_with_secrets(self):
        self.refused("TENANT_FORBIDDEN", self.center.client("local"), SAGA + "/ListFlows",
                     metadata=[("x-request-id", "req-77")])
        line = next(line for line in self.center.center.lines() if line.get("reason") == "TENANT_FORBIDDEN")
        self.assertEqual(("info", "local", "PERMISSION_DENIED", "req-77"),
                         (line["level"], line["caller"], line["status"], line["x_request_id"]))
        self.assertIn("ListFlows", line["method"])
        self.assertNotIn(harness.SECRET, self.center.center.log())


class Forms(harness.Case):
    def test_every_violation_of_the_form_is_said_at_once(self):
        client = self.world().start(sim=False).client()
        error = self.refused("INVALID_REQUEST", client, SAGA + "/ListSagas", {
            "filter": {"status": 99, "flow": "f" * 41, "subject": "s" * 65, "createdFrom": "2026-01-01T00:00:00Z"},
            "pageSize": -1, "pageToken": "abc"})
        self.assertEqual("INVALID_ARGUMENT", error.code)
        self.assertEqual({"filter.status", "filter.flow", "filter.subject", "page_size", "page_token"}, set(error.fields))
        error = self.refused("INVALID_REQUEST", client, "txcenter.saga.v1.OperatorService/Retry",
                             {"requestId": "r" * 65})
        self.assertEqual({"request_id", "gid", "reason"}, set(error.fields))

    def test_what_does_not_exist_is_not_found(self):
        client = self.world().start(sim=False).client()
        self.assertEqual("NOT_FOUND", self.refused("SAGA_NOT_FOUND", client, SAGA + "/GetSaga", {"gid": "x"}).code)
        self.assertEqual("NOT_FOUND", self.refused("FLOW_UNKNOWN", client, SAGA + "/GetFlow", {"name": "x"}).code)


if __name__ == "__main__":
    harness.run()
