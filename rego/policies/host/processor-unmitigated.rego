# METADATA
# title: Workloads can read the host by the processor
# description: >-
#   The kernel says of the processor that a way to read memory of others by speculation is open,
#   and foreign code runs on it: containers, machines or agents. It reads keys of the host and of
#   its neighbours. On a host that runs its own programs alone nothing is asked.
# custom:
#   severity: low
#   reads: [kernel.boot, processes.power, runtimes, agents]
#   remediation: >-
#     Update the microcode and the kernel, and take mitigations=off off its command line.
#   references:
#     nist: ["SI-2", "SC-4"]
#     attack: ["T1082"]
#     cwe: ["CWE-1037"]
package ringfence.host.processor_unmitigated

_told := input.processor if input.processor != null

else := {}

_open := [sprintf("%s: %s", [name, f.value]) |
	some name, f in _told
	f.state == "present"
	startswith(f.value, "Vulnerable")
	not contains(f.value, "microcode") # the machine's owner decides: a guest cannot mend it
]

finding contains {
	"resource": {"kind": "kernel", "key": "processor"},
	"message": "foreign code runs on a processor with open ways to read memory of others",
	"evidence": sort(_open),
	"remediation": [{"kind": "words", "text": "update the microcode and the kernel, and start without mitigations=off"}],
} if {
	count(input.workloads) > 0
	count(_open) > 0
}

unknown contains {"resource": {"kind": "kernel", "key": "processor"}, "reason": "what the kernel says of the processor could not be read"} if {
	count(input.workloads) > 0
	count(_told) == 0
}

not_applicable := "no foreign code runs here" if count(input.workloads) == 0
