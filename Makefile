# The commands of logmill, in front of Meson and ninja. `make help` lists them.
#
# Every build directory lies under build/: build/ itself is the optimised build (build/logmill),
# build/test has sanitizers on (build/test/logmill), build/fuzz is for libFuzzer.

FUZZ_SECONDS ?= 60
FAULT_POINTS ?= all
PREFIX ?= /usr/local
export MAKEFLAGS += --no-print-directory

TEST_FLAGS := -Db_sanitize=address,undefined -Dtests=enabled -Dfaults=true
export ASAN_OPTIONS ?= detect_leaks=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS ?= print_stacktrace=1

.PHONY: all run test test-build unit integration browser screenshots faults simulation fuzz schemathesis tsan coverage lint format bench stress torture senders-test follow-test cdk-test deploy-test install deb deb-test arm64-test fresh-test tarball compose-test image-test clean help

all: ## build/logmill, optimised (installs what the build needs)
	@tools/bootstrap build
	@tools/build build --buildtype=release -Dwerror=false -Dtests=disabled

run: all ## the same, then `logmill serve` on 127.0.0.1:8000
	build/logmill serve

test: ## unit and integration tests with sanitizers on, loggers that are followed, cdk's tests, a short torture, fuzz targets for 10 s
	@tools/bootstrap build test
	@tools/test

test-build:
	@tools/bootstrap build test
	@tools/build build/test $(TEST_FLAGS)

unit: test-build ## only the unit tests (FILES="base/test_utf8" for some)
	tools/unit-test $(FILES)

integration: test-build all ## only the integration tests (FILES="read tail" for some)
	tools/node-test integration $(FILES)

browser: test-build ## only the tests of the page, in Chromium (FILES="live" for some), and its unit tests
	@tools/npm-ci web/page
	cd web/page && npm test --silent
	tools/node-test browser $(FILES)

screenshots: all ## README's pictures of the page, docs/*.png, taken anew
	@tools/bootstrap test
	tools/screenshots

faults: test-build ## every allocation, write, sync and read fails in turn (FAULT_POINTS=N: some; FAULT_WALK=TEXT)
	for name in follow_test_state queue_test_queue_sqlite store_test_store_sqlite; do \
	    FAULT_POINTS=$(FAULT_POINTS) build/test/tests/unit/$${name}_faults || exit; done
	FAULT_POINTS=$(FAULT_POINTS) tools/node-test integration faults-inside faults-follow

LIVES ?= 5000
simulation: test-build ## LIVES=5000 lives of the embedded store, with faults, kills and power cuts (SEED: of the first)
	build/test/tests/simulation/simulation $(or $(SEED),$$(date +%s)) $(LIVES)

fuzz: ## each fuzz target for FUZZ_SECONDS (60), and what all its inputs reach
	@tools/bootstrap build test
	@tools/fuzz $(FUZZ_SECONDS) coverage

schemathesis: test-build ## requests made from the OpenAPI description (EXAMPLES of each kind, SEED)
	@tools/schemathesis

tsan: all ## unit and integration tests under ThreadSanitizer (long; FILES="ingest read" for some)
	@tools/bootstrap build test
	@tools/tsan $(FILES)

coverage: all ## lines of src/ that unit and integration tests run, by room and as HTML
	@tools/bootstrap build test
	@tools/coverage $(FILES)

lint: ## format, warnings of gcc and clang, clang-tidy, and what else can be checked unrun
	@tools/bootstrap build test lint
	@tools/lint

format: all ## lays out all C as .clang-format says, and brings the tables in docs/settings.md and ARCHITECTURE.md up to date
	@tools/bootstrap lint
	clang-format-19 -i $$(git ls-files -co --exclude-standard '*.c' '*.h')
	@tools/update-docs

BENCH_PARAMETERS := ROUNDS SECONDS CONTESTANTS CONNECTIONS BATCHES ROWS READ_LOGS SEARCH_LOGS SEARCH_EVENTS SEARCH_REUSE FOLLOW_MB FOLLOW_SECONDS FOLLOW_PARTS GATHER_RATES
bench: all ## figures beside nginx, VictoriaLogs and others (TABLES, ROUNDS, SECONDS, …: bench/README.md)
	@tools/bootstrap bench
	@ninja -C build --quiet bench/pg_copy bench/sqlite_loop
	$(foreach p,$(BENCH_PARAMETERS),$(if $($(p)),BENCH_$(p)="$($(p))")) bench/run $(TABLES)

