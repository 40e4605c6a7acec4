# METADATA
# title: The BMC can be used with weak or no authentication
# description: >-
#   The baseboard management controller allows cipher suite 0 (no password check), anonymous or
#   null users, the authentication types none or password, or a guessable SNMP community. It was
#   asked in band, by Get commands.
# custom:
#   severity: critical
#   reads: [ipmi]
#   remediation: >-
#     Set the privilege of cipher suite 0 to unused, disable user 1, allow MD5 or RMCP+ only and
#     change the community.
#   references:
#     nist: ["IA-2", "IA-5(1)"]
#     attack: ["T1078.001"]
#     cwe: ["CWE-306", "CWE-1391"]
#     cve: ["CVE-2013-4782", "CVE-2013-4784"]
package ringfence.management.bmc_weak_authentication

finding contains {
	"resource": {"kind": "bmc", "key": p.key},
	"message": p.message,
	"severity": p.severity,
	"evidence": [sprintf("BMC LAN channel %d, access mode %s", [
		input.ipmi.bmc.lanChannel, object.get(input.ipmi.bmc, "accessMode", "unknown"),
	])],
	"remediation": [{"kind": object.get(p, "kind", "command"), "text": p.fix}],
} if {
	some p in _problems
}

_bmc := input.ipmi.bmc

_problems contains {
	"key": "cipher suite 0", "severity": "critical",
	"message": sprintf("cipher suite 0 logs in as %s without checking a password", [_bmc.cipherSuite0]),
	"fix": sprintf("ipmitool lan set %d cipher_privs Xaaaaaaaaaaaaaa", [_bmc.lanChannel]),
} if {
	not object.get(_bmc, "cipherSuite0", "") in {"", "unused"}
}

_problems contains {
	"key": "anonymous user", "severity": "critical",
	"message": "the BMC accepts an anonymous user", "fix": "ipmitool user disable 1",
} if {
	_bmc.anonymous
}

_problems contains {
	"key": "null users", "severity": "high",
	"message": "the BMC has users without a name", "fix": "ipmitool user disable 1",
} if {
	_bmc.nullUsers
}

_problems contains {
	"key": sprintf("authentication type %s", [t]), "severity": "high",
	"message": sprintf("the BMC accepts the authentication type %s", [t]),
	"fix": sprintf("ipmitool lan set %d auth ADMIN MD5", [_bmc.lanChannel]),
} if {
	some t in object.get(_bmc, "authTypes", [])
	t in {"none", "password"}
}

_problems contains {
	"key": "SNMP community", "severity": "medium",
	"message": sprintf("the SNMP community is %q", [_bmc.community]),
	"kind": "words", "fix": sprintf("give it another one: ipmitool lan set %d snmp COMMUNITY", [_bmc.lanChannel]),
} if {
	object.get(_bmc, "community", "") in {"public", "private"}
}

not_applicable := "no BMC was found" if {
	not input.ipmi.bmc
	input.ipmi.smbios.state == "absent"
	count(object.get(input.ipmi, "devices", [])) == 0
}

unknown contains {"resource": {"kind": "bmc", "key": "bmc"}, "reason": "there is a BMC, but it could not be asked"} if {
	not input.ipmi.bmc
	not not_applicable
}

unknown contains {"resource": {"kind": "bmc", "key": "bmc"}, "reason": sprintf("it did not answer: %s", [what])} if {
	some what in object.get(_bmc, "unread", [])
}
