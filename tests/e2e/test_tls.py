#!/usr/bin/python3
"""Callers by their certificates."""

import os
import subprocess

import grpc

import harness
from harness import PROTOS
from participant import Participant
from shop import SAGA, TRADE

CERTIFICATES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "rpc", "certificates.sh")


class Tls(harness.Case):
    CALLERS = [{"name": "shop-frontend", "scopes": ["trade.read"], "tenants": ["T001"]},
               {"name": "spiffe://example.org/ns/trade/sa/gateway", "scopes": ["saga"], "tenants": ["*"]}]

    def setUp(self):
        self.center = self.world()
        self.folder = os.path.join(self.center.folder, "certificates")
        os.mkdir(self.folder)
        subprocess.run(["/bin/sh", CERTIFICATES, self.folder], check=True, capture_output=True)
        # What submitted sagas call: it wants the center's certificate, too. (gRPC takes a unix socket for localhost.)
        self.ledger = Participant(f"unix:{self.center.folder}/ledger.sock", grpc.ssl_server_credentials(
            [(self.read("old-server.key"), self.read("old-server.pem"))], self.read("old-ca.pem"), True))
        self.addCleanup(self.ledger.close)
        self.center.configure({
            "listen": ["127.0.0.1:0"], "callers": self.CALLERS,
            "submit": {"targets": [self.ledger.target], "tls_ca": self.path("old-ca.pem"),
                       "certificate": self.path("old-shop.pem"), "key": self.path("old-shop.key")},
            "tls": {"certificate": self.path("old-server.pem"), "key": self.path("old-server.key"),
                    "client_ca": self.path("old-ca.pem")}})
        self.center.start(sim=False)

    def path(self, name):
        return os.path.join(self.folder, name)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def client(self, who, caller=None):
        credentials = grpc.ssl_channel_credentials(
            self.read("old-ca.pem"), *(() if who is None else (self.read(who + ".key"), self.read(who + ".pem"))))
        client = harness.Client(PROTOS, f"localhost:{self.center.center.ports[0]}", caller, credentials)
        self.addCleanup(client.close)
        return client

    def test_the_common_name_or_the_spiffe_id_names_the_caller(self):
        self.client("old-shop").call(TRADE + "ListTrades", {"filter": {"tenantId": "T001"}})
        self.client("old-spiffe").call(SAGA + "ListFlows")
        self.refused("SCOPE_MISSING", self.client("old-shop"), SAGA + "ListFlows")

    def test_submitted_sagas_call_over_tls_and_belong_to_the_certificate_s_name(self):
        client, call = self.client("old-spiffe"), {"target": self.ledger.target, "method": "/test.v1.Ledger/Do"}
        saga = {"flow": "shop.order", "steps": [{"name": "Do", "action": call, "compensation": call}]}
        done = client.call(SAGA + "SubmitSaga", {"requestId": "r-1", "saga": saga, "waitMs": 20000}).saga
        self.assertEqual((4, "caller/spiffe://example.org/ns/trade/sa/gateway"), (done.status, done.subject))
        self.assertEqual(["Do"], [asked.method for asked in self.ledger.asked])

    def test_x_caller_means_nothing_where_certificates_are_asked_for(self):
        client = self.client("old-shop", caller="spiffe://example.org/ns/trade/sa/gateway")
        self.refused("SCOPE_MISSING", client, SAGA + "ListFlows")

    def test_a_certificate_of_nobody_that_is_configured_is_unauthenticated(self):
        error = self.refused("UNAUTHENTICATED", self.client("old-server"), SAGA + "ListFlows")
        self.assertIn("localhost", error.text)

    def test_without_a_certificate_or_with_one_of_another_authority_there_is_no_connection(self):
        for who in (None, "new-shop"):
            with self.assertRaises(harness.Refused) as caught:
                self.client(who).call(SAGA + "ListFlows", wait_for_ready=False)
            self.assertEqual("UNAVAILABLE", caught.exception.code)


if __name__ == "__main__":
    harness.run()
