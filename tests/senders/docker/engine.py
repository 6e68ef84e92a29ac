"""A Docker engine for as long as standard input is open: the one that runs, or one started for it.

    python engine.py ROOT BUSYBOX

Makes the image logmill-senders of the static program BUSYBOX, says where the engine is on stdout (a line),
or why there is none.
"""

import io
import os
import subprocess
import sys
import tarfile

root, busybox = sys.argv[1], sys.argv[2]
sys.path.insert(0, os.path.join(root, "tools"))

from composetest.engine import Engine, NoEngine  # noqa: E402

IMAGE = "logmill-senders"

try:
    with Engine() as engine:
        files = io.BytesIO()
        with tarfile.open(fileobj=files, mode="w") as tar:
            tar.add(busybox, "bin/busybox")
            for name in ("sh", "date", "usleep"):
                link = tarfile.TarInfo(f"bin/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
        subprocess.run(["docker", "import", "-", IMAGE], input=files.getvalue(), env=engine.env, check=True,
                       stdout=sys.stderr)  # fmt: skip
        print(f"engine {engine.env.get('DOCKER_HOST', '')}", flush=True)
        sys.stdin.read()
        subprocess.run(["docker", "image", "rm", IMAGE], env=engine.env, check=False, stdout=sys.stderr)
except NoEngine as error:
    print(f"none: {error}", flush=True)
