# METADATA
# title: Sessions of Remote Desktop are watched without being asked
# description: >-
#   Administrators can look at a session of somebody else, or work in it, without that somebody
#   being asked (Shadow is 2 or 4). Who has their password from elsewhere is then in each session that
#   is open, and nobody in it sees that.
# custom:
#   severity: medium
#   reads: [windows.rdp]
#   remediation: >-
#     Set the policy "Set rules for remote control of Remote Desktop Services user sessions" to one
#     with the user's permission, or to none.
#   references:
#     nist: ["AC-17", "AC-6"]
#     attack: ["T1563.002"]
#     cwe: ["CWE-284"]
package ringfence.windows.rdp_shadow_without_consent

import data.ringfence.lib.windows

_on if windows.off(input.windowsRDP.fDenyTSConnections)

_does := {"2": "work in", "4": "look at"}

finding contains {
	"resource": {"kind": "server", "key": "Remote Desktop"},
	"message": sprintf("administrators can %s sessions of others who are not asked", [does]),
	"evidence": [sprintf("Shadow is %s", [input.windowsRDP.Shadow.value])],
	"remediation": [{
		"kind": "command",
		"text": "Set-ItemProperty 'HKLM:\\SOFTWARE\\Policies\\Microsoft\\Windows NT\\Terminal Services' Shadow 1",
	}],
} if {
	_on
	input.windowsRDP.Shadow.state == "present"
	does := _does[input.windowsRDP.Shadow.value]
}

unknown contains {"resource": {"kind": "server", "key": "Remote Desktop"}, "reason": "Shadow was not read"} if {
	_on
	windows.unread(input.windowsRDP.Shadow)
}

unknown contains {"resource": {"kind": "server", "key": "Remote Desktop"}, "reason": "whether it is on was not read"} if {
	windows.unread(input.windowsRDP.fDenyTSConnections)
}

not_applicable := "Remote Desktop is off" if {
	not _on
	not windows.unread(input.windowsRDP.fDenyTSConnections)
}
