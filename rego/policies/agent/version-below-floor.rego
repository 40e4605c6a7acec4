# METADATA
# title: An agent or model runtime has a flaw that is known
# description: >-
#   Its version is older than the one that repairs the advisories of the data file: commands
#   without authentication, ways out of its sandbox, credentials for everybody. The list is dated,
#   and no scan for all flaws.
# custom:
#   severity: high
#   reads: [agents, processes.power]
#   remediation: >-
#     Update it and restart what runs.
#   references:
#     nist: ["SI-2", "RA-5"]
#     attack: ["T1190", "T1068"]
#     cwe: ["CWE-1395"]
package ringfence.agent.version_below_floor

finding contains {
	"resource": {"kind": "agent", "key": a.key},
	"message": sprintf("%s %s is older than %s, which repairs %s", [a.title, a.version, a.floor, a.floorWhy]),
	"evidence": [sprintf("%s: %s", [a.title, a.evidence])],
	"remediation": [{"kind": "words", "text": sprintf("update %s to %s or later, and restart it", [a.title, a.floor])}],
} if {
	some a in input.agentPrograms
	a.floorState == "below"
}

unknown contains {"resource": {"kind": "agent", "key": a.key}, "reason": _why(a)} if {
	some a in input.agentPrograms
	a.floorState == "unknown"
}

_why(a) := sprintf("whether %s is repaired in its own line of versions is not known", [a.version]) if {
	a.version != ""
} else := sprintf("its version is not known: %s", [a.versionWhy])

not_applicable := "no agent runs" if count(input.agentPrograms) == 0
