# METADATA
# title: Remote Desktop talks without TLS
# description: >-
#   Remote Desktop takes connections in its own encryption instead of TLS: the client does not learn whether it talks to
#   the host, so that somebody between reads and changes all of it. Without network level authentication a client chooses
#   that where SecurityLayer is 1. How strong that encryption has to be MinEncryptionLevel says.
# custom:
#   severity: medium
#   reads: [windows.rdp]
#   remediation: >-
#     Set SecurityLayer to 2, or the policy "Require use of specific security layer for remote (RDP) connections" to SSL.
#   references:
#     nist: ["SC-8", "AC-17(2)"]
#     attack: ["T1557", "T1021.001"]
#     cwe: ["CWE-757", "CWE-326"]
package ringfence.windows.rdp_weak_encryption

import data.ringfence.lib.windows

_on if windows.off(input.windowsRDP.fDenyTSConnections)

_layer := input.windowsRDP.SecurityLayer

_nla if windows.on(input.windowsRDP.UserAuthentication)

_resource(name) := {"kind": "server", "key": sprintf("Remote Desktop %s", [name])}

_present(s, value) if {
	s.state == "present"
	s.value == value
}

finding contains {
	"resource": _resource("SecurityLayer"),
	"message": "Remote Desktop talks in its own encryption: who is between reads and changes it, and gets the passwords",
	"evidence": [sprintf("SecurityLayer is 0%s", [windows.by_policy(_layer)])],
	"remediation": windows.rdp_set("SecurityLayer", 2, _layer),
} if {
	_on
	_present(_layer, "0")
}

finding contains {
	"resource": _resource("SecurityLayer"),
	"message": "whoever connects to Remote Desktop, or is between, chooses its own encryption instead of TLS",
	"severity": "low",
	"evidence": [sprintf("SecurityLayer is 1%s", [windows.by_policy(_layer)]), "UserAuthentication is 0"],
	"remediation": windows.rdp_set("SecurityLayer", 2, _layer),
} if {
	_on
	_present(_layer, "1")
	windows.off(input.windowsRDP.UserAuthentication)
}

# With network level authentication a connection is within TLS wherever that is not ruled out.
_tls if _present(_layer, "2")

_tls if {
	_nla
	_layer.state in {"present", "absent"}
	not _present(_layer, "0")
	not _strange
}

_strange if {
	_layer.state == "present"
	not _layer.value in {"0", "1", "2"}
}

_native if _present(_layer, "0")

_native if {
	_present(_layer, "1")
	windows.off(input.windowsRDP.UserAuthentication)
}

_weak := {
	"1": {"severity": "medium", "message": "what Remote Desktop sends in its own encryption is not encrypted, and what it takes has 56 bits"},
	"2": {"severity": "low", "message": "whoever connects to Remote Desktop chooses how weak its own encryption is"},
}

# The encryption of Windows as a whole (FIPS) wins over the level.
_fips := input.windowsRDP.FipsAlgorithmPolicy

_without_fips if _fips.state == "absent"

_without_fips if windows.off(_fips)

_with_fips if windows.on(_fips)

finding contains {
	"resource": _resource("MinEncryptionLevel"),
	"message": weak.message,
	"severity": weak.severity,
	"evidence": [sprintf("MinEncryptionLevel is %s%s", [level.value, windows.by_policy(level)])],
	"remediation": windows.rdp_set("MinEncryptionLevel", 3, level),
} if {
	_on
	_native
	_without_fips
	level := input.windowsRDP.MinEncryptionLevel
	level.state == "present"
	weak := _weak[level.value]
}

unknown contains {"resource": _resource("MinEncryptionLevel"), "reason": "whether Windows keeps to FIPS, which wins over MinEncryptionLevel, was not read"} if {
	_on
	_native
	not _without_fips
	not _with_fips
	_weak[input.windowsRDP.MinEncryptionLevel.value]
}

unknown contains {"resource": _resource("MinEncryptionLevel"), "reason": windows.not_told("MinEncryptionLevel", input.windowsRDP.MinEncryptionLevel)} if {
	_on
	_native
	not input.windowsRDP.MinEncryptionLevel.state == "present"
}

unknown contains {"resource": _resource("SecurityLayer"), "reason": _why} if {
	_on
	not _tls
	not _native
}

_why := sprintf("SecurityLayer is %s, which no version is known to have", [_layer.value]) if {
	_strange
} else := "SecurityLayer is set nowhere, and network level authentication, with which it would not matter, is not known to be on" if {
	_layer.state == "absent"
} else := "SecurityLayer was not read" if {
	windows.unread(_layer)
} else := "SecurityLayer is 1, and whether network level authentication is on was not read"

unknown contains {"resource": {"kind": "server", "key": "Remote Desktop"}, "reason": "whether it is on was not read"} if {
	windows.unread(input.windowsRDP.fDenyTSConnections)
}

not_applicable := "Remote Desktop is off" if {
	not _on
	not windows.unread(input.windowsRDP.fDenyTSConnections)
}
