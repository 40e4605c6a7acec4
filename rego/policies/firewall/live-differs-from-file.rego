# METADATA
# title: The packet filter that is loaded is not the one that is saved
# description: >-
#   nftables.service, iptables-persistent, ufw or firewalld loads its files at boot, and what is
#   loaded now differs from them, table by table: rules that somebody added by hand and that are gone after the next start, or rules that were
#   taken away and would come back. It is how an opening that was meant for an hour stays, and how
#   one that nobody meant shows. The files are loaded into a network namespace of its own and read
#   back from the kernel; elements of named sets, and tables and chains that runtimes and ringfence
#   load, are left out. Of firewalld the ports are compared that zones in force open.
# custom:
#   severity: medium
#   reads: [system.boot, nftables]
#   remediation: >-
#     Load the file (nft -f), or save what is loaded into it, after looking at each difference.
#   references:
#     cis: ["Debian 12 v1.1.0 4.3.10"]
#     nist: ["CM-3", "SI-7"]
#     attack: ["T1562.004"]
#     cwe: ["CWE-1188"]
package ringfence.firewall.live_differs_from_file

_loaded := [p | some p in array.concat([input.persisted], input.persistedMore); p.state != "absent"]

finding contains {
	"resource": {"kind": "table", "key": t.table, "path": p.file},
	"message": _message(p, t),
	"severity": _severity(t),
	"evidence": array.concat([sprintf("compared with %s", [p.file])], t.lines),
	"remediation": [{"kind": "words", "text": _fix(p, t)}],
} if {
	some p in _loaded
	some t in p.tables
}

_message(p, t) := sprintf("the table %s is in %s and is not loaded", [t.table, p.file]) if {
	t.missing
} else := sprintf("the table %s is loaded and in no file that is loaded at boot", [t.table]) if {
	t.extra
} else := sprintf("the table %s differs from %s", [t.table, p.file])

_severity(t) := "low" if {
	t.extra
} else := "medium"

_fix(p, t) := sprintf("nft list table %s, and add it to %s or delete it", [t.table, p.file]) if {
	t.extra
} else := sprintf("look at each difference, then %s", [_save[object.get(p, "loader", "")]]) if {
	_save[object.get(p, "loader", "")]
} else := sprintf("look at each difference, then load the file (nft -f %s) or save the table into it (nft list table %s)", [p.file, t.table])

_save := {
	"netfilter-persistent.service": "load the files again (netfilter-persistent reload) or save what is loaded (netfilter-persistent save)",
	"iptables.service": "restart the service, or save what is loaded (iptables-save)",
	"ip6tables.service": "restart the service, or save what is loaded (ip6tables-save)",
	"ufw.service": "ufw reload, or add the rule by ufw",
	"firewalld.service": "firewall-cmd --reload, or firewall-cmd --runtime-to-permanent",
}

unknown contains {"resource": {"kind": "firewall", "key": _key(p)}, "reason": sprintf("the file could not be read: %s", [p.reason])} if {
	some p in _loaded
	p.state != "present"
}

_key(p) := p.loader if {
	object.get(p, "loader", "") != ""
} else := "file"

unknown contains {"resource": {"kind": "firewall", "key": chain}, "reason": sprintf("what %s makes of its configuration was not worked out", [p.loader])} if {
	some p in _loaded
	p.state == "present"
	some chain in object.get(p, "left", [])
}

not_applicable := "no service that is known loads a packet filter at boot" if count(_loaded) == 0
