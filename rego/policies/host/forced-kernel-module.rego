# METADATA
# title: The kernel has run a module without a signature or by force
# description: >-
#   The kernel notes what it was made to run: a module without a valid signature, or one that was
#   loaded although it does not fit. What such code did cannot be seen from the host. Drivers that
#   are built on the host taint it too: look at which module it is.
# custom:
#   severity: low
#   reads: [kernel.sysctls, network]
#   remediation: >-
#     Find the module (the letters E and F in /sys/module/*/taint), sign it or take it out, and
#     start anew.
#   references:
#     nist: ["SI-7(15)", "CM-7(5)"]
#     attack: ["T1547.006", "T1014"]
#     cwe: ["CWE-347"]
package ringfence.host.forced_kernel_module

# The bits of kernel.tainted that are judged (Documentation/admin-guide/tainted-kernels.rst).
_bits := {2: "a module was loaded by force", 8192: "a module without a valid signature was loaded"}

_taint := input.sysctls["kernel.tainted"]

finding contains {
	"resource": {"kind": "kernel", "key": why},
	"message": sprintf("in the kernel that runs %s", [why]),
	"evidence": [sprintf("/proc/sys/kernel/tainted = %s", [_taint.value])],
	"remediation": [{"kind": "words", "text": "find the module by the letters E and F in /sys/module/*/taint, sign it or take it out, and start anew"}],
} if {
	_taint.state == "present"
	some bit, why in _bits
	bits.and(to_number(_taint.value), bit) != 0
}

unknown contains {"resource": {"kind": "kernel", "key": "tainted"}, "reason": "kernel.tainted could not be read"} if {
	object.get(input.sysctls, ["kernel.tainted", "state"], "error") != "present"
}
