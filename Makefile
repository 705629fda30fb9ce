# A short front to the real build (meson, see meson.build) and to the tests (tools/run-tests).
# Each target first installs what it misses by tools/setup, which asks for root only then.

SEEDS ?= 1000

.NOTPARALLEL:

.PHONY: all run test test-deep bench bench-instructions sim format clean
.PHONY: build-release build-debug build-asan build-tsan build-fuzz
.PHONY: setup-build setup-run setup-test setup-deep

all: build-release

# Three small origins inside the program and weir in front of them; Ctrl-C ends it.
run: setup-run build-release
	@build/release/weir demo

test: setup-test build-release build-debug
	@tools/run-tests test

test-deep: setup-test setup-deep build-release build-debug build-asan build-tsan build-fuzz
	@tools/run-tests test-deep

bench: build-release
	@tools/setup bench
	@bench/run

bench-instructions: build-release
	@tools/setup bench
	@bench/instructions

# Many seeds; with SEED=n one of them again, with its trace.
sim: build-release
	@build/release/tests/sim/sim $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

format: setup-test
	@tools/run-tests --format

clean:
	rm -rf build

OPTIONS_release = --buildtype=release -Db_lto=true -Db_lto_threads=2
OPTIONS_debug   = --buildtype=debug
# UBSan's own test for a null format makes gcc 12 warn of one where none can be.
OPTIONS_asan    = -Ddebug=true -Doptimization=1 -Db_sanitize=address,undefined -Db_lundef=false \
                  -Dc_args=-Wno-format-truncation
OPTIONS_tsan    = -Ddebug=true -Doptimization=1 -Db_sanitize=thread -Db_lundef=false
OPTIONS_fuzz    = -Ddebug=true -Doptimization=2 -Db_sanitize=address,undefined -Db_lundef=false \
                  -Dfuzz=true
build/fuzz/build.ninja: export CC = clang

build/%/build.ninja: | setup-build
	@meson setup build/$* $(OPTIONS_$*)

build-release build-debug build-asan build-tsan build-fuzz: build-%: setup-build build/%/build.ninja
	@ninja -C build/$*

# These are what the unit tests are built in, and a build asks once whether that can be done.
build/debug/build.ninja build/asan/build.ninja build/tsan/build.ninja: | setup-test

build-fuzz: setup-deep

setup-build setup-run setup-test setup-deep: setup-%:
	@tools/setup $*
