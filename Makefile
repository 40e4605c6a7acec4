# Two commands do all the set-up: "make audit" and "make test". They need Go, make and root.

GOFUMPT     = mvdan.cc/gofumpt@v0.12.0
GOLANGCI    = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
DEADCODE    = golang.org/x/tools/cmd/deadcode@v0.52.0
SARIFTOOL   = @microsoft/sarif-multitool@5.7.0
MODELTOOLS  = ajv@8.20.0 ajv-formats@3.0.1 axe-core@4.14.1 mermaid@11.17.2 puppeteer-core@24.43.1
# By count: with a time, the fuzzer can fail at its own deadline.
FUZZTIME   ?= 3000x

export CGO_ENABLED = 0
# Of packages that are compiled without their folder, another clone has what did not change from the cache.
export GOFLAGS := $(filter-out -trimpath,$(shell go env GOFLAGS)) -trimpath

# What the tests of the kernel and of real components need, as Debian packages.
PACKAGES = nftables iptables ipset iproute2 util-linux procps openssh-server libcap-ng-utils libcap2-bin \
	busybox-static python3 runc crun podman netavark docker.io openbsd-inetd uidmap slirp4netns passt openipmi ipmitool sudo acl sqlite3 \
	man-db libwin-hivex-perl bubblewrap socat dbus samba opendoas logrotate less

# Every fuzz target as package:target.
FUZZ = ruleset:FuzzDecode reports:FuzzClean checks:FuzzParsers snapshot:FuzzLoad reach:FuzzModel \
	trace:FuzzPacket trace:FuzzTracer ruleset:FuzzXt ruleset:FuzzMessage host/wire:FuzzParse host/wire:FuzzConnection \
	checks:FuzzOpenClaw checks:FuzzMCP checks:FuzzSSHD checks:FuzzOCI checks:FuzzPowers threatmodel:FuzzTexts \
	fleet:FuzzStream signature:FuzzVerify signature:FuzzSigners ruleset:FuzzLegacy registry:FuzzHive registry:FuzzText registry:FuzzPol \
	winhost:FuzzNetstat registry:FuzzHiveLog winhost:FuzzState winhost:FuzzShell winhost:FuzzDescriptor wfp/mpssvc:FuzzParseRule watch:FuzzInotify bundle:FuzzOpen \
	checks:FuzzMachines checks:FuzzScripts assume:FuzzHistory assume:FuzzParse declared:FuzzParse

# Damaged snapshots that "make fuzz" judges; "make test" judges 2,000.
MUTATIONS ?= 50000

.PHONY: build audit test unit deps lint whole others bench differential mutants plans kills fuzz fuzz-run fuzz-beside update release sarif models \
	test-vm test-systemd test-kube test-fleet test-wine clean

build:
	go build -trimpath -o bin/ringfence ./cmd/ringfence

# Findings are no failure of make: the report is what was asked for.
audit: build
	./bin/ringfence audit --fail-on none

# The tests of the kernel wait half of their time: the fuzzer has what they leave.
test: deps
	$(MAKE) --no-print-directory -j2 unit fuzz-beside

fuzz-beside:
	@nice -n 10 $(MAKE) --no-print-directory fuzz-run FUZZTIME=$(FUZZTIME)

# "make lint" vets everything, and more of it than "go test" would. Half of the time of e2e is waiting: one package more than there are processors.
unit:
	go test -count=1 -vet=off -timeout 30m -p "$$(($$(nproc) + 1))" ./...
	go test -count=1 -vet=off -tags ringfence_portable ./host

# Installs only what is missing; without root or apt-get the tests that need it say so: without root they fail.
deps:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		missing=$$(for p in $(PACKAGES); do \
			dpkg-query -W -f='$${db:Status-Status}' $$p 2>/dev/null | grep -qx installed || echo $$p; done); \
		if [ -n "$$missing" ]; then \
			apt-get update -qq && \
			DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
		fi; \
	else echo "deps: not root, or no apt-get: nothing is installed" >&2; fi