stress: all ## k6 scripts with VUS="100" users against both set-ups, and a check that every 201 is stored once
	@tools/bootstrap stress
	stress-test/run $(SETUPS)

torture: test-build all ## MINUTES=10 of everything that can go wrong, at once (SETUPS="embedded cloud", SEED)
	@tools/torture "$(or $(MINUTES),10)" "$(SEED)" $(SETUPS)

senders-test: all ## loggers and agents that people run send to the real binary (FILES="otlp loki" for some, LOGS=10000)
	@tools/bootstrap test senders
	@tools/senders $(FILES)

follow-test: test-build all ## files that rotate are followed, through kill -9: scenes, RUNS=10 of each (FILES="rotation", ONLY)
	@tools/bootstrap test loggers
	@tools/follow $(FILES)

cdk-test: ## what cdk/ makes: each promise against the templates, `cdk synth` offline, cfn-lint
	@tools/bootstrap cdk
	@tools/cdk-test

deploy-test: test-build ## cdk/ deployed on this machine against emulators of AWS: read back, its roles tried, run, updated
	@tools/bootstrap cdk deploy
	tools/deploy-test

install: all ## to PREFIX (/usr/local), with manual page, completion, and units for systemd
	install -D -m 755 build/logmill $(DESTDIR)$(PREFIX)/bin/logmill
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
		$(DESTDIR)$(PREFIX)/share/zsh/site-functions
	build/logmill man >$(DESTDIR)$(PREFIX)/share/man/man1/logmill.1
	build/logmill completion bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/logmill
	build/logmill completion zsh >$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_logmill
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	for unit in logmill logmill-follow; do \
		sed 's|/usr/local/bin|$(PREFIX)/bin|' deploy/$$unit.service \
			>$(DESTDIR)$(PREFIX)/lib/systemd/system/$$unit.service || exit; \
	done
	install -m 644 deploy/logmill.socket $(DESTDIR)$(PREFIX)/lib/systemd/system/logmill.socket

RELEASES ?= bookworm trixie
ARCHITECTURES ?= $(shell dpkg --print-architecture)
deb: all ## Debian packages, in build/deb (RELEASES="bookworm trixie", ARCHITECTURES="amd64 arm64": for both)
	@tools/bootstrap build deb
	@for release in $(RELEASES); do for architecture in $(ARCHITECTURES); do \
	    tools/deb $$release $$architecture || exit; \
	done; done

deb-test: all ## the packages in real roots of Debian: installed, upgraded, removed, purged, and running there
	@tools/bootstrap build deb $(filter arm64,$(ARCHITECTURES))
	@ARCHITECTURES="$(ARCHITECTURES)" tools/deb-test $(RELEASES)

RELEASE ?= trixie
arm64-test: all ## the unit tests, built across for arm64 and run by qemu-user (RELEASE=bookworm, FILES="base/test_utf8" for some)
	@tools/bootstrap build deb
	@tools/arm64-test $(RELEASE) $(FILES)

fresh-test: ## `make run` and `make test` of the last commit in roots of Debian that have make and git alone (RELEASES=trixie)
	@tools/bootstrap deb
	@tools/fresh-test $(RELEASES)

tarball: all ## build/logmill-VERSION-linux-ARCHITECTURE.tar.xz, for systems without the package (ARCHITECTURES="amd64 arm64")
	@tools/bootstrap build deb
	@for architecture in $(ARCHITECTURES); do tools/tarball $$architecture || exit; done

compose-test: ## the image and docker-compose.yml on a real Docker engine (as root, where none runs)
	@tools/bootstrap compose
	tools/compose-test

image-test: ## the image, built for ARCHITECTURES ("amd64 arm64": arm64 by qemu-user, long), takes logs and finds them (as root)
	@tools/bootstrap compose $(filter arm64,$(ARCHITECTURES))
	tools/image-test $(ARCHITECTURES)

clean: ## removes everything that was built
	rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
