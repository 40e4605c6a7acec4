# METADATA
# title: Intel AMT answers on the host
# description: >-
#   A service of Intel AMT (TCP 16992 to 16995) is open: the management engine has been switched
#   on, below the operating system, with its own web server, console and power switch. On the
#   network its firmware answers on the address of the host, and no packet filter of the host stops
#   it; without a patch of its firmware an empty password was enough.
# custom:
#   severity: medium
#   reads: [listeners.ip, listeners.namespaces, network, nftables, processes.power, agents, runtimes]
#   remediation: >-
#     Unprovision AMT in its setup if nobody uses it (Ctrl-P at boot, or the MEBx menu); else patch
#     its firmware and keep its ports away at the switch.
#   references:
#     nist: ["AC-17", "CM-7"]
#     attack: ["T1542.002"]
#     cwe: ["CWE-1188"]
#     cve: ["CVE-2017-5689"]
package ringfence.management.amt_answers

_ports := {16992, 16993, 16994, 16995}

finding contains {
	"resource": {"kind": "service", "key": svc.key},
	"message": sprintf("Intel AMT is switched on: its local service listens (%s)", [svc.key]),
	"evidence": [sprintf("%s is held by %s", [svc.key, svc.owner])],
	"remediation": [{"kind": "words", "text": "unprovision AMT in its setup, or patch its firmware and keep TCP 16992 to 16995 away at the switch"}],
} if {
	some svc in input.services
	svc.proto == "tcp"
	svc.port in _ports
	svc.namespace == ""
}
