# METADATA
# title: File sharing speaks a weak protocol
# description: >-
#   SMB 1 is on, anonymous logons see shares and pipes, or messages need no signature.
# custom:
#   severity: medium
#   reads: [windows.smb, windows.system]
#   remediation: >-
#     Set-SmbServerConfiguration -EnableSMB1Protocol $false -RequireSecuritySignature $true.
#   references:
#     nist: ["SC-8", "CM-7"]
#     attack: ["T1021.002", "T1557.001"]
#     cwe: ["CWE-327"]
package ringfence.windows.smb_weak_settings

import data.ringfence.lib.windows

_served if not input.windowsSMB.start.value == "4"

finding contains {
	"resource": {"kind": "server", "key": "SMB 1"},
	"message": "SMB 1 is on: it has no protection of its own, and has been broken from afar",
	"severity": "high",
	"evidence": ["SMB1 is 1"],
	"remediation": [{"kind": "command", "text": "Set-SmbServerConfiguration -EnableSMB1Protocol $false"}],
} if {
	_served
	windows.on(input.windowsSMB.SMB1)
}

finding contains {
	"resource": {"kind": "server", "key": "SMB null sessions"},
	"message": "anonymous logons see all shares and pipes",
	"evidence": ["RestrictNullSessAccess is 0"],
	"remediation": [{
		"kind": "command",
		"text": "Set-ItemProperty HKLM:\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters RestrictNullSessAccess 1",
	}],
} if {
	_served
	windows.off(input.windowsSMB.RestrictNullSessAccess)
}

finding contains {
	"resource": {"kind": "server", "key": "SMB signatures"},
	"message": "SMB takes messages without a signature, which somebody between can change",
	"severity": "low",
	"evidence": ["RequireSecuritySignature is 0"],
	"remediation": [{"kind": "command", "text": "Set-SmbServerConfiguration -RequireSecuritySignature $true"}],
} if {
	_served
	windows.off(input.windowsSMB.RequireSecuritySignature)
}

unknown contains {"resource": {"kind": "server", "key": "SMB"}, "reason": sprintf("%s was not read", [name])} if {
	_served
	some name in ["SMB1", "RestrictNullSessAccess", "RequireSecuritySignature"]
	windows.unread(input.windowsSMB[name])
	input.windowsSMB[name].state != "default"
}

unknown contains {"resource": {"kind": "server", "key": "SMB"}, "reason": sprintf("%s is set nowhere, and what this system does then %s", [name, text])} if {
	_served
	some name, text in {
		"SMB1": "is not known: its driver (srv) is installed, or was not looked for, and with it SMB 1 is on unless it is set off",
		"RequireSecuritySignature": "is not known: Windows 11 24H2 requires them, but not its Home edition, Windows Server 2025 or what is older",
	}
	input.windowsSMB[name].state == "default"
}

not_applicable := "the service of file sharing is disabled" if not _served
