# Everyday commands. `make` alone lists them.

CARGO ?= cargo
# One set of flags for everything: a build with other packages or features would compile the dependencies anew.
FLAGS := --locked --workspace --features simulator
TARGET := $(or $(CARGO_TARGET_DIR),target)
# Arguments for the demo and the benchmark, as in `make demo ARGS=--once`.
ARGS ?=

.PHONY: help demo test bench lint fmt docs audit

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

demo: ## The main job on this machine alone: link two sessions, send 205 OTPs, show what arrived
	$(CARGO) build $(FLAGS)
	$(TARGET)/debug/kurir demo $(ARGS)

# One call of cargo only: waproto 0.7's build script watches a file that it writes itself, so each further call compiles
# the WhatsApp client anew.
# Status 77 of the installer: something can't be had, and the tests that need it skip themselves.
test: ## Every test, on private Redis, RabbitMQ and PostgreSQL, with Node and Chromium (installed if missing)
	tests/node/install || [ $$? = 77 ]
	tests/servers run $(CARGO) test $(FLAGS)

bench: ## Speed and CPU time per message on private servers, beside the client alone (release build: several minutes)
	$(CARGO) build --release $(FLAGS)
	tests/servers run sh -c 'KURIR_POSTGRES__URL=$$KURIR_TEST_POSTGRES_URL KURIR_RABBITMQ__URL=$$KURIR_TEST_AMQP_URL \
		KURIR_REDIS__URL=$$KURIR_TEST_REDIS_URL exec "$$@"' bench $(TARGET)/release/kurir bench send $(ARGS)

lint: ## Formatting and clippy; warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(FLAGS) --all-targets -- -D warnings

fmt: ## Format the code
	$(CARGO) fmt --all

docs: ## The documentation of the code; warnings are errors
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(FLAGS) --no-deps

audit: ## Licences, advisories, banned and doubtful sources (builds cargo-deny if missing: several minutes)
	@$(CARGO) deny --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-deny
	$(CARGO) deny --workspace --all-features --locked check
