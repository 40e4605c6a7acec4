# METADATA
# title: Root can load any code into the kernel
# description: >-
#   Modules need no signature, loading them is not shut off, and lockdown is off. Whoever becomes
#   root once hides in the kernel, where no audit of the host sees them again. A kernel without
#   modules, modules_disabled, module.sig_enforce or lockdown (with Secure Boot) is what prevents
#   it.
# custom:
#   severity: low
#   reads: [kernel.facts, kernel.sysctls, network]
#   remediation: >-
#     Start with Secure Boot and lockdown=integrity, or with module.sig_enforce=1; or set
#     kernel.modules_disabled to 1 once all modules are loaded.
#   references:
#     nist: ["SI-7(15)", "CM-7(5)"]
#     attack: ["T1547.006", "T1014"]
#     cwe: ["CWE-347"]
package ringfence.host.unsigned_kernel_code

_fact(name) := object.get(input.kernel.facts, [name, "state"], "error")

_value(name) := input.kernel.facts[name].value

_disabled := object.get(input.sysctls, ["kernel.modules_disabled", "state"], "error")

# A kernel without the file has no modules that could be loaded.
_enforced if _disabled == "absent"

_enforced if {
	_disabled == "present"
	input.sysctls["kernel.modules_disabled"].value == "1"
}

_enforced if {
	_fact("moduleSignatures") == "present"
	_value("moduleSignatures") in {"Y", "1"}
}

_enforced if {
	_fact("lockdown") == "present"
	regex.match(`\[(integrity|confidentiality)\]`, _value("lockdown"))
}

_unread := [name | some name in ["lockdown", "moduleSignatures"]; not _fact(name) in {"present", "absent"}]

finding contains {
	"resource": {"kind": "kernel", "key": "modules"},
	"message": "whoever becomes root loads any code into the kernel",
	"evidence": [sprintf("modules_disabled: %s, module.sig_enforce: %s, lockdown: %s", [input.sysctls["kernel.modules_disabled"].value, _show("moduleSignatures"), _show("lockdown")])],
	"remediation": [{"kind": "words", "text": "start with Secure Boot and lockdown=integrity or with module.sig_enforce=1, or set kernel.modules_disabled = 1 after the start"}],
} if {
	_disabled == "present"
	not _enforced
	count(_unread) == 0
}

_show(name) := _value(name) if _fact(name) == "present"

else := _fact(name)

unknown contains {"resource": {"kind": "kernel", "key": "modules"}, "reason": sprintf("not read: %s", [concat(", ", _unread)])} if {
	not _enforced
	count(_unread) > 0
}

unknown contains {"resource": {"kind": "kernel", "key": "modules"}, "reason": "kernel.modules_disabled could not be read"} if {
	not _enforced
	not _disabled in {"present", "absent"}
}
