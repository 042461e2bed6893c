# make demo   one subtitle of real speech, made through the daemon as Bazarr asks for it
# make test   everything, with the real model and real speech
# make units  systemd's own opinion of the units in systemd/; make units-run runs them under a systemd of their own
# make package  one package for every CPU of this architecture; make package-check runs it on older ones, as qemu plays them
# make lint   formatting, clippy, the layering rules, licences of the packages used
#
# What is fetched (the model, the speech) is kept in CACHE, outside the build directory.

SHELL := /bin/bash
.DEFAULT_GOAL := help

CACHE  ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/transcriptord
MODELS ?= $(CACHE)/models
CT2    ?= $(CACHE)/ctranslate2/base
SPEECH ?= $(CACHE)/speech
export CACHE MODELS CT2 SPEECH

# A Rust toolchain that rustup has just installed is not on the caller's PATH yet.
export PATH := $(HOME)/.cargo/bin:$(PATH)

DEBUG   := target/debug/transcriptord
RELEASE := target/release/transcriptord

# What the tests that hear real speech look for; without them those tests say that they were skipped.
TEST_ENV = TRANSCRIPTORD_TEST_MODELS=$(MODELS) TRANSCRIPTORD_TEST_MODEL_CT2=$(CT2) TRANSCRIPTORD_TEST_SPEECH=$(SPEECH)
# `cargo nextest` where it is installed, else `cargo test`.
RUN_TESTS = if cargo nextest --version >/dev/null 2>&1; then cargo nextest run --locked --no-fail-fast; else cargo test --locked --no-fail-fast; fi

.PHONY: help deps build release demo test units units-run package package-check lint bench bench-bazarr bench-crash bench-load bench-park model speech

help:
	@echo "make demo    a subtitle of real speech in a few minutes: builds, fetches a model and speech, asks as Bazarr does"
	@echo "make build   target/release/transcriptord"
	@echo "make test    all tests, with the real model and real speech"
	@echo "make package  a tar.gz that is right on every CPU of this architecture; package-check tries it on older ones"
	@echo "make lint    formatting, clippy, layering, licences"
	@echo "make units   checks the systemd units and prints how exposed they are; units-run (as root) runs and restarts them"
	@echo "make bench   speed, memory and word errors beside the peers; bench-bazarr, bench-crash, bench-load, bench-park the rest"
	@echo "make model   the multilingual 'base' model, into $(MODELS)"
	@echo "make speech  recordings with their texts, into $(SPEECH)"
	@echo "make deps    the system packages that the others need, if any is missing"

deps:
	@.ci/deps

build release: deps
	cargo build --release --locked

demo: build speech
	@TRANSCRIPTORD=$(RELEASE) examples/model.sh
	@TRANSCRIPTORD=$(RELEASE) examples/demo.sh

test: deps speech
	cargo build --locked
	@TRANSCRIPTORD=$(DEBUG) KEEP_CT2=1 examples/model.sh
	$(TEST_ENV) bash -c '$(RUN_TESTS)'

# In order of how fast each one answers.
lint: deps
	cargo fmt --check
	cargo test --locked --quiet --test layers
	cargo clippy --locked --all-targets -- -D warnings
	@if cargo deny --version >/dev/null 2>&1; then cargo deny --locked check licenses bans sources; else .ci/packages; fi

units:
	@.ci/units

units-run:
	@.ci/units-run

# Builds the program once for each level of CPU: many minutes.
package: deps
	@.ci/package

package-check:
	@.ci/package-check

# The short form: minutes. benches/*.py --help tells how to measure for longer, and on other audio.
bench: build speech
	@TRANSCRIPTORD=$(RELEASE) KEEP_CT2=1 examples/model.sh
	cargo build --release --locked --example plain_decode
	TRANSCRIPTORD=$(RELEASE) benches/speed.py --seconds 180 --rounds 2 || echo "speed: below the floor"
	TRANSCRIPTORD=$(RELEASE) benches/memory.py --short

bench-bazarr: build speech
	@TRANSCRIPTORD=$(RELEASE) examples/model.sh
	TRANSCRIPTORD=$(RELEASE) benches/bazarr.py --workers 1
	TRANSCRIPTORD=$(RELEASE) benches/bazarr.py --workers 1 --seconds 120 --kill-workers 3

bench-crash: build speech
	@TRANSCRIPTORD=$(RELEASE) examples/model.sh
	TRANSCRIPTORD=$(RELEASE) benches/crash.py

bench-load: build speech
	@TRANSCRIPTORD=$(RELEASE) examples/model.sh
	TRANSCRIPTORD=$(RELEASE) benches/load.py

bench-park: build speech
	@TRANSCRIPTORD=$(RELEASE) examples/model.sh
	TRANSCRIPTORD=$(RELEASE) benches/park.py

model: deps
	@examples/model.sh

speech: deps
	@examples/speech.sh
