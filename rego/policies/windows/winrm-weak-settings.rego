# METADATA
# title: WinRM lets in with too little
# description: >-
#   A listener of WinRM takes passwords in Basic authentication, traffic without encryption, or delegated credentials; or
#   local administrators have all their powers over the network.
# custom:
#   severity: high
#   reads: [windows.winrm, windows.system]
#   remediation: >-
#     Set-Item WSMan:\\localhost\\Service\\Auth\\Basic false and AllowUnencrypted false, or the policies of the same names.
#   references:
#     nist: ["AC-17(2)", "IA-2"]
#     attack: ["T1021.006"]
#     cwe: ["CWE-319"]
package ringfence.windows.winrm_weak_settings

import data.ringfence.lib.windows

_weak := {
	"auth_basic": {
		"severity": "high", "message": "WinRM takes passwords in Basic authentication",
		"text": "Set-Item -Path WSMan:\\localhost\\Service\\Auth\\Basic -Value $false",
	},
	"allow_unencrypted": {
		"severity": "high", "message": "WinRM takes commands that are not encrypted",
		"text": "Set-Item -Path WSMan:\\localhost\\Service\\AllowUnencrypted -Value $false",
	},
	"auth_credssp": {
		"severity": "medium", "message": "WinRM takes the credentials of who connects (CredSSP)",
		"text": "Disable-WSManCredSSP -Role Server",
	},
}

_listens if {
	some l in input.windowsWinRM.listeners
	l.enabled
}

finding contains {
	"resource": {"kind": "server", "key": sprintf("WinRM %s", [name])},
	"message": weak.message,
	"severity": weak.severity,
	"evidence": [sprintf("%s is 1%s", [name, windows.by_policy(s)])],
	"remediation": windows.change(s.policy, sprintf("%s to 0", [name]), weak.text),
} if {
	_listens
	some name, weak in _weak
	s := input.windowsWinRM.settings[name]
	windows.on(s)
}

finding contains {
	"resource": {"kind": "server", "key": "WinRM cbt_hardening_level"},
	"message": "WinRM over TLS takes logins that were made for another connection (no channel binding)",
	"severity": "low",
	"evidence": [sprintf("cbt_hardening_level is None%s", [windows.by_policy(s)])],
	"remediation": windows.change(s.policy, "CBTHardeningLevel to Strict", "Set-Item -Path WSMan:\\localhost\\Service\\Auth\\CbtHardeningLevel -Value Strict"),
} if {
	_listens
	s := input.windowsWinRM.settings.cbt_hardening_level
	s.state == "present"
	lower(s.value) == "none"
}

finding contains {
	"resource": {"kind": "server", "key": "WinRM trusted_hosts"},
	"message": "the host sends what it logs in with to any WinRM server, whoever answers",
	"severity": "medium",
	"evidence": [sprintf("trusted_hosts is %s%s", [s.value, windows.by_policy(s)])],
	"remediation": windows.change(s.policy, "TrustedHosts to the hosts that are meant", "Clear-Item -Path WSMan:\\localhost\\Client\\TrustedHosts"),
} if {
	s := input.windowsWinRM.settings.trusted_hosts
	_trusts_all(s)
}

_trusts_all(s) if {
	s.state == "present"
	some name in split(s.value, ",")
	trim_space(name) == "*"
}

finding contains {
	"resource": {"kind": "server", "key": "LocalAccountTokenFilterPolicy"},
	"message": "local administrators have all their powers over the network",
	"severity": "medium",
	"evidence": ["LocalAccountTokenFilterPolicy is 1"],
	"remediation": [{
		"kind": "command",
		"text": "Remove-ItemProperty HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies\\System LocalAccountTokenFilterPolicy",
	}],
} if {
	_listens
	windows.on(input.windowsTokens)
}

finding contains {
	"resource": {"kind": "server", "key": "WinRM rootSDDL"},
	"message": sprintf("WinRM lets %s in", [windows.who(many)]),
	"severity": "high",
	"evidence": ["rootSDDL has entries for them"],
	"remediation": [{"kind": "words", "text": "take them out of rootSDDL: winrm configSDDL default"}],
} if {
	_listens
	many := [sid | some sid in input.windowsWinRM.open; sid in windows.broad]
	count(many) > 0
}

unknown contains {
	"resource": {"kind": "server", "key": sprintf("WinRM %s", [name])},
	"reason": sprintf("%s was not read", [name]),
} if {
	_listens
	some name in array.concat([n | some n, _ in _weak], ["cbt_hardening_level"])
	windows.unread(input.windowsWinRM.settings[name])
}

unknown contains {"resource": {"kind": "server", "key": "WinRM trusted_hosts"}, "reason": "trusted_hosts was not read"} if {
	windows.unread(input.windowsWinRM.settings.trusted_hosts)
}

not_applicable := "WinRM has no listener" if {
	not _listens
	not windows.unread(input.windowsWinRM.settings.trusted_hosts)
	not _trusts_all(input.windowsWinRM.settings.trusted_hosts)
}
