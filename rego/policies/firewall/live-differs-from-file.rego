# METADATA
# title: The packet filter that is loaded is not the one that is saved
# description: >-
#   nftables.service loads a file at boot, and what is loaded now differs from it, table by table:
#   rules that somebody added by hand and that are gone after the next start, or rules that were
#   taken away and would come back. It is how an opening that was meant for an hour stays, and how
#   one that nobody meant shows. The file is loaded into a network namespace of its own and read
#   back from the kernel; elements of named sets, and tables that runtimes, iptables and ringfence
#   load, are left out.
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

finding contains {
	"resource": {"kind": "table", "key": t.table, "path": input.persisted.file},
	"message": _message(t),
	"severity": _severity(t),
	"evidence": array.concat([sprintf("compared with %s", [input.persisted.file])], t.lines),
	"remediation": [{"kind": "words", "text": _fix(t)}],
} if {
	some t in input.persisted.tables
}

_message(t) := sprintf("the table %s is in %s and is not loaded", [t.table, input.persisted.file]) if {
	t.missing
} else := sprintf("the table %s is loaded and in no file that is loaded at boot", [t.table]) if {
	t.extra
} else := sprintf("the table %s differs from %s", [t.table, input.persisted.file])

_severity(t) := "low" if {
	t.extra
} else := "medium"

_fix(t) := sprintf("nft list table %s, and add it to %s or delete it", [t.table, input.persisted.file]) if {
	t.extra
} else := sprintf("look at each difference, then load the file (nft -f %s) or save the table into it (nft list table %s)", [input.persisted.file, t.table])

unknown contains {"resource": {"kind": "firewall", "key": "file"}, "reason": sprintf("the file could not be read: %s", [input.persisted.reason])} if {
	not input.persisted.state in {"present", "absent"}
}

not_applicable := "no service that is known loads a file of nft at boot" if input.persisted.state == "absent"
