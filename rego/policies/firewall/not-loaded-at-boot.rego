# METADATA
# title: The packet filter is gone after the next boot
# description: >-
#   What comes to ports that no rule names is stopped now, and no service that loads a packet
#   filter is started at boot (nftables, firewalld, ufw, netfilter-persistent and their kind).
#   After the next start the host is open, until somebody notices. Rules that something else loads,
#   a unit or script of one's own, are not known here.
# custom:
#   severity: low
#   reads: [system.boot, network, nftables]
#   remediation: >-
#     Save the rules and enable the service that loads them: nft list ruleset > /etc/nftables.conf,
#     systemctl enable nftables.
#   references:
#     cis: ["Debian 12 v1.1.0 4.3.9", "Debian 12 v1.1.0 4.3.10"]
#     nist: ["CM-6", "SC-7"]
#     attack: ["T1562.004"]
#     cwe: ["CWE-693"]
package ringfence.firewall.not_loaded_at_boot

# The rules of a fix are loaded by a unit of their own, once they are confirmed: fix verify says whether they are. What would stop packets
# without them is not told apart.
_chains := [c | some c in input.firewall.inputChains; not _ours]

_ours if {
	some c in input.firewall.inputChains
	regex.match(`^[a-z0-9]+ ringfence(_trial|_watch)?/`, c)
}

# Where no rules are, an address that is missing stops as well.
_stops if {
	count(_chains) > 0
	some i in input.firewall.input
	i.zone == "external"
	i.reach.verdict == "unreachable"
}

_maybe if {
	count(_chains) > 0
	some i in input.firewall.input
	i.zone == "external"
	i.reach.verdict == "unknown"
}

finding contains {
	"resource": {"kind": "firewall", "key": "boot"},
	"message": "no service loads the packet filter at the next boot",
	"evidence": [sprintf("base chains of input: %s", [concat(", ", _chains)]), sprintf("installed, and loads nothing at boot: %s", [_off])],
	"remediation": [{"kind": "words", "text": "save the rules (nft list ruleset > /etc/nftables.conf) and systemctl enable nftables, or enable the service that made them"}],
} if {
	input.bootFirewalls.state == "present"
	count(input.bootFirewalls.enabled) == 0
	_stops
}

_off := concat(", ", input.bootFirewalls.off) if count(input.bootFirewalls.off) > 0

else := "none"

unknown contains {"resource": {"kind": "firewall", "key": "boot"}, "reason": "what is started at boot is not known without systemd"} if {
	input.bootFirewalls.state != "present"
	_stops
}

unknown contains {"resource": {"kind": "firewall", "key": "boot"}, "reason": "whether the packet filter stops anything is not known"} if {
	input.bootFirewalls.state == "present"
	count(input.bootFirewalls.enabled) == 0
	not _stops
	_maybe
}

not_applicable := "nothing from outside is stopped by default" if {
	not _stops
	not _maybe
}
