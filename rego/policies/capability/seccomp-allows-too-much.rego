# METADATA
# title: A seccomp profile lets dangerous system calls through
# description: >-
#   The container has a filter, and the filter lets through what the profiles of runtimes keep
#   away: loading kernels, modules and BPF programs, files by their handles, faults handled in
#   user space. A filter of one's own that names what is forbidden lets through what came later.
# custom:
#   severity: medium
#   reads: [runtimes]
#   remediation: >-
#     Start from the default profile of the runtime and add single calls, under conditions.
#   references:
#     cis: ["Docker v1.6.0 5.22"]
#     nist: ["SC-39", "CM-7"]
#     attack: ["T1611"]
#     cwe: ["CWE-653"]
package ringfence.capability.seccomp_allows_too_much

import data.ringfence.lib

# Of io_uring tells kernel/io-uring-in-workloads; this one the profile of Podman has for everybody.
_common := {"io_uring_setup", "perf_event_open"}

finding contains {
	"resource": {"kind": "workload", "key": sprintf("container %s", [lib.container(c)])},
	"message": sprintf("the seccomp profile of container %s lets %s through", [lib.container(c), lib.join(sort(calls))]),
	"severity": _severity(c),
	"evidence": [sprintf("%s: default action %s", [lib.specs(c), c.filter["default"]])],
	"remediation": [{"kind": "config", "text": sprintf("recreate container %s with the default profile of its runtime, or with one that allows what it needs", [lib.container(c)])}],
} if {
	some c in input.containers
	_counts(c)
	not c.privileged
	calls := {call | some call in lib.list(object.get(c, "filter", {}), "allows")} - (_common | _by_capability(c))
	count(calls) > 0
}

_counts(c) if not lib.own(c)

_counts(c) if c.running

# Profiles let through what a capability of the container is for; that is told of with the capability.
_by_capability(c) := {call |
	some cap, calls in {
		"sys_admin": {"bpf", "perf_event_open", "userfaultfd"}, "bpf": {"bpf"}, "perfmon": {"perf_event_open"},
		"sys_module": {"finit_module", "init_module"}, "sys_boot": {"kexec_load", "kexec_file_load"}, "dac_read_search": {"open_by_handle_at"},
		"sys_ptrace": {"userfaultfd"},
	}
	cap in lib.list(c, "capEff")
	some call in calls
}

_severity(c) := "low" if {
	c.userNS
} else := "medium"

unknown contains {
	"resource": {"kind": "workload", "key": sprintf("container %s", [lib.container(c)])},
	"reason": "what its filter lets through is not known: its specification was not read, or the snapshot is older",
} if {
	some c in input.containers
	c.seccomp
	not c.filter
	not lib.own(c)
}

not_applicable := "no container was found" if count(input.containers) == 0
