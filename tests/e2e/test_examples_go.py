#!/usr/bin/python3
"""The example in Go, run with the descriptors and arguments of examples/README.md. It is built from Debian's packages of what it
imports instead of those that its go.mod names, so that no network is needed. With TXC_EXAMPLE_GO the path of one that was built
otherwise is run instead."""

import os
import subprocess

import harness
from test_examples import EXAMPLES, Example


class Go(Example):
    def test_the_go_client_submits_waits_and_tells(self):
        descriptors = os.path.join(self.center.folder, "saga.pb")
        built = os.environ.get("TXC_EXAMPLE_GO")
        client = built or os.path.join(self.center.folder, "submit")
        self.protoc("--include_imports", "--descriptor_set_out=" + descriptors)
        # Compiling gRPC takes half a minute the first time: the cache stays with the build.
        environment = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "",
                       "GOCACHE": os.path.join(os.path.dirname(harness.BIN), "go-cache")}
        if not built:
            subprocess.run(["/usr/bin/go", "build", "-o", client, "."], cwd=os.path.join(EXAMPLES, "go"), check=True, env=environment)
        said = self.run_client(client, descriptors, self.saga, self.server, "order-1")
        self.assertRegex(said, r"^req-\S+ SAGA_STATUS_SUCCEEDED \n  reserve done reserve\n  charge done charge\n")
        self.check_participant()
        self.assertEqual(said, self.run_client(client, descriptors, self.saga, self.server, "order-1"))


if __name__ == "__main__":
    harness.run()