# The Rego checks (format, strict compilation, schema) are Go tests of package judge. What golangci-lint looks for is in .golangci.yml,
# with the reason of each exclusion; staticcheck is part of it, since by itself it loads and types everything again. The first run builds the
# tools: two to three minutes.
lint:
	@out=$$(go run $(GOFUMPT) -l -extra .); if [ -n "$$out" ]; then echo "not formatted (gofumpt): $$out"; exit 1; fi
	go vet ./...
	$(MAKE) --no-print-directory -j2 others whole

# What loads all packages anew, each alone on one processor for a part of its time: the builds for other systems have what it leaves.
whole:
	go vet -tags ringfence_portable ./cmd/... ./host ./sandbox
	go vet -tags ringfence_bench ./e2e
	@out=$$(go fix -diff ./... 2>&1); if [ -n "$$out" ]; then echo "$$out"; exit 1; fi
	go run $(GOLANGCI) run ./...
	@out=$$(go run $(DEADCODE) -tags ringfence_bench -test ./...); if [ -n "$$out" ]; then echo "$$out"; exit 1; fi
	go test -run 'TestRegoFormat|TestPoliciesCompile|TestMistyped' ./judge

# A snapshot is judged on other systems too: the program and its tests have to build there. The first time, their standard
# library and the dependencies are compiled: two to three minutes of processor time, then seconds.
others:
	@for os in darwin windows; do \
		echo "build and vet for $$os"; \
		GOOS=$$os go build ./... && GOOS=$$os go vet ./... || exit 1; \
	done

bench: build
	go test -run '^$$' -bench . -benchmem ./ruleset ./reach ./trace ./judge ./power
	go test -tags ringfence_bench -count=1 -timeout 60m -parallel 1 -run 'TestBesideOtherTools|TestScale|TestFixSpeed' -v ./e2e

# The packet model against the running kernel at length: RULESETS random rulesets besides the named ones,
# 600 packets each. It takes about six minutes for 150.
RULESETS ?= 150
differential:
	RINGFENCE_DIFFERENTIAL=$(RULESETS) go test -count=1 -timeout 60m -v -run 'AgreesWithKernel|AskersAgree|NotTorn|NoticesMutations' ./e2e/model
	RINGFENCE_PROGRAMS=1 go test -count=1 -v -run TestProgramsOnTheWay ./e2e

# The models broken one rule of the kernel at a time: a test has to notice each.
mutants:
	RINGFENCE_MUTANTS=1 go test -count=1 -timeout 60m -v -run TestMutants ./e2e/model

# Random plans for a fix, each proven, loaded, compared by real connections and taken out: some seconds a plan.
PLANS ?= 1000
plans:
	RINGFENCE_PLANS=$(PLANS) go test -count=1 -timeout 120m -v -run TestRandomPlans ./e2e

# Kills the program and its helper together at random times: some seconds a kill.
kills: KILLS = 300
kills:
	RINGFENCE_KILLS=$(KILLS) go test -count=1 -timeout 120m -v -run 'TestKills$$' ./e2e

fuzz: FUZZTIME = 2m
fuzz: fuzz-run
	RINGFENCE_MUTATIONS=$(MUTATIONS) go test -count=1 -timeout 60m -v -run TestDamageNeverImproves ./fixtures

