# METADATA
# title: A tunnel makes a service of loopback reachable from elsewhere
# description: >-
#   cloudflared, ngrok, Tailscale serve and funnel, ssh -R, VS Code tunnels and others open a
#   connection to a server outside, and who comes in there comes out on loopback here. No packet
#   filter of the host sees who that is, and services on loopback often ask nobody.
# custom:
#   severity: medium
#   reads: [agents, processes.power, listeners.ip, runtimes]
#   params:
#     programs: {type: strings, default: [], description: "Tunnels that are meant: names of programs, such as cloudflared."}
#   remediation: >-
#     End the tunnel, or let its server ask who comes (an access policy, OAuth, an allow list), and
#     give the service behind it authentication of its own.
#   references:
#     nist: ["SC-7", "AC-17(3)", "AC-4"]
#     attack: ["T1572", "T1133", "T1219"]
#     cwe: ["CWE-668"]
package ringfence.agent.tunnel_publishes_loopback

import data.ringfence.lib

finding contains {
	"resource": {"kind": "command", "key": p.key},
	"message": sprintf("%s of %s makes %s reachable for %s", [p.program, p.whose, _what(p), _whom[p.to]]),
	"severity": _severity(p),
	"evidence": [sprintf("a process runs it, unit %q", [p.unit])],
	"remediation": [{"kind": "words", "text": "end the tunnel, or have its server ask who comes, and give the service behind it authentication of its own"}],
} if {
	some p in input.publishers.list
	not p.program in object.get(data.params, "programs", [])
	_severity(p)
}

_whom := {"everybody": "everybody", "members": "the members of its account or network", "server": "who is on the machine at its other end"}

_what(p) := sprintf("%s (%s)", [lib.join(p.agents), lib.join(p.targets)]) if {
	count(p.agents) > 0
} else := "a shell or an editor of its user" if {
	p.shell
} else := lib.join(p.targets) if {
	count(p.targets) > 0
} else := "what its configuration names"

_severity(p) := "high" if {
	p.to == "everybody"
	_worth(p)
} else := "medium" if {
	p.to == "everybody"
} else := "medium" if {
	_worth(p)
} else := "low"

_worth(p) if p.shell

_worth(p) if count(p.agents) > 0

unknown contains {"resource": {"kind": "command", "key": "programs that publish services"}, "reason": input.publishers.unread} if {
	input.publishers.unread != ""
}
