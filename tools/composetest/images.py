"""The images that the Dockerfile and docker-compose.yml stand on. If no registry can be reached,
stand-ins under the same names are built from Debian's packages, and ElasticMQ from Maven's.
"""

import glob
import hashlib
import json
import os
import platform
import shutil
import subprocess
import tempfile

TOOLS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HERE = os.path.join(TOOLS, "composetest")
BASE = "debian:trixie-slim"
CACHE = os.path.join(TOOLS, "..", "build", "compose-test")
MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
PULL_SECONDS = 300

# As Debian and Docker call them, by what the kernel calls them.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
HERE_IS = ARCHITECTURES.get(platform.machine(), platform.machine())

STAND_INS = {"postgres:17": "postgres", "valkey/valkey:8": "valkey",
             "softwaremill/elasticmq-native:1.7.1": "elasticmq"}

# The official slim image has none of these either.
NOT_IN_SLIM = ("doc", "info", "lintian", "locale", "man")


def provide(env, architecture=HERE_IS, images=(BASE, *STAND_INS)):
    """Sees to it that the engine of `env` has these; returns those that are stand-ins."""
    missing = [image for image in images if not there(image, env, architecture)]
    made = [image for image in missing if not pull(image, env, architecture)]
    if BASE in made or (made and not there(BASE, env, architecture)):
        make_base(env, architecture)
    for image in made:
        if image != BASE:
            make(image, env)
    return made


def there(image, env, architecture):
    found = subprocess.run(["docker", "image", "inspect", "--format", "{{.Architecture}}", image],
                           env=env, capture_output=True, text=True, check=False)
    return found.returncode == 0 and found.stdout.strip() == architecture


def pull(image, env, architecture):
    command = ["docker", "pull", "--quiet", "--platform", f"linux/{architecture}", image]
    try:
        return subprocess.run(command, env=env, capture_output=True, timeout=PULL_SECONDS,
                              check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def make_base(env, architecture):
    """debian:trixie-slim by debootstrap, kept in build/ for the next time. Programs of another
    architecture have to run here (`run_programs_of` in tools/debian.sh)."""
    archive = os.path.join(CACHE, f"trixie-slim-{architecture}.tar")
    if not os.path.exists(archive):
        os.makedirs(CACHE, exist_ok=True)
        root = tempfile.mkdtemp(prefix="logmill-trixie-")
        try:
            quietly(["debootstrap", f"--arch={architecture}", "--variant=minbase", "trixie", root,
                     MIRROR])
            slim(root)
            write_image(root, architecture, archive)
        finally:
            shutil.rmtree(root, ignore_errors=True)
    quietly(["docker", "load", "--input", archive], env)


def write_image(root, architecture, archive):
    """What `docker load` takes. `docker import` would do, but the engine of Debian 12 says of all
    that it imports that it is of the engine's own architecture."""
    with tempfile.TemporaryDirectory(prefix="logmill-image-") as parts:
        quietly(["tar", "-C", root, "-cf", f"{parts}/layer.tar", "."])
        with open(f"{parts}/layer.tar", "rb") as layer:
            digest = hashlib.file_digest(layer, "sha256").hexdigest()
        config = {"architecture": architecture, "os": "linux", "config": {"Cmd": ["bash"]},
                  "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]}}
        manifest = [{"Config": "config.json", "RepoTags": [BASE], "Layers": ["layer.tar"]}]
        for name, content in (("config", config), ("manifest", manifest)):
            with open(f"{parts}/{name}.json", "w", encoding="ascii") as file:
                json.dump(content, file)
        quietly(["tar", "-C", parts, "-cf", archive + ".new", "."])
    os.rename(archive + ".new", archive)


def slim(root):
    with open(f"{root}/etc/dpkg/dpkg.cfg.d/slim", "w", encoding="ascii") as config:
        config.writelines(f"path-exclude /usr/share/{name}/*\n" for name in NOT_IN_SLIM)
    unwanted = [f"{root}/usr/share/{name}/*" for name in NOT_IN_SLIM]
    unwanted += [f"{root}/var/lib/apt/lists/*", f"{root}/var/cache/apt/archives/*.deb"]
    for path in (path for pattern in unwanted for path in glob.glob(pattern)):
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.remove(path)
    # Certificates that this machine trusts, such as that of a proxy in front of the registries.
    ours = "/usr/local/share/ca-certificates"
    if os.path.isdir(ours):
        shutil.copytree(ours, root + ours, dirs_exist_ok=True)


def make(image, env):
    name = STAND_INS[image]
    with tempfile.TemporaryDirectory(prefix="logmill-image-") as context:
        shutil.copytree(os.path.join(HERE, name), context, dirs_exist_ok=True)
        if name == "elasticmq":
            jars = subprocess.run([os.path.join(TOOLS, "elasticmq")], stdout=subprocess.PIPE,
                                  text=True, check=True).stdout.strip()
            shutil.copytree(jars, os.path.join(context, "lib"))
        quietly(["docker", "build", "--tag", image, context], env)


def quietly(args, env=None):
    """Runs a command that has much to say, but shows it only if it fails."""
    ran = subprocess.run(args, env=env, text=True, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, check=False)
    if ran.returncode:
        print(ran.stdout[-4000:])
        raise RuntimeError(f"{' '.join(args[:3])}… failed")
