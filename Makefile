# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
# guestlane: everything is built below build/; `make help` lists the targets.

BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
V       ?= 0
Q        = $(if $(filter 1,$(V)),,@)
say      = $(if $(filter 1,$(V)),@:,@printf '  %-7s %s\n' '$(1)' '$(2)')

CC      ?= gcc
CLANG   ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /sbin/bpftool) bpftool)
VERSION := 0.1.0

LIBS     := libbpf jansson yaml-0.1 libmnl
CFLAGS   ?= -O2 -g
WARN     := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
ALL_CFLAGS = -std=gnu11 $(CFLAGS) $(WARN) -I. -I$(BUILD) -D_GNU_SOURCE -DGL_VERSION='"$(VERSION)"'
LDLIBS    = $(shell pkg-config --libs $(LIBS)) -lelf -lz
SAN      := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -g
BPF_CFLAGS = -O2 -g -target bpf -mcpu=v3 -Wall -Wextra -Werror -Wshadow -I. -I/usr/include/$(shell gcc -print-multiarch)

# An object per hook and family of addresses, all from the same stages, and what they share.
BPF_OBJ := $(addprefix $(BUILD)/bpf/,xdp.o xdp6.o generic.o generic6.o tc.o tc6.o offload.o)
BPF_HDR := $(wildcard bpf/*.h maps/*.h maps/*.def)
SKEL    := $(BUILD)/guestlane.skel.h

# The pure half of the loader does no system calls; unit tests and fuzzers build it under sanitizers.
PURE_SRC := $(wildcard maps/*.c) $(addprefix loader/,$(shell cat loader/pure.list 2>/dev/null))
LIB_SRC  := $(wildcard maps/*.c loader/*.c)
CLI_SRC  := $(wildcard cli/*.c)
HDR      := $(wildcard maps/*.h maps/*.def loader/*.h cli/*.h)
LIB_OBJ  := $(LIB_SRC:%.c=$(BUILD)/%.o)
CLI_OBJ  := $(CLI_SRC:%.c=$(BUILD)/%.o)
SAN_OBJ  := $(PURE_SRC:%.c=$(BUILD)/san/%.o)

LIB := $(BUILD)/libguestlane.a
BIN := $(BUILD)/guestlane

.PHONY: all deps demo check check-only bench fuzz soak install uninstall clean format format-check help
.DEFAULT_GOAL := all

all: $(BIN) tools

## deps: install what is missing (Debian 12, root, non-interactive)
deps:
	$(Q)tests/deps.sh

## demo: boot small guests of two tenants and show who reaches whom
demo: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)tests/guest/demo.sh $(BUILD)

## check: build and run every test; the last line adds up all levels
check: deps
	$(Q)$(MAKE) --no-print-directory -j$(shell nproc) all tests
	$(Q)$(MAKE) --no-print-directory check-only

check-only: all tests
	$(Q)tests/run.sh $(BUILD)

## bench: measure against Linux bridge and masquerade, interleaved, as ratios
bench: all tests $(BUILD)/bench_rules
	$(Q)tests/bench/run $(BUILD)
	$(Q)$(BUILD)/bench_rules

## fuzz: fuzz every parser for FUZZ_SECONDS each (default 300)
fuzz: $(BUILD)/.fuzzers
	$(Q)tests/fuzz/run.sh $(BUILD) $(or $(FUZZ_SECONDS),300)

## soak: what takes longer than `make check` allows: 1 GiB transfers, many more random frames and sequences, old kernels
soak: all tests
	$(Q)GL_SOAK=1 GL_FRAMES=20000 tests/run.sh $(BUILD) prog/model_test netns/test_offloads netns/test_isolation \
		guest/test_kernel_6.1 guest/test_kernel_6.12

# ---- programs ---------------------------------------------------------------------------------------------------

HOOK_xdp := XDP
HOOK_generic := GENERIC

# $(call bpf,4 or 6,hook's name,flags)
bpf = $(Q)mkdir -p $(@D) && $(CLANG) $(BPF_CFLAGS) $3 -DGL_FAMILY=$1 -DGL_HOOK_$(or $(HOOK_$2),TC) -c $< -o $@

$(BUILD)/bpf/%.o: bpf/%.bpf.c $(BPF_HDR)
	$(call say,BPF,$@)
	$(call bpf,4,$*)

$(BUILD)/bpf/%6.o: bpf/%.bpf.c $(BPF_HDR)
	$(call say,BPF,$@)
	$(call bpf,6,$*)

$(BUILD)/guestlane.bpf.o: $(BPF_OBJ)
	$(call say,LINK,$@)
	$(Q)$(BPFTOOL) gen object $@.tmp $^ && mv $@.tmp $@

$(SKEL): $(BUILD)/guestlane.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name guestlane_bpf > $@.tmp && mv $@.tmp $@

# ---- loader and command line --------------------------------------------------------------------------------------

$(BUILD)/loader/object.o: $(SKEL)

$(BUILD)/%.o: %.c $(HDR)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -c $< -o $@

$(LIB): $(LIB_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BIN): $(CLI_OBJ) $(LIB)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(LDLIBS)

# ---- tests --------------------------------------------------------------------------------------------------------

UNIT_SRC  := $(wildcard tests/unit/test_*.c)
UNIT_BIN  := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/unit/%)
PROG_SRC  := $(filter-out %.bpf.c,$(wildcard tests/prog/*.c))
TOOL_SRC  := $(wildcard tests/tools/*.c)
TOOL_BIN  := $(TOOL_SRC:tests/tools/%.c=$(BUILD)/tools/%)
FUZZ_SRC  := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_BIN  := $(FUZZ_SRC:tests/fuzz/%.c=$(BUILD)/fuzz/%)

.PHONY: tests tools
tests: $(UNIT_BIN) $(if $(PROG_SRC),$(BUILD)/prog_test) $(BUILD)/model_test $(FUZZ_BIN) tools
tools: $(TOOL_BIN)

$(BUILD)/san/%.o: %.c $(HDR)
	$(call say,CC-SAN,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(filter-out -O2,$(ALL_CFLAGS)) $(SAN) -c $< -o $@

$(BUILD)/san/libpure.a: $(SAN_OBJ)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/unit/%: tests/unit/%.c $(wildcard tests/unit/*.h) $(BUILD)/san/libpure.a
	$(call say,UNIT,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(filter-out -O2,$(ALL_CFLAGS)) $(SAN) -o $@ $< $(BUILD)/san/libpure.a -lcmocka $(LDLIBS)

# The programs twice more: as test runs can have them, and counting their own lookups.
$(BUILD)/native/offload.o: tests/prog/native.bpf.c $(wildcard bpf/*.c) $(BPF_HDR)
	$(call say,BPF,$@)
	$(call bpf,4,tc,-Ibpf)

$(BUILD)/count/%.o: bpf/%.bpf.c $(BPF_HDR) $(wildcard tests/prog/lookups*.h)
	$(call say,BPF,$@)
	$(call bpf,4,$*,-include tests/prog/lookups.bpf.h)

$(BUILD)/count/%6.o: bpf/%.bpf.c $(BPF_HDR) $(wildcard tests/prog/lookups*.h)
	$(call say,BPF,$@)
	$(call bpf,6,$*,-include tests/prog/lookups.bpf.h)

PROG_OBJ := $(filter-out %/offload.o,$(BPF_OBJ))
$(BUILD)/native.bpf.o: $(PROG_OBJ) $(BUILD)/native/offload.o
$(BUILD)/count.bpf.o: $(PROG_OBJ:$(BUILD)/bpf/%=$(BUILD)/count/%) $(BUILD)/native/offload.o
$(BUILD)/native.bpf.o $(BUILD)/count.bpf.o:
	$(call say,LINK,$@)
	$(Q)$(BPFTOOL) gen object $@.tmp $^ && mv $@.tmp $@

$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@.tmp && mv $@.tmp $@

$(BUILD)/prog_test: $(PROG_SRC) $(wildcard tests/prog/*.h) $(LIB) $(SKEL) $(BUILD)/count.skel.h $(BUILD)/native.skel.h
	$(call say,PROG,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $(PROG_SRC) $(LIB) $(LDLIBS)

# The reference model beside the programs.
MODEL_SRC := $(filter-out %.bpf.c,$(wildcard tests/model/*.c))
MODEL_LIB := $(addprefix tests/prog/,world.c devices.c names.c flows.c family.c run.c frame.c definition.c)

$(BUILD)/sweep/4.o $(BUILD)/sweep/6.o: $(BUILD)/sweep/%.o: tests/model/sweep.bpf.c $(BPF_HDR)
	$(call say,BPF,$@)
	$(call bpf,$*,tc,-Ibpf)

$(BUILD)/sweep.bpf.o: $(BUILD)/sweep/4.o $(BUILD)/sweep/6.o
	$(call say,LINK,$@)
	$(Q)$(BPFTOOL) gen object $@.tmp $^ && mv $@.tmp $@

$(BUILD)/model_test: $(MODEL_SRC) $(MODEL_LIB) $(wildcard tests/model/*.h tests/prog/*.h) $(LIB) $(BUILD)/native.skel.h $(BUILD)/sweep.skel.h
	$(call say,PROG,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $(MODEL_SRC) $(MODEL_LIB) $(LIB) $(LDLIBS)

# In the same world: what new flows cost.
$(BUILD)/bench_rules: tests/bench/rules.c $(MODEL_LIB) $(wildcard tests/prog/*.h) $(LIB) $(SKEL) $(BUILD)/native.skel.h
	$(call say,BENCH,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/prog -o $@ $< $(MODEL_LIB) $(LIB) $(LDLIBS)

$(BUILD)/tools/%: tests/tools/%.c
	$(call say,TOOL,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -o $@ $< -lpthread

$(BUILD)/fuzz/%: tests/fuzz/%.c $(PURE_SRC) $(HDR)
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(@D) && $(CLANG) $(filter-out -O2,$(ALL_CFLAGS)) -fsanitize=fuzzer,address,undefined -O1 -o $@ $< $(PURE_SRC) $(LDLIBS)

$(BUILD)/.fuzzers: $(FUZZ_BIN)
	$(Q)touch $@

# ---- the rest -----------------------------------------------------------------------------------------------------

FORMATTED := $(wildcard bpf/*.[ch] maps/*.[ch] loader/*.[ch] cli/*.[ch] tests/*/*.[ch])

## format: lay the C code out with clang-format
format:
	$(Q)clang-format -i $(FORMATTED)

## format-check: fail where `make format` would change something
format-check:
	$(Q)clang-format --dry-run --Werror $(FORMATTED)

## install: into DESTDIR/PREFIX (default /usr/local)
install: all
	$(Q)packaging/install.sh install "$(BUILD)" "$(DESTDIR)" "$(PREFIX)"

## uninstall: remove what install put there
uninstall:
	$(Q)packaging/install.sh uninstall "$(BUILD)" "$(DESTDIR)" "$(PREFIX)"

## clean: remove build/
clean:
	$(Q)rm -rf $(BUILD)

## help: this list
help:
	$(Q)sed -n 's/^## \([a-z-]*\): /  \1\t/p' Makefile | expand -t 18
