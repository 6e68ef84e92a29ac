# The commands of logmill, in front of Meson and ninja. `make help` lists them.
#
# Every build directory lies under build/: build/ itself is the optimised build (build/logmill),
# build/test has sanitizers on (build/test/logmill), build/fuzz is for libFuzzer.

FUZZ_SECONDS ?= 60
PREFIX ?= /usr/local
export MAKEFLAGS += --no-print-directory

TEST_FLAGS := -Db_sanitize=address,undefined -Dtests=enabled
export ASAN_OPTIONS ?= detect_leaks=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS ?= print_stacktrace=1

.PHONY: all run test test-build unit integration fuzz lint format bench install clean help

all: ## build/logmill, optimised (installs what the build needs)
	@tools/bootstrap build
	@tools/build build --buildtype=release -Dwerror=false -Dtests=disabled

run: all ## the same, then `logmill serve` on 127.0.0.1:8000
	build/logmill serve

test: ## unit tests, integration tests with sanitizers on, and each fuzz target for 20 s
	@tools/bootstrap build test
	@tools/test

test-build:
	@tools/bootstrap build test
	@tools/build build/test $(TEST_FLAGS)

unit: test-build ## only the unit tests
	meson test -C build/test --suite unit --print-errorlogs

integration: test-build all ## only the integration tests
	@tools/npm-ci tests/integration
	cd tests/integration && LOGMILL_BIN=$(CURDIR)/build/test/logmill npm test --silent

fuzz: ## each fuzz target for FUZZ_SECONDS (60)
	@tools/bootstrap build test
	@tools/fuzz $(FUZZ_SECONDS)

lint: ## format, warnings of gcc and clang, clang-tidy, and what else can be checked unrun
	@tools/bootstrap build test lint
	@tools/lint

format: all ## lays out all C as .clang-format says, and brings README's table of settings up to date
	@tools/bootstrap lint
	clang-format-19 -i $$(git ls-files -co --exclude-standard '*.c' '*.h')
	@tools/update-readme

bench: all ## speed beside nginx, bare COPY into PostgreSQL, and reads without the cache
	@tools/bootstrap bench
	@ninja -C build --quiet bench/pg_copy
	bench/run

install: all ## to PREFIX (/usr/local)
	install -D -m 755 build/logmill $(DESTDIR)$(PREFIX)/bin/logmill

clean: ## removes everything that was built
	rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