# Each package's targets are built once, and run beside each other; so are they built, since to link is the work of one processor. What longer
# runs found is tried too. An input that is new is made smaller by count: for a minute each, as the default has it, nothing else would be tried.
fuzz-run:
	@mkdir -p build/fuzz
	@printf '%s\n' $(sort $(foreach f,$(FUZZ),$(firstword $(subst :, ,$(f))))) | xargs -P "$$(nproc)" -I{} \
		go test -c -vet=off -fuzz=. -ldflags='-s -w' -o build/fuzz/{}.test ./{}
	@cache=$$(go env GOCACHE)/fuzz/$$(go list -m); \
	printf '%s\n' $(FUZZ) | xargs -P "$$(nproc)" -I{} sh -c 'p=$${1%%:*}; f=$${1#*:}; cd "$$p" && \
		out=$$("$(CURDIR)/build/fuzz/$$p.test" -test.run "^$$" -test.fuzz "^$$f\$$" -test.fuzztime $(FUZZTIME) -test.fuzzminimizetime 100x \
			-test.fuzzcachedir "$$0/$$p" -test.parallel 1 2>&1); code=$$?; \
		ran=$$(echo "$$out" | grep elapsed: | tail -1); echo "$$1 $$ran"; \
		[ $$code = 0 ] && [ -n "$$ran" ] || { echo "$$out"; exit 255; }' "$$cache" {}

# Rewrites what is generated: documents, Rego format, what the fixtures want, the licences.
update:
	go test ./judge ./fixtures ./checks . -update

# The newest version in CHANGELOG.md.
VERSION ?= $(shell sed -n 's/^## \([0-9][0-9.]*\).*/\1/p' CHANGELOG.md | head -1)
RELEASES = amd64 arm64

# build/release: for each processor a tarball, packages (deb, rpm, apk), an image and an SBOM, and their digests. Everything is built a second
# time, from a clone in another folder, and has to be the same byte by byte. With KEY=FILE, an SSH key of yours, the digests are signed; how
# that is verified is in docs/packages.md.
release:
	rm -rf build/release build/again build/source
	mkdir -p build/release build/again
	sh release.sh $(VERSION) "$(RELEASES)" build/release
	git clone -q . build/source
	cd build/source && sh release.sh $(VERSION) "$(RELEASES)" ../again
	diff -r build/release build/again
	rm -rf build/again build/source
	if [ -n "$(KEY)" ]; then ssh-keygen -q -Y sign -f "$(KEY)" -n release@ringfence build/release/SHA256SUMS; fi
	cat build/release/SHA256SUMS

# Microsoft's validator beside our own conformance test. It needs npm and about 100 MB.
sarif:
	mkdir -p build/sarif
	cd build/sarif && npm install --silent --no-save --no-audit --no-fund --ignore-scripts $(SARIFTOOL)
	RINGFENCE_SARIF=$(CURDIR)/build/sarif/hostile.sarif go test -count=1 -run TestSARIFForTheValidator ./reports
	sh e2e/sarif.sh build/sarif

# The programs that threat models and pages are for: ajv, Mermaid and axe-core in Chromium, Graphviz. It needs npm, chromium and graphviz.
models:
	mkdir -p build/models
	cd build/models && npm install --silent --no-save --no-audit --no-fund --ignore-scripts $(MODELTOOLS)
	RINGFENCE_MODELS=$(CURDIR)/build/models go test -count=1 -run TestModelsForTheirReaders ./reports
	node e2e/models.js build/models threatmodel/testdata/tmbom.schema.json

# Guests under software emulation: one with a BMC, whose IPMI is read in band, and one whose clock jumps during a fix.
test-vm: build
	sh e2e/vm.sh
	sh e2e/vmfix.sh

# The fix beside kube-proxy in both of its modes, which is built the first time.
test-kube:
	sh e2e/kube.sh

# The program for Windows in Wine, on a registry of its own and the sockets of a bed: "apt-get install --no-install-recommends wine64 wine" comes first.
test-wine:
	RINGFENCE_WINE=$(CURDIR)/build/wine go test -count=1 -timeout 20m -v -run 'TestWine$$' ./e2e

# The fix under systemd, through boots and beside firewalld, ufw and nftables.service, in Debian 12 and 13.
SUITES ?= bookworm trixie
test-systemd:
	SUITES="$(SUITES)" sh e2e/systemd.sh

# The engines of many hosts, each as far as it runs on one machine: packages in booted guests, Ansible, queries, manifests.
test-fleet:
	sh e2e/fleet.sh

clean:
	rm -rf bin build
