# Open Kitchen. `make help` lists the targets.
LISTEN ?= 127.0.0.1:5000
CARGO ?= cargo

# A static file for another processor has its name at the end, and is not tried here (make small PROCESSOR=aarch64).
OWN_PROCESSOR := $(shell uname -m)
PROCESSOR ?= $(OWN_PROCESSOR)
ifeq ($(PROCESSOR),$(OWN_PROCESSOR))
STATIC = target/static/openkitchen$(1)
TRY = tests/builds/chroot.sh
else
STATIC = target/static/openkitchen$(1)-$(PROCESSOR)
TRY = @:
endif

# Ten thousand idle connections need as many descriptors as the system grants.
BENCH = ulimit -n $$(ulimit -Hn) 2>/dev/null; $(CARGO) bench --quiet --bench bench -- \
	$(if $(ONLY),--only $(ONLY)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SECONDS),--seconds $(SECONDS))
PEERS = nginx hyper tiny_http lighttpd darkhttpd

# The book: the private chapters too, beside the documentation of the library.
BOOK = --document-private-items --target-dir target/book

.PHONY: help run release static small smallest recipes lesson test test-browser pictures soak check bench bench-peers fuzz races systems dist book lines

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 13

run: ## the lesson site at LISTEN (make run LISTEN=127.0.0.1:5001)
	$(CARGO) run --profile quick -- --listen $(LISTEN)

release: ## the fastest binary: target/release/openkitchen
	$(CARGO) build --release

static: ## one file that runs on any Linux: target/static/openkitchen (make static PROCESSOR=aarch64)
	tests/builds/build.sh static $(STATIC) $(PROCESSOR)
	$(TRY) $(STATIC)

recipes: static small ## README's recipes, with the real nginx, HAProxy, Caddy, systemd, Docker and buildah
	tests/builds/proxies.sh target/static/openkitchen
	tests/builds/unit.sh target/static/openkitchen-small
	tests/builds/image.sh

small: ## the same with `serve` and `healthcheck` alone: target/static/openkitchen-small
	tests/builds/build.sh static $(call STATIC,-small) $(PROCESSOR) --no-default-features
	$(TRY) $(call STATIC,-small)

smallest: ## make small with a standard library built for size: unstable flags of the compiler, and rustup
	tests/builds/build.sh smallest $(call STATIC,-smallest) $(PROCESSOR) --no-default-features
	$(TRY) $(call STATIC,-smallest)

lesson: ## the lesson's two routes, in fifteen lines, at 127.0.0.1:5000
	$(CARGO) run --quiet --example lesson

# Most tests wait for a clock or for a socket, so more of them run at a time than there are cores.
test: ## every test; needs a Rust toolchain only
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-10} $(CARGO) test --quiet

test-browser: ## the page in Chromium; installs chromium, node and npm packages
	tests/browser/run.sh

pictures: ## the pictures of README, from the page itself, into tests/pictures
	tests/browser/run.sh pictures

soak: ## the long tests: many clients, slow attackers, stops and restarts under load
	tests/load/soak.sh

check: ## formatting, lints and docs, with warnings denied
	$(CARGO) fmt --check
	$(CARGO) clippy --quiet --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --quiet --no-deps --lib --target-dir target/docs
	! grep -rnE 'href="[a-z_@]+::|\[<code>[A-Za-z_:]+</code>\]' target/docs/doc/openkitchen # links to hidden pages
	RUSTDOCFLAGS="-D warnings --cfg book" $(CARGO) doc --quiet --no-deps --lib $(BOOK)

bench: ## this server beside a floor that parses nothing, in one run (make bench ONLY=a,d)
	$(BENCH)

bench-peers: ## the same beside nginx, hyper, tiny_http, lighttpd and darkhttpd, and README's table
	@for peer in nginx:nginx-light lighttpd:lighttpd darkhttpd:darkhttpd; do PATH="$$PATH:/usr/sbin" command -v $${peer%:*} \
		>/dev/null || apt-get install -y -qq --no-install-recommends $${peer#*:} || echo "$${peer%:*} is left out: it is not in PATH"; done
	$(CARGO) build --release --quiet --locked --manifest-path tests/peers/Cargo.toml --target-dir target/peers
	PATH="$$PATH:/usr/sbin" && $(BENCH) $(PEERS:%=--peer target/peers/release/%)

fuzz: ## searches for bytes that break a property, for an hour (make fuzz FOR=60: a minute each)
	tests/fuzz/run.sh

races: ## every test under a race detector, and the message under Miri; a quarter of an hour
	tests/load/races.sh

systems: ## clippy for each system and processor, and the tests that run here, with emulators
	tests/builds/systems.sh

dist: ## what installs without Rust: static binaries, Windows, Python wheels; each is tried
	tests/builds/dist.sh

book: ## the source as a book, in your browser
	RUSTDOCFLAGS="--cfg book" $(CARGO) doc --no-deps --lib --open $(BOOK)

# Counts the lines of code of the files whose names it reads.
COUNT = xargs awk 'FNR == 1 { tests = 0 } /^\#\[(cfg\((all\()?)?test[],)]/ { tests = 1 } \
	!tests && !/^ *$$/ && !/^ *\/\// { lines++ } END { print lines }'

# `serve` has no transcript, nothing that observes or plays, and of the commands those without a feature.
lines: ## lines of code, without blank lines, comments and tests; the sums for `serve` and in all
	@all=0 serve=0; for part in message route.rs request.rs files net sys transcript observe play bin; do \
		lines=$$(find src/$$part -name '*.rs' ! -path '*tests*' ! -name random.rs | $(COUNT)); \
		printf "%6d  src/%s\n" $$lines $$part; \
		all=$$((all + lines)); [ $$part != sys ] || serve=$$all; \
	done; \
	own=$$(cd src/bin/openkitchen && { printf '%s\n' main.rs json.rs command/mod.rs; \
		awk '/^#\[cfg\(feature/ { getline; next } /^pub mod / { sub(";", ""); print "command/" $$3 ".rs" }' command/mod.rs; } | $(COUNT)); \
	printf "%6d  for serve\n%6d  in all\n" $$((serve + own)) $$all
