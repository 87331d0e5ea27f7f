# Everyday commands. `make` alone lists them.

CARGO ?= cargo
# One set of flags for everything: a build with other packages or features would compile the dependencies anew.
# Not the fuzz targets: they are built by cargo-fuzz, with instruments.
FLAGS := --locked --workspace --exclude kurir-sim-fuzz --features simulator
TARGET := $(or $(CARGO_TARGET_DIR),target)
# Arguments for the demo and the benchmark, as in `make demo ARGS=--once`.
ARGS ?=

# waproto 0.7's build script watches a file that it writes itself, so the next call of cargo would compile the WhatsApp
# client anew, which takes minutes. An old date on that file prevents it.
SETTLE := find $(TARGET) -path '*/waproto-*/out/whatsapp.local.desc' -exec touch -d 2006-07-24 {} +

.PHONY: help demo test trouble chaos fuzz bench lint fmt docs audit

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

demo: ## The main job on this machine alone: link two sessions, send 205 OTPs, show what arrived
	$(CARGO) build $(FLAGS)
	@$(SETTLE)
	$(TARGET)/debug/kurir demo $(ARGS)

# Status 77 of an installer: something can't be had, and the tests that need it are skipped. What touches the broker runs
# a second time, with RabbitMQ 4. The last call of cargo is
# about what is shipped: a build of this package alone without the simulator (among all packages the simulator's own tests
# would switch the check off) refuses the simulator's certificate. What it shares with the builds before is not compiled anew.
test: ## Every test, on private Redis, RabbitMQ and PostgreSQL, with Node, Chromium, Schemathesis, curl, PHP, Python (installed if missing)
	tests/node/install || [ $$? = 77 ]
	tests/schemathesis/install >/dev/null || [ $$? = 77 ]
	tests/dialects/install || [ $$? = 77 ]
	$(CARGO) test $(FLAGS) --no-run
	$(SETTLE)
	tests/servers run $(CARGO) test $(FLAGS)
	if tests/rabbitmq-4 install; then \
		KURIR_TEST_RABBITMQ=4 tests/servers run $(CARGO) test $(FLAGS) --test brokers --test fleet; \
	else [ $$? = 77 ]; fi
	cp $(TARGET)/debug/kurir $(TARGET)/kurir-with-simulator
	KURIR_TEST_SIMULATOR="$$(realpath $(TARGET)/kurir-with-simulator)" \
		$(CARGO) test --locked --package kurir --test certificate
	@$(SETTLE)

trouble: ## A working fleet whose servers fail: RabbitMQ, PostgreSQL and Redis stop, block and come back (minutes)
	$(CARGO) test $(FLAGS) --no-run
	$(SETTLE)
	tests/servers run $(CARGO) test $(FLAGS) --test trouble

# KURIR_CHAOS_SEED repeats a run, KURIR_CHAOS_SIZE=small takes five minutes; tests/chaos/plan.rs has the other settings.
chaos: ## A fleet under load while 100 things break; then every job is accounted for (a quarter of an hour)
	$(CARGO) test $(FLAGS) --no-run --test chaos
	$(SETTLE)
	tests/servers run $(CARGO) test $(FLAGS) --test chaos -- --nocapture

# How long each target runs, as libFuzzer counts it, and the build: `--dev` compiles in a few minutes, `--release` takes
# twenty and runs many times faster.
FUZZ ?= -max_total_time=30
FUZZ_BUILD ?= --dev
fuzz: ## Fuzz the simulator's decoders and its handling of stanzas (builds cargo-fuzz if missing: several minutes)
	@$(CARGO) fuzz --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-fuzz
	for target in frame node handshake session; do \
		$(CARGO) fuzz run $(FUZZ_BUILD) --fuzz-dir sim/fuzz --sanitizer none --target-dir $(TARGET)/fuzz $$target -- \
			$(FUZZ) -max_len=4096 -timeout=10 -rss_limit_mb=1024 || exit 1; \
	done

bench: ## Speed and CPU time per message on private servers, beside the client alone (release build: several minutes)
	$(CARGO) build --release $(FLAGS)
	tests/servers run sh -c 'KURIR_POSTGRES__URL=$$KURIR_TEST_POSTGRES_URL KURIR_RABBITMQ__URL=$$KURIR_TEST_AMQP_URL \
		KURIR_REDIS__URL=$$KURIR_TEST_REDIS_URL exec "$$@"' bench $(TARGET)/release/kurir bench send $(ARGS)

lint: ## Formatting and clippy; warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(FLAGS) --all-targets --test trouble --test chaos -- -D warnings
	@$(SETTLE)

fmt: ## Format the code
	$(CARGO) fmt --all

docs: ## The documentation of the code; warnings are errors
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(FLAGS) --no-deps
	@$(SETTLE)

audit: ## Licences, advisories, banned and doubtful sources (builds cargo-deny if missing: several minutes)
	@$(CARGO) deny --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-deny
	$(CARGO) deny --workspace --all-features --locked check
