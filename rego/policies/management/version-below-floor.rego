# METADATA
# title: A version of management servers has a known hole
# description: >-
#   An installed package is older than the version in which a hole was mended that others use. Who
#   reaches the server needs no account. The holes, the versions of each branch, those of
#   distributions and where it is told are a dated data file (rego/data/floors.json). A
#   distribution that keeps the number of a version and mends its holes is judged by the version of
#   its package where the file has that, else it is unknown.
# custom:
#   severity: critical
#   reads: [system.packages, listeners.ip, listeners.namespaces, network, nftables, processes.power, agents, runtimes]
#   remediation: >-
#     Install the version that is named or a later one, and restart what runs the old one.
#   references:
#     nist: ["SI-2"]
#     attack: ["T1190"]
#     cwe: ["CWE-1395"]
#     cve: ["CVE-2021-38647"]
package ringfence.management.version_below_floor

finding contains {
	"resource": {"kind": "package", "key": sprintf("%s %s", [f["package"], f.id])},
	"message": sprintf("%s %s has a known hole: %s (%s)", [f.component, f.version, f.what, f.id]),
	"severity": _severity,
	"evidence": [sprintf("%s %s is installed, mended from %s on (%s)", [f["package"], f.version, f.fixed, f.source])],
	"remediation": [{"kind": "words", "text": sprintf("install %s in version %s or later, and restart what runs the old one", [f["package"], f.fixed])}],
} if {
	some f in input.floors
	f.area == "management"
	f.state == "below"
}

# Who reaches the server decides how bad it is; what is installed and reached by nobody waits for somebody to start it.
_severity := "critical" if {
	_reached("external")
} else := "high" if {
	_reached("workload")
} else := "medium"

_reached(zone) if {
	some svc in input.services
	svc.class == "winrm"
	svc.namespace == ""
	svc.reach[zone].verdict == "reachable"
}

unknown contains {
	"resource": {"kind": "package", "key": sprintf("%s %s", [f["package"], f.id])},
	"reason": sprintf("%s is a version of a distribution, which may have mended %s and kept the number: see its security tracker", [f.version, f.id]),
} if {
	some f in input.floors
	f.area == "management"
	f.state == "unknown"
}

not_applicable := "no package is installed that has a floor" if {
	count([f | some f in input.floors; f.area == "management"]) == 0
}
