# METADATA
# title: Remote Desktop shows its login to everybody
# description: >-
#   Remote Desktop is on and does not ask who connects before it makes a session (network level authentication).
# custom:
#   severity: medium
#   reads: [windows.rdp]
#   remediation: >-
#     Set UserAuthentication to 1, or the policy "Require user authentication for remote connections".
#   references:
#     nist: ["IA-2", "AC-17"]
#     attack: ["T1021.001"]
#     cwe: ["CWE-287"]
package ringfence.windows.rdp_without_nla

import data.ringfence.lib.windows

_on if windows.off(input.windowsRDP.fDenyTSConnections)

finding contains {
	"resource": {"kind": "server", "key": "Remote Desktop"},
	"message": "Remote Desktop does not ask who connects before it makes a session",
	"evidence": [sprintf("UserAuthentication is 0%s", [windows.by_policy(input.windowsRDP.UserAuthentication)])],
	"remediation": windows.rdp_set("UserAuthentication", 1, input.windowsRDP.UserAuthentication),
} if {
	_on
	windows.off(input.windowsRDP.UserAuthentication)
}

unknown contains {
	"resource": {"kind": "server", "key": "Remote Desktop"},
	"reason": windows.not_told("UserAuthentication", input.windowsRDP.UserAuthentication),
} if {
	_on
	not input.windowsRDP.UserAuthentication.state == "present"
}

# Network level authentication is made within TLS.
unknown contains {"resource": {"kind": "server", "key": "Remote Desktop"}, "reason": "SecurityLayer is 0, and what becomes of UserAuthentication without TLS is not known"} if {
	_on
	windows.on(input.windowsRDP.UserAuthentication)
	windows.off(input.windowsRDP.SecurityLayer)
}

unknown contains {"resource": {"kind": "server", "key": "Remote Desktop"}, "reason": "SecurityLayer was not read, and without TLS UserAuthentication says little"} if {
	_on
	windows.on(input.windowsRDP.UserAuthentication)
	windows.unread(input.windowsRDP.SecurityLayer)
}

unknown contains {"resource": {"kind": "server", "key": "Remote Desktop"}, "reason": "whether it is on was not read"} if {
	windows.unread(input.windowsRDP.fDenyTSConnections)
}

not_applicable := "Remote Desktop is off" if {
	not _on
	not windows.unread(input.windowsRDP.fDenyTSConnections)
}
