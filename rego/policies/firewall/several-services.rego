# METADATA
# title: Several services load a packet filter at boot
# description: >-
#   More than one of firewalld, ufw, nftables, netfilter-persistent and their kind is started at
#   boot. Each loads rules as if it were alone, some by taking away all others: what is in force
#   hangs on which comes last, and changes with an update.
# custom:
#   severity: low
#   reads: [system.boot]
#   remediation: >-
#     Keep one of them, move the rules of the others into it, and systemctl disable these.
#   references:
#     cis: ["Debian 12 v1.1.0 4.1.1"]
#     nist: ["CM-6"]
#     cwe: ["CWE-1188"]
package ringfence.firewall.several_services

# Those of one program are one, and ours adds to any.
_kinds := {k |
	some name in input.bootFirewalls.enabled
	k := object.get(_same, name, name)
	name != "ringfence-ruleset.service"
}

_same := {"ip6tables.service": "iptables.service"}

finding contains {
	"resource": {"kind": "firewall", "key": "services"},
	"message": sprintf("%d services load a packet filter at boot: %s", [count(_kinds), concat(", ", _kinds)]),
	"evidence": [sprintf("started at boot: %s", [concat(", ", input.bootFirewalls.enabled)])],
	"remediation": [{"kind": "words", "text": "keep one, move the rules of the others into it, and systemctl disable these"}],
} if {
	count(_kinds) > 1
}

unknown contains {"resource": {"kind": "firewall", "key": "services"}, "reason": "what is started at boot was not read"} if {
	not input.bootFirewalls.state in {"present", "absent"}
}

not_applicable := "there is no systemd" if input.bootFirewalls.state == "absent"
